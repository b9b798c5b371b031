//! One Berth holding the target to what it serves between rollouts, as `server::tasks::keep` does it; what it does is decided
//! by `server::rollout::keep::plan`.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use app::model::ReleaseId;
use rand::Rng as _;
use server::{
    platform::{Observed, WorkloadId},
    rollout::{
        keep::{Action, Kept, plan},
        plan::Slot,
    },
};

use super::{
    engine::{Call, Reply, Ticket},
    store::{Ms, slots, target, team},
    worker::backend,
    world::Place,
};

/// How long one Berth has the duty without renewing.
const DUTY: Ms = 150_000;

enum Next {
    Look,
    Seen(Ticket),
    Act,
    /// An answer is waited for that changes nothing.
    Answered(Ticket),
    /// An instance is asked for its health until then.
    Prove(Slot, Ms),
    /// It is well, and looked at again.
    Proved(Slot, Ticket),
}

/// The part of a Berth that keeps.
pub(super) struct Keeper {
    name: String,
    pub(super) at: Ms,
    next: Next,
    serves: Option<ReleaseId>,
    observed: Vec<Observed>,
    seen_at: Ms,
    actions: VecDeque<Action>,
    restarts: BTreeMap<Slot, (u32, Ms)>,
}

impl Keeper {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            at: 0,
            next: Next::Look,
            serves: None,
            observed: Vec::new(),
            seen_at: 0,
            actions: VecDeque::new(),
            restarts: BTreeMap::new(),
        }
    }

    pub(super) fn kill(&mut self, until: Ms) {
        *self = Self { at: until, ..Self::new(&self.name) };
    }

    pub(super) fn freeze(&mut self, until: Ms) {
        self.at = self.at.max(until);
    }

    pub(super) fn step(&mut self, place: &mut Place) {
        self.at = place.now + place.rng.random_range(1..20);
        match std::mem::replace(&mut self.next, Next::Look) {
            Next::Look => self.look(place),
            Next::Seen(ticket) => self.seen(place, &ticket),
            Next::Act => self.act(place),
            Next::Answered(ticket) => {
                _ = place.engine.answer(&ticket);
                self.next = Next::Act;
            }
            Next::Prove(slot, until) => self.prove(place, slot, until),
            Next::Proved(slot, ticket) => self.proved(place, &slot, &ticket),
        }
    }

    /// Rests until the next look; an event of the engine or the end of a rollout would make it shorter.
    fn rest(&mut self, place: &mut Place) {
        (self.next, self.at) = (Next::Look, place.now + place.rng.random_range(200..20_000));
    }

    fn look(&mut self, place: &mut Place) {
        let (holder, until) = &place.store.keeper;
        if !place.up() || (*holder != self.name && *until > place.now) || place.store.moving() {
            return self.rest(place);
        }
        place.store.keeper = (self.name.clone(), place.now + DUTY);
        self.serves.clone_from(&place.store.serving);
        let ticket = place.engine.send(place.now, &mut place.rng, Call::Observe);
        (self.at, self.next) = (ticket.at, Next::Seen(ticket));
    }

    fn seen(&mut self, place: &mut Place, ticket: &Ticket) {
        let Ok(Reply::Seen(observed, at)) = place.engine.answer(ticket) else { return self.rest(place) };
        if !place.up() || place.store.moving() {
            return self.rest(place);
        }
        (self.observed, self.seen_at) = (observed, at);
        let release = self.serves.as_ref().map(|id| place.store.release(id));
        let kept = release.map(|release| Kept { generation: release.generation, slots: slots(release) });
        let ago = |at: Ms| Duration::from_millis(place.now - at);
        let restarts = self.restarts.iter().map(|(slot, (count, at))| (slot.clone(), (*count, ago(*at)))).collect();
        let actions = plan(kept.as_ref(), &self.observed, &place.store.backends, &restarts);
        if actions.is_empty() {
            return self.rest(place);
        }
        place.tell(|| format!("{}: keeps {actions:?}", self.name));
        (self.actions, self.next) = (actions.into(), Next::Act);
    }

    /// Whether what it saw may still be acted upon: nothing else serves, and no rollout has begun.
    fn may(&self, place: &Place) -> bool {
        place.up() && place.store.serving == self.serves && !place.store.moving()
    }

    fn act(&mut self, place: &mut Place) {
        if !self.may(place) {
            return self.rest(place);
        }
        self.next = Next::Act;
        match self.actions.pop_front() {
            None => (self.next, self.at) = (Next::Look, place.now + 1_000),
            Some(Action::Unroute(row)) => {
                place.store.forget(&row);
                place.edge.at = place.edge.at.min(place.now + place.rng.random_range(1..2_000));
            }
            Some(Action::Remove(id)) => {
                place.keeper_removes(&id);
                let ticket = place.engine.send(place.now, &mut place.rng, Call::Remove { id, uid: None });
                (self.at, self.next) = (ticket.at, Next::Answered(ticket));
            }
            Some(Action::Start(slot)) => {
                let entry = self.restarts.entry(slot.clone()).or_insert((0, 0));
                *entry = (entry.0 + 1, place.now);
                let Some((id, image)) = self.id(place, &slot) else { return };
                let call = Call::Ensure { id, image, looked: self.seen_at };
                let ticket = place.engine.send(place.now, &mut place.rng, call);
                (self.at, self.next) = (ticket.at, Next::Answered(ticket));
            }
            Some(Action::Prove(slot)) => self.prove(place, slot, place.now + 20_000),
        }
    }

    fn id(&self, place: &Place, slot: &Slot) -> Option<(WorkloadId, String)> {
        let release = place.store.release(self.serves.as_ref()?);
        let id =
            WorkloadId { team: team(), target: target(), release: release.generation, process: slot.process.clone(), slot: slot.index };
        Some((id, release.image.clone()))
    }

    /// What was seen of an instance: its container and address.
    fn found(&self, place: &Place, slot: &Slot) -> Option<(Observed, u64)> {
        let (id, _) = self.id(place, slot)?;
        let found = self.observed.iter().find(|o| o.id == id)?;
        Some((found.clone(), found.container.parse().unwrap()))
    }

    /// Asks until the answer is good.
    fn prove(&mut self, place: &mut Place, slot: Slot, until: Ms) {
        self.next = Next::Act;
        let Some(address) = self.found(place, &slot).and_then(|(found, _)| found.address) else { return };
        if place.engine.at(address).is_some_and(|copy| copy.healthy_since.is_some()) {
            let ticket = place.engine.send(place.now, &mut place.rng, Call::Observe);
            (self.at, self.next) = (ticket.at, Next::Proved(slot, ticket));
        } else if place.now < until {
            (self.at, self.next) = (place.now + place.rng.random_range(200..1_500), Next::Prove(slot, until));
        }
    }

    /// It goes on the edge if it is still the one that was asked, and if that is still for the keeper to say.
    fn proved(&mut self, place: &mut Place, slot: &Slot, ticket: &Ticket) {
        self.next = Next::Act;
        let (Ok(Reply::Seen(still, _)), Some((found, uid))) = (place.engine.answer(ticket), self.found(place, slot)) else { return };
        if let Some(address) = found.address.filter(|_| still.contains(&found) && self.may(place)) {
            place.put(backend(&found.id, address, place.now), uid, false);
        }
    }
}
