//! Decodes an answer: first the errcode, which WeChat sends in a body with status 200, then the fields.
//!
//! Valid JSON takes one strict pass. JSON that the strict pass rejects is repaired and parsed once more.

pub(super) mod answer;
pub(super) mod json_repair;
pub(super) mod lenient;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use json_repair::repair;
use lenient::{Integer, Text};

/// The contents of an answer.
#[derive(Debug)]
pub(super) enum Decoded<T> {
    Answer(T),
    Refusal { errcode: i64, errmsg: String },
}

/// Decodes the bytes of an answer. The error describes the problem and its position, without quoting the
/// answer.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<Decoded<T>, String> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let strict = std::str::from_utf8(bytes).ok().and_then(|text| read(text).ok());
    match strict {
        Some(decoded) => Ok(decoded),
        None => read(&repair(bytes)).map_err(|error| describe(bytes, &error)),
    }
}

#[derive(Deserialize)]
struct Status<'a> {
    errcode: Option<Integer>,
    #[serde(default, borrow)]
    errmsg: Text<'a>,
}

fn read<T: DeserializeOwned>(text: &str) -> Result<Decoded<T>, serde_json::Error> {
    // Searching for the name is cheap compared with a second parse of a full page.
    if text.contains("\"errcode\"") {
        let status: Status<'_> = serde_json::from_str(text)?;
        match status.errcode {
            None | Some(Integer(Some(0))) => {}
            Some(Integer(Some(errcode))) => {
                let errmsg = status.errmsg.into_printable().unwrap_or_default();
                return Ok(Decoded::Refusal { errcode, errmsg });
            }
            Some(Integer(None)) => return Err(serde::de::Error::custom("errcode is not a number")),
        }
    }
    serde_json::from_str(text).map(Decoded::Answer)
}

fn describe(bytes: &[u8], error: &serde_json::Error) -> String {
    let length = bytes.len();
    match (bytes.trim_ascii_start().first(), error.classify()) {
        (None, _) => "it is empty".into(),
        (Some(b'<'), _) => format!("it is {length} bytes of HTML or XML, not JSON"),
        (_, Category::Eof | Category::Io) => format!("it ends early, after {length} bytes"),
        (_, Category::Syntax) => format!("it is not valid JSON, at {}", position(error)),
        // The custom error of `read`, which has no position.
        (_, Category::Data) if error.line() == 0 => "its errcode is not a number".into(),
        (_, Category::Data) => match missing_field(error) {
            Some(field) => format!("it has no field {field}"),
            None => format!("a field is not as documented, at {}", position(error)),
        },
    }
}

fn position(error: &serde_json::Error) -> String {
    format!("line {} column {}", error.line(), error.column())
}

/// The name of the missing field. Other serde_json error texts are not used, as they may quote the answer.
fn missing_field(error: &serde_json::Error) -> Option<String> {
    let text = error.to_string();
    let (name, _) = text.strip_prefix("missing field `")?.split_once('`')?;
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Page {
        total: u64,
    }

    fn page(bytes: &[u8]) -> Result<u64, String> {
        match decode::<Page>(bytes)? {
            Decoded::Answer(page) => Ok(page.total),
            Decoded::Refusal { errcode, errmsg } => Err(format!("{errcode} {errmsg}")),
        }
    }

    #[test]
    fn a_response_is_decoded_with_or_without_errcode_zero() {
        for json in [
            r#"{"total":3}"#,
            r#"{"errcode":0,"errmsg":"ok","total":3}"#,
            r#"{"total":3,"errcode":"0"}"#,
            r#"{"total":3,"errcode":null}"#,
            "\u{FEFF}{\"total\":3, \"new\": {\"errcode\": 5}}",
            "{\"total\":3,\"remark\":\"\u{7}\"}",
        ] {
            assert_eq!(page(json.as_bytes()), Ok(3), "{json}");
        }
    }

    #[test]
    fn a_nonzero_errcode_is_recognized_in_every_format() {
        for json in [
            r#"{"errcode":40003,"errmsg":"bad"}"#,
            r#"{"errmsg":"bad","errcode":"40003","total":3}"#,
            "{\"errcode\" : 40003,\"errmsg\":\"b\u{1}ad\"}",
        ] {
            assert_eq!(page(json.as_bytes()), Err("40003 bad".into()), "{json}");
        }
    }

    #[test]
    fn an_undecodable_body_is_described_and_not_quoted() {
        for (body, problem) in [
            ("", "it is empty"),
            (" \n", "it is empty"),
            ("<html>secret</html>", "it is 19 bytes of HTML or XML, not JSON"),
            (r#"{"total":3"#, "it ends early, after 10 bytes"),
            ("secret", "it is not valid JSON, at line 1 column 1"),
            ("{}", "it has no field total"),
            (r#"{"total":"secret"}"#, "a field is not as documented, at line 1 column 17"),
            (r#"{"errcode":"secret"}"#, "its errcode is not a number"),
        ] {
            assert_eq!(page(body.as_bytes()), Err(problem.into()), "{body}");
        }
    }
}
