//! Routes below `/sandbox/`, for people who play with a sandbox from a command line.
//!
//! | route | does |
//! |---|---|
//! | `GET /sandbox/stats` | calls, refusals, the most at once |
//! | `GET /sandbox/people?appid=&from=&limit=` | people with their openids and unionid |
//! | `POST /sandbox/followers` `{appid?, leave?, join?, rejoin?}` | moves followers |
//! | `POST /sandbox/faults`, one rule a line | adds faults; `DELETE` forgets them |
//! | `POST /sandbox/login-codes` `{appid?, person}` | `{code}` |
//! | `POST /sandbox/user-data` `{appid?, person}` | `{encrypted_data, iv}` |
//! | `POST /sandbox/callback` `{appid?, url, token?, encoding_aes_key?, mode?, format?}` | has events pushed there, who joins and leaves among them, and checks the URL |
//! | `POST /sandbox/push` `{appid?, person, event, …}` | pushes an event and tells how that went |
//! | `GET /sandbox/pushes` | what was pushed, every attempt |
//! | `POST /sandbox/grants` `{appid?, person, template_id?, times?, always?}` | has a person accept prompts for subscribe messages, once or so often; 0 times takes everything back |
//! | `POST /sandbox/form-ids` `{appid?, person}` | `{form_id}`, for a message of the old kind |
//! | `POST /sandbox/tokens/invalidate` `{appid?}` | ends an account's tokens |
//! | `POST /sandbox/quotas/reset` | starts every quota again |
//! | `POST /sandbox/rebind` | binds all accounts elsewhere: every unionid changes |
//! | `GET /sandbox/messages` | what was sent, by which call |
//!
//! An `appid` left out is the first Official Account; for login codes, user data,
//! grants and forms the first Mini Program, for a callback every account; a `template_id` left out is its first
//! template. The members of events are at [`push`].

mod message;
mod push;

use std::sync::Arc;

use axum::extract::Query;
use hyper::{Method, StatusCode, Uri};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{UserData, encrypted_user_data};
use super::fault::FaultRule;
use super::push as pushing;
use super::world::{Account, Kind, World};

/// Where the control routes begin.
pub(crate) const PREFIX: &str = "/sandbox/";

/// People listed unless told otherwise, and at most.
const PEOPLE: (u64, u64) = (10, 1_000);

/// Why a control route refuses.
type Refused = (StatusCode, String);

/// The status and the JSON that a request to a control route gets.
pub(crate) async fn answer(
    world: &Arc<World>,
    method: &Method,
    uri: &Uri,
    body: &[u8],
) -> (StatusCode, Value) {
    match route(world, method, uri, body).await {
        Ok(value) => (StatusCode::OK, value),
        Err((status, error)) => (status, json!({"error": error})),
    }
}

async fn route(
    world: &Arc<World>,
    method: &Method,
    uri: &Uri,
    body: &[u8],
) -> Result<Value, Refused> {
    let route = uri.path().strip_prefix(PREFIX).unwrap_or_default();
    match (method.as_str(), route) {
        ("GET", "stats") => Ok(json!(world.counters.stats())),
        ("GET", "people") => people(world, uri),
        ("GET", "messages") => Ok(json!({"messages": world.messages.sent()})),
        ("POST", "followers") => followers(world, body),
        ("POST", "faults") => faults(world, body),
        ("DELETE", "faults") => {
            world.plan.clear();
            Ok(json!({}))
        }
        ("POST", "login-codes") => login_code(world, body),
        ("POST", "user-data") => user_data(world, body),
        ("POST", "grants") => message::grant(world, body),
        ("POST", "form-ids") => message::form(world, body),
        ("POST", "callback") => push::callback(world, body).await,
        ("POST", "push") => push::push(world, body).await,
        ("GET", "pushes") => Ok(json!({"pushes": world.pushes.list()})),
        ("POST", "tokens/invalidate") => {
            let Named { appid } = read(body)?;
            world.tokens.invalidate(account(world, appid.as_deref(), Kind::Official)?.number);
            Ok(json!({}))
        }
        ("POST", "quotas/reset") => {
            world.desks.iter().for_each(|desk| desk.quotas.reset());
            Ok(json!({}))
        }
        ("POST", "rebind") => {
            world.rebind(world.accounts.iter());
            Ok(json!({}))
        }
        _ => Err((StatusCode::NOT_FOUND, format!("no control route is {method} {}", uri.path()))),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Named {
    appid: Option<String>,
}

fn read<'a, T: Deserialize<'a> + Default>(body: &'a [u8]) -> Result<T, Refused> {
    if body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(body).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))
}

fn account<'a>(world: &'a World, appid: Option<&str>, kind: Kind) -> Result<&'a Account, Refused> {
    let found = match appid {
        Some(appid) => world.account(appid),
        None => world.accounts.iter().find(|account| account.kind == kind),
    };
    let name = appid.unwrap_or("given");
    found.ok_or_else(|| (StatusCode::NOT_FOUND, format!("no account of the sandbox is {name}")))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Sample {
    appid: Option<String>,
    from: u64,
    limit: Option<u64>,
}

fn people(world: &World, uri: &Uri) -> Result<Value, Refused> {
    let Query(sample) = Query::<Sample>::try_from_uri(uri)
        .map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
    let account = account(world, sample.appid.as_deref(), Kind::Official)?;
    let state = account.state();
    let limit = sample.limit.unwrap_or(PEOPLE.0).min(PEOPLE.1);
    let people = (sample.from..sample.from.saturating_add(limit)).map(|person| {
        let openids = world.accounts.iter().map(|account| {
            (account.appid.clone(), Value::from(account.openids.encode(person).as_str()))
        });
        json!({
            "person": person,
            "follows": state.population.follows(person),
            "unionid": state.unionid(person).map(|unionid| unionid.to_string()),
            "openids": openids.collect::<serde_json::Map<_, _>>(),
        })
    });
    Ok(json!({"followers": state.population.count(), "people": people.collect::<Vec<_>>()}))
}

/// A number of people, or their numbers.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Leavers {
    Any(u64),
    People(Vec<u64>),
}

impl Default for Leavers {
    fn default() -> Self {
        Self::Any(0)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Moves {
    appid: Option<String>,
    leave: Leavers,
    join: u64,
    rejoin: Vec<u64>,
}

fn followers(world: &Arc<World>, body: &[u8]) -> Result<Value, Refused> {
    let moves: Moves = read(body)?;
    let account = account(world, moves.appid.as_deref(), Kind::Official)?;
    let left = match moves.leave {
        Leavers::Any(count) => pushing::leave_any(world, account, count),
        Leavers::People(people) => pushing::leave(world, account, people),
    };
    let rejoined = pushing::rejoin(world, account, moves.rejoin);
    let joined = pushing::join(world, account, moves.join);
    let followers = account.state().population.count();
    let joined = [joined.start, joined.end];
    Ok(json!({"left": left, "rejoined": rejoined, "joined": joined, "followers": followers}))
}

/// Adds every rule of the text, or none where one of them is wrong.
fn faults(world: &World, body: &[u8]) -> Result<Value, Refused> {
    let text = String::from_utf8_lossy(body);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let rules = lines.map(str::parse).collect::<Result<Vec<FaultRule>, _>>();
    let rules = rules.map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
    let added = rules.len();
    for rule in rules {
        world.apply(rule).map_err(|error| (StatusCode::NOT_FOUND, error.to_string()))?;
    }
    Ok(json!({"added": added}))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Login {
    appid: Option<String>,
    person: u64,
}

fn login_code(world: &World, body: &[u8]) -> Result<Value, Refused> {
    let Login { appid, person } = read(body)?;
    let account = account(world, appid.as_deref(), Kind::MiniProgram)?;
    Ok(json!({"code": world.codes.mint(account.number, person, world.now())}))
}

fn user_data(world: &World, body: &[u8]) -> Result<Value, Refused> {
    let Login { appid, person } = read(body)?;
    let account = account(world, appid.as_deref(), Kind::MiniProgram)?;
    let (encrypted_data, iv) = encrypted_user_data(world, account, &UserData::of(person));
    Ok(json!({"encrypted_data": encrypted_data, "iv": iv}))
}
