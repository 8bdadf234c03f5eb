//! Control routes: use the sandbox from a command line.
//!
//! | route | does |
//! |---|---|
//! | `GET /sandbox/stats` | returns the counts of requests and errors, and the peak of concurrent requests |
//! | `GET /sandbox/people?appid=&from=&limit=` | lists people with their openids and unionid |
//! | `POST /sandbox/followers` `{appid?, leave?, join?, rejoin?}` | changes who follows |
//! | `POST /sandbox/faults`, one rule per line | adds fault rules; `DELETE` removes all rules for calls |
//! | `POST /sandbox/login-codes` `{appid?, person}` | returns `{code}` for a login |
//! | `POST /sandbox/user-data` `{appid?, person}` | returns `{encrypted_data, iv}` |
//! | `POST /sandbox/callback` `{appid?, url, token?, encoding_aes_key?, mode?, format?}` | sets the callback that events are pushed to, turns events for followers who join and leave on, and checks the URL |
//! | `POST /sandbox/push` `{appid?, person, event, …}` | pushes an event and returns the result |
//! | `GET /sandbox/pushes` | lists the pushes with every attempt |
//! | `POST /sandbox/grants` `{appid?, person, template_id?, times?, always?}` | accepts prompts for subscribe messages, once by default; `times` 0 revokes all consents |
//! | `POST /sandbox/form-ids` `{appid?, person}` | returns `{form_id}` for a message of the retired API |
//! | `POST /sandbox/tokens/invalidate` `{appid?}` | invalidates the account's access tokens |
//! | `POST /sandbox/quotas/reset` | resets the daily quotas of all accounts |
//! | `POST /sandbox/rebind` | binds all accounts to another Open Platform account: every unionid changes |
//! | `GET /sandbox/messages` | lists the accepted messages and the call that sent each |
//!
//! The default `appid` is the first Official Account. For login codes, user data, grants and forms it is
//! the first Mini Program, and a callback is set for every account. The default `template_id` is the
//! account's first template. [`push`] documents the members of events.

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

/// The path prefix of the control routes.
pub(crate) const PREFIX: &str = "/sandbox/";

const DEFAULT_PEOPLE: u64 = 10;

const MAX_PEOPLE: u64 = 1_000;

/// The status and message of an error response.
type ControlError = (StatusCode, String);

/// Handles a request to a control route and returns the status and JSON of the response.
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
) -> Result<Value, ControlError> {
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
            let AppIdBody { appid } = parse(body)?;
            world.tokens.invalidate(account(world, appid.as_deref(), Kind::Official)?.number);
            Ok(json!({}))
        }
        ("POST", "quotas/reset") => {
            world.usage.iter().for_each(|usage| usage.quotas.reset());
            Ok(json!({}))
        }
        ("POST", "rebind") => {
            world.rebind(world.accounts.iter());
            Ok(json!({}))
        }
        _ => {
            Err((StatusCode::NOT_FOUND, format!("unknown control route: {method} {}", uri.path())))
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct AppIdBody {
    appid: Option<String>,
}

fn parse<'a, T: Deserialize<'a> + Default>(body: &'a [u8]) -> Result<T, ControlError> {
    if body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(body).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))
}

fn account<'a>(
    world: &'a World,
    appid: Option<&str>,
    kind: Kind,
) -> Result<&'a Account, ControlError> {
    let found = match appid {
        Some(appid) => world.account(appid),
        None => world.accounts.iter().find(|account| account.kind == kind),
    };
    let error = || match appid {
        Some(appid) => format!("no account of the sandbox has the AppID {appid}"),
        None => "the sandbox has no account of the kind that this route needs".to_owned(),
    };
    found.ok_or_else(|| (StatusCode::NOT_FOUND, error()))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PeopleQuery {
    appid: Option<String>,
    from: u64,
    limit: Option<u64>,
}

fn people(world: &World, uri: &Uri) -> Result<Value, ControlError> {
    let Query(query) = Query::<PeopleQuery>::try_from_uri(uri)
        .map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
    let account = account(world, query.appid.as_deref(), Kind::Official)?;
    let state = account.state();
    let limit = query.limit.unwrap_or(DEFAULT_PEOPLE).min(MAX_PEOPLE);
    let people = (query.from..query.from.saturating_add(limit)).map(|person| {
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

/// Who leaves: a count of arbitrary followers, or the numbers of people.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Leave {
    Any(u64),
    People(Vec<u64>),
}

impl Default for Leave {
    fn default() -> Self {
        Self::Any(0)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FollowersBody {
    appid: Option<String>,
    leave: Leave,
    join: u64,
    rejoin: Vec<u64>,
}

fn followers(world: &Arc<World>, body: &[u8]) -> Result<Value, ControlError> {
    let changes: FollowersBody = parse(body)?;
    let account = account(world, changes.appid.as_deref(), Kind::Official)?;
    let left = match changes.leave {
        Leave::Any(count) => pushing::leave_any(world, account, count),
        Leave::People(people) => pushing::leave(world, account, people),
    };
    let rejoined = pushing::rejoin(world, account, changes.rejoin);
    let joined = pushing::join(world, account, changes.join);
    let followers = account.state().population.count();
    let joined = [joined.start, joined.end];
    Ok(json!({"left": left, "rejoined": rejoined, "joined": joined, "followers": followers}))
}

/// Adds all rules of the text, or none if one does not parse.
fn faults(world: &World, body: &[u8]) -> Result<Value, ControlError> {
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
struct PersonBody {
    appid: Option<String>,
    person: u64,
}

fn login_code(world: &World, body: &[u8]) -> Result<Value, ControlError> {
    let PersonBody { appid, person } = parse(body)?;
    let account = account(world, appid.as_deref(), Kind::MiniProgram)?;
    Ok(json!({"code": world.codes.mint(account.number, person, world.now())}))
}

fn user_data(world: &World, body: &[u8]) -> Result<Value, ControlError> {
    let PersonBody { appid, person } = parse(body)?;
    let account = account(world, appid.as_deref(), Kind::MiniProgram)?;
    let (encrypted_data, iv) = encrypted_user_data(world, account, &UserData::of(person));
    Ok(json!({"encrypted_data": encrypted_data, "iv": iv}))
}
