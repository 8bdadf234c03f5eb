//! How many connections there is room for.

/// Connections at once, however many files may be open; more wait in the kernel's queue.
const MOST_CONNECTIONS: u64 = 8_192;

/// Files that are left to the database, to WeChat and to the log.
const RESERVED: u64 = 512;

/// What a system allows that does not say.
const USUAL: u64 = 1_024;

/// Raises the number of files this process may have open as far as it may, and gives how many
/// connections that leaves room for. A connection too many would otherwise take the database's.
pub(super) fn most_connections() -> usize {
    let open = rlimit::increase_nofile_limit(MOST_CONNECTIONS + RESERVED).unwrap_or_else(|error| {
        tracing::debug!(%error, "the limit on open files stays as it is");
        rlimit::Resource::NOFILE.get_soft().unwrap_or(USUAL)
    });
    let most = of(open);
    if most < MOST_CONNECTIONS {
        tracing::warn!(
            files.limit = open,
            http.connections = most,
            "few files may be open, so few connections are taken; raise the limit (ulimit -n)"
        );
    }
    most as usize
}

/// Where little is allowed, half is for connections.
fn of(open: u64) -> u64 {
    open.saturating_sub(RESERVED).max(open / 2).clamp(1, MOST_CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_is_left_its_files_whatever_the_limit_is() {
        assert_eq!([64, 256, 1_024, 4_096, 1_000_000].map(of), [32, 128, 512, 3_584, 8_192]);
    }
}
