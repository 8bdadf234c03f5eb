//! Parses a body as XML or JSON, depending on its first character.

use super::fields::Fields;
use super::{Error, Malformed, json, xml};

/// The maximum size of a body in bytes. WeChat's bodies have 2 KB at most.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// Parses the body into its fields.
pub(super) fn read(bytes: &[u8]) -> Result<Fields, Error> {
    if bytes.len() > MAX_BODY_BYTES {
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
