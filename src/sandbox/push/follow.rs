//! People who come and go, and the events that tell of it where the world is set to push them.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Event, announce};
use crate::sandbox::world::{Account, World};

/// Followers leave. Tells how many did.
pub(crate) fn leave(world: &Arc<World>, account: &Account, people: Vec<u64>) -> u64 {
    let gone = account.change(|state| {
        let leaves = |person: &u64| state.population.leave([*person]) == 1;
        people.into_iter().filter(leaves).collect::<Vec<_>>()
    });
    tell(world, account, &gone, Event::unsubscribe)
}

/// That many followers leave, as chance has it. Tells how many did.
pub(crate) fn leave_any(world: &Arc<World>, account: &Account, count: u64) -> u64 {
    let gone = world.leave_any(account, count);
    tell(world, account, &gone, Event::unsubscribe)
}

/// People who never followed before begin to. Tells their numbers.
pub(crate) fn join(world: &Arc<World>, account: &Account, count: u64) -> Range<u64> {
    let now = world.now() / 1_000;
    let joined = account.change(|state| state.population.join(count, now));
    if world.pushes_follows.load(Ordering::SeqCst) {
        tell(world, account, &joined.clone().collect::<Vec<_>>(), Event::subscribe);
    }
    joined
}

/// People who left follow again. Tells how many do.
pub(crate) fn rejoin(world: &Arc<World>, account: &Account, people: Vec<u64>) -> u64 {
    let now = world.now() / 1_000;
    let back = account.change(|state| {
        let returns = |person: &u64| state.population.rejoin([*person], now) == 1;
        people.into_iter().filter(returns).collect::<Vec<_>>()
    });
    tell(world, account, &back, Event::subscribe)
}

/// Pushes an event of each, where the world pushes them. Tells how many there are.
fn tell(
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
