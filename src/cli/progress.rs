//! The progress of a sync: a bar with rate and time left on a terminal, otherwise one line per page.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tracing_subscriber::fmt::MakeWriter;

use super::output;
use crate::model::Run;
use crate::sync::Observer;

/// All bars of the process. Log lines are written above them.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

const STYLE: &str =
    "{prefix} {wide_bar} {human_pos}/{human_len} followers  {per_sec}  {eta} left  {msg}";

/// The progress of one account's sync.
#[derive(Clone)]
pub(super) struct Progress {
    name: String,
    bar: Option<ProgressBar>,
    started: Instant,
}

impl Progress {
    /// Starts showing progress under the account's name.
    pub(super) fn new(name: &str) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = BARS.add(ProgressBar::new(0)).with_prefix(name.to_owned());
            if let Ok(style) = ProgressStyle::with_template(STYLE) {
                bar.set_style(style);
            }
            bar
        });
        Self { name: name.to_owned(), bar, started: Instant::now() }
    }

    /// Returns the observer that the sync calls after every page.
    pub(super) fn observer(&self) -> Observer {
        let progress = self.clone();
        Arc::new(move |run, total| progress.page(run, total))
    }

    fn page(&self, run: &Run, total: u64) {
        let counts = &run.counts;
        if let Some(bar) = &self.bar {
            bar.set_length(total.max(counts.listed));
            bar.set_position(counts.listed);
            return;
        }
        let rate = counts.listed as f64 / self.started.elapsed().as_secs_f64().max(0.001);
        output::message(format_args!(
            "{}: page {}, {} of {total} followers listed, {} fetched, {rate:.0}/s",
            self.name, counts.pages, counts.listed, counts.fetched
        ));
    }

    /// Removes the bar.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
            BARS.remove(bar);
        }
    }
}

/// Writes log lines to stderr, above the bars.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writer;

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        BARS.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl MakeWriter<'_> for Writer {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}
