//! `openapi`: the document of the API, without a server.

use super::{Exit, output};
use crate::http;

pub(super) fn run() -> Exit {
    output::data(http::document());
    Exit::Done
}
