//! What must hold at every step, whatever happens.

use std::collections::{BTreeMap, BTreeSet};

use app::model::RolloutState;
use server::{platform::WorkloadId, rollout::plan::Slot, store::backends::BackendRow};

use super::{
    engine::{Engine, Fate},
    store::{Ms, STABLE, Store, slots},
    world::Place,
};

/// An instance of the target: generation, process, slot.
type Which = (u64, String, u32);

fn which(row: &BackendRow) -> Which {
    (row.release, row.process.clone(), row.slot)
}

/// What the rules remember.
#[derive(Default)]
pub(super) struct Rules {
    /// The first rule that was broken.
    pub(super) broken: Option<String>,
    /// Which container a row on the edge was written for.
    behind: BTreeMap<Which, u64>,
    /// Promised instances that ended by themselves: nobody is to blame until they are proven again.
    excused: BTreeSet<Which>,
}

impl Rules {
    fn broke(&mut self, rule: String) {
        self.broken.get_or_insert(rule);
    }

    /// A container ended by itself.
    pub(super) fn ended_by_itself(&mut self, uid: u64) {
        let rows = self.behind.iter().filter(|(_, behind)| **behind == uid).map(|(which, _)| which.clone());
        self.excused.extend(rows.collect::<Vec<_>>());
    }

    /// Looks at the world as it is now.
    pub(super) fn look(&mut self, store: &Store, engine: &Engine) {
        if store.rollouts.iter().filter(|queued| queued.row.state == RolloutState::Running).count() > 1 {
            self.broke("two rollouts of one target are under way".to_owned());
        }
        if let Some((rollout, times)) = engine.commands.iter().find(|(_, times)| **times > 1) {
            self.broke(format!("the release command of rollout {rollout} ran {times} times"));
        }
        self.all_promised_serve(store, engine);
        self.rows_lead_where_they_were_meant_to(store, engine);
    }

    /// Never fewer proven instances on the edge than the release that serves promises.
    fn all_promised_serve(&mut self, store: &Store, engine: &Engine) {
        let Some(release) = store.serves() else { return };
        for Slot { process, index } in slots(release).into_iter().filter(|slot| slot.process == "web") {
            let which = (release.generation, process, index);
            if self.excused.contains(&which) {
                continue;
            }
            let row = store.backends.iter().find(|row| self::which(row) == which && row.draining_since.is_none());
            let proven = row.and_then(|_| self.behind.get(&which)).and_then(|uid| engine.by_uid(*uid));
            if !proven.is_some_and(|copy| copy.proven && copy.runs()) {
                let (generation, process, slot) = which;
                self.broke(format!("{process}.{slot} of generation {generation} is promised, and not proven and on the edge"));
            }
        }
    }

    /// No row leads to a container it was not written for, as far as the one who started that could know.
    fn rows_lead_where_they_were_meant_to(&mut self, store: &Store, engine: &Engine) {
        for row in &store.backends {
            let (Some(meant), Some(there)) = (self.behind.get(&which(row)), engine.at(row.address.ip())) else { continue };
            let knew = engine.deaths.get(meant).is_some_and(|died| *died < there.looked);
            if there.uid != *meant && knew {
                self.broke(format!("the row of {:?} leads to {}, which is not proven", which(row), there.id.release));
            }
        }
    }
}

impl Place {
    /// A row is written: the instance behind it must be proven.
    pub(super) fn put(&mut self, row: BackendRow, uid: u64, stable: bool) {
        let now = self.now;
        let copy = self.engine.copies.iter_mut().find(|copy| copy.uid == uid);
        let least = if stable { STABLE } else { 0 };
        match copy {
            Some(copy) if copy.best(now) >= least && (copy.healthy_since.is_some() || copy.best(now) > 0) => {
                copy.proven = true;
                if copy.runs() {
                    self.rules.excused.remove(&which(&row));
                } else {
                    self.rules.excused.insert(which(&row));
                }
            }
            // It ended after it was looked at; the next look finds out.
            None => _ = self.rules.excused.insert(which(&row)),
            Some(copy) => {
                let best = copy.best(now);
                self.rules.broke(format!("{:?} goes on the edge and was healthy for {best} ms only", which(&row)));
            }
        }
        self.rules.behind.insert(which(&row), uid);
        self.store.put(row);
        self.edge.at = self.edge.at.min(now + 500);
    }

    /// A rollout drains the old instances: every new one was on the edge and proven when it was looked at.
    pub(super) fn drains(&mut self, generation: u64, slots: &[Slot], looked: Ms) {
        for slot in slots.iter().filter(|slot| slot.process == "web") {
            let which = (generation, slot.process.clone(), slot.index);
            let on_edge = self.store.backends.iter().any(|row| self::which(row) == which);
            let uid = self.rules.behind.get(&which);
            let there = uid.and_then(|uid| self.engine.by_uid(*uid)).is_some_and(|copy| copy.proven && copy.runs());
            let ended_since = uid.and_then(|uid| self.engine.deaths.get(uid)).is_some_and(|died| *died >= looked);
            if !on_edge || !there && !ended_since {
                self.rules.broke(format!("the old instances drain and {slot} of generation {generation} is not proven"));
            }
        }
    }

    /// A rollout fails because this instance ended: not if it had ended before the rollout began.
    pub(super) fn blames(&mut self, id: &WorkloadId, began: Ms) {
        let died = self.engine.copy(id).and_then(|copy| self.engine.deaths.get(&copy.uid));
        if died.is_some_and(|died| *died < began) {
            self.rules.broke(format!("a rollout fails for {}, which had ended before it began", Slot::of(id)));
        }
    }

    /// A rollout removes a copy. Before the new release is proven nothing is done to what serves.
    pub(super) fn removes(&mut self, id: &WorkloadId, draining: bool) {
        let Some(release) = self.store.serves().filter(|_| !draining) else { return };
        let slot = Slot::of(id);
        let serves = id.release == release.generation && slots(release).contains(&slot);
        let routed = self.store.backends.iter().any(|row| which(row) == (id.release, slot.process.clone(), slot.index));
        if serves && routed && self.engine.copy(id).is_some_and(|copy| copy.runs() && copy.proven) {
            self.rules.broke(format!("{slot} of the release that serves is removed by a rollout that is not proven"));
        }
    }

    /// The keeper removes a copy.
    pub(super) fn keeper_removes(&mut self, id: &WorkloadId) {
        let Some(release) = self.store.serves() else { return };
        let wanted = id.release == release.generation && slots(release).contains(&Slot::of(id));
        if wanted && self.engine.copy(id).is_some_and(super::engine::Copy::runs) {
            self.rules.broke(format!("the keeper removes {}, which runs and is wanted", Slot::of(id)));
        }
    }

    /// A rollout ended so.
    pub(super) fn ended(&mut self, state: RolloutState, image: &str) {
        match state {
            RolloutState::Succeeded => self.tally.succeeded += 1,
            RolloutState::Failed => self.tally.failed += 1,
            RolloutState::Cancelled => self.tally.cancelled += 1,
            _ => self.tally.superseded += 1,
        }
        if state == RolloutState::Succeeded && Fate::of(image) != Fate::Good && self.store.serves().is_some_and(|r| r.replicas["web"] > 0) {
            self.rules.broke(format!("a release of {image} succeeded"));
        }
    }
}
