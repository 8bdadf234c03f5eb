//! PostgreSQL's own benchmark of reads by a primary key, on the same server.

use std::process::Command;
use std::time::Duration;

use crate::base::Base;

/// Rows of one of pgbench's units.
const ROWS: u64 = 100_000;

/// Its tables, beside ours.
pub struct Reads {
    url: String,
}

impl Reads {
    /// About as many rows as there are people; `None` on another database, or without pgbench.
    pub fn on(kind: &str, base: &Base, people: u64) -> Option<Self> {
        if kind != "postgres" {
            return None;
        }
        // What sqlx calls `options[search_path]`.
        let url = base.url.replace("options[search_path]=", "options=-csearch_path%3D");
        let scale = people.div_ceil(ROWS).to_string();
        let made = Command::new("pgbench").args(["-i", "-q", "-s", &scale, &url]).output();
        match made {
            Ok(output) if output.status.success() => Some(Self { url }),
            Ok(output) => panic!("pgbench: {}", String::from_utf8_lossy(&output.stderr)),
            Err(error) => {
                println!("no pgbench beside it: {error}");
                None
            }
        }
    }

    /// Reads a second, each statement prepared once.
    pub fn per_second(&self, connections: usize, lasting: Duration) -> f64 {
        let output = Command::new("pgbench")
            .args(["-S", "-n", "-M", "prepared", "-j", "2", "-c", &connections.to_string()])
            .args(["-T", &lasting.as_secs().to_string(), &self.url])
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let tps = told.lines().find_map(|line| line.strip_prefix("tps = "));
        let tps = tps.and_then(|tps| tps.split_whitespace().next()?.parse().ok());
        tps.unwrap_or_else(|| panic!("pgbench: {told}"))
    }
}
