//! The followers of an Official Account: their openids and their profiles.

use serde::{Deserialize, Serialize};

use super::decode::lenient::Count;
use super::profile::Row;
use super::transport::request::{Call, Request};
use super::{Account, Error};
use crate::model::{OpenId, Profile};

const LIST: Call = Call::with_token("/cgi-bin/user/get");
const INFO: Call = Call::with_token("/cgi-bin/user/info");
const BATCH: Call = Call::with_token("/cgi-bin/user/info/batchget");

/// A page of followers. The order has no meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowerPage {
    /// The current number of followers of the account.
    pub total: u64,
    /// The number of openids on this page according to WeChat. May differ from the actual number.
    pub count: u64,
    /// The openids as WeChat sent them, including empty ones; `None` if WeChat sent no list, which happens
    /// after the last follower.
    pub openids: Option<Vec<String>>,
    /// The cursor of the next page. On the last page it is empty or the last openid.
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
    user_list: Vec<User<'a>>,
}

#[derive(Serialize)]
struct User<'a> {
    openid: &'a str,
}

#[derive(Deserialize)]
pub(super) struct Batch {
    user_info_list: Vec<Row>,
}

impl Account {
    /// Returns the page of up to 10,000 followers after this openid, or the first page.
    ///
    /// WeChat answers an unknown cursor with an error of class [`Person`](super::Class::Person).
    pub async fn list_followers(&self, after: Option<&str>) -> Result<FollowerPage, Error> {
        let mut request = Request::get(LIST);
        if let Some(after) = after.filter(|after| !after.is_empty()) {
            request = request.with("next_openid", after);
        }
        let page: Page = self.call(&request).await?;
        Ok(page.into())
    }

    /// Fetches the profiles of up to 100 users. WeChat may return them in any order and leave some out.
    ///
    /// One openid that does not belong to the account can fail the whole batch, with an error of class
    /// [`Person`](super::Class::Person). Too many openids fail with [`ListSize`](super::Class::ListSize).
    pub async fn profiles(&self, openids: &[OpenId]) -> Result<Vec<Profile>, Error> {
        if openids.is_empty() {
            return Ok(Vec::new());
        }
        let user_list = openids.iter().map(|openid| User { openid: openid.as_str() }).collect();
        let request = Request::post(BATCH, &RequestBody { user_list })
            .redacting(openids.iter().map(OpenId::as_str));
        let batch: Batch = self.call(&request).await?;
        Ok(batch.user_info_list.into_iter().filter_map(|row| row.0).collect())
    }

    /// Fetches the profile of one user.
    pub async fn profile(&self, openid: &OpenId) -> Result<Profile, Error> {
        let request = Request::get(INFO).with("openid", openid.as_str());
        let Row(profile) = self.call(&request).await?;
        profile.ok_or_else(|| Error::Undecodable {
            call: INFO.name(),
            problem: "it has no openid".to_owned(),
        })
    }
}
