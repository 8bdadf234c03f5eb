//! The database: limits, outages, and repeated writes.

mod backends;
mod connections_lost;
mod disk_full;
mod locked;
mod migrate;
mod pool_exhausted;
mod repeated_writes;
mod slow;
mod sqlite_rollback;
