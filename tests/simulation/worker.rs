//! One Berth carrying out rollouts: claims, passes, actions, as `server::tasks::rollouts` and `server::rollout::apply` do it.
//! What it decides is the product's own: the planner, how progress moves on, whose a rollout is, when a claim ends. Every
//! step here is one transaction or one call; between any two of them it may be killed or frozen.

use std::{
    collections::{BTreeMap, VecDeque},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use app::model::Timestamp;
use rand::Rng as _;
use server::{
    claim::Claim,
    platform::{ContainerState, Observed, PlatformError, WorkloadId},
    rollout::{
        plan::{Action, Command, Desired, Ending, Failure, Health, Progress, Reason, Situation, Slot, Stop, plan},
        progress::{self, Standing},
        request,
    },
    store::{backends::BackendRow, rollouts::RolloutRow},
};

use super::{
    engine::{Answer, Call, Reply, Ticket},
    store::{Ms, environment, target, team},
    world::Place,
};

/// What it holds of the rollout it carries out: all of it is lost when it is killed.
struct Carry {
    row: RolloutRow,
    desired: Desired,
    progress: Progress,
    began: Ms,
    draining_since: Option<Ms>,
    silent_since: Option<Ms>,
    asked: Ms,
    observed: Vec<Observed>,
    seen_at: Ms,
    watched: BTreeMap<Slot, (IpAddr, Ms)>,
    actions: VecDeque<Action>,
    gives_up: bool,
    claim: Claim,
}

/// What it does next.
enum Next {
    Claim,
    Pass,
    Seen(Ticket, Option<Stop>),
    Act,
    Answered(Ticket),
    Commanded(Ticket),
    GivenUp(Ticket),
    LetGo,
}

/// Why a step ends what was being done.
enum Left {
    Fenced,
    Store,
    Broken(String),
    Passing,
}

/// The part of a Berth that carries out rollouts.
pub(super) struct Worker {
    pub(super) name: String,
    pub(super) at: Ms,
    pub(super) hold_at: Ms,
    next: Next,
    carry: Option<Carry>,
}

impl Worker {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), at: 0, hold_at: Ms::MAX, next: Next::Claim, carry: None }
    }

    /// Killed: it remembers nothing. Started again, it lets go of what it held.
    pub(super) fn kill(&mut self, until: Ms) {
        (self.at, self.hold_at, self.next, self.carry) = (until, Ms::MAX, Next::Claim, None);
    }

    /// Frozen: it goes on later, with what it believed.
    pub(super) fn freeze(&mut self, until: Ms) {
        self.at = self.at.max(until);
        if self.hold_at != Ms::MAX {
            self.hold_at = self.hold_at.max(until);
        }
    }

    /// Renews its claim, or stops the work where it cannot.
    pub(super) fn hold(&mut self, place: &mut Place) {
        self.hold_at = Ms::MAX;
        let Some(carry) = &mut self.carry else { return };
        let now = place.instant();
        let ours = place.up() && place.store.held(&carry.row.id, carry.row.fence).is_some();
        if place.up() && !ours || now >= carry.claim.ends() {
            place.tell(|| format!("{}: leaves rollout {}, its claim is over", self.name, carry.row.id));
            return self.leave(place.now + 1);
        }
        if ours {
            place.store.renew(&carry.row.id, carry.row.fence, place.now);
            carry.claim.renewed(now);
        } else {
            carry.claim.not_renewed(now);
        }
        let next = carry.claim.due().min(carry.claim.ends());
        self.hold_at = place.now + u64::try_from((next - now).as_millis()).unwrap().max(1);
    }

    fn leave(&mut self, at: Ms) {
        (self.carry, self.next, self.at, self.hold_at) = (None, Next::Claim, at, Ms::MAX);
    }

    /// One step.
    pub(super) fn step(&mut self, place: &mut Place) {
        self.at = place.now + place.rng.random_range(1..20);
        let next = std::mem::replace(&mut self.next, Next::Pass);
        let done = match next {
            Next::Claim => return self.claim(place),
            Next::LetGo => return self.let_go(place),
            Next::Pass => self.pass(place),
            Next::Seen(ticket, stop) => self.seen(place, &ticket, stop),
            Next::Act => self.act(place),
            Next::Answered(ticket) => self.answered(place.engine.answer(&ticket)),
            Next::Commanded(ticket) => self.commanded(place, &ticket),
            Next::GivenUp(ticket) => self.given_up(place, &ticket),
        };
        match done {
            Ok(()) => {}
            Err(Left::Fenced) => self.leave(self.at),
            Err(Left::Store) => (self.next, self.at) = (Next::LetGo, place.now + 2_000),
            Err(Left::Passing) => self.wait_for_engine(place),
            Err(Left::Broken(why)) => self.give_up(place, &why),
        }
    }

    fn claim(&mut self, place: &mut Place) {
        let claimed = if place.up() { place.store.claim(&self.name, place.now) } else { None };
        let Some(row) = claimed else {
            (self.next, self.at) = (Next::Claim, place.now + place.rng.random_range(20..4_000));
            return;
        };
        place.tell(|| format!("{}: takes up rollout {} with fence {}", self.name, row.id, row.fence));
        let release = place.store.release(&row.release_id);
        let from = row.from_release_id.as_ref().map(|id| place.store.release(id));
        let claim = Claim::new(place.instant());
        self.hold_at = place.now + 20_000;
        self.carry = Some(Carry {
            desired: request::desired(release.generation, &release.content(), &environment(), from),
            progress: row.progress(),
            row,
            began: place.now,
            draining_since: None,
            silent_since: None,
            asked: place.now,
            observed: Vec::new(),
            seen_at: 0,
            watched: BTreeMap::new(),
            actions: VecDeque::new(),
            gives_up: false,
            claim,
        });
    }

    fn let_go(&mut self, place: &mut Place) {
        if let Some(carry) = &self.carry
            && place.up()
            && let Some(queued) = place.store.held(&carry.row.id, carry.row.fence)
        {
            queued.lease_until = 0;
        }
        self.leave(place.now + 5);
    }

    fn mine(&mut self) -> &mut Carry {
        self.carry.as_mut().expect("a rollout is carried out")
    }

    /// Whose it is; asked before anything is done to the engine.
    fn standing(&mut self, place: &Place) -> Result<Option<Stop>, Left> {
        if !place.up() {
            return Err(Left::Store);
        }
        let carry = self.mine();
        match progress::standing(place.store.row(&carry.row.id), carry.row.fence, place.store.wanted.as_ref()) {
            Standing::Ours(stop) => Ok(stop),
            Standing::Fenced => Err(Left::Fenced),
        }
    }

    fn record(&mut self, place: &mut Place) -> Result<(), Left> {
        if !place.up() {
            return Err(Left::Store);
        }
        let now = place.now;
        let carry = self.mine();
        if place.store.record(&carry.row.id, carry.row.fence, &carry.progress, now) { Ok(()) } else { Err(Left::Fenced) }
    }

    fn send(&mut self, place: &mut Place, call: Call) -> Ticket {
        let ticket = place.engine.send(place.now, &mut place.rng, call);
        self.at = ticket.at;
        ticket
    }

    fn pass(&mut self, place: &mut Place) -> Result<(), Left> {
        let stop = self.standing(place)?;
        self.mine().asked = place.now;
        let ticket = self.send(place, Call::Observe);
        self.next = Next::Seen(ticket, stop);
        Ok(())
    }

    fn seen(&mut self, place: &mut Place, ticket: &Ticket, stop: Option<Stop>) -> Result<(), Left> {
        self.look(place.engine.answer(ticket)).map_err(|error| judge(&error))?;
        if !place.up() {
            return Err(Left::Store);
        }
        let actions = self.plan(place, stop);
        let carry = self.mine();
        carry.actions = actions.into();
        let carry = self.carry.as_ref();
        place.tell(|| format!("{}: plans {:?}", self.name, carry.map(|carry| (&carry.row.id, &carry.actions))));
        self.next = Next::Act;
        Ok(())
    }

    fn look(&mut self, answer: Answer) -> Result<(), PlatformError> {
        let Reply::Seen(observed, at) = answer? else { return Ok(()) };
        let carry = self.mine();
        (carry.observed, carry.seen_at) = (observed, at);
        Ok(())
    }

    fn plan(&mut self, place: &Place, stop: Option<Stop>) -> Vec<Action> {
        let now = place.now;
        let carry = self.carry.as_mut().expect("a rollout is carried out");
        let health = carry.watch(place);
        let (edge, generation) = (&place.edge, carry.desired.generation);
        let mut new_web = carry.desired.slots.iter().filter(|slot| slot.process == "web" && !carry.progress.kept.contains(slot));
        let draining = place.store.backends.iter().filter(|backend| backend.draining_since.is_some());
        plan(&Situation {
            desired: &carry.desired,
            observed: &carry.observed,
            health: &health,
            backends: &place.store.backends,
            progress: &carry.progress,
            elapsed: Duration::from_millis(now.saturating_sub(carry.began)),
            edge_serves: edge.serves(generation),
            no_way: false,
            first_request: new_web.all(|slot| edge.answered(generation, slot.index)),
            in_flight: draining.map(|_| edge.open(now)).sum(),
            draining_for: Duration::from_millis(carry.draining_since.map_or(0, |since| now - since)),
            engine_away: false,
            stop,
        })
    }

    fn act(&mut self, place: &mut Place) -> Result<(), Left> {
        let Some(action) = self.mine().actions.pop_front() else {
            if self.mine().gives_up {
                return self.end(place);
            }
            self.mine().silent_since = None;
            self.next = Next::Pass;
            return Ok(());
        };
        self.next = Next::Act;
        match action {
            Action::Wait(..) | Action::End if self.mine().gives_up => Ok(()),
            Action::Wait(at_most, _) => {
                let at_most = u64::try_from(at_most.as_millis()).unwrap().clamp(11, 1_000);
                self.at = place.now + place.rng.random_range(10..=at_most);
                Ok(())
            }
            Action::End => self.end(place),
            Action::Begin(kept) => {
                self.mine().progress.begin(kept);
                self.record(place)
            }
            Action::RunCommand => {
                self.mine().progress.command = Command::Begun;
                self.record(place)?;
                let rollout = self.mine().row.id.to_string();
                let ticket = self.send(place, Call::Command { rollout });
                self.next = Next::Commanded(ticket);
                Ok(())
            }
            Action::Start(slot) => {
                self.record(place)?;
                let (id, image) = (self.mine().id(&slot), self.mine().desired.image.clone());
                let looked = self.mine().seen_at;
                let ticket = self.send(place, Call::Ensure { id, image, looked });
                self.next = Next::Answered(ticket);
                Ok(())
            }
            Action::Remove(id) => {
                self.standing(place)?;
                place.removes(&id, self.mine().progress.draining);
                let ticket = self.send(place, Call::Remove { id, uid: None });
                self.next = Next::Answered(ticket);
                Ok(())
            }
            Action::Route(slots) => self.route(place, &slots),
            Action::SendFirstRequest => {
                self.record(place)?;
                if place.rng.random_ratio(3, 4) {
                    place.edge.request(&place.engine);
                }
                self.at = place.now + place.rng.random_range(100..3_000);
                Ok(())
            }
            Action::NoteFirstRequest => {
                self.mine().progress.first_request = true;
                self.record(place)
            }
            Action::Drain(rows) => self.drain(place, &rows),
            Action::Unroute(rows) => {
                self.record(place)?;
                rows.iter().for_each(|row| place.store.forget(row));
                self.settle(place);
                Ok(())
            }
            Action::GiveUp(reason) => {
                if let Reason::Failed(Failure::Exited { slot, .. }) = &reason {
                    let began = place.store.began(&self.mine().row.id);
                    place.blames(&self.mine().id(slot), began);
                }
                self.mine().progress.ending = Some(ending(&reason));
                self.record(place)
            }
        }
    }

    /// The edge is waited for, but not for long.
    fn settle(&mut self, place: &mut Place) {
        place.edge.at = place.edge.at.min(place.now + place.rng.random_range(1..4_000));
        self.at = place.now + place.rng.random_range(5..2_000);
    }

    fn route(&mut self, place: &mut Place, slots: &[Slot]) -> Result<(), Left> {
        let carry = self.mine();
        let mut rows = Vec::new();
        for slot in slots {
            let id = carry.id(slot);
            let found = carry.observed.iter().find(|o| o.id == id);
            let Some((address, uid)) = found.and_then(|o| Some((o.address?, o.container.parse().unwrap()))) else { return Ok(()) };
            rows.push((backend(&id, address, place.now), uid));
        }
        carry.progress.route();
        self.record(place)?;
        for (row, uid) in rows {
            place.put(row, uid, true);
        }
        self.settle(place);
        Ok(())
    }

    fn drain(&mut self, place: &mut Place, rows: &[BackendRow]) -> Result<(), Left> {
        let now = place.now;
        self.mine().progress.draining = true;
        self.mine().draining_since.get_or_insert(now);
        self.record(place)?;
        let carry = self.mine();
        place.drains(carry.desired.generation, &carry.desired.slots, carry.seen_at);
        rows.iter().for_each(|row| place.store.drain(row, now));
        place.store.serving = Some(self.mine().row.release_id.clone());
        self.settle(place);
        Ok(())
    }

    fn answered(&mut self, answer: Answer) -> Result<(), Left> {
        self.next = Next::Act;
        match answer {
            Err(_) if self.mine().gives_up => Ok(()),
            Err(error) => Err(judge(&error)),
            Ok(_) => Ok(()),
        }
    }

    fn commanded(&mut self, place: &mut Place, ticket: &Ticket) -> Result<(), Left> {
        let ended = place.engine.answer(ticket).map(|reply| match reply {
            Reply::Ended(end) => end,
            Reply::Seen(..) | Reply::Done => unreachable!("a command was asked for"),
        });
        self.mine().progress.command = progress::command(&ended);
        if let Err(error) = ended
            && !error.passing()
        {
            return Err(Left::Broken(error.to_string()));
        }
        self.mine().began = place.now;
        self.next = Next::Act;
        self.record(place)
    }

    fn wait_for_engine(&mut self, place: &mut Place) {
        let now = place.now;
        let carry = self.mine();
        let silent = Duration::from_millis(now - *carry.silent_since.get_or_insert(now));
        if carry.progress.gives_up(silent) {
            return self.give_up(place, "silent");
        }
        // That time is not counted against the instances.
        carry.began += now - carry.asked + 1_000;
        self.at = now + 1_000;
        self.next = Next::Pass;
        self.leave_unless_recorded(place);
    }

    fn leave_unless_recorded(&mut self, place: &mut Place) {
        match self.record(place) {
            Err(Left::Store) => (self.next, self.at) = (Next::LetGo, place.now + 2_000),
            Err(_) => self.leave(self.at),
            Ok(()) => {}
        }
    }

    fn give_up(&mut self, place: &mut Place, why: &str) {
        let (name, id) = (self.name.clone(), self.mine().row.id.clone());
        place.tell(|| format!("{name}: gives rollout {id} up: {why}"));
        self.mine().gives_up = true;
        self.mine().progress.break_off(why);
        self.mine().actions.clear();
        if self.mine().progress.draining {
            self.next = Next::Act;
            return;
        }
        let ticket = self.send(place, Call::Observe);
        self.next = Next::GivenUp(ticket);
        self.leave_unless_recorded(place);
    }

    fn given_up(&mut self, place: &mut Place, ticket: &Ticket) -> Result<(), Left> {
        if self.look(place.engine.answer(ticket)).is_err() {
            self.mine().observed.clear();
        }
        if !place.up() {
            return Err(Left::Store);
        }
        let actions = self.plan(place, None);
        self.mine().actions = actions.into();
        self.next = Next::Act;
        Ok(())
    }

    fn end(&mut self, place: &mut Place) -> Result<(), Left> {
        let ending = self.mine().progress.end();
        self.record(place)?;
        let carry = self.mine();
        if !place.store.finish(&carry.row.id, carry.row.fence, ending.state) {
            return Err(Left::Fenced);
        }
        let (name, id, why) = (self.name.clone(), self.mine().row.id.clone(), ending.failure.unwrap_or_default());
        place.tell(|| format!("{name}: rollout {id} {} {why}", ending.state.name()));
        place.ended(ending.state, &self.mine().desired.image.clone());
        self.leave(self.at);
        Ok(())
    }
}

impl Carry {
    fn id(&self, slot: &Slot) -> WorkloadId {
        WorkloadId { team: team(), target: target(), release: self.desired.generation, process: slot.process.clone(), slot: slot.index }
    }

    /// What watching the new instances has shown until now. A watcher begins when its instance is first seen running.
    fn watch(&mut self, place: &Place) -> BTreeMap<Slot, Health> {
        let mut seen = BTreeMap::new();
        let mut watched = BTreeMap::new();
        for o in self.observed.iter().filter(|o| o.id.release == self.desired.generation && o.state == ContainerState::Running) {
            let (slot, Some(address)) = (Slot::of(&o.id), o.address) else { continue };
            if self.progress.kept.contains(&slot) {
                continue;
            }
            let since = self.watched.get(&slot).filter(|(known, _)| *known == address).map_or(place.now, |(_, since)| *since);
            let healthy = place.engine.at(address).and_then(|copy| copy.healthy_since).map(|healthy| healthy.max(since));
            seen.insert(
                slot.clone(),
                Health { healthy_for: healthy.map(|healthy| Duration::from_millis(place.now - healthy)), last_error: None },
            );
            watched.insert(slot, (address, since));
        }
        self.watched = watched;
        seen
    }
}

pub(super) fn backend(id: &WorkloadId, address: IpAddr, now: Ms) -> BackendRow {
    BackendRow {
        target: target(),
        release: id.release,
        process: id.process.clone(),
        slot: id.slot,
        address: SocketAddr::new(address, 8_080),
        since: Timestamp(i64::try_from(now).unwrap()),
        draining_since: None,
    }
}

fn ending(reason: &Reason) -> Ending {
    use app::model::RolloutState::{Cancelled, Failed, Superseded};
    let (state, failure) = match reason {
        Reason::Stopped(Stop::Cancelled) => (Cancelled, None),
        Reason::Stopped(Stop::Superseded) => (Superseded, None),
        Reason::Failed(failure) => (Failed, Some(format!("{failure:?}"))),
    };
    Ending { state, failure, last_lines: Vec::new() }
}

/// What an error of the engine means for the rollout.
fn judge(error: &PlatformError) -> Left {
    if error.passing() { Left::Passing } else { Left::Broken(error.to_string()) }
}
