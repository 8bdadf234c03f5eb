//! The follower list and the profiles: `user/get`, `user/info`, `user/info/batchget`.

use std::borrow::Cow;
use std::io::Write;

use serde::Deserialize;

use super::Ask;
use super::profile::{self, PROFILE_BYTES};
use crate::sandbox::errcode::Refusal;
use crate::sandbox::fault::{Fault, Quirk};
use crate::sandbox::options::LastPage;
use crate::sandbox::world::{Account, Drift, ID_LENGTH, Id, Page, State, World};

/// The most openids in one `batchget`.
const BATCH: usize = 100;

/// `GET /cgi-bin/user/get`.
pub(super) fn list(
    world: &World,
    ask: &Ask,
    account: &Account,
    flaw: Option<&Fault>,
) -> Result<Vec<u8>, Refusal> {
    let state = account.state();
    let cursor = ask.parameter("next_openid");
    let after = cursor.map(|openid| place(account, &state, openid)).transpose()?;
    let size = match flaw {
        Some(Fault::Short(size)) => *size,
        _ => world.page_size,
    };
    let page = state.population.page(after, size);
    drift(world, account, state.switches.drift, &page);
    let next = next_cursor(world, account, &state, &page, (after, flaw));
    Ok(write_page(account, &state, &page, next, flaw))
}

/// The person at whom the list goes on.
fn place(account: &Account, state: &State, openid: &str) -> Result<u64, Refusal> {
    let person = account.openids.decode(openid).ok_or_else(|| Refusal::of(40003))?;
    if state.switches.refuse_departed_cursors && !state.population.follows(person) {
        return Err(Refusal::of(40003));
    }
    Ok(person)
}

/// Moves followers about, once the page has been taken.
fn drift(world: &World, account: &Account, drift: Drift, page: &Page) {
    if drift == Drift::default() {
        return;
    }
    world.leave_any(account, drift.leave);
    account.change(|state| {
        let people = &mut state.population;
        if drift.cursor_leaves {
            people.leave(page.people.last().copied());
        }
        if drift.join > 0 {
            people.join(drift.join, world.now() / 1_000);
        }
    });
}

fn next_cursor(
    world: &World,
    account: &Account,
    state: &State,
    page: &Page,
    (after, flaw): (Option<u64>, Option<&Fault>),
) -> Option<Id> {
    let last = page.people.last().copied();
    let ends = !page.more && state.switches.last_page == LastPage::EndsTheList;
    let next = match flaw {
        Some(Fault::Loop) => after.or(page.people.first().copied()),
        Some(Fault::LoopBack) => state.population.page(None, world.page_size).people.pop(),
        Some(Fault::Short(_)) => None,
        _ => last.filter(|_| !ends),
    };
    next.map(|person| account.openids.encode(person))
}

fn write_page(
    account: &Account,
    state: &State,
    page: &Page,
    next: Option<Id>,
    flaw: Option<&Fault>,
) -> Vec<u8> {
    let total = match flaw {
        Some(Fault::Total(total)) => *total,
        _ => state.switches.total.unwrap_or_else(|| state.population.count()),
    };
    let blank = flaw == Some(&Fault::BlankOpenid);
    let count = page.people.len() as i64 + i64::from(blank);
    let count = match flaw {
        Some(Fault::CountOff(off)) => (count + off).max(0),
        _ => count,
    };
    let mut out = Vec::with_capacity(page.people.len() * (ID_LENGTH + 3) + 160);
    // Writing to a vector cannot fail.
    _ = write!(out, "{{\"total\":{total},\"count\":{count}");
    if flaw != Some(&Fault::NoData) && (blank || !page.people.is_empty()) {
        write_openids(&mut out, account, page, blank);
    }
    let next = next.as_ref().map_or("", Id::as_str);
    _ = write!(out, ",\"next_openid\":\"{next}\"}}");
    out
}

fn write_openids(out: &mut Vec<u8>, account: &Account, page: &Page, blank: bool) {
    out.extend_from_slice(b",\"data\":{\"openid\":[");
    if blank {
        out.extend_from_slice(b"\"\",");
    }
    for person in &page.people {
        out.push(b'"');
        out.extend_from_slice(account.openids.encode(*person).as_bytes());
        out.extend_from_slice(b"\",");
    }
    out.pop();
    out.extend_from_slice(b"]}");
}

/// `GET /cgi-bin/user/info`.
pub(super) fn info(ask: &Ask, account: &Account) -> Result<Vec<u8>, Refusal> {
    let state = account.state();
    let openid = ask.parameter("openid").unwrap_or_default();
    let person = known(account, &state, openid)?;
    let mut out = Vec::with_capacity(PROFILE_BYTES);
    let language = language(ask.parameter("lang"));
    profile::write(&mut out, account, &state, person, language, state.unionid(person));
    Ok(out)
}

fn known(account: &Account, state: &State, openid: &str) -> Result<u64, Refusal> {
    let person = account.openids.decode(openid);
    let person = person.filter(|person| !state.population.has(*person, Quirk::Poison));
    person.ok_or_else(|| Refusal::of(40003))
}

/// The language asked for, where the vendor knows it.
fn language(asked: Option<&str>) -> &'static str {
    match asked {
        Some("zh_TW") => "zh_TW",
        Some("en") => "en",
        _ => "zh_CN",
    }
}

#[derive(Debug, Deserialize)]
struct Batch<'a> {
    #[serde(borrow, default)]
    user_list: Vec<User<'a>>,
}

#[derive(Debug, Deserialize)]
struct User<'a> {
    #[serde(borrow, default)]
    openid: Cow<'a, str>,
    #[serde(borrow)]
    lang: Option<Cow<'a, str>>,
}

/// `POST /cgi-bin/user/info/batchget`. One openid at fault fails the whole batch.
pub(super) fn batch(
    ask: &Ask,
    account: &Account,
    flaw: Option<&Fault>,
) -> Result<Vec<u8>, Refusal> {
    if ask.body.is_empty() {
        return Err(Refusal::of(44002));
    }
    let batch: Batch<'_> = serde_json::from_slice(&ask.body).map_err(|_| Refusal::of(47001))?;
    if batch.user_list.is_empty() || batch.user_list.len() > BATCH {
        return Err(Refusal::of(40032));
    }
    let state = account.state();
    let people = batch.user_list.iter().map(|user| known(account, &state, &user.openid));
    let people = people.collect::<Result<Vec<u64>, Refusal>>()?;
    let missing = match flaw {
        Some(Fault::RowsMissing(rows)) => *rows,
        _ => 0,
    };
    let mut out = Vec::with_capacity(people.len() * PROFILE_BYTES + 32);
    out.extend_from_slice(b"{\"user_info_list\":[");
    for row in 0..people.len().saturating_sub(missing) {
        if row > 0 {
            out.push(b',');
        }
        let language = language(batch.user_list[row].lang.as_deref());
        let unionid = row_unionid(&state, &people, row, flaw);
        profile::write(&mut out, account, &state, people[row], language, unionid);
    }
    out.extend_from_slice(b"]}");
    Ok(out)
}

/// The unionid that a row carries, which need not be its person's.
fn row_unionid(state: &State, people: &[u64], row: usize, flaw: Option<&Fault>) -> Option<Id> {
    let own = *people.get(row)?;
    match flaw {
        Some(Fault::RowsBlank(rows)) if row < *rows => return None,
        Some(Fault::Misaligned(from)) if row >= *from => {
            return state.unionid(people.get(row + 1).copied().unwrap_or(own));
        }
        _ => {}
    }
    for quirk in state.population.quirks(own) {
        match quirk {
            Quirk::NoUnionidInBatch => return None,
            Quirk::UnionidInBatchOf(other) => return state.unionid(*other),
            _ => {}
        }
    }
    state.unionid(own)
}
