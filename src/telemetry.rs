//! Logs to stderr, and the numbers that `/metrics` gives.
//!
//! Keeps one promise: whatever the operator asks to see, no library prints a secret. reqwest,
//! hyper and h2 print URLs and headers at `debug` and `trace` (and WeChat wants AppSecret and
//! access_token in URLs), sqlx and SeaORM print bound values. A list of such crates would miss the
//! next one, so it is the other way round: our own crates log what is asked for, everybody else's
//! warnings and errors at most.

use std::io::IsTerminal;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{FilterFn, ParseError, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Layer, fmt, registry};

use crate::config::{Log, LogFormat};

/// Crates whose lines are ours to answer for.
const OWN: &[&str] = &["unionid_bridge", "migration", "entity"];

/// Upper bounds of histogram buckets, in seconds: from a look-up to WeChat's timeout.
const SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// How often samples are folded into their buckets.
const FOLD_EVERY: Duration = Duration::from_secs(5);

/// Why nothing can be logged or measured.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `log.filter` is not a list of levels.
    #[error("the log filter cannot be read")]
    Filter(#[from] ParseError),
    /// Logs were started before in this process.
    #[error("logs go elsewhere already")]
    LogsTaken(#[from] TryInitError),
    /// Metrics were started before in this process.
    #[error("metrics cannot be recorded")]
    Metrics(#[from] BuildError),
}

/// Sends this process's logs to `writer`, which is `std::io::stderr` or what keeps lines and a
/// progress bar apart.
pub fn init<W>(log: &Log, writer: W) -> Result<(), Error>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    Ok(subscriber(log, writer)?.try_init()?)
}

fn subscriber<W>(log: &Log, writer: W) -> Result<impl Subscriber + Send + Sync, Error>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let asked = EnvFilter::builder().parse(&log.filter)?;
    let lines = fmt::layer().with_writer(writer);
    let lines = match log.format {
        LogFormat::Text => lines.with_ansi(colours()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    Ok(registry().with(asked).with(capped()).with(lines))
}

/// Colours for a terminal, unless <https://no-color.org> is asked for.
fn colours() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty())
}

/// Lets other people's code through at `warn` and above only.
fn capped() -> FilterFn<impl Fn(&Metadata<'_>) -> bool> {
    filter_fn(|line| is_own(line.target()) || *line.level() <= LevelFilter::WARN)
}

fn is_own(target: &str) -> bool {
    let name = target.split("::").next().unwrap_or_default();
    OWN.contains(&name)
}

/// The recorder of this process's metrics.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Starts recording; once in a process.
    pub fn install() -> Result<Self, Error> {
        Ok(Self(PrometheusBuilder::new().set_buckets(SECONDS)?.install_recorder()?))
    }

    /// Everything recorded, in Prometheus's text format.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Folds samples into their buckets for ever. Without it every sample of a histogram stays in
    /// memory until somebody scrapes; run it beside whatever serves.
    pub async fn fold(self) {
        let mut tick = tokio::time::interval(FOLD_EVERY);
        loop {
            tick.tick().await;
            self.0.run_upkeep();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(filter: &str, format: LogFormat, talk: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let log = Log { filter: filter.to_owned(), format };
        let subscriber = subscriber(&log, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, talk);
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    fn talk() {
        tracing::trace!(target: "unionid_bridge::wechat", "ours at trace");
        tracing::info!(target: "unionid_bridge", page = 3, "ours at info");
        tracing::warn!(target: "sqlx::query", "theirs at warn");
        tracing::info!(target: "sqlx::query", "canary bound value");
        tracing::debug!(target: "hyper_util::client", "canary host");
        tracing::trace!(target: "h2::codec", "canary path");
        let statement = tracing::trace_span!(target: "sea_orm::database", "query", "canary");
        statement.in_scope(|| tracing::info!(target: "migration", "ours within theirs"));
    }

    #[test]
    fn at_trace_libraries_still_say_no_more_than_warnings() {
        for filter in ["trace", "trace,hyper_util=trace,sqlx=debug,h2=trace,sea_orm=trace"] {
            let text = logged(filter, LogFormat::Text, talk);
            assert!(text.contains("ours at trace") && text.contains("theirs at warn"), "{text}");
            assert!(text.contains("ours within theirs") && !text.contains("canary"), "{text}");
        }
    }

    #[test]
    fn what_was_not_asked_for_is_not_said() {
        let text = logged("info", LogFormat::Text, talk);
        assert!(text.contains("ours at info") && !text.contains("ours at trace"), "{text}");
    }

    #[test]
    fn json_is_one_object_a_line() {
        let text = logged("unionid_bridge=info", LogFormat::Json, talk);
        let line: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
        assert_eq!((&line["message"], &line["page"]), (&"ours at info".into(), &3.into()));
    }

    #[test]
    fn metrics_are_rendered_as_text() {
        let metrics = Metrics::install().unwrap();
        metrics::counter!("pages_total").increment(2);
        assert!(metrics.render().contains("pages_total 2"));
        assert!(matches!(Metrics::install(), Err(Error::Metrics(_))));
    }
}
