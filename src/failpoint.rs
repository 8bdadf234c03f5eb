//! Named points in the code at which a test kills, stops or delays this process. Release builds contain
//! none of it.
//!
//! Test builds read the environment. `FAILPOINTS="sync.page_committed=2*off->return"` kills the process
//! when it reaches the point for the third time, like `kill -9`. `return(stop)` stops the process like
//! `kill -STOP`, until it receives SIGCONT. `sleep(400)` delays it by 400 ms.

/// A named failpoint.
macro_rules! failpoint {
    ($name:literal) => {{
        fn here() {
            fail::fail_point!($name, crate::failpoint::trigger);
        }
        here();
    }};
}
pub(crate) use failpoint;

/// Sends SIGSTOP to this process if the argument is `stop`, otherwise SIGKILL. Neither can be caught.
#[cfg(feature = "failpoints")]
pub(crate) fn trigger(argument: Option<String>) {
    use rustix::process::{Signal, getpid, kill_process};
    let signal = if argument.as_deref() == Some("stop") { Signal::STOP } else { Signal::KILL };
    if kill_process(getpid(), signal).is_err() {
        std::process::abort();
    }
}
