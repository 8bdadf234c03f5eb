//! Logs to stderr, and the metrics that `/metrics` serves.
//!
//! Whatever `log.filter` says, no library logs a secret. reqwest, hyper and h2 print URLs and headers
//! at `debug` and `trace` (and WeChat's API takes AppSecret and access_token in URLs), sqlx and SeaORM
//! print bound values. A deny list of such crates would miss the next one, so this module uses an allow
//! list: our own crates log at the configured level, all others log warnings and errors only.

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

/// Crates that log at the configured level.
const OWN_CRATES: &[&str] = &["unionid_bridge", "migration", "entity"];

/// Upper bounds of histogram buckets, in seconds: from a database query to WeChat's timeout.
const BUCKETS_SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// How often samples are aggregated into their buckets.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Why logging or metrics could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `log.filter` is not a valid list of directives.
    #[error("log.filter is invalid")]
    Filter(#[from] ParseError),
    /// Logging is already initialised in this process.
    #[error("logging is already initialised")]
    LoggingInitialised(#[from] TryInitError),
    /// The recorder cannot be installed, as when this process already has one.
    #[error("metrics cannot be recorded")]
    Metrics(#[from] BuildError),
}

/// Sends this process's logs to `writer`: `std::io::stderr`, or a writer that keeps log lines and a
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
    let filter = EnvFilter::builder().parse(&log.filter)?;
    let lines = fmt::layer().with_writer(writer);
    let lines = match log.format {
        LogFormat::Text => lines.with_ansi(wants_colours()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    Ok(registry().with(filter).with(libraries_capped()).with(lines))
}

/// Whether to colour: on a terminal, unless the variable of <https://no-color.org> is set.
fn wants_colours() -> bool {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stderr().is_terminal() && !no_color
}

/// Lets libraries log at `warn` and `error` only.
fn libraries_capped() -> FilterFn<impl Fn(&Metadata<'_>) -> bool> {
    filter_fn(|event| is_own(event.target()) || *event.level() <= LevelFilter::WARN)
}

fn is_own(target: &str) -> bool {
    let name = target.split("::").next().unwrap_or_default();
    OWN_CRATES.contains(&name)
}

/// The recorder of this process's metrics.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Starts recording. Works once per process.
    pub fn install() -> Result<Self, Error> {
        Ok(Self(PrometheusBuilder::new().set_buckets(BUCKETS_SECONDS)?.install_recorder()?))
    }

    /// Returns everything recorded, in Prometheus's text format.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Aggregates samples into their buckets, forever. Without it, memory holds every sample of a
    /// histogram until the next scrape, so run it for as long as the process serves.
    pub async fn fold(self) {
        let mut tick = tokio::time::interval(UPKEEP_INTERVAL);
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

    fn logged(filter: &str, format: LogFormat, events: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let log = Log { filter: filter.to_owned(), format };
        let subscriber = subscriber(&log, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, events);
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    fn emit_events() {
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
    fn at_trace_libraries_log_only_warnings() {
        for filter in ["trace", "trace,hyper_util=trace,sqlx=debug,h2=trace,sea_orm=trace"] {
            let text = logged(filter, LogFormat::Text, emit_events);
            assert!(text.contains("ours at trace") && text.contains("theirs at warn"), "{text}");
            assert!(text.contains("ours within theirs") && !text.contains("canary"), "{text}");
        }
    }

    #[test]
    fn levels_below_the_filter_are_not_logged() {
        let text = logged("info", LogFormat::Text, emit_events);
        assert!(text.contains("ours at info") && !text.contains("ours at trace"), "{text}");
    }

    #[test]
    fn json_logs_are_one_object_per_line() {
        let text = logged("unionid_bridge=info", LogFormat::Json, emit_events);
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
