//! The follower list and profiles: `user/get`, `user/info`, `user/info/batchget`.

use std::borrow::Cow;
use std::io::Write;

use serde::Deserialize;

use super::ApiRequest;
use super::profile::{self, PROFILE_BYTES};
use crate::sandbox::errcode::Refusal;
use crate::sandbox::fault::{Fault, Quirk};
use crate::sandbox::options::LastPage;
use crate::sandbox::world::{Account, Drift, ID_LENGTH, Id, Page, State, World};

/// The maximum number of openids in one `batchget`.
const MAX_BATCH: usize = 100;

/// `GET /cgi-bin/user/get`.
pub(super) fn list(
    world: &World,
    request: &ApiRequest,
    account: &Account,
    fault: Option<&Fault>,
) -> Result<Vec<u8>, Refusal> {
    let state = account.state();
    let cursor = request.parameter("next_openid");
    let after = cursor.map(|openid| find_cursor(account, &state, openid)).transpose()?;
    let size = match fault {
        Some(Fault::Short(size)) => *size,
        _ => world.page_size,
    };
    let page = state.population.page(after, size);
    drift(world, account, state.switches.drift, &page);
    let next = next_cursor(world, account, &state, &page, (after, fault));
    Ok(write_page(account, &state, &page, next, fault))
}

/// Returns the person after whom the list continues.
fn find_cursor(account: &Account, state: &State, openid: &str) -> Result<u64, Refusal> {
    let person = account.openids.decode(openid).ok_or_else(|| Refusal::of(40003))?;
    if state.switches.refuse_departed_cursors && !state.population.follows(person) {
        return Err(Refusal::of(40003));
    }
    Ok(person)
}

/// Makes followers join and leave after a page was read.
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
    (after, fault): (Option<u64>, Option<&Fault>),
) -> Option<Id> {
    let last = page.people.last().copied();
    let ends = !page.more && state.switches.last_page == LastPage::EndsTheList;
    let next = match fault {
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
    fault: Option<&Fault>,
) -> Vec<u8> {
    let total = match fault {
        Some(Fault::Total(total)) => *total,
        _ => state.switches.total.unwrap_or_else(|| state.population.count()),
    };
    let blank = fault == Some(&Fault::BlankOpenid);
    let count = page.people.len() as i64 + i64::from(blank);
    let count = match fault {
        Some(Fault::CountOff(difference)) => (count + difference).max(0),
        _ => count,
    };
    let mut out = Vec::with_capacity(page.people.len() * (ID_LENGTH + 3) + 160);
    // Writing to a vector cannot fail.
    _ = write!(out, "{{\"total\":{total},\"count\":{count}");
    if fault != Some(&Fault::NoData) && (blank || !page.people.is_empty()) {
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
pub(super) fn info(request: &ApiRequest, account: &Account) -> Result<Vec<u8>, Refusal> {
    let state = account.state();
    let openid = request.parameter("openid").unwrap_or_default();
    let person = find_person(account, &state, openid)?;
    let mut out = Vec::with_capacity(PROFILE_BYTES);
    let language = language(request.parameter("lang"));
    profile::write(&mut out, account, &state, person, language, state.unionid(person));
    Ok(out)
}

fn find_person(account: &Account, state: &State, openid: &str) -> Result<u64, Refusal> {
    let person = account.openids.decode(openid);
    let person = person.filter(|person| !state.population.has(*person, Quirk::Poison));
    person.ok_or_else(|| Refusal::of(40003))
}

/// Returns the requested language, or the default if WeChat does not support it.
fn language(requested: Option<&str>) -> &'static str {
    match requested {
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

/// `POST /cgi-bin/user/info/batchget`. One invalid openid fails the whole batch.
pub(super) fn batch(
    request: &ApiRequest,
    account: &Account,
    fault: Option<&Fault>,
) -> Result<Vec<u8>, Refusal> {
    if request.body.is_empty() {
        return Err(Refusal::of(44002));
    }
    let batch: Batch<'_> = serde_json::from_slice(&request.body).map_err(|_| Refusal::of(47001))?;
    if batch.user_list.is_empty() || batch.user_list.len() > MAX_BATCH {
        return Err(Refusal::of(40032));
    }
    let state = account.state();
    let people = batch.user_list.iter().map(|user| find_person(account, &state, &user.openid));
    let people = people.collect::<Result<Vec<u64>, Refusal>>()?;
    let missing = match fault {
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
        let unionid = row_unionid(&state, &people, row, fault);
        profile::write(&mut out, account, &state, people[row], language, unionid);
    }
    out.extend_from_slice(b"]}");
    Ok(out)
}

/// Returns the unionid of a row. Faults and quirks can make it differ from the person's own.
fn row_unionid(state: &State, people: &[u64], row: usize, fault: Option<&Fault>) -> Option<Id> {
    let person = *people.get(row)?;
    match fault {
        Some(Fault::RowsBlank(rows)) if row < *rows => return None,
        Some(Fault::Misaligned(from)) if row >= *from => {
            return state.unionid(people.get(row + 1).copied().unwrap_or(person));
        }
        _ => {}
    }
    for quirk in state.population.quirks(person) {
        match quirk {
            Quirk::NoUnionidInBatch => return None,
            Quirk::UnionidInBatchOf(other) => return state.unionid(*other),
            _ => {}
        }
    }
    state.unionid(person)
}
