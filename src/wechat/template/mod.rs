//! An Official Account's template messages: its templates and industries, and sending.
//!
//! What changes something is asked for once: a second attempt after a lost answer would send a message
//! or add a template twice. Whoever sends decides about the next attempt.

mod message;

pub use message::TemplateMessage;

use serde::{Deserialize, Serialize};

use super::answer::{Done, Id, Lines};
use super::request::{Call, Request};
use super::{Account, Error};
use crate::model::TemplateId;

const LIST: Call = Call::with_token("/cgi-bin/template/get_all_private_template");
const ADD: Call = Call::with_token("/cgi-bin/template/api_add_template").made_once();
const DELETE: Call = Call::with_token("/cgi-bin/template/del_private_template").made_once();
const GET_INDUSTRY: Call = Call::with_token("/cgi-bin/template/get_industry");
const SET_INDUSTRY: Call = Call::with_token("/cgi-bin/template/api_set_industry").made_once();

/// A template that the account may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// What messages name it by.
    pub id: TemplateId,
    /// Its title.
    pub title: String,
    /// Its lines, in which `{{key.DATA}}` stands where a message's value goes.
    pub content: String,
    /// The lines with values.
    pub example: String,
}

impl Template {
    /// The keys that a message gives values for, in their order, each once.
    pub fn keys(&self) -> Vec<&str> {
        keys(&self.content)
    }
}

/// The keys in a template's content; none where WeChat does not tell the content.
pub(super) fn keys(content: &str) -> Vec<&str> {
    let mut keys = Vec::new();
    let mut rest = content;
    while let Some((before, after)) = rest.split_once(".DATA") {
        rest = after;
        let key = before.rsplit_once('{').map(|(_, key)| key.trim()).unwrap_or_default();
        let is_name = |key: &str| key.chars().all(|c| c.is_alphanumeric() || c == '_');
        let is_closed = after.trim_start().starts_with('}');
        if is_closed && !key.is_empty() && is_name(key) && !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

/// A line of business, as WeChat names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Industry {
    /// Its sector.
    pub first_class: String,
    /// Its branch of the sector.
    pub second_class: String,
}

/// The two lines of business that an account takes templates from; absent where none is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Industries {
    /// The first.
    pub primary: Option<Industry>,
    /// The second.
    pub secondary: Option<Industry>,
}

#[derive(Deserialize)]
pub(super) struct Templates {
    template_list: Vec<Row>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Row {
    template_id: Id<TemplateId>,
    title: Lines,
    content: Lines,
    example: Lines,
}

impl Row {
    /// The template; without an id it could be neither sent nor deleted.
    pub(super) fn into_template(self) -> Option<Template> {
        let (title, content, example) = (self.title.0, self.content.0, self.example.0);
        Some(Template { id: self.template_id.0?, title, content, example })
    }
}

impl Templates {
    pub(super) fn into_list(self) -> Vec<Template> {
        self.template_list.into_iter().filter_map(Row::into_template).collect()
    }
}

/// The answer to an addition.
#[derive(Deserialize)]
pub(super) struct Added {
    pub(super) template_id: TemplateId,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Classes {
    primary_industry: Names,
    secondary_industry: Names,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Names {
    first_class: Lines,
    second_class: Lines,
}

impl Names {
    fn into_industry(self) -> Option<Industry> {
        let (first_class, second_class) = (self.first_class.0, self.second_class.0);
        let is_set = !(first_class.is_empty() && second_class.is_empty());
        is_set.then_some(Industry { first_class, second_class })
    }
}

#[derive(Serialize)]
struct Addition<'a> {
    template_id_short: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    keyword_name_list: &'a [String],
}

#[derive(Serialize)]
pub(super) struct Removal<'a> {
    pub(super) template_id: &'a TemplateId,
}

#[derive(Serialize)]
struct Choice<'a> {
    industry_id1: &'a str,
    industry_id2: &'a str,
}

impl Account {
    /// The templates that the account may send.
    pub async fn templates(&self) -> Result<Vec<Template>, Error> {
        Ok(self.call::<Templates>(&Request::get(LIST)).await?.into_list())
    }

    /// Adds a template of WeChat's library by its number there, such as `TM00015`. One of a category
    /// (its number is all digits) needs the names of its keywords, in the order in which they are to
    /// stand.
    pub async fn add_template(
        &self,
        short_id: &str,
        keywords: &[String],
    ) -> Result<TemplateId, Error> {
        let addition = Addition { template_id_short: short_id, keyword_name_list: keywords };
        let Added { template_id } = self.call(&Request::post(ADD, &addition)).await?;
        Ok(template_id)
    }

    /// Deletes a template of the account.
    pub async fn delete_template(&self, id: &TemplateId) -> Result<(), Error> {
        let request = Request::post(DELETE, &Removal { template_id: id });
        self.call::<Done>(&request).await.map(drop)
    }

    /// The account's lines of business.
    pub async fn industries(&self) -> Result<Industries, Error> {
        let classes: Classes = self.call(&Request::get(GET_INDUSTRY)).await?;
        Ok(Industries {
            primary: classes.primary_industry.into_industry(),
            secondary: classes.secondary_industry.into_industry(),
        })
    }

    /// Sets the account's lines of business by WeChat's numbers for them; once a month.
    pub async fn set_industries(&self, primary: &str, secondary: &str) -> Result<(), Error> {
        let choice = Choice { industry_id1: primary, industry_id2: secondary };
        self.call::<Done>(&Request::post(SET_INDUSTRY, &choice)).await.map(drop)
    }
}
