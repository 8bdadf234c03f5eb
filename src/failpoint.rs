//! Named places at which a test kills or stops this process. Nothing of it is in a release.
//!
//! A test build reads the environment: `FAILPOINTS="sync.page_committed=2*off->return"` kills the process
//! as `kill -9` does when it comes by for the third time, `return(stop)` stops it there as `kill -STOP`
//! does, until it is told to go on, and `sleep(400)` holds it up for so many milliseconds.

/// A place with a name.
macro_rules! failpoint {
    ($name:literal) => {{
        fn here() {
            fail::fail_point!($name, crate::failpoint::strike);
        }
        here();
    }};
}
pub(crate) use failpoint;

/// Sends this process the signal that ends it, or the one that stops it. Neither can be caught.
#[cfg(feature = "failpoints")]
pub(crate) fn strike(how: Option<String>) {
    use rustix::process::{Signal, getpid, kill_process};
    let signal = if how.as_deref() == Some("stop") { Signal::STOP } else { Signal::KILL };
    if kill_process(getpid(), signal).is_err() {
        std::process::abort();
    }
}
