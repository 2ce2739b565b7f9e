//! The connections, and which of them has to make room for a newcomer.

use std::collections::BTreeMap;
use std::net::IpAddr;

use tokio::task::AbortHandle;

use super::pulse::Heartbeat;

/// The connections of one listener, by the number that each got when accepted.
#[derive(Debug)]
pub(super) struct Table {
    most: usize,
    most_of_one: usize,
    next: u64,
    guests: BTreeMap<u64, Guest>,
}

#[derive(Debug)]
struct Guest {
    from: Option<IpAddr>,
    pulse: Heartbeat,
    task: Option<AbortHandle>,
}

/// Whether there is room for a newcomer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// There is room.
    Free,
    /// There is room once this one is closed.
    InPlaceOf(u64),
    /// All connections are being answered just now.
    None,
}

impl Table {
    pub(super) fn new(most: usize, most_of_one: usize) -> Self {
        Self { most, most_of_one, next: 0, guests: BTreeMap::new() }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.guests.len()
    }

    /// Whether there is room for a newcomer from there. If its address has the most that one may have, one of its own connections makes room; otherwise any
    /// does.
    ///
    /// The newcomer takes precedence: an agent sends its question and is answered at once, so the connection that has been idle longest is the one that nothing
    /// waits for. Refusing newcomers would let silent early callers keep everybody out.
    pub(super) fn room_for(&self, from: Option<IpAddr>) -> Room {
        let neighbours = || self.guests.iter().filter(|(_, guest)| from.is_some() && guest.from == from);
        if neighbours().count() >= self.most_of_one {
            return longest_idle(neighbours());
        }
        if self.guests.len() >= self.most {
            return longest_idle(self.guests.iter());
        }
        Room::Free
    }

    /// Adds a connection, and returns its number.
    pub(super) fn enter(&mut self, from: Option<IpAddr>, pulse: Heartbeat) -> u64 {
        let number = self.next;
        self.next += 1;
        self.guests.insert(number, Guest { from, pulse, task: None });
        number
    }

    /// Notes its task, which can be aborted from now on.
    pub(super) fn runs(&mut self, number: u64, task: AbortHandle) {
        if let Some(guest) = self.guests.get_mut(&number) {
            guest.task = Some(task);
        }
    }

    /// Removes it: it is gone, or is closed.
    pub(super) fn leave(&mut self, number: u64) {
        if let Some(Guest { task: Some(task), .. }) = self.guests.remove(&number) {
            task.abort();
        }
    }
}

fn longest_idle<'a>(guests: impl Iterator<Item = (&'a u64, &'a Guest)>) -> Room {
    let idle = guests.filter_map(|(number, guest)| Some((guest.pulse.idle_since()?, *number)));
    idle.min().map_or(Room::None, |(_, number)| Room::InPlaceOf(number))
}

#[cfg(test)]
mod tests {
    use super::super::pulse::{Pulse, Turns};
    use super::*;

    struct World {
        table: Table,
        turns: Turns,
        pulses: Vec<Pulse>,
    }

    impl World {
        fn new(most: usize, most_of_one: usize) -> Self {
            Self { table: Table::new(most, most_of_one), turns: Turns::default(), pulses: Vec::new() }
        }

        fn enter(&mut self, last: u8) -> u64 {
            let pulse = Pulse::new(self.turns.clone());
            let number = self.table.enter(Some(address(last)), pulse.heartbeat());
            self.pulses.push(pulse);
            number
        }

        fn answered(&self, number: u64) {
            let pulse = &self.pulses[usize::try_from(number).unwrap()];
            pulse.begins();
            pulse.is_done();
        }

        fn room(&self, last: u8) -> Room {
            self.table.room_for(Some(address(last)))
        }
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn a_full_listener_lets_a_newcomer_in_for_the_one_that_has_been_idle_longest() {
        let mut world = World::new(3, 3);
        let numbers: Vec<u64> = (1..=3).map(|last| world.enter(last)).collect();
        assert_eq!(world.room(9), Room::InPlaceOf(numbers[0]));
        // It asked meanwhile: another has waited longer.
        world.answered(numbers[0]);
        assert_eq!(world.room(9), Room::InPlaceOf(numbers[1]));
        world.table.leave(numbers[1]);
        assert_eq!(world.room(9), Room::Free);
    }

    #[test]
    fn an_address_that_has_its_share_makes_room_itself() {
        let mut world = World::new(10, 2);
        let mine = world.enter(1);
        let (first, _) = (world.enter(2), world.enter(2));
        assert_eq!(world.room(2), Room::InPlaceOf(first));
        assert_eq!((world.room(1), world.room(3)), (Room::Free, Room::Free));
        assert!(mine < first, "though another has been idle for longer");
    }

    #[test]
    fn whoever_is_being_answered_is_not_sent_away() {
        let mut world = World::new(2, 2);
        let (first, second) = (world.enter(1), world.enter(2));
        world.pulses[0].begins();
        assert_eq!(world.room(3), Room::InPlaceOf(second));
        world.pulses[1].begins();
        assert_eq!(world.room(3), Room::None);
        world.pulses[0].is_done();
        assert_eq!(world.room(3), Room::InPlaceOf(first));
    }

    #[test]
    fn callers_without_an_address_share_the_whole_listener() {
        let mut world = World::new(3, 1);
        for _ in 0..3 {
            assert_eq!(world.table.room_for(None), Room::Free);
            let pulse = Pulse::new(world.turns.clone());
            world.table.enter(None, pulse.heartbeat());
            world.pulses.push(pulse);
        }
        assert_eq!(world.table.room_for(None), Room::InPlaceOf(0));
    }
}
