//! What goes wrong and when, drawn from a seed: equal seeds make equal plans.

use std::fmt;
use std::time::Duration;

use unionid_bridge::sandbox::{Call, Fault};

use super::dice::Dice;
use crate::harness::{Backend, Way};

/// Something that goes wrong, and when, from the beginning.
#[derive(Debug, Clone)]
pub struct Blow {
    pub at: Duration,
    pub trouble: Trouble,
}

/// Something that goes wrong; `time` is how long it lasts.
#[derive(Debug, Clone)]
pub enum Trouble {
    /// `kill -9`; it is started again.
    Kill { replica: usize, time: Duration },
    /// SIGTERM; it is started again.
    Terminate { replica: usize, time: Duration },
    /// SIGSTOP, as a rule past its lease.
    Freeze { replica: usize, time: Duration },
    /// No replica reaches the database.
    DatabaseAway { how: Way, time: Duration },
    /// One replica does not.
    CutOff { replica: usize, how: Way, time: Duration },
    /// Somebody else writes to the only file.
    DatabaseLocked { time: Duration },
    /// The next so many requests of a call.
    Calls { call: Call, fault: Fault, count: u64 },
    /// Every token of the Official Account, or of the Mini Program.
    TokenDead { of_program: bool },
    /// A call is refused for the rest of the day; then it is midnight.
    QuotaSpent { call: Call, time: Duration },
}

impl Trouble {
    /// What it is counted as.
    pub fn kind(&self) -> String {
        match self {
            Self::Kill { .. } => "kill -9".to_owned(),
            Self::Terminate { .. } => "SIGTERM".to_owned(),
            Self::Freeze { .. } => "SIGSTOP".to_owned(),
            Self::DatabaseAway { how, .. } => format!("database away ({how:?})"),
            Self::CutOff { how, .. } => format!("one replica cut off ({how:?})"),
            Self::DatabaseLocked { .. } => "database locked".to_owned(),
            Self::Calls { fault: Fault::Stall(_) | Fault::StallMid(_), .. } => "latency".to_owned(),
            Self::Calls { fault: Fault::Errcode(errcode), .. } => format!("errcode {errcode}"),
            Self::Calls { fault: Fault::HttpStatus(status), .. } => format!("HTTP {status}"),
            Self::Calls { fault, .. } => format!("{fault:?}"),
            Self::TokenDead { .. } => "token dead".to_owned(),
            Self::QuotaSpent { call, .. } => format!("quota of {call}"),
        }
    }
}

impl fmt::Display for Blow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>7.1} s  {:?}", self.at.as_secs_f64(), self.trouble)
    }
}

/// Where it happens.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub backend: Backend,
    pub replicas: usize,
    pub time: Duration,
}

/// Blows for so long. One that lasts may end later.
pub fn draw(seed: u64, place: Place) -> Vec<Blow> {
    let (mut dice, mut plan) = (Dice::new(seed), Vec::new());
    let mut at = Duration::from_millis(500);
    while at < place.time {
        let trouble = trouble(&mut dice, place);
        plan.push(Blow { at, trouble });
        at += dice.millis(200..=2_500);
    }
    plan
}

fn trouble(dice: &mut Dice, place: Place) -> Trouble {
    match dice.within(0..=99) {
        0..20 => of_process(dice, place.replicas),
        20..42 => of_database(dice, place),
        42..52 => Trouble::TokenDead { of_program: dice.percent(25) },
        52..60 => quota(dice),
        60..72 => latency(dice),
        72..86 => busy(dice, place.time),
        _ => broken(dice),
    }
}

fn of_process(dice: &mut Dice, replicas: usize) -> Trouble {
    let replica = dice.within(0..=replicas as u64 - 1) as usize;
    match dice.within(0..=4) {
        0 | 1 => Trouble::Kill { replica, time: dice.millis(0..=3_000) },
        2 => Trouble::Terminate { replica, time: dice.millis(0..=2_000) },
        _ => Trouble::Freeze { replica, time: dice.millis(500..=6_000) },
    }
}

fn of_database(dice: &mut Dice, place: Place) -> Trouble {
    if place.backend == Backend::Sqlite {
        return Trouble::DatabaseLocked { time: dice.millis(200..=4_000) };
    }
    // Connections that fell silent are waited out, which a short soak has no time for.
    let patient = place.time >= Duration::from_secs(60);
    let ways = [Way::Cut, Way::Silent];
    let how = dice.pick(if patient { &ways } else { &ways[..1] });
    let time = dice.millis(100..=6_000);
    if dice.percent(50) {
        return Trouble::DatabaseAway { how, time };
    }
    Trouble::CutOff { replica: dice.within(0..=place.replicas as u64 - 1) as usize, how, time }
}

const CALLS: [Call; 7] = [
    Call::UserGet,
    Call::UserInfoBatchget,
    Call::UserInfo,
    Call::StableToken,
    Call::Jscode2session,
    Call::TemplateSend,
    Call::SubscribeSend,
];

fn quota(dice: &mut Dice) -> Trouble {
    let call = dice.pick(&[Call::UserGet, Call::UserInfoBatchget, Call::TemplateSend]);
    Trouble::QuotaSpent { call, time: dice.millis(500..=4_000) }
}

/// Longer than the service waits, now and then.
fn latency(dice: &mut Dice) -> Trouble {
    let (call, time) = (dice.pick(&CALLS), dice.millis(100..=3_000));
    let fault = dice.pick(&[Fault::Stall(time), Fault::Stall(time), Fault::StallMid(time)]);
    Trouble::Calls { call, fault, count: dice.within(1..=10) }
}

fn busy(dice: &mut Dice, time: Duration) -> Trouble {
    let faults = [
        Fault::Errcode(-1),
        Fault::HttpStatus(502),
        Fault::Disconnect,
        Fault::AnswerLost,
        Fault::Errcode(45011),
    ];
    // The limit per minute is waited out, which a short soak has no time for.
    let patient = time >= Duration::from_secs(60);
    let fault = dice.pick(if patient { &faults } else { &faults[..4] });
    Trouble::Calls { call: dice.pick(&CALLS), fault, count: dice.within(1..=8) }
}

fn broken(dice: &mut Dice) -> Trouble {
    let any = [Fault::Truncated, Fault::Html, Fault::EmptyBody, Fault::Cut, Fault::OneByteChunks];
    let page = [
        Fault::CountOff(-1),
        Fault::CountOff(3),
        Fault::NoData,
        Fault::BlankOpenid,
        Fault::Loop,
        Fault::LoopBack,
        Fault::Total(9_999),
    ];
    let profiles = [Fault::RowsMissing(1), Fault::RowsBlank(3), Fault::Misaligned(0)];
    let (call, fault) = match dice.within(0..=2) {
        0 => (dice.pick(&CALLS), dice.pick(&any)),
        1 => (Call::UserGet, dice.pick(&page)),
        _ => (Call::UserInfoBatchget, dice.pick(&profiles)),
    };
    Trouble::Calls { call, fault, count: dice.within(1..=3) }
}

#[test]
fn a_seed_draws_the_same_plan_each_time() {
    let time = Duration::from_secs(600);
    let place = Place { backend: Backend::Postgres, replicas: 3, time };
    let text = |seed| draw(seed, place).iter().map(Blow::to_string).collect::<Vec<_>>();
    assert_eq!(text(7), text(7));
    assert_ne!(text(7), text(8));
    assert!(text(7).len() > 300, "{}", text(7).len());
}
