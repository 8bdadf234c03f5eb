//! `openapi`: prints the API's OpenAPI document without starting a server.

use super::{Exit, output};
use crate::http;

pub(super) fn run() -> Exit {
    output::data(http::document());
    Exit::Done
}
