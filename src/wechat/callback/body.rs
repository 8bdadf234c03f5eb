//! A body's bytes: XML or JSON, told apart by how they begin.

use super::fields::Fields;
use super::{Error, Malformed, json, xml};

/// The longest body that is read, in bytes. WeChat's have 2 KB at most.
pub const LONGEST_BODY: usize = 64 * 1024;

/// What a body says.
pub(super) fn read(bytes: &[u8]) -> Result<Fields, Error> {
    if bytes.len() > LONGEST_BODY {
        return Err(Error::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Malformed::Encoding)?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    match text.trim_start().as_bytes().first() {
        Some(b'<') => Ok(xml::read(text)?),
        Some(b'{') => Ok(json::read(text)?),
        _ => Err(Malformed::Syntax.into()),
    }
}
