//! An Official Account's template messages: its templates and industries, and sending.
//!
//! Calls that change something are never retried: a second attempt after a lost answer would send a message
//! or add a template twice. The caller decides about the next attempt.

mod message;

pub use message::TemplateMessage;

use serde::{Deserialize, Serialize};

use super::decode::answer::{Done, Id, Lines};
use super::transport::request::{Call, Request};
use super::{Account, Error};
use crate::model::TemplateId;

const LIST: Call = Call::with_token("/cgi-bin/template/get_all_private_template");
const ADD: Call = Call::with_token("/cgi-bin/template/api_add_template").never_retried();
const DELETE: Call = Call::with_token("/cgi-bin/template/del_private_template").never_retried();
const GET_INDUSTRY: Call = Call::with_token("/cgi-bin/template/get_industry");
const SET_INDUSTRY: Call = Call::with_token("/cgi-bin/template/api_set_industry").never_retried();

/// A template that the account may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The id by which messages refer to it.
    pub id: TemplateId,
    /// Its title.
    pub title: String,
    /// Its text, with a placeholder `{{key.DATA}}` for each value.
    pub content: String,
    /// The text with example values.
    pub example: String,
}

impl Template {
    /// The keys for which a message provides values, in order and without duplicates.
    pub fn keys(&self) -> Vec<&str> {
        keys(&self.content)
    }
}

/// The keys in a template's content. Empty if WeChat does not return the content.
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

/// An industry, as WeChat names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Industry {
    /// The sector.
    pub first_class: String,
    /// The branch within the sector.
    pub second_class: String,
}

/// The two industries whose templates an account may use; `None` if not set.
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
    /// Returns the template; `None` without an id, as it could be neither sent nor deleted.
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
    /// Returns the templates that the account may send.
    pub async fn templates(&self) -> Result<Vec<Template>, Error> {
        Ok(self.call::<Templates>(&Request::get(LIST)).await?.into_list())
    }

    /// Adds a template from WeChat's library by its number there, such as `TM00015`. A category template,
    /// whose number is all digits, also needs the names of its keywords, in the order to show them.
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

    /// Returns the account's industries.
    pub async fn industries(&self) -> Result<Industries, Error> {
        let classes: Classes = self.call(&Request::get(GET_INDUSTRY)).await?;
        Ok(Industries {
            primary: classes.primary_industry.into_industry(),
            secondary: classes.secondary_industry.into_industry(),
        })
    }

    /// Sets the account's industries, by WeChat's numbers for them. Possible once a month.
    pub async fn set_industries(&self, primary: &str, secondary: &str) -> Result<(), Error> {
        let choice = Choice { industry_id1: primary, industry_id2: secondary };
        self.call::<Done>(&Request::post(SET_INDUSTRY, &choice)).await.map(drop)
    }
}
