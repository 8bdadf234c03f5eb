//! Who follows an account, and in which order followers are listed.
//!
//! People are numbers. Everybody below `next` follows or has followed. Only departures, returns, joins
//! and quirks take memory, so millions of followers cost nothing.

use std::collections::HashMap;
use std::ops::Range;

use roaring::RoaringTreemap;

use crate::sandbox::fault::Quirk;
use crate::sandbox::random::{Permutation, derive, mix};

/// The earliest `subscribe_time` of the initial followers: 2018-01-01 in China, as Unix time in s.
const FIRST_FOLLOW: u64 = 1_514_736_000;

/// The period over which the initial followers joined, in s: five years.
const FOLLOW_SPAN: u64 = 5 * 365 * 86_400;

/// The followers of one account.
#[derive(Debug, Clone)]
pub(crate) struct Population {
    key: u64,
    /// Maps an index of the list to a person.
    order: Permutation,
    /// The number of the next new person.
    next: u64,
    left: RoaringTreemap,
    /// The first person of each batch that joined, and when (Unix time in s).
    joined: Vec<(u64, i64)>,
    /// When people returned (Unix time in s).
    returned: HashMap<u64, i64>,
    quirks: HashMap<u64, Vec<Quirk>>,
}

/// A page of the follower list.
#[derive(Debug)]
pub(crate) struct Page {
    /// The people on the page.
    pub(crate) people: Vec<u64>,
    /// Whether more people follow after the page.
    pub(crate) more: bool,
}

impl Population {
    /// Creates the population `0..count`. The order of the list is unrelated to when people joined.
    pub(crate) fn new(seed: u64, appid: &str, count: u64) -> Self {
        let key = derive(seed, appid);
        Self {
            key,
            order: Permutation::covering(count + count / 8 + 255, mix(key ^ 3)),
            next: count,
            left: RoaringTreemap::new(),
            joined: Vec::new(),
            returned: HashMap::new(),
            quirks: HashMap::new(),
        }
    }

    pub(crate) fn follows(&self, person: u64) -> bool {
        person < self.next && (self.left.is_empty() || !self.left.contains(person))
    }

    pub(crate) fn count(&self) -> u64 {
        self.next - self.left.len()
    }

    /// Returns the followers in list order, starting after the given person or at the beginning.
    ///
    /// The given person need not follow any longer: positions in the list never change.
    pub(crate) fn after(&self, person: Option<u64>) -> impl Iterator<Item = u64> {
        let start = person.map_or(0, |person| self.order.backward(person).saturating_add(1));
        (start..self.next.max(self.order.size()))
            .map(|index| self.order.forward(index))
            .filter(|person| self.follows(*person))
    }

    pub(crate) fn page(&self, after: Option<u64>, size: usize) -> Page {
        let mut rest = self.after(after);
        let mut people = Vec::with_capacity(size.min(self.count() as usize));
        people.extend(rest.by_ref().take(size));
        let more = rest.next().is_some();
        Page { people, more }
    }

    /// Makes people leave and returns how many left. People who do not follow are skipped.
    pub(crate) fn leave(&mut self, people: impl IntoIterator<Item = u64>) -> u64 {
        let next = self.next;
        let leaves = |person: &u64| *person < next && self.left.insert(*person);
        people.into_iter().filter(leaves).count() as u64
    }

    /// Returns a follower chosen by `random`, or `None` if 64 probes find none.
    pub(crate) fn any_follower(&self, random: u64) -> Option<u64> {
        let mut probes = (0..64).map(|n| mix(random ^ n) % self.next.max(1));
        probes.find(|person| self.follows(*person))
    }

    /// Makes `count` new people follow from `now` (Unix time in s) on. Returns their numbers.
    pub(crate) fn join(&mut self, count: u64, now: i64) -> Range<u64> {
        let first = self.next;
        self.next += count;
        self.joined.push((first, now));
        first..self.next
    }

    /// Makes people who left follow again from `now` (Unix time in s) on. Returns how many returned.
    pub(crate) fn rejoin(&mut self, people: impl IntoIterator<Item = u64>, now: i64) -> u64 {
        let back = people.into_iter().filter(|person| self.left.remove(*person));
        back.map(|person| self.returned.insert(person, now)).count() as u64
    }

    /// Returns when the person last followed, as Unix time in s.
    pub(crate) fn followed_at(&self, person: u64) -> i64 {
        if let Some(at) = self.returned.get(&person) {
            return *at;
        }
        let batch = self.joined.partition_point(|(first, _)| *first <= person);
        match batch.checked_sub(1).and_then(|batch| self.joined.get(batch)) {
            Some((_, at)) => *at,
            None => (FIRST_FOLLOW + self.profile_bits(person) % FOLLOW_SPAN) as i64,
        }
    }

    /// Returns pseudo-random bits that determine the rest of the person's profile.
    pub(crate) fn profile_bits(&self, person: u64) -> u64 {
        mix(person ^ self.key)
    }

    pub(crate) fn add_quirk(&mut self, person: u64, quirk: Quirk) {
        self.quirks.entry(person).or_default().push(quirk);
    }

    pub(crate) fn clear_quirks(&mut self, person: u64) {
        self.quirks.remove(&person);
    }

    pub(crate) fn quirks(&self, person: u64) -> &[Quirk] {
        if self.quirks.is_empty() {
            return &[];
        }
        self.quirks.get(&person).map(Vec::as_slice).unwrap_or_default()
    }

    pub(crate) fn has(&self, person: u64, quirk: Quirk) -> bool {
        self.quirks(person).contains(&quirk)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn walk(population: &Population, size: usize) -> Vec<u64> {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = population.page(after, size);
            seen.extend(&page.people);
            if !page.more {
                return seen;
            }
            after = page.people.last().copied();
        }
    }

    #[test]
    fn the_pages_list_every_follower_once() {
        let mut population = Population::new(1, "wx0a00000000000001", 2_500);
        population.leave(100..200);
        population.join(5_000, 1_700_000_000);
        population.rejoin([150], 1_700_000_001);
        let seen = walk(&population, 1_000);
        let distinct: HashSet<_> = seen.iter().copied().collect();
        assert_eq!(seen.len(), 2_500 - 99 + 5_000);
        assert_eq!(seen.len() as u64, population.count());
        assert_eq!(distinct.len(), seen.len());
        assert!(distinct.contains(&150) && !distinct.contains(&151));
    }

    #[test]
    fn the_list_is_not_in_follow_order() {
        let population = Population::new(1, "wx0a00000000000001", 100);
        let times: Vec<_> = population.after(None).map(|p| population.followed_at(p)).collect();
        assert!(!times.is_sorted());
        assert!(!population.after(None).is_sorted());
    }

    #[test]
    fn the_list_continues_after_a_departed_follower() {
        let mut population = Population::new(1, "wx0a00000000000001", 30);
        let first = population.page(None, 10);
        let rest: Vec<_> = population.after(first.people.last().copied()).collect();
        population.leave(first.people.last().copied());
        assert_eq!(population.page(first.people.last().copied(), 20).people, rest);
    }

    #[test]
    fn a_returning_follower_gets_a_new_follow_time() {
        let mut population = Population::new(1, "wx0a00000000000001", 10);
        assert!(population.followed_at(3) < 1_700_000_000);
        assert_eq!(population.leave([3, 3, 11]), 1);
        assert_eq!(population.rejoin([3, 4], 1_700_000_000), 1);
        assert_eq!(population.followed_at(3), 1_700_000_000);
    }

    #[test]
    fn an_empty_account_has_an_empty_page() {
        let page = Population::new(1, "wx0a00000000000001", 0).page(None, 10_000);
        assert!(page.people.is_empty() && !page.more);
    }
}
