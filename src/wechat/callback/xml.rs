//! Parses XML bodies. Supports only elements and their texts.
//!
//! Depth and count are limited while parsing, so that a body crafted to be slow is refused early.

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, Event};

use super::Malformed;
use super::fields::{Fields, MAX_DEPTH, MAX_VALUES, Value};

/// The maximum number of tags, texts, references and CDATA sections in a body: twice as many as the maximum
/// number of fields needs if each field is on its own line.
const MAX_PIECES: usize = 8 * MAX_VALUES;

/// Parses an XML document into the fields of its root element.
pub(super) fn read(text: &str) -> Result<Fields, Malformed> {
    let mut reader = Reader::from_str(text.trim());
    let mut document = Document::default();
    for piece in 0..MAX_PIECES {
        match reader.read_event().map_err(|_| Malformed::Syntax)? {
            Event::Start(tag) => document.open(tag.name().as_ref())?,
            Event::End(_) => document.close()?,
            Event::Empty(tag) => {
                document.open(tag.name().as_ref())?;
                document.close()?;
            }
            Event::Text(text) => document.write(&text)?,
            Event::CData(text) => document.write(&text)?,
            Event::GeneralRef(reference) => document.write(&resolve(&reference)?)?,
            Event::Decl(_) if piece == 0 => {}
            Event::DocType(_) => return Err(Malformed::DocumentType),
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => return Err(Malformed::Markup),
            Event::Eof => return document.root.ok_or(Malformed::Syntax),
        }
    }
    Err(Malformed::Pieces)
}

/// The parts parsed so far.
#[derive(Default)]
struct Document {
    /// The elements that are still open, outermost first.
    open: Vec<Element>,
    root: Option<Fields>,
    values: usize,
}

struct Element {
    name: String,
    text: String,
    fields: Option<Fields>,
}

impl Document {
    fn open(&mut self, name: &str) -> Result<(), Malformed> {
        self.values += 1;
        match () {
            () if self.root.is_some() => return Err(Malformed::Syntax),
            () if self.open.len() == MAX_DEPTH => return Err(Malformed::Depth),
            () if self.values > MAX_VALUES => return Err(Malformed::Fields),
            () => {}
        }
        let (name, text) = (name.to_owned(), String::new());
        self.open.push(Element { name, text, fields: None });
        Ok(())
    }

    fn write(&mut self, text: &str) -> Result<(), Malformed> {
        match self.open.last_mut() {
            Some(element) => {
                element.text.push_str(text);
                Ok(())
            }
            None if text.trim().is_empty() => Ok(()),
            None => Err(Malformed::Syntax),
        }
    }

    fn close(&mut self) -> Result<(), Malformed> {
        let element = self.open.pop().ok_or(Malformed::Syntax)?;
        let depth = self.open.len();
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(element.into_root()?);
            return Ok(());
        };
        let fields = parent.fields.get_or_insert_default();
        let (name, value) = element.into_field();
        match &value {
            // A duplicate text would be ambiguous, so it is refused. A repeated element with fields is a row
            // of a list.
            Value::Text(_) if depth == 1 => fields.add(&name, value),
            _ => {
                fields.add_to_list(&name, value);
                Ok(())
            }
        }
    }
}

impl Element {
    fn into_root(self) -> Result<Fields, Malformed> {
        match self.name.eq_ignore_ascii_case("xml") {
            true => Ok(self.fields.unwrap_or_default()),
            false => Err(Malformed::Syntax),
        }
    }

    fn into_field(self) -> (String, Value) {
        let value = match self.fields {
            Some(fields) => Value::Fields(fields),
            None => Value::Text(self.text),
        };
        (self.name, value)
    }
}

/// Resolves a reference: a character by its number, or one of XML's five predefined entities.
fn resolve(reference: &BytesRef<'_>) -> Result<String, Malformed> {
    match reference.resolve_char_ref().map_err(|_| Malformed::Entity)? {
        Some(c) => Ok(c.to_string()),
        None => Ok(resolve_xml_entity(reference).ok_or(Malformed::Entity)?.to_owned()),
    }
}
