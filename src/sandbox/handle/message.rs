//! An account's templates, and who may be sent messages of them.

use super::Account;
use crate::sandbox::push;
use crate::sandbox::world::{Kind, Permission, Shelf};

impl Account {
    /// The ids of the account's templates; a new account has two. A Mini Program's are for subscribe
    /// messages: the first of them is of an order that was paid, with `character_string1`, `thing2`,
    /// `amount3` and `time4`.
    pub fn template_ids(&self) -> Vec<String> {
        let shelf = match self.inner().kind {
            Kind::Official => Shelf::Official,
            Kind::MiniProgram => Shelf::Subscribe,
        };
        let templates = self.world.templates.list(self.number, shelf);
        templates.into_iter().map(|template| template.id).collect()
    }

    /// Has messages with a template of this account refused with that errcode, such as 43107 or
    /// 43116, until the ban is lifted.
    pub fn ban_template(&self, template_id: &str, errcode: i64) {
        self.world.templates.ban(self.number, template_id, Some(errcode));
    }

    /// Lets messages with the template pass again.
    pub fn lift_ban(&self, template_id: &str) {
        self.world.templates.ban(self.number, template_id, None);
    }

    /// A person accepts this Mini Program's prompts for a template: `grant(7, &id, 2)`, or
    /// `grant(7, &id, Permission::Always)` for one that lasts.
    ///
    /// Pushes `subscribe_msg_popup_event` for each, where the account has a callback with a URL,
    /// which needs a tokio runtime.
    pub fn grant(&self, person: u64, template_id: &str, permission: impl Into<Permission>) {
        push::grant(&self.world, self.inner(), person, template_id, permission.into());
    }

    /// A person takes back what was granted for a template; pushes `subscribe_msg_change_event`.
    pub fn revoke(&self, person: u64, template_id: &str) {
        push::revoke(&self.world, self.inner(), person, template_id);
    }

    /// The `form_id` of a form that a person submits in this Mini Program, good for seven days and
    /// one message of the old kind.
    pub fn mint_form_id(&self, person: u64) -> String {
        self.world.forms.mint(self.number, person, self.world.now())
    }

    /// What is left of what a person granted for a template.
    pub fn permission(&self, person: u64, template_id: &str) -> Permission {
        self.world.consents.left(self.number, person, template_id)
    }
}
