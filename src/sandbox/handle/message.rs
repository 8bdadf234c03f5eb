//! An account's templates, and the consents to be sent messages.

use super::Account;
use crate::sandbox::push;
use crate::sandbox::world::{Kind, Permission, TemplateKind};

impl Account {
    /// Returns the ids of the account's templates. A new account has two. A Mini Program's templates are for
    /// subscribe messages; the first one is "order paid", with the keys `character_string1`, `thing2`,
    /// `amount3` and `time4`.
    pub fn template_ids(&self) -> Vec<String> {
        let kind = match self.inner().kind {
            Kind::Official => TemplateKind::Official,
            Kind::MiniProgram => TemplateKind::Subscribe,
        };
        let templates = self.world.templates.list(self.number, kind);
        templates.into_iter().map(|template| template.id).collect()
    }

    /// Refuses messages with a template of this account with this errcode, such as 43107 or 43116, until
    /// [`lift_ban`](Self::lift_ban).
    pub fn ban_template(&self, template_id: &str, errcode: i64) {
        self.world.templates.ban(self.number, template_id, Some(errcode));
    }

    /// Accepts messages with a banned template again.
    pub fn lift_ban(&self, template_id: &str) {
        self.world.templates.ban(self.number, template_id, None);
    }

    /// Accepts this Mini Program's prompts for a template on behalf of a person: `grant(7, &id, 2)`, or
    /// `grant(7, &id, Permission::Always)` for a lasting consent.
    ///
    /// If the account has a callback with a URL, pushes one `subscribe_msg_popup_event` per prompt, which
    /// needs a tokio runtime.
    pub fn grant(&self, person: u64, template_id: &str, permission: impl Into<Permission>) {
        push::grant(&self.world, self.inner(), person, template_id, permission.into());
    }

    /// Revokes a person's permission for a template. If the account has a callback with a URL, pushes
    /// `subscribe_msg_change_event`, which needs a tokio runtime.
    pub fn revoke(&self, person: u64, template_id: &str) {
        push::revoke(&self.world, self.inner(), person, template_id);
    }

    /// Submits a form in this Mini Program on behalf of a person. Returns its `form_id`, which is valid for
    /// seven days and one message of the retired API.
    pub fn mint_form_id(&self, person: u64) -> String {
        self.world.forms.mint(self.number, person, self.world.now())
    }

    /// Returns a person's remaining permission for a template.
    pub fn permission(&self, person: u64, template_id: &str) -> Permission {
        self.world.consents.left(self.number, person, template_id)
    }
}
