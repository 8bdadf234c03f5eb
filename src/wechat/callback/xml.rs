//! Bodies in XML: elements and their texts, and nothing of what else XML has.
//!
//! Depth and count are bounded while reading: a body that is made to be slow is refused early.

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, Event};

use super::Malformed;
use super::fields::{DEEPEST, Fields, MOST_VALUES, Value};

/// How many tags, texts, references and CDATA sections a body may have: twice what the most fields have
/// that stand on lines of their own.
const MOST_PIECES: usize = 8 * MOST_VALUES;

/// What an XML document says: the fields of its root element.
pub(super) fn read(text: &str) -> Result<Fields, Malformed> {
    let mut reader = Reader::from_str(text.trim());
    let mut document = Document::default();
    for piece in 0..MOST_PIECES {
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

/// What has been read so far.
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
            () if self.open.len() == DEEPEST => return Err(Malformed::Depth),
            () if self.values > MOST_VALUES => return Err(Malformed::Fields),
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
            // A text that stands twice could be read either way. An element with fields of its own
            // is a row of a list.
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

/// The character that a reference stands for: one given by its number, or one of XML's own five.
fn resolve(reference: &BytesRef<'_>) -> Result<String, Malformed> {
    match reference.resolve_char_ref().map_err(|_| Malformed::Entity)? {
        Some(c) => Ok(c.to_string()),
        None => Ok(resolve_xml_entity(reference).ok_or(Malformed::Entity)?.to_owned()),
    }
}
