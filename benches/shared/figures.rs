//! Numbers that go in, and numbers that come out.

/// What is named on the command line.
pub fn named() -> Vec<String> {
    std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect()
}

/// A number from the environment.
pub fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// How often what is compared is done, unless `BENCH_ROUNDS` says otherwise.
pub fn rounds() -> u64 {
    number("BENCH_ROUNDS", 3)
}

/// The one in the middle.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
