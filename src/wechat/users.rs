//! The followers of an Official Account: who they are, and what WeChat says of each.

use serde::{Deserialize, Serialize};

use super::lenient::Count;
use super::profile::Row;
use super::request::{Call, Request};
use super::{Account, Error};
use crate::model::{OpenId, Profile};

const LIST: Call = Call::with_token("/cgi-bin/user/get");
const INFO: Call = Call::with_token("/cgi-bin/user/info");
const BATCH: Call = Call::with_token("/cgi-bin/user/info/batchget");

/// A page of followers, in no order that means anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowerPage {
    /// Followers of the account at this moment.
    pub total: u64,
    /// How many openids this page holds, as WeChat says: not always as many as there are.
    pub count: u64,
    /// The openids as sent, blank ones included; `None` where WeChat sent no list, as it does after
    /// the last follower.
    pub openids: Option<Vec<String>>,
    /// Where the next page begins; empty, or the last openid, on the last page.
    pub next_openid: String,
}

#[derive(Deserialize)]
pub(super) struct Page {
    total: Count,
    count: Option<Count>,
    data: Option<PageData>,
    next_openid: Option<String>,
}

#[derive(Deserialize)]
struct PageData {
    openid: Option<Vec<String>>,
}

impl From<Page> for FollowerPage {
    fn from(page: Page) -> Self {
        let openids = page.data.map(|data| data.openid.unwrap_or_default());
        let openids: Option<Vec<String>> =
            openids.map(|openids| openids.into_iter().map(trimmed).collect());
        let listed = openids.as_ref().map_or(0, Vec::len) as u64;
        Self {
            total: page.total.0,
            count: page.count.map_or(listed, |count| count.0),
            openids,
            next_openid: trimmed(page.next_openid.unwrap_or_default()),
        }
    }
}

fn trimmed(text: String) -> String {
    match text.trim() {
        trimmed if trimmed.len() == text.len() => text,
        trimmed => trimmed.to_owned(),
    }
}

#[derive(Serialize)]
struct RequestBody<'a> {
    user_list: Vec<Person<'a>>,
}

#[derive(Serialize)]
struct Person<'a> {
    openid: &'a str,
}

#[derive(Deserialize)]
pub(super) struct Batch {
    user_info_list: Vec<Row>,
}

impl Account {
    /// The page of up to 10,000 followers after this openid, or the first one.
    ///
    /// WeChat answers a cursor it does not know with an error of class [`Person`](super::Class::Person).
    pub async fn list_followers(&self, after: Option<&str>) -> Result<FollowerPage, Error> {
        let mut request = Request::get(LIST);
        if let Some(after) = after.filter(|after| !after.is_empty()) {
            request = request.with("next_openid", after);
        }
        let page: Page = self.call(&request).await?;
        Ok(page.into())
    }

    /// What WeChat says of up to 100 people, in whatever order and however many it answers for.
    ///
    /// One openid that is not the account's can fail them all, with an error of class
    /// [`Person`](super::Class::Person); too many fail with [`ListSize`](super::Class::ListSize).
    pub async fn profiles(&self, openids: &[OpenId]) -> Result<Vec<Profile>, Error> {
        if openids.is_empty() {
            return Ok(Vec::new());
        }
        let user_list = openids.iter().map(|openid| Person { openid: openid.as_str() }).collect();
        let request = Request::post(BATCH, &RequestBody { user_list })
            .redacting(openids.iter().map(OpenId::as_str));
        let batch: Batch = self.call(&request).await?;
        Ok(batch.user_info_list.into_iter().filter_map(|row| row.0).collect())
    }

    /// What WeChat says of one person.
    pub async fn profile(&self, openid: &OpenId) -> Result<Profile, Error> {
        let request = Request::get(INFO).with("openid", openid.as_str());
        let Row(profile) = self.call(&request).await?;
        profile.ok_or_else(|| Error::Undecodable {
            call: INFO.name(),
            problem: "it has no openid".to_owned(),
        })
    }
}
