//! Consents to subscribe messages and submitted forms, from a command line.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Refused, account, read};
use crate::sandbox::push as pushing;
use crate::sandbox::world::{Kind, Permission, Shelf, World};

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Grant {
    appid: Option<String>,
    person: u64,
    template_id: Option<String>,
    times: Option<u32>,
    always: bool,
}

/// Has a person accept prompts for a template, or take everything back where `times` is 0.
pub(super) fn grant(world: &Arc<World>, body: &[u8]) -> Result<Value, Refused> {
    let Grant { appid, person, template_id, times, always } = read(body)?;
    let account = account(world, appid.as_deref(), Kind::MiniProgram)?;
    let first = || world.templates.list(account.number, Shelf::Subscribe).into_iter().next();
    let template = template_id.or_else(|| first().map(|template| template.id)).unwrap_or_default();
    match times {
        Some(0) => pushing::revoke(world, account, person, &template),
        _ if always => pushing::grant(world, account, person, &template, Permission::Always),
        times => {
            let times = Permission::Times(times.unwrap_or(1));
            pushing::grant(world, account, person, &template, times);
        }
    }
    let left = world.consents.left(account.number, person, &template);
    Ok(json!({"template_id": template, "left": left}))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Form {
    appid: Option<String>,
    person: u64,
}

/// A form that a person submits.
pub(super) fn form(world: &World, body: &[u8]) -> Result<Value, Refused> {
    let Form { appid, person } = read(body)?;
    let account = account(world, appid.as_deref(), Kind::MiniProgram)?;
    Ok(json!({"form_id": world.forms.mint(account.number, person, world.now())}))
}
