//! Access tokens: refreshed once for everybody.

mod refresh;
mod refused;
