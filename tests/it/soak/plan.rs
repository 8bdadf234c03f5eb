//! Which faults are injected and when, drawn from a seed: equal seeds make equal plans.

use std::fmt;
use std::time::Duration;

use unionid_bridge::sandbox::{Call, Fault};

use super::rng::SeededRng;
use crate::harness::{Backend, ProxyMode};

/// A fault and its time, counted from the beginning.
#[derive(Debug, Clone)]
pub struct ScheduledFault {
    pub at: Duration,
    pub fault: InjectedFault,
}

/// A fault; `time` is how long it lasts.
#[derive(Debug, Clone)]
pub enum InjectedFault {
    /// SIGKILL, then a restart.
    Kill { replica: usize, time: Duration },
    /// SIGTERM, then a restart.
    Terminate { replica: usize, time: Duration },
    /// SIGSTOP, usually for longer than a lease.
    Freeze { replica: usize, time: Duration },
    /// All replicas lose the database.
    DatabaseUnreachable { how: ProxyMode, time: Duration },
    /// One replica loses the database.
    CutOff { replica: usize, how: ProxyMode, time: Duration },
    /// Another program holds the write lock of the SQLite file.
    DatabaseLocked { time: Duration },
    /// The next `count` requests of a call fail.
    Calls { call: Call, fault: Fault, count: u64 },
    /// WeChat invalidates all tokens of the Official Account, or of the Mini Program.
    TokenInvalidated { of_program: bool },
    /// The daily quota of a call is spent until the next day begins.
    QuotaSpent { call: Call, time: Duration },
}

impl InjectedFault {
    /// The name under which the fault is counted.
    pub fn kind(&self) -> String {
        match self {
            Self::Kill { .. } => "SIGKILL".to_owned(),
            Self::Terminate { .. } => "SIGTERM".to_owned(),
            Self::Freeze { .. } => "SIGSTOP".to_owned(),
            Self::DatabaseUnreachable { how, .. } => format!("database unreachable ({how:?})"),
            Self::CutOff { how, .. } => format!("one replica cut off ({how:?})"),
            Self::DatabaseLocked { .. } => "database locked".to_owned(),
            Self::Calls { fault: Fault::Stall(_) | Fault::StallMid(_), .. } => "latency".to_owned(),
            Self::Calls { fault: Fault::Errcode(errcode), .. } => format!("errcode {errcode}"),
            Self::Calls { fault: Fault::HttpStatus(status), .. } => format!("HTTP {status}"),
            Self::Calls { fault, .. } => format!("{fault:?}"),
            Self::TokenInvalidated { .. } => "token invalidated".to_owned(),
            Self::QuotaSpent { call, .. } => format!("quota of {call}"),
        }
    }
}

impl fmt::Display for ScheduledFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>7.1} s  {:?}", self.at.as_secs_f64(), self.fault)
    }
}

/// The cluster and how long faults begin.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    pub backend: Backend,
    pub replicas: usize,
    pub time: Duration,
}

/// Draws the faults that begin within `setup.time`. Some end later.
pub fn draw(seed: u64, setup: Setup) -> Vec<ScheduledFault> {
    let (mut rng, mut plan) = (SeededRng::new(seed), Vec::new());
    let mut at = Duration::from_millis(500);
    while at < setup.time {
        let fault = any_fault(&mut rng, setup);
        plan.push(ScheduledFault { at, fault });
        at += rng.millis(200..=2_500);
    }
    plan
}

fn any_fault(rng: &mut SeededRng, setup: Setup) -> InjectedFault {
    match rng.within(0..=99) {
        0..20 => process_fault(rng, setup.replicas),
        20..42 => database_fault(rng, setup),
        42..52 => InjectedFault::TokenInvalidated { of_program: rng.percent(25) },
        52..60 => quota(rng),
        60..72 => latency(rng),
        72..86 => busy(rng, setup.time),
        _ => malformed(rng),
    }
}

fn process_fault(rng: &mut SeededRng, replicas: usize) -> InjectedFault {
    let replica = rng.within(0..=replicas as u64 - 1) as usize;
    match rng.within(0..=4) {
        0 | 1 => InjectedFault::Kill { replica, time: rng.millis(0..=3_000) },
        2 => InjectedFault::Terminate { replica, time: rng.millis(0..=2_000) },
        _ => InjectedFault::Freeze { replica, time: rng.millis(500..=6_000) },
    }
}

fn database_fault(rng: &mut SeededRng, setup: Setup) -> InjectedFault {
    if setup.backend == Backend::Sqlite {
        return InjectedFault::DatabaseLocked { time: rng.millis(200..=4_000) };
    }
    // A short soak has no time to wait for the timeouts of dead connections.
    let is_long = setup.time >= Duration::from_secs(60);
    let modes = [ProxyMode::Close, ProxyMode::Blackhole];
    let how = rng.pick(if is_long { &modes } else { &modes[..1] });
    let time = rng.millis(100..=6_000);
    if rng.percent(50) {
        return InjectedFault::DatabaseUnreachable { how, time };
    }
    InjectedFault::CutOff { replica: rng.within(0..=setup.replicas as u64 - 1) as usize, how, time }
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

fn quota(rng: &mut SeededRng) -> InjectedFault {
    let call = rng.pick(&[Call::UserGet, Call::UserInfoBatchget, Call::TemplateSend]);
    InjectedFault::QuotaSpent { call, time: rng.millis(500..=4_000) }
}

/// Sometimes longer than the service's timeout.
fn latency(rng: &mut SeededRng) -> InjectedFault {
    let (call, time) = (rng.pick(&CALLS), rng.millis(100..=3_000));
    let fault = rng.pick(&[Fault::Stall(time), Fault::Stall(time), Fault::StallMid(time)]);
    InjectedFault::Calls { call, fault, count: rng.within(1..=10) }
}

fn busy(rng: &mut SeededRng, time: Duration) -> InjectedFault {
    let faults = [
        Fault::Errcode(-1),
        Fault::HttpStatus(502),
        Fault::Disconnect,
        Fault::AnswerLost,
        Fault::Errcode(45011),
    ];
    // A short soak has no time to wait for the limit per minute (45011) to end.
    let is_long = time >= Duration::from_secs(60);
    let fault = rng.pick(if is_long { &faults } else { &faults[..4] });
    InjectedFault::Calls { call: rng.pick(&CALLS), fault, count: rng.within(1..=8) }
}

fn malformed(rng: &mut SeededRng) -> InjectedFault {
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
    let (call, fault) = match rng.within(0..=2) {
        0 => (rng.pick(&CALLS), rng.pick(&any)),
        1 => (Call::UserGet, rng.pick(&page)),
        _ => (Call::UserInfoBatchget, rng.pick(&profiles)),
    };
    InjectedFault::Calls { call, fault, count: rng.within(1..=3) }
}

#[test]
fn a_seed_draws_the_same_plan_each_time() {
    let time = Duration::from_secs(600);
    let setup = Setup { backend: Backend::Postgres, replicas: 3, time };
    let text = |seed| draw(seed, setup).iter().map(ScheduledFault::to_string).collect::<Vec<_>>();
    assert_eq!(text(7), text(7));
    assert_ne!(text(7), text(8));
    assert!(text(7).len() > 300, "{}", text(7).len());
}
