//! Holds every target to the release it serves, between rollouts: what ended is started again, what nobody asked for is
//! removed. [`plan`] decides, purely; the task applies.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use super::plan::Slot;
use crate::{
    platform::{ContainerState, Observed, WorkloadId},
    store::backends::BackendRow,
};

/// What a target should be between rollouts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The number its instances carry.
    pub generation: u64,
    /// Its instances.
    pub slots: Vec<Slot>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Take it off the edge.
    Unroute(BackendRow),
    /// Remove a copy: nobody asked for it, or it ended and makes room for its successor.
    Remove(WorkloadId),
    /// Start an instance that is missing.
    Start(Slot),
    /// Ask its health and, where it is good, put it on the edge.
    Prove(Slot),
}

/// What to do for one target. `restarts` says how often each slot was started again lately and how long ago the last time
/// was: one that keeps ending is given more and more time.
pub fn plan(
    kept: Option<&Kept>,
    observed: &[Observed],
    backends: &[BackendRow],
    restarts: &BTreeMap<Slot, (u32, Duration)>,
) -> Vec<Action> {
    let Some(kept) = kept else {
        let mut actions: Vec<Action> = backends.iter().cloned().map(Action::Unroute).collect();
        actions.extend(observed.iter().map(|o| Action::Remove(o.id.clone())));
        return actions;
    };
    let is_kept = |generation: u64, slot: &Slot| generation == kept.generation && kept.slots.contains(slot);
    let running = |slot: &Slot| {
        observed.iter().find(|o| is_kept(o.id.release, slot) && Slot::of(&o.id) == *slot && o.state == ContainerState::Running)
    };
    let mut actions = Vec::new();
    for backend in backends {
        let slot = Slot { process: backend.process.clone(), index: backend.slot };
        let still = is_kept(backend.release, &slot) && running(&slot).and_then(|o| o.address) == Some(backend.address.ip());
        if !still {
            actions.push(Action::Unroute(backend.clone()));
        }
    }
    for o in observed {
        let ended = matches!(o.state, ContainerState::Exited { .. }) && due(restarts.get(&Slot::of(&o.id)));
        if !is_kept(o.id.release, &Slot::of(&o.id)) || ended {
            actions.push(Action::Remove(o.id.clone()));
        }
    }
    for slot in &kept.slots {
        let there = observed.iter().find(|o| o.id.release == kept.generation && Slot::of(&o.id) == *slot);
        let routed = backends.iter().any(|b| {
            b.release == kept.generation
                && b.process == slot.process
                && b.slot == slot.index
                && b.draining_since.is_none()
                && there.and_then(|o| o.address) == Some(b.address.ip())
        });
        match there.map(|o| &o.state) {
            Some(ContainerState::Running) if slot.process == "web" && !routed => actions.push(Action::Prove(slot.clone())),
            Some(ContainerState::Running) => {}
            Some(ContainerState::Exited { .. }) if !due(restarts.get(slot)) => {}
            Some(ContainerState::Exited { .. } | ContainerState::Created) | None => actions.push(Action::Start(slot.clone())),
        }
    }
    actions
}

/// Whether a slot that ended may be started again: at once the first time, then after 1, 2, 4 … up to 60 seconds.
fn due(restarts: Option<&(u32, Duration)>) -> bool {
    restarts.is_none_or(|(count, ago)| *ago >= pause(*count))
}

/// How long after its `count`-th restart a slot is left alone.
pub fn pause(count: u32) -> Duration {
    if count == 0 { Duration::ZERO } else { Duration::from_secs(1 << (count - 1).min(6)).min(Duration::from_secs(60)) }
}

/// The address of `web` on an instance.
pub fn address(observed: &Observed, port: u16) -> Option<SocketAddr> {
    observed.address.map(|address| SocketAddr::new(address, port))
}
