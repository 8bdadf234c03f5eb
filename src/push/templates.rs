//! Templates and industries of an account, read from and written to WeChat. Template changes made
//! here apply to the next message.

use super::error::Error;
use super::{Push, Sender};
use crate::model::{AppId, Channel, TemplateId};
use crate::wechat;

pub use crate::wechat::subscribe::{Category, Keyword, LibraryTitle, SubscribeTemplate};
pub use crate::wechat::template::{Industries, Industry, Template};

impl Push {
    /// The API client of an account that sends by this channel, for calls that this module does not
    /// offer.
    ///
    /// # Errors
    /// [`Error::Account`] if the account is not configured or is of the other kind.
    pub fn account(&self, channel: Channel, appid: &AppId) -> Result<&wechat::Account, Error> {
        Ok(&self.sender(channel, Some(appid))?.wechat)
    }

    /// Lists the templates of an Official Account.
    pub async fn templates(&self, appid: &AppId) -> Result<Vec<Template>, Error> {
        Ok(self.official(appid)?.wechat.templates().await?)
    }

    /// Adds a template from WeChat's library to an Official Account and returns its id. Category
    /// templates (those whose library number is all digits) need the names of their keywords, in
    /// display order.
    pub async fn add_template(
        &self,
        appid: &AppId,
        short_id: &str,
        keywords: &[String],
    ) -> Result<TemplateId, Error> {
        let sender = self.official(appid)?;
        let id = sender.wechat.add_template(short_id, keywords).await?;
        sender.templates.clear().await;
        Ok(id)
    }

    /// Deletes a template of an Official Account.
    pub async fn delete_template(&self, appid: &AppId, id: &TemplateId) -> Result<(), Error> {
        let sender = self.official(appid)?;
        sender.wechat.delete_template(id).await?;
        sender.templates.clear().await;
        Ok(())
    }

    /// Returns the industries of an Official Account.
    pub async fn industries(&self, appid: &AppId) -> Result<Industries, Error> {
        Ok(self.official(appid)?.wechat.industries().await?)
    }

    /// Sets the industries of an Official Account by WeChat's industry numbers. WeChat allows this
    /// once a month.
    pub async fn set_industries(
        &self,
        appid: &AppId,
        primary: &str,
        secondary: &str,
    ) -> Result<(), Error> {
        Ok(self.official(appid)?.wechat.set_industries(primary, secondary).await?)
    }

    /// Lists the templates of a Mini Program.
    pub async fn subscribe_templates(
        &self,
        appid: &AppId,
    ) -> Result<Vec<SubscribeTemplate>, Error> {
        Ok(self.program(appid)?.wechat.subscribe_templates().await?)
    }

    /// Lists the categories that a Mini Program may take templates from.
    pub async fn subscribe_categories(&self, appid: &AppId) -> Result<Vec<Category>, Error> {
        Ok(self.program(appid)?.wechat.subscribe_categories().await?)
    }

    /// Lists WeChat's template library for these categories, at most 30 titles from `start` on.
    /// Returns the titles and the total number.
    pub async fn subscribe_library(
        &self,
        appid: &AppId,
        categories: &[i64],
        start: u64,
        limit: u64,
    ) -> Result<(Vec<LibraryTitle>, u64), Error> {
        Ok(self.program(appid)?.wechat.subscribe_library(categories, start, limit).await?)
    }

    /// Lists the keywords that a library template can be built from.
    pub async fn subscribe_keywords(
        &self,
        appid: &AppId,
        tid: &str,
    ) -> Result<Vec<Keyword>, Error> {
        Ok(self.program(appid)?.wechat.subscribe_keywords(tid).await?)
    }

    /// Adds a library template to a Mini Program, built from two to five of its keywords, and
    /// returns its id. `scene` describes its purpose in up to 15 characters.
    pub async fn add_subscribe_template(
        &self,
        appid: &AppId,
        tid: &str,
        keywords: &[i64],
        scene: &str,
    ) -> Result<TemplateId, Error> {
        let sender = self.program(appid)?;
        let id = sender.wechat.add_subscribe_template(tid, keywords, scene).await?;
        sender.templates.clear().await;
        Ok(id)
    }

    /// Deletes a template of a Mini Program.
    pub async fn delete_subscribe_template(
        &self,
        appid: &AppId,
        id: &TemplateId,
    ) -> Result<(), Error> {
        let sender = self.program(appid)?;
        sender.wechat.delete_subscribe_template(id).await?;
        sender.templates.clear().await;
        Ok(())
    }

    fn official(&self, appid: &AppId) -> Result<&Sender, Error> {
        self.sender(Channel::Template, Some(appid))
    }

    fn program(&self, appid: &AppId) -> Result<&Sender, Error> {
        self.sender(Channel::Subscribe, Some(appid))
    }
}
