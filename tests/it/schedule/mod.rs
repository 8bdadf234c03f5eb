//! Scheduled runs: ticks, rescue of interrupted runs, and stopping.

mod rescue;
mod spread;
mod stop;
mod ticks;
