//! A Mini Program's legacy form_id templates, for gateways that still serve them.
//!
//! WeChat withdrew them on 2020-01-10. It answers 45103 or 46101, of class
//! [`Retired`](super::Class::Retired), whose hint names the replacement: [`subscribe`](super::subscribe).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::decode::answer::{Done, Lines};
use super::decode::lenient::{Count, Integer};
use super::template::{Added, Removal, Row, Template};
use super::transport::request::{Call, Request};
use super::{Account, Error};
use crate::model::{OpenId, TemplateId, Text};

const LIBRARY: Call = Call::with_token("/cgi-bin/wxopen/template/library/list");
const LIBRARY_GET: Call = Call::with_token("/cgi-bin/wxopen/template/library/get");
const LIST: Call = Call::with_token("/cgi-bin/wxopen/template/list");
const ADD: Call = Call::with_token("/cgi-bin/wxopen/template/add").never_retried();
const DELETE: Call = Call::with_token("/cgi-bin/wxopen/template/del").never_retried();
const SEND: Call = Call::with_token("/cgi-bin/message/wxopen/template/send").never_retried();

/// A template in WeChat's library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LegacyTitle {
    /// Its number in the library, such as `AT0002`.
    #[serde(rename = "tid")]
    pub id: String,
    /// Its title.
    pub title: String,
}

/// A template in WeChat's library, with its keywords.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyLibraryTemplate {
    /// Its number in the library.
    pub id: String,
    /// Its title.
    pub title: String,
    /// The keywords from which an account can compose its own template.
    pub keywords: Vec<LegacyKeyword>,
}

/// A keyword of a library template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LegacyKeyword {
    /// Its number within the template.
    #[serde(rename = "keyword_id")]
    pub id: i64,
    /// Its name.
    pub name: String,
    /// An example value.
    pub example: String,
}

/// A message sent with a form_id.
#[derive(Clone, Copy, Serialize)]
pub struct LegacyMessage<'a> {
    /// The recipient's openid in the Mini Program.
    pub touser: &'a OpenId,
    /// The template.
    pub template_id: &'a TemplateId,
    /// The page of the Mini Program that opens on a tap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<&'a str>,
    /// The id of a submitted form, or the prepay_id of a payment. Valid for seven days; a form's id can be
    /// used once.
    pub form_id: &'a str,
    /// A value for each of the template's keys.
    pub data: &'a BTreeMap<String, Text>,
    /// The key whose value is shown large, such as `keyword1.DATA`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emphasis_keyword: Option<&'a str>,
}

impl<'a> LegacyMessage<'a> {
    fn request(&self) -> Request<'a> {
        let texts = self.data.values().map(|value| value.value.as_str());
        Request::post(SEND, self)
            .redacting([self.touser.as_str(), self.form_id])
            .redacting(self.page.into_iter().chain(texts))
    }
}

#[derive(Serialize)]
struct Range {
    offset: u64,
    count: u64,
}

#[derive(Serialize)]
struct RequestBody<'a> {
    id: &'a str,
}

#[derive(Serialize)]
struct Addition<'a> {
    id: &'a str,
    keyword_id_list: &'a [i64],
}

#[derive(Deserialize)]
struct Titles {
    list: Vec<TitleRow>,
    total_count: Count,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct TitleRow {
    id: Lines,
    title: Lines,
}

#[derive(Deserialize)]
struct LibraryAnswer {
    id: Lines,
    #[serde(default)]
    title: Lines,
    keyword_list: Vec<KeywordRow>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct KeywordRow {
    keyword_id: Integer,
    name: Lines,
    example: Lines,
}

#[derive(Deserialize)]
struct List {
    list: Vec<Row>,
}

impl Account {
    /// Returns up to 20 library templates, and the total number of library templates.
    pub async fn legacy_library(
        &self,
        offset: u64,
        count: u64,
    ) -> Result<(Vec<LegacyTitle>, u64), Error> {
        let titles: Titles = self.call(&Request::post(LIBRARY, &Range { offset, count })).await?;
        let title = |row: TitleRow| LegacyTitle { id: row.id.0, title: row.title.0 };
        Ok((titles.list.into_iter().map(title).collect(), titles.total_count.0))
    }

    /// Returns a library template with its keywords.
    pub async fn legacy_library_template(&self, id: &str) -> Result<LegacyLibraryTemplate, Error> {
        let request = Request::post(LIBRARY_GET, &RequestBody { id });
        let found: LibraryAnswer = self.call(&request).await?;
        let keyword = |row: KeywordRow| {
            let (name, example) = (row.name.0, row.example.0);
            Some(LegacyKeyword { id: row.keyword_id.0?, name, example })
        };
        let keywords = found.keyword_list.into_iter().filter_map(keyword).collect();
        Ok(LegacyLibraryTemplate { id: found.id.0, title: found.title.0, keywords })
    }

    /// Adds a template composed of up to ten keywords of a library template, in the given order.
    pub async fn add_legacy_template(
        &self,
        id: &str,
        keyword_ids: &[i64],
    ) -> Result<TemplateId, Error> {
        let addition = Addition { id, keyword_id_list: keyword_ids };
        let Added { template_id } = self.call(&Request::post(ADD, &addition)).await?;
        Ok(template_id)
    }

    /// Returns up to 20 of the Mini Program's templates.
    pub async fn legacy_templates(&self, offset: u64, count: u64) -> Result<Vec<Template>, Error> {
        let List { list } = self.call(&Request::post(LIST, &Range { offset, count })).await?;
        Ok(list.into_iter().filter_map(Row::into_template).collect())
    }

    /// Deletes a template of the Mini Program.
    pub async fn delete_legacy_template(&self, id: &TemplateId) -> Result<(), Error> {
        let request = Request::post(DELETE, &Removal { template_id: id });
        self.call::<Done>(&request).await.map(drop)
    }

    /// Sends a message once. WeChat returns no message id for this kind. After an error,
    /// [`Error::may_have_arrived`] reports whether WeChat may have accepted the message.
    pub async fn send_legacy(&self, message: &LegacyMessage<'_>) -> Result<(), Error> {
        self.call::<Done>(&message.request()).await.map(drop)
    }
}
