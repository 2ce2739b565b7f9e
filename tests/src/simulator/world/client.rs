//! The database's client: numbered writes, of which it remembers those that were acknowledged.

use super::World;

impl World {
    pub(super) fn write_as_client(&mut self) {
        if !self.rng.chance(self.schedule.writes) {
            return;
        }
        let serving: Vec<usize> = self.etcd.live_hosts().filter(|h| self.etcd.serves_remote(*h)).collect();
        let Some(host) = self.rng.pick(&serving).copied() else { return };
        let number = self.checks.next_write;
        self.checks.next_write += 1;
        self.checks.written_at.push(self.now);
        let Ok(leader) = self.etcd.put(host, number, self.now, &self.network) else { return };
        self.check_written(leader);
        if !self.rng.chance(self.weather.lost_answers) {
            self.stats.writes += 1;
            self.checks.acknowledged.insert(number);
        }
    }
}
