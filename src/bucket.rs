//! A token bucket, which limits how often something is done.

use tokio::time::Instant;

/// A token bucket. The caller passes rate and capacity on every refill and may change them at any time;
/// a change by itself adds no tokens.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    tokens: f64,
    filled_at: Instant,
}

impl Bucket {
    /// Creates a full bucket with this capacity.
    pub fn full(capacity: f64) -> Self {
        Self { tokens: capacity, filled_at: Instant::now() }
    }

    /// Adds the tokens for the time since the last refill, up to `capacity`. Returns the number of
    /// tokens.
    pub fn fill(&mut self, per_second: f64, capacity: f64) -> f64 {
        let now = Instant::now();
        let elapsed = (now - self.filled_at).as_secs_f64();
        self.tokens = (self.tokens + elapsed * per_second).min(capacity);
        self.filled_at = now;
        self.tokens
    }

    /// Takes one token.
    pub fn take(&mut self) {
        self.tokens = (self.tokens - 1.0).max(0.0);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_new_rate_applies_from_now_on_and_adds_no_tokens() {
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
