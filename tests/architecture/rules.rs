//! Checks the uses that were read against the lists. Its tests prove that forbidden arrows are found.

use std::collections::{BTreeMap, BTreeSet};

use crate::scan::Use;
use crate::{ARROWS, HOMES};

/// Returns what is wrong with a use, in one line, or `None` if it is allowed.
pub(crate) fn refuse(found: &Use) -> Option<String> {
    let Use { from, place, path, .. } = found;
    if let Some(refusal) = homeless(found) {
        return Some(refusal);
    }
    let (_, to) = found.arrow()?;
    let Some((_, allowed)) = ARROWS.iter().find(|(module, _)| module == from) else {
        return Some(format!("{place}: module `{from}` is not in ARROWS of tests/architecture.rs"));
    };
    let is_module = to == "*" || ARROWS.iter().any(|(module, _)| *module == to);
    if !is_module || allowed.iter().any(|target| covers(target, path)) {
        return None;
    }
    let named = path.join("::");
    let may = if allowed.is_empty() { "nothing of ours".to_owned() } else { allowed.join(", ") };
    Some(format!("{place}: {from} → {named} is not an allowed arrow: {from} may use {may}"))
}

/// Returns what is wrong with using an external crate, or a name in `HOMES`, in this module.
fn homeless(found: &Use) -> Option<String> {
    let Use { from, place, .. } = found;
    let (name, homes) = HOMES
        .iter()
        .find(|(name, homes)| is_foreign(name, found) && !homes.contains(&from.as_str()))?;
    Some(format!("{place}: {from} → {name}: only {} may use `{name}`", homes.join(", ")))
}

/// Whether a permission such as `a::B` covers a path.
fn covers(allowed: &str, path: &[String]) -> bool {
    let allowed: Vec<&str> = allowed.split("::").collect();
    path.len() >= allowed.len() && path.iter().zip(&allowed).all(|(a, b)| a == b)
}

/// Whether a use refers to this external crate or name.
fn is_foreign(name: &str, found: &Use) -> bool {
    let begins = !found.ours && found.path.first().is_some_and(|first| first == name);
    let is_type = name.starts_with(char::is_uppercase);
    begins || (is_type && found.path.iter().any(|segment| segment == name))
}

/// Returns the permissions that no code uses.
pub(crate) fn unused(uses: &[Use]) -> Vec<String> {
    let mut unused = Vec::new();
    for (from, targets) in ARROWS {
        let used = |target: &str| {
            uses.iter().any(|it| it.from == *from && it.ours && covers(target, &it.path))
        };
        let spare = targets.iter().filter(|target| !used(target));
        unused.extend(spare.map(|target| format!("{from} → {target}")));
    }
    for (name, homes) in HOMES {
        let used = |home: &str| uses.iter().any(|it| it.from == home && is_foreign(name, it));
        let spare = homes.iter().filter(|home| !used(home));
        unused.extend(spare.map(|home| format!("{name} is not used in {home}")));
    }
    unused
}

/// Returns a circle among the arrows as a list of modules that ends with the first one again.
pub(crate) fn circle<'a>(arrows: &[(&'a str, &'a str)]) -> Option<Vec<&'a str>> {
    let mut left: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (from, to) in arrows {
        left.entry(from).or_default().insert(to);
    }
    // Remove arrows to modules without arrows: they are on no circle. Each remaining arrow leads to another.
    loop {
        let begins: BTreeSet<&str> = left.keys().copied().collect();
        left.values_mut().for_each(|targets| targets.retain(|to| begins.contains(to)));
        left.retain(|_, targets| !targets.is_empty());
        if left.len() == begins.len() {
            break;
        }
    }
    let mut path = vec![*left.keys().next()?];
    loop {
        let next = *left.get(path.last()?)?.iter().next()?;
        if let Some(start) = path.iter().position(|module| *module == next) {
            path.push(next);
            return Some(path.split_off(start));
        }
        path.push(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::scan;

    fn refused(file: &str, text: &str) -> Vec<String> {
        scan(file, text).iter().filter_map(refuse).collect()
    }

    #[test]
    fn forbidden_dependencies_are_found_in_every_notation() {
        for (file, text) in [
            ("src/wechat/users.rs", "use crate::store;"),
            ("src/wechat/users.rs", "use crate::store::followers as f;"),
            ("src/wechat/users.rs", "use crate::{model::{AppId, OpenId}, store::Error};"),
            ("src/wechat/users.rs", "use super::super::store::Error;"),
            ("src/wechat.rs", "use super::{store, model};"),
            ("src/wechat/users.rs", "mod inner { use super::super::super::store::Error; }"),
            ("src/wechat/users.rs", "fn f() { let x = crate::store::find(1); }"),
            ("src/wechat/users.rs", "fn f() { tracing::info!(x = crate::store::NAME); }"),
            ("src/wechat/users.rs", "use crate::*;"),
            ("src/wechat/users.rs", "#[cfg(not(test))]\nuse crate::token::Keeper;"),
            ("src/sync/mod.rs", "use crate::config::Sync;"),
            ("src/sync/mod.rs", "use crate::app::App;"),
            ("src/http/v1/login.rs", "use crate::wechat::login::Session;"),
            ("src/sandbox/routes.rs", "use crate::wechat::callback;"),
            ("src/sandbox/routes.rs", "use crate::model::AppId;"),
            ("src/store/mod.rs", "use crate::wechat::Profile;"),
            ("src/resolve.rs", "use crate::push::Message;"),
            ("src/main.rs", "use unionid_bridge::store;"),
            ("src/nonsense.rs", "use crate::model;"),
        ] {
            assert_eq!(refused(file, text).len(), 1, "{file}: {text}");
        }
    }

    #[test]
    fn crates_used_outside_their_modules_are_found() {
        for (file, text) in [
            ("src/sync/sink.rs", "use sea_orm::ConnectionTrait;"),
            ("src/sync/sink.rs", "use entity::follower;"),
            ("migration/src/lib.rs", "use entity::follower;"),
            ("src/sync/sink.rs", "fn f(db: &::sea_orm::DatabaseConnection) {}"),
            ("src/store/mod.rs", "use {axum::Router, std::fmt};"),
            ("src/store/mod.rs", "use reqwest as r;"),
            ("src/http/mod.rs", "use reqwest;"),
            ("src/app.rs", "#[derive(clap::Parser)]\nstruct A;"),
            ("src/login.rs", "fn f() -> Vec<axum::http::StatusCode> { vec![] }"),
            ("src/login.rs", "use http::StatusCode;"),
            ("src/sync/mod.rs", "fn f() -> anyhow::Result<()> { Ok(()) }"),
            ("entity/src/follower.rs", "use tracing_subscriber::fmt;"),
        ] {
            assert_eq!(refused(file, text).len(), 1, "{file}: {text}");
        }
    }

    #[test]
    fn allowed_dependencies_and_lookalikes_are_accepted() {
        for (file, text) in [
            ("src/wechat/users.rs", "use crate::model::AppId;\nuse crate::clock::Clock;"),
            ("src/wechat/users.rs", "use super::store::x; // its own submodule"),
            (
                "src/wechat/users.rs",
                "//! Not `crate::store`.\n/// use crate::store\nconst A: &str = \"crate::store::x\";",
            ),
            (
                "src/wechat/users.rs",
                "#[cfg(test)]\nmod tests { use crate::store; }\n#[cfg(test)]\nuse crate::sandbox::World;\n",
            ),
            ("src/wechat/users.rs", "fn f() { inner::sea_orm::x(); thing.axum(); }"),
            ("src/sandbox/routes.rs", "use crate::clock::Clock;\nuse axum::http::StatusCode;"),
            ("src/http/callback.rs", "use crate::wechat::callback::{decrypt, Signature};"),
            ("src/login.rs", "use crate::{resolve, wechat::login, store};"),
            ("src/main.rs", "use unionid_bridge::cli;"),
            ("src/sync/mod.rs", "use crate::sync::pages::Page;\nuse crate::pages_total;"),
            ("entity/src/follower.rs", "use sea_orm::entity::prelude::*;"),
        ] {
            assert_eq!(refused(file, text), [""; 0], "{file}: {text}");
        }
    }

    #[test]
    fn unused_permissions_are_found() {
        let uses = scan("src/http/mod.rs", "use crate::wechat::callback;\nuse axum::Router;");
        let unused = unused(&uses);
        let has = |line: &str| unused.iter().any(|found| found == line);
        assert!(!has("http → wechat::callback") && has("http → wechat::FailureKind"), "{unused:?}");
        assert!(!has("axum is not used in http") && has("axum is not used in sandbox"));
    }

    #[test]
    fn a_violation_names_its_line_dependency_and_rule() {
        assert_eq!(
            refused("src/store/mod.rs", "//! Doc.\n\nuse crate::wechat::Profile;"),
            [
                "src/store/mod.rs:3: store → wechat::Profile is not an allowed arrow: store may use model"
            ]
        );
    }

    #[test]
    fn a_circular_dependency_is_found() {
        assert_eq!(circle(&[("a", "b"), ("b", "c"), ("c", "d")]), None);
        assert_eq!(circle(&[("a", "b"), ("b", "c"), ("c", "b")]), Some(vec!["b", "c", "b"]));
    }
}
