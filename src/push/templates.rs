//! An account's templates and industries, as WeChat has them. What is changed here is known to the next
//! message at once.

use super::error::Error;
use super::{Push, Sender};
use crate::model::{AppId, Channel, TemplateId};
use crate::wechat;

pub use crate::wechat::subscribe::{Category, Keyword, LibraryTitle, SubscribeTemplate};
pub use crate::wechat::template::{Industries, Industry, Template};

impl Push {
    /// The calls of an account that sends by this channel, for what is not offered here.
    ///
    /// # Errors
    /// [`Error::Account`] where the account is not configured, or is of the other kind.
    pub fn account(&self, channel: Channel, appid: &AppId) -> Result<&wechat::Account, Error> {
        Ok(&self.sender(channel, Some(appid))?.wechat)
    }

    /// The templates of an Official Account.
    pub async fn templates(&self, appid: &AppId) -> Result<Vec<Template>, Error> {
        Ok(self.official(appid)?.wechat.templates().await?)
    }

    /// Adds a template of WeChat's library to an Official Account. Those of a category (whose number is all
    /// digits) need the names of their keywords, in the order in which they are to stand.
    pub async fn add_template(
        &self,
        appid: &AppId,
        short_id: &str,
        keywords: &[String],
    ) -> Result<TemplateId, Error> {
        let sender = self.official(appid)?;
        let id = sender.wechat.add_template(short_id, keywords).await?;
        sender.templates.forget().await;
        Ok(id)
    }

    /// Takes a template from an Official Account.
    pub async fn delete_template(&self, appid: &AppId, id: &TemplateId) -> Result<(), Error> {
        let sender = self.official(appid)?;
        sender.wechat.delete_template(id).await?;
        sender.templates.forget().await;
        Ok(())
    }

    /// The industries of an Official Account.
    pub async fn industries(&self, appid: &AppId) -> Result<Industries, Error> {
        Ok(self.official(appid)?.wechat.industries().await?)
    }

    /// Sets the industries of an Official Account by WeChat's numbers; WeChat allows it once a month.
    pub async fn set_industries(
        &self,
        appid: &AppId,
        primary: &str,
        secondary: &str,
    ) -> Result<(), Error> {
        Ok(self.official(appid)?.wechat.set_industries(primary, secondary).await?)
    }

    /// The templates of a Mini Program.
    pub async fn subscribe_templates(
        &self,
        appid: &AppId,
    ) -> Result<Vec<SubscribeTemplate>, Error> {
        Ok(self.program(appid)?.wechat.subscribe_templates().await?)
    }

    /// The categories that a Mini Program may take templates of.
    pub async fn subscribe_categories(&self, appid: &AppId) -> Result<Vec<Category>, Error> {
        Ok(self.program(appid)?.wechat.subscribe_categories().await?)
    }

    /// WeChat's library of templates for these categories, up to 30 from `start` on, and how many it holds.
    pub async fn subscribe_library(
        &self,
        appid: &AppId,
        categories: &[i64],
        start: u64,
        limit: u64,
    ) -> Result<(Vec<LibraryTitle>, u64), Error> {
        Ok(self.program(appid)?.wechat.subscribe_library(categories, start, limit).await?)
    }

    /// The keywords that a template of the library can be made of.
    pub async fn subscribe_keywords(
        &self,
        appid: &AppId,
        tid: &str,
    ) -> Result<Vec<Keyword>, Error> {
        Ok(self.program(appid)?.wechat.subscribe_keywords(tid).await?)
    }

    /// Adds a template of the library to a Mini Program, made of two to five of its keywords; `scene` says
    /// what it is for, in up to 15 characters.
    pub async fn add_subscribe_template(
        &self,
        appid: &AppId,
        tid: &str,
        keywords: &[i64],
        scene: &str,
    ) -> Result<TemplateId, Error> {
        let sender = self.program(appid)?;
        let id = sender.wechat.add_subscribe_template(tid, keywords, scene).await?;
        sender.templates.forget().await;
        Ok(id)
    }

    /// Takes a template from a Mini Program.
    pub async fn delete_subscribe_template(
        &self,
        appid: &AppId,
        id: &TemplateId,
    ) -> Result<(), Error> {
        let sender = self.program(appid)?;
        sender.wechat.delete_subscribe_template(id).await?;
        sender.templates.forget().await;
        Ok(())
    }

    fn official(&self, appid: &AppId) -> Result<&Sender, Error> {
        self.sender(Channel::Template, Some(appid))
    }

    fn program(&self, appid: &AppId) -> Result<&Sender, Error> {
        self.sender(Channel::Subscribe, Some(appid))
    }
}
