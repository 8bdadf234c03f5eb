//! PostgreSQL's own benchmark of primary key reads, on the same server.

use std::process::Command;
use std::time::Duration;

use crate::base::Base;

/// The number of rows per unit of pgbench's scale.
const ROWS: u64 = 100_000;

/// pgbench's tables, in the same schema as ours.
pub struct Reads {
    url: String,
}

impl Reads {
    /// Creates about as many rows as there are people. Returns `None` on other databases or without pgbench.
    pub fn on(kind: &str, base: &Base, people: u64) -> Option<Self> {
        if kind != "postgres" {
            return None;
        }
        // The notation of libpq for sqlx's `options[search_path]`.
        let url = base.url.replace("options[search_path]=", "options=-csearch_path%3D");
        let scale = people.div_ceil(ROWS).to_string();
        let made = Command::new("pgbench").args(["-i", "-q", "-s", &scale, &url]).output();
        match made {
            Ok(output) if output.status.success() => Some(Self { url }),
            Ok(output) => panic!("pgbench: {}", String::from_utf8_lossy(&output.stderr)),
            Err(error) => {
                println!("skipping pgbench: {error}");
                None
            }
        }
    }

    /// Returns the reads per second with prepared statements.
    pub fn per_second(&self, connections: usize, duration: Duration) -> f64 {
        let output = Command::new("pgbench")
            .args(["-S", "-n", "-M", "prepared", "-j", "2", "-c", &connections.to_string()])
            .args(["-T", &duration.as_secs().to_string(), &self.url])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let tps = text.lines().find_map(|line| line.strip_prefix("tps = "));
        let tps = tps.and_then(|tps| tps.split_whitespace().next()?.parse().ok());
        tps.unwrap_or_else(|| panic!("pgbench: {text}"))
    }
}
