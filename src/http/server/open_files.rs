//! The connection limit, derived from the limit on open files.

/// The maximum number of connections, whatever the limit on open files. More wait in the kernel's queue.
const MAX_CONNECTIONS: u64 = 8_192;

/// Files reserved for the database, for WeChat and for logs.
const RESERVED: u64 = 512;

/// The assumed limit on open files if the system does not report one.
const DEFAULT_OPEN_FILES: u64 = 1_024;

/// Raises this process's limit on open files as far as needed and allowed, and returns the maximum number of
/// connections that it permits. Without a maximum, connections could use up the files of the database.
pub(super) fn max_connections() -> usize {
    let limit = rlimit::increase_nofile_limit(MAX_CONNECTIONS + RESERVED).unwrap_or_else(|error| {
        tracing::debug!(%error, "could not raise the limit on open files");
        rlimit::Resource::NOFILE.get_soft().unwrap_or(DEFAULT_OPEN_FILES)
    });
    let connections = connections_within(limit);
    if connections < MAX_CONNECTIONS {
        tracing::warn!(
            files.limit = limit,
            http.connections = connections,
            "the limit on open files allows few connections; raise it (ulimit -n)"
        );
    }
    connections as usize
}

/// Returns the limit minus the reserve, or half of the limit if it is low.
fn connections_within(limit: u64) -> u64 {
    limit.saturating_sub(RESERVED).max(limit / 2).clamp(1, MAX_CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connection_limit_reserves_files_for_the_database() {
        let connections = [64, 256, 1_024, 4_096, 1_000_000].map(connections_within);
        assert_eq!(connections, [32, 128, 512, 3_584, 8_192]);
    }
}
