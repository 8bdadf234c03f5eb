//! Parameters and statistics of benchmarks.

/// Returns the names on the command line.
pub fn named() -> Vec<String> {
    std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect()
}

/// Returns a number from the environment.
pub fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Returns the number of rounds: `BENCH_ROUNDS`, or 3.
pub fn rounds() -> u64 {
    number("BENCH_ROUNDS", 3)
}

/// Returns the median (the upper one of two).
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
