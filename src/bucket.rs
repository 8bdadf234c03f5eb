//! A bucket that fills with time: what bounds how often a thing is done.

use tokio::time::Instant;

/// Holds so many, and gets so many a second while it is not full. Either may change at any time, which
/// by itself puts nothing into it.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    /// One that holds `most`, full.
    pub fn full(most: f64) -> Self {
        Self { left: most, at: Instant::now() }
    }

    /// Puts in what has come since it was last looked at, and tells what there is.
    pub fn fill(&mut self, per_second: f64, most: f64) -> f64 {
        let now = Instant::now();
        self.left = (self.left + (now - self.at).as_secs_f64() * per_second).min(most);
        self.at = now;
        self.left
    }

    /// Takes one out.
    pub fn take(&mut self) {
        self.left = (self.left - 1.0).max(0.0);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn another_rate_counts_from_now_on_and_puts_nothing_in() {
        let mut bucket = Bucket::full(10.0);
        for _ in 0..10 {
            bucket.take();
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(bucket.fill(2.0, 10.0), 2.0);
        assert_eq!(bucket.fill(1_000.0, 1_000.0), 2.0);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(bucket.fill(1.0, 3.0), 3.0);
        assert_eq!(bucket.fill(1.0, 1.0), 1.0);
    }
}
