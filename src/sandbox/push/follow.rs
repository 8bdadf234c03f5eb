//! Followers who join, return or leave, and the events for them if the world pushes such events.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Event, announce};
use crate::sandbox::world::{Account, World};

/// Makes followers leave. Returns how many left.
pub(crate) fn leave(world: &Arc<World>, account: &Account, people: Vec<u64>) -> u64 {
    let left = account.change(|state| {
        let leaves = |person: &u64| state.population.leave([*person]) == 1;
        people.into_iter().filter(leaves).collect::<Vec<_>>()
    });
    push_events(world, account, &left, Event::unsubscribe)
}

/// Makes this many pseudo-randomly chosen followers leave. Returns how many left.
pub(crate) fn leave_any(world: &Arc<World>, account: &Account, count: u64) -> u64 {
    let left = world.leave_any(account, count);
    push_events(world, account, &left, Event::unsubscribe)
}

/// Makes new people follow. Returns their numbers.
pub(crate) fn join(world: &Arc<World>, account: &Account, count: u64) -> Range<u64> {
    let now = world.now() / 1_000;
    let joined = account.change(|state| state.population.join(count, now));
    if world.pushes_follows.load(Ordering::SeqCst) {
        push_events(world, account, &joined.clone().collect::<Vec<_>>(), Event::subscribe);
    }
    joined
}

/// Makes people who left follow again. Returns how many returned.
pub(crate) fn rejoin(world: &Arc<World>, account: &Account, people: Vec<u64>) -> u64 {
    let now = world.now() / 1_000;
    let returned = account.change(|state| {
        let returns = |person: &u64| state.population.rejoin([*person], now) == 1;
        people.into_iter().filter(returns).collect::<Vec<_>>()
    });
    push_events(world, account, &returned, Event::subscribe)
}

/// Pushes an event for each person, if the world pushes such events. Returns the number of people.
fn push_events(
    world: &Arc<World>,
    account: &Account,
    people: &[u64],
    event: impl Fn(u64) -> Event,
) -> u64 {
    if world.pushes_follows.load(Ordering::SeqCst) {
        announce(world, account, people.iter().map(|person| event(*person)));
    }
    people.len() as u64
}
