//! A run in a response, and its OpenAPI description.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::model::Run;

/// A run. The model type itself is serialized, so that the API and `runs show --json` cannot differ.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct SyncRunResponse(pub(super) Run);

impl PartialSchema for SyncRunResponse {
    fn schema() -> RefOr<Schema> {
        Described::schema()
    }
}

impl ToSchema for SyncRunResponse {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("SyncRunResponse")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Described::schemas(schemas);
    }
}

/// A run of the follower sync. Once it has ended, `listed = known + fetched + quarantined + vanished`
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the model serializes; a test compares the two")]
struct Described {
    /// The id of the run; a newer run has a higher id
    id: i64,
    /// The AppID of the Official Account
    appid: String,
    // Described at their types: next to an inlined type, utoipa turns a description into an object.
    #[schema(inline)]
    state: State,
    #[schema(inline)]
    trigger: Trigger,
    #[schema(inline)]
    mode: Mode,
    /// Pages of WeChat's follower list that are stored
    pages: u64,
    /// Followers on those pages
    listed: u64,
    /// Listed followers that were already stored and whose profiles were not fetched again
    known: u64,
    /// Listed followers whose profiles were fetched
    fetched: u64,
    /// Listed followers whose profiles WeChat refuses to return
    quarantined: u64,
    /// Listed followers who had unfollowed by the time their profiles were fetched
    vanished: u64,
    /// Followers inserted or updated in the database
    upserted: u64,
    /// Followers found to have unfollowed
    unfollowed: u64,
    /// Followers of the account without a unionid when the run ended
    missing_unionid: u64,
    /// Followers for whom WeChat returned another unionid than before
    conflicts: u64,
    /// The scheduled time that the run was started for; null for manual runs
    #[schema(required = true)]
    scheduled_at: Option<DateTime<Utc>>,
    /// When the run was first started
    started_at: DateTime<Utc>,
    /// When the run ended; null while it can still continue
    #[schema(required = true)]
    finished_at: Option<DateTime<Utc>>,
    /// The earliest time at which a paused run resumes; null otherwise
    #[schema(required = true)]
    resume_at: Option<DateTime<Utc>>,
    /// The page, counted from 1, at which the run last resumed; null if it was never interrupted
    #[schema(required = true)]
    resumed_at_page: Option<u64>,
    /// The number of calls to WeChat, including repeated ones, by path
    calls: BTreeMap<String, u64>,
    /// The time spent working on the run in seconds, over all its starts
    seconds: f64,
    /// Why the run is paused or held, or has failed; null otherwise
    #[schema(required = true)]
    error: Option<String>,
    /// A problem that did not stop the run but needs an operator's attention; null if there is none
    #[schema(required = true)]
    warning: Option<String>,
}

macro_rules! enums {
    ($($(#[$doc:meta])+ $name:ident { $($value:ident)+ })+) => {$(
        $(#[$doc])+
        #[derive(ToSchema)]
        #[schema(rename_all = "snake_case")]
        #[expect(dead_code, reason = "describes the model's values; a test compares the two")]
        enum $name { $($value,)+ }
    )+};
}

enums! {
    /// The state of the run. `running`: in progress, or interrupted and not resumed yet. `paused`: resumes
    /// by itself, for example after WeChat's quota is reset. `held`: the list was read completely, but
    /// marking the missing followers as unfollowed looks wrong; confirm or cancel the run. `succeeded`:
    /// completed. `failed`: ended with an error; no follower was marked as unfollowed. `cancelled`: ended
    /// by an operator or replaced by a newer run
    State { Running Paused Held Succeeded Failed Cancelled }
    /// What started the run. `manual`: the API or the command line. `schedule`: the schedule. `catch_up`:
    /// the schedule, late, because the service was down at the scheduled time
    Trigger { Manual Schedule CatchUp }
    /// Whose profiles the run fetches. `incremental`: those of new followers, of followers without a
    /// unionid, and of a share of the others. `full`: those of all followers
    Mode { Incremental Full }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::{self, Counts, RunState};

    fn run(state: RunState, trigger: model::Trigger, mode: model::Mode) -> Value {
        let run = Run {
            id: 1,
            appid: "wx1".parse().unwrap(),
            state,
            trigger,
            mode,
            counts: Counts::default(),
            scheduled_at: None,
            started_at: DateTime::UNIX_EPOCH,
            finished_at: None,
            resume_at: None,
            resumed_at_page: None,
            calls: BTreeMap::new(),
            seconds: 0.0,
            error: None,
            warning: None,
        };
        serde_json::to_value(SyncRunResponse(run)).unwrap()
    }

    #[test]
    fn the_schema_lists_exactly_the_members_of_a_sync_run() {
        let run = run(RunState::Held, model::Trigger::Manual, model::Mode::Full);
        let described = serde_json::to_value(SyncRunResponse::schema()).unwrap();
        let mut required = described["required"].as_array().unwrap().clone();
        required.sort_by_key(Value::to_string);
        let mut members: Vec<Value> = run.as_object().unwrap().keys().map(|it| json!(it)).collect();
        members.sort_by_key(Value::to_string);
        assert_eq!(members, required);
        assert_eq!(members.len(), described["properties"].as_object().unwrap().len());
    }

    #[test]
    fn the_schema_lists_every_state_trigger_and_mode() {
        let described = serde_json::to_value(SyncRunResponse::schema()).unwrap();
        let values =
            |member: &str| described["properties"][member]["enum"].as_array().unwrap().len();
        assert_eq!([values("state"), values("trigger"), values("mode")], [6, 3, 2]);
        use model::{Mode, Trigger};
        for state in ["running", "paused", "held", "succeeded", "failed", "cancelled"] {
            let state = RunState::from_code(state).unwrap();
            for trigger in [Trigger::Manual, Trigger::Schedule, Trigger::CatchUp] {
                for mode in [Mode::Incremental, Mode::Full] {
                    let run = run(state, trigger, mode);
                    for member in ["state", "trigger", "mode"] {
                        let known = described["properties"][member]["enum"].as_array().unwrap();
                        assert!(known.contains(&run[member]), "{member}: {}", run[member]);
                    }
                }
            }
        }
    }
}
