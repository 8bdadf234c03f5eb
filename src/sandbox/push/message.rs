//! Writes the fields of a message as WeChat does, in XML or JSON.

use serde_json::{Map, Value as Json};

/// The fields of a message, in order.
pub(super) type Fields = Vec<(&'static str, Value)>;

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Number(i64),
    /// Items with fields of their own: `List` elements in XML, a `List` member in JSON.
    List(Vec<Fields>),
}

pub(super) fn xml(fields: &Fields) -> Vec<u8> {
    let mut text = String::new();
    element(&mut text, "xml", |text| elements(text, fields));
    text.into_bytes()
}

fn element(text: &mut String, name: &str, content: impl FnOnce(&mut String)) {
    *text += &format!("<{name}>");
    content(text);
    *text += &format!("</{name}>");
}

fn elements(text: &mut String, fields: &Fields) {
    for (name, value) in fields {
        element(text, name, |text| match value {
            // A CDATA section cannot contain its own end marker, so the text is split into two sections.
            Value::Text(value) => {
                *text += &format!("<![CDATA[{}]]>", value.replace("]]>", "]]]]><![CDATA[>"));
            }
            Value::Number(value) => *text += &value.to_string(),
            Value::List(items) => {
                items.iter().for_each(|item| element(text, "List", |text| elements(text, item)));
            }
        });
    }
}

pub(super) fn json(fields: &Fields) -> Vec<u8> {
    Json::Object(members(fields)).to_string().into_bytes()
}

fn members(fields: &Fields) -> Map<String, Json> {
    let member = |(name, value): &(&str, Value)| match value {
        Value::Text(value) => ((*name).to_owned(), Json::from(value.as_str())),
        Value::Number(value) => ((*name).to_owned(), Json::from(*value)),
        Value::List(items) => ("List".to_owned(), list(items)),
    };
    fields.iter().map(member).collect()
}

/// WeChat writes a single item as an object, and several items as an array.
fn list(items: &[Fields]) -> Json {
    match items {
        [item] => Json::Object(members(item)),
        items => items.iter().map(|item| Json::Object(members(item))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(items: usize) -> Fields {
        let item = vec![("TemplateId", Value::Text("a]]>b".to_owned()))];
        vec![("CreateTime", Value::Number(7)), ("Popup", Value::List(vec![item; items]))]
    }

    #[test]
    fn text_is_escaped_in_cdata_sections() {
        let text = String::from_utf8(xml(&fields(1))).unwrap();
        let item = "<List><TemplateId><![CDATA[a]]]]><![CDATA[>b]]></TemplateId></List>";
        assert_eq!(text, format!("<xml><CreateTime>7</CreateTime><Popup>{item}</Popup></xml>"));
    }

    #[test]
    fn a_list_of_one_item_is_an_object_in_json() {
        let parse = |items| serde_json::from_slice::<Json>(&json(&fields(items))).unwrap();
        assert_eq!(parse(1)["List"]["TemplateId"], "a]]>b");
        assert_eq!(parse(2)["List"][1]["TemplateId"], "a]]>b");
        assert_eq!(parse(2)["CreateTime"], 7);
    }
}
