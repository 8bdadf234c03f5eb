//! A run in an answer: as the command line gives it, with a description for the document.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::model::Run;

/// A run. Serialised by the model itself, so that the API and `runs show --json` cannot differ.
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

/// A run of the follower sync. `listed = known + fetched + quarantined + vanished` once it has ended
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the model serialises; a test compares the two")]
struct Described {
    /// The number of the run
    id: i64,
    /// The Official Account
    appid: String,
    // Described by their types: beside an inlined type utoipa makes an object of a description.
    #[schema(inline)]
    state: State,
    #[schema(inline)]
    trigger: Trigger,
    #[schema(inline)]
    mode: Mode,
    /// Pages of openids committed
    pages: u64,
    /// Openids in those pages
    listed: u64,
    /// Listed, already mirrored, and not asked again
    known: u64,
    /// Listed and asked, and WeChat answered with a follower
    fetched: u64,
    /// Listed, and WeChat refuses to answer for them
    quarantined: u64,
    /// Listed, and gone when they were asked
    vanished: u64,
    /// Rows inserted or changed
    upserted: u64,
    /// Followers found to have left
    unfollowed: u64,
    /// Followers without a unionid when the run ended
    missing_unionid: u64,
    /// Unionids that WeChat changed
    conflicts: u64,
    /// The tick of the schedule it was started for
    #[schema(required = true)]
    scheduled_at: Option<DateTime<Utc>>,
    /// When it was started first
    started_at: DateTime<Utc>,
    /// When it ended; null while it can still go on
    #[schema(required = true)]
    finished_at: Option<DateTime<Utc>>,
    /// Of a paused run: not before this instant
    #[schema(required = true)]
    resume_at: Option<DateTime<Utc>>,
    /// The page at which its latest start went on
    #[schema(required = true)]
    resumed_at_page: Option<u64>,
    /// Calls sent to WeChat, by their path
    calls: BTreeMap<String, u64>,
    /// Seconds spent working, over all starts
    seconds: f64,
    /// Why it paused, is held or failed
    #[schema(required = true)]
    error: Option<String>,
    /// What an operator should know although the run went on
    #[schema(required = true)]
    warning: Option<String>,
}

macro_rules! words {
    ($($(#[$doc:meta])+ $name:ident { $($word:ident)+ })+) => {$(
        $(#[$doc])+
        #[derive(ToSchema)]
        #[schema(rename_all = "snake_case")]
        #[expect(dead_code, reason = "describes the model's words; a test compares the two")]
        enum $name { $($word,)+ }
    )+};
}

words! {
    /// Where it stands
    State { Running Paused Held Succeeded Failed Cancelled }
    /// What started it
    Trigger { Manual Schedule CatchUp }
    /// How much it asks for
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
    fn the_description_names_every_member_and_no_other() {
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
    fn every_word_is_in_the_description() {
        let described = serde_json::to_value(SyncRunResponse::schema()).unwrap();
        let words =
            |member: &str| described["properties"][member]["enum"].as_array().unwrap().len();
        assert_eq!([words("state"), words("trigger"), words("mode")], [6, 3, 2]);
        use model::{Mode, Trigger};
        for state in ["running", "paused", "held", "succeeded", "failed", "cancelled"] {
            let state = RunState::from_word(state).unwrap();
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
