//! The edge: a table some time behind the store, and who answered through it.

use std::collections::BTreeSet;

use rand::{Rng as _, rngs::StdRng};
use server::store::backends::BackendRow;

use super::{
    engine::Engine,
    store::{Ms, Store},
};

/// The edge.
pub(super) struct Edge {
    pub(super) at: Ms,
    pub(super) table: Vec<BackendRow>,
    /// Instances whose first request was answered: generation, slot, and since when they are on the edge.
    first: BTreeSet<(u64, u32, i64)>,
    /// Until when requests are open on what drains.
    open_until: Ms,
}

impl Edge {
    pub(super) fn new() -> Self {
        Self { at: 0, table: Vec::new(), first: BTreeSet::new(), open_until: 0 }
    }

    /// Berth was started again: who answered is not remembered, the table is.
    pub(super) fn forget(&mut self) {
        self.first.clear();
    }

    /// Takes over what the store says, if it answers; then somebody outside asks for something.
    pub(super) fn refresh(&mut self, now: Ms, rng: &mut StdRng, store: &Store, engine: &Engine) {
        if now >= store.down_until {
            let draining = |table: &[BackendRow]| table.iter().filter(|row| row.draining_since.is_some()).count();
            if draining(&store.backends) > draining(&self.table) {
                self.open_until = now + rng.random_range(0..12_000);
            }
            self.table.clone_from(&store.backends);
            self.first.retain(|(release, slot, since)| {
                self.table.iter().any(|row| (row.release, row.slot, row.since.0) == (*release, *slot, *since))
            });
        }
        if rng.random_ratio(1, 3) {
            self.request(engine);
        }
        self.at = now + rng.random_range(50..3_000);
    }

    /// A request to every instance on the table: those that are well answer.
    pub(super) fn request(&mut self, engine: &Engine) {
        for row in self.table.iter().filter(|row| row.draining_since.is_none()) {
            if engine.at(row.address.ip()).is_some_and(|copy| copy.healthy_since.is_some()) {
                self.first.insert((row.release, row.slot, row.since.0));
            }
        }
    }

    pub(super) fn serves(&self, generation: u64) -> bool {
        self.table.iter().any(|row| row.release == generation && row.draining_since.is_none())
    }

    pub(super) fn answered(&self, generation: u64, slot: u32) -> bool {
        self.first.iter().any(|(release, index, _)| *release == generation && *index == slot)
    }

    pub(super) fn open(&self, now: Ms) -> usize {
        usize::from(now < self.open_until)
    }
}
