//! People who answer a Mini Program's prompts, and the events for the answers.

use std::sync::Arc;

use super::{Event, announce};
use crate::sandbox::world::{Account, Permission, World};

/// Adds a person's permission for a template. Pushes one event per accepted prompt. Their times are one
/// second apart, and the last is now.
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
    announce(world, account, (0..prompts).rev().map(|seconds| accepted.clone().at(now - seconds)));
}

/// Revokes a person's permission for a template and pushes the event.
pub(crate) fn revoke(world: &Arc<World>, account: &Account, person: u64, template: &str) {
    world.consents.revoke(account.number, person, template);
    announce(world, account, [Event::subscribe_msg_change(person, &[(template, "reject")])]);
}
