//! People who answer a Mini Program's prompts, and the events that tell of it.

use std::sync::Arc;

use super::{Event, announce};
use crate::sandbox::world::{Account, Permission, World};

/// A person grants messages of a template: one event for each prompt that was accepted, a second
/// apart, the last of them now.
pub(crate) fn grant(
    world: &Arc<World>,
    account: &Account,
    person: u64,
    template: &str,
    permission: Permission,
) {
    world.consents.grant(account.number, person, template, permission);
    let prompts = match permission {
        Permission::Times(times) => i64::from(times),
        Permission::Always => 1,
    };
    let now = world.now() / 1_000;
    let accepted = Event::subscribe_msg_popup(person, &[(template, "accept")]);
    announce(world, account, (0..prompts).rev().map(|before| accepted.clone().at(now - before)));
}

/// A person takes back every permission for a template.
pub(crate) fn revoke(world: &Arc<World>, account: &Account, person: u64, template: &str) {
    world.consents.revoke(account.number, person, template);
    announce(world, account, [Event::subscribe_msg_change(person, &[(template, "reject")])]);
}
