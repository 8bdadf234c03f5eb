//! Control routes for consents to subscribe messages and for submitted forms.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{ControlError, account, parse};
use crate::sandbox::push as pushing;
use crate::sandbox::world::{Kind, Permission, TemplateKind, World};

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct GrantBody {
    appid: Option<String>,
    person: u64,
    template_id: Option<String>,
    times: Option<u32>,
    always: bool,
}

/// Accepts prompts for a template on behalf of a person. `times` 0 revokes all consents instead.
pub(super) fn grant(world: &Arc<World>, body: &[u8]) -> Result<Value, ControlError> {
    let GrantBody { appid, person, template_id, times, always } = parse(body)?;
    let account = account(world, appid.as_deref(), Kind::MiniProgram)?;
    let first = || world.templates.list(account.number, TemplateKind::Subscribe).into_iter().next();
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
struct FormBody {
    appid: Option<String>,
    person: u64,
}

/// Submits a form on behalf of a person and returns its `form_id`.
pub(super) fn form(world: &World, body: &[u8]) -> Result<Value, ControlError> {
    let FormBody { appid, person } = parse(body)?;
    let account = account(world, appid.as_deref(), Kind::MiniProgram)?;
    Ok(json!({"form_id": world.forms.mint(account.number, person, world.now())}))
}
