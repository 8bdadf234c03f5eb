//! Follower sync: what a run does, and how it handles WeChat's faults.

mod begin;
mod collisions;
mod commit_lost;
mod crash;
mod crash_sweep;
mod drift;
mod held;
mod lost_lease;
mod malformed;
mod misaligned;
mod nightly;
mod overlap;
mod pages;
mod poison;
mod probe;
mod refresh;
mod refused;
mod resume;
mod shapes;
mod silent;
mod stop;
mod sweep;
mod unionids;
mod wechat_busy;
