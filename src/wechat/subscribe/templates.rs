//! The templates that a Mini Program may send, and WeChat's library of them: `/wxaapi/newtmpl/`.

use serde::{Deserialize, Serialize};

use crate::model::TemplateId;
use crate::wechat::decode::answer::{Done, Id, Lines};
use crate::wechat::decode::lenient::{Count, Integer};
use crate::wechat::template::keys;
use crate::wechat::transport::request::{Call, Request};
use crate::wechat::{Account, Error};

const LIST: Call = Call::with_token("/wxaapi/newtmpl/gettemplate");
const CATEGORIES: Call = Call::with_token("/wxaapi/newtmpl/getcategory");
const LIBRARY: Call = Call::with_token("/wxaapi/newtmpl/getpubtemplatetitles");
const KEYWORDS: Call = Call::with_token("/wxaapi/newtmpl/getpubtemplatekeywords");
const ADD: Call = Call::with_token("/wxaapi/newtmpl/addtemplate").never_retried();
const DELETE: Call = Call::with_token("/wxaapi/newtmpl/deltemplate").never_retried();

/// A template that the Mini Program may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscribeTemplate {
    /// The id by which messages refer to it.
    pub id: TemplateId,
    /// Its title.
    pub title: String,
    /// Its text, with a placeholder `{{key.DATA}}` for each value. WeChat leaves it empty for some templates,
    /// which can still be sent.
    pub content: String,
    /// The text with example values.
    pub example: String,
    /// 2: one message per acceptance; 3: long-term; 0: WeChat returned no type.
    pub kind: i64,
}

impl SubscribeTemplate {
    /// The keys for which a message provides values, in order and without duplicates. Empty if the content is
    /// empty.
    pub fn keys(&self) -> Vec<&str> {
        keys(&self.content)
    }
}

/// A service category for which the Mini Program is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Category {
    /// WeChat's number for it.
    pub id: i64,
    /// Its name.
    pub name: String,
}

/// A template in WeChat's library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LibraryTitle {
    /// Its number in the library.
    pub tid: String,
    /// Its title.
    pub title: String,
    /// 2: one message per acceptance; 3: long-term; 0: WeChat returned no type.
    pub kind: i64,
    /// The category it belongs to.
    pub category_id: Option<i64>,
}

/// A keyword from which a library template can be composed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyword {
    /// Its number within the template.
    pub kid: i64,
    /// Its name.
    pub name: String,
    /// An example value.
    pub example: String,
    /// The kind of its values: `thing`, `time`, …
    pub rule: String,
}

/// A list answer of the template calls. WeChat sometimes omits `data` if the list is empty.
#[derive(Deserialize)]
struct List<T> {
    #[serde(rename = "errcode")]
    _zero: Integer,
    data: Option<Vec<T>>,
    count: Option<Count>,
}

impl<T> List<T> {
    /// Converts the valid rows and skips the others.
    fn rows<U>(self, read: impl Fn(T) -> Option<U>) -> Vec<U> {
        self.data.unwrap_or_default().into_iter().filter_map(read).collect()
    }
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct TemplateRow {
    pri_tmpl_id: Id<TemplateId>,
    title: Lines,
    content: Lines,
    example: Lines,
    r#type: Integer,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct CategoryRow {
    id: Integer,
    name: Lines,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct TitleRow {
    tid: Integer,
    title: Lines,
    r#type: Integer,
    category_id: Integer,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct KeywordRow {
    kid: Integer,
    name: Lines,
    example: Lines,
    rule: Lines,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Added {
    pri_tmpl_id: TemplateId,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Addition<'a> {
    tid: &'a str,
    kid_list: &'a [i64],
    scene_desc: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Removal<'a> {
    pri_tmpl_id: &'a TemplateId,
}

impl Account {
    /// Returns the templates that the Mini Program may send.
    pub async fn subscribe_templates(&self) -> Result<Vec<SubscribeTemplate>, Error> {
        let list: List<TemplateRow> = self.call(&Request::get(LIST)).await?;
        Ok(list.rows(|row| {
            Some(SubscribeTemplate {
                id: row.pri_tmpl_id.0?,
                title: row.title.0,
                content: row.content.0,
                example: row.example.0,
                kind: row.r#type.0.unwrap_or_default(),
            })
        }))
    }

    /// Returns the categories of the Mini Program. They determine which library templates it may add.
    pub async fn subscribe_categories(&self) -> Result<Vec<Category>, Error> {
        let list: List<CategoryRow> = self.call(&Request::get(CATEGORIES)).await?;
        Ok(list.rows(|row| Some(Category { id: row.id.0?, name: row.name.0 })))
    }

    /// Returns up to 30 library templates for these categories, and their total number.
    pub async fn subscribe_library(
        &self,
        categories: &[i64],
        start: u64,
        limit: u64,
    ) -> Result<(Vec<LibraryTitle>, u64), Error> {
        let ids = categories.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        let (start, limit) = (start.to_string(), limit.to_string());
        let request =
            Request::get(LIBRARY).with("ids", &ids).with("start", &start).with("limit", &limit);
        let list: List<TitleRow> = self.call(&request).await?;
        let count = list.count;
        let titles = list.rows(|row| {
            let (tid, kind) = (row.tid.0?.to_string(), row.r#type.0.unwrap_or_default());
            Some(LibraryTitle { tid, title: row.title.0, kind, category_id: row.category_id.0 })
        });
        let count = count.map_or(titles.len() as u64, |count| count.0);
        Ok((titles, count))
    }

    /// Returns the keywords of a library template.
    pub async fn subscribe_keywords(&self, tid: &str) -> Result<Vec<Keyword>, Error> {
        let list: List<KeywordRow> = self.call(&Request::get(KEYWORDS).with("tid", tid)).await?;
        Ok(list.rows(|row| {
            let (name, example, rule) = (row.name.0, row.example.0, row.rule.0);
            Some(Keyword { kid: row.kid.0?, name, example, rule })
        }))
    }

    /// Adds a template composed of two to five keywords of a library template, in the given order. `scene`
    /// describes its purpose in up to 15 characters.
    pub async fn add_subscribe_template(
        &self,
        tid: &str,
        keyword_ids: &[i64],
        scene: &str,
    ) -> Result<TemplateId, Error> {
        let addition = Addition { tid, kid_list: keyword_ids, scene_desc: scene };
        let Added { pri_tmpl_id } = self.call(&Request::post(ADD, &addition)).await?;
        Ok(pri_tmpl_id)
    }

    /// Deletes a template of the Mini Program.
    pub async fn delete_subscribe_template(&self, id: &TemplateId) -> Result<(), Error> {
        let request = Request::post(DELETE, &Removal { pri_tmpl_id: id });
        self.call::<Done>(&request).await.map(drop)
    }
}
