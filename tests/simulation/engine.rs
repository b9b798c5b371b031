//! An engine that loses calls and answers, carries them out late or twice, hangs, goes away, and gives a free address to
//! whoever comes next.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use rand::{Rng as _, rngs::StdRng};
use server::platform::{ContainerState, Observed, PlatformError, TaskEnd, WorkloadId};

use super::store::Ms;

/// An answer comes within this time or not at all.
const DEADLINE: Ms = 10_000;

/// How copies of an image behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Healthy after a while, for good.
    Good,
    /// Ends soon after its start.
    Crashes,
    /// Runs and is never healthy.
    Deaf,
    /// Healthy for a moment, again and again; never for long enough.
    Flaps,
    /// The engine refuses to start it.
    Refused,
}

impl Fate {
    /// The fate of an image: its name begins with it.
    pub(super) fn of(image: &str) -> Self {
        match image.split('-').next() {
            Some("crashes") => Self::Crashes,
            Some("deaf") => Self::Deaf,
            Some("flaps") => Self::Flaps,
            Some("refused") => Self::Refused,
            _ => Self::Good,
        }
    }
}

/// A container as it really is.
pub(super) struct Copy {
    pub(super) uid: u64,
    pub(super) id: WorkloadId,
    pub(super) image: String,
    pub(super) state: ContainerState,
    pub(super) address: IpAddr,
    /// Since when it is healthy, if it is.
    pub(super) healthy_since: Option<Ms>,
    /// For how long it was healthy at most.
    pub(super) healthy_for: Ms,
    /// When the one who asked for it had looked last.
    pub(super) looked: Ms,
    /// Whether it was ever let on the edge with proof.
    pub(super) proven: bool,
}

impl Copy {
    pub(super) fn runs(&self) -> bool {
        self.state == ContainerState::Running
    }

    /// The longest time it was healthy without a break, until now.
    pub(super) fn best(&self, now: Ms) -> Ms {
        self.healthy_for.max(self.healthy_since.map_or(0, |since| now - since))
    }
}

/// What is asked of it.
#[derive(Clone, Debug)]
pub(super) enum Call {
    Observe,
    Ensure { id: WorkloadId, image: String, looked: Ms },
    Remove { id: WorkloadId, uid: Option<u64> },
    Command { rollout: String },
}

/// What it answers.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Seen(Vec<Observed>, Ms),
    Done,
    Ended(TaskEnd),
}

pub(super) type Answer = Result<Reply, PlatformError>;

/// A call under way: when its answer comes, and which it is.
#[derive(Clone, Debug)]
pub(super) struct Ticket {
    call: u64,
    pub(super) at: Ms,
    lost: bool,
}

/// What will happen on the engine by itself.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A call is carried out; whether its answer is kept for the caller.
    Carry(u64, Call),
    Healthy(u64),
    Unhealthy(u64),
    Ends(u64),
}

/// The engine.
pub(super) struct Engine {
    pub(super) copies: Vec<Copy>,
    pub(super) hung_until: Ms,
    pub(super) gone_until: Ms,
    /// Out of a thousand calls so many meet a fault.
    pub(super) trouble: u32,
    pub(super) commands: BTreeMap<String, u32>,
    pub(super) faults: u64,
    /// When containers ended, by their uid.
    pub(super) deaths: BTreeMap<u64, Ms>,
    pub(super) due: BTreeMap<(Ms, u64), Event>,
    answers: BTreeMap<u64, Answer>,
    next: u64,
}

impl Engine {
    pub(super) fn new() -> Self {
        Self {
            copies: Vec::new(),
            hung_until: 0,
            gone_until: 0,
            trouble: 0,
            commands: BTreeMap::new(),
            faults: 0,
            deaths: BTreeMap::new(),
            due: BTreeMap::new(),
            answers: BTreeMap::new(),
            next: 0,
        }
    }

    fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub(super) fn later(&mut self, at: Ms, event: Event) {
        let order = self.fresh();
        self.due.insert((at, order), event);
    }

    pub(super) fn copy(&self, id: &WorkloadId) -> Option<&Copy> {
        self.copies.iter().find(|copy| copy.id == *id)
    }

    pub(super) fn by_uid(&self, uid: u64) -> Option<&Copy> {
        self.copies.iter().find(|copy| copy.uid == uid)
    }

    /// The copy that has this address, if one does.
    pub(super) fn at(&self, address: IpAddr) -> Option<&Copy> {
        self.copies.iter().find(|copy| copy.runs() && copy.address == address)
    }

    /// Sends a call. Its answer is there when the ticket says so.
    pub(super) fn send(&mut self, now: Ms, rng: &mut StdRng, mut call: Call) -> Ticket {
        let id = self.fresh();
        let takes = if matches!(call, Call::Command { .. }) { rng.random_range(500..8_000) } else { rng.random_range(1..150) };
        let deadline = if matches!(call, Call::Command { .. }) { 10 * DEADLINE } else { DEADLINE };
        if now < self.gone_until {
            self.answers.insert(id, Err(PlatformError::Gone("simulated".into())));
            return Ticket { call: id, at: now + 5, lost: false };
        }
        // A removal first asks which container has the name, and then means that one.
        if let Call::Remove { id, uid } = &mut call {
            *uid = self.copy(id).map(|copy| copy.uid);
        }
        if now < self.hung_until {
            self.faults += 1;
            self.later(self.hung_until + takes, Event::Carry(id, call));
            return Ticket { call: id, at: now + deadline, lost: true };
        }
        if !rng.random_ratio(self.trouble, 1_000) {
            self.later(now + takes, Event::Carry(id, call));
            return Ticket { call: id, at: now + takes + 5, lost: false };
        }
        self.faults += 1;
        match rng.random_range(0..5) {
            0 => {}
            1 => self.later(now + takes, Event::Carry(id, call)),
            2 => self.later(now + rng.random_range(DEADLINE..12 * DEADLINE), Event::Carry(id, call)),
            3 => {
                // Twice: a release command has a name of its own, of which the engine takes no second one.
                if !matches!(call, Call::Command { .. }) {
                    self.later(now + takes + rng.random_range(1..DEADLINE), Event::Carry(0, call.clone()));
                }
                self.later(now + takes, Event::Carry(id, call));
                return Ticket { call: id, at: now + takes + 5, lost: false };
            }
            _ => {
                self.later(now + deadline - 10, Event::Carry(id, call));
                return Ticket { call: id, at: now + deadline - 5, lost: false };
            }
        }
        Ticket { call: id, at: now + deadline, lost: true }
    }

    /// The answer of a call whose time has come.
    pub(super) fn answer(&mut self, ticket: &Ticket) -> Answer {
        let hung = || PlatformError::Hung { what: "simulated".into(), after: Duration::from_millis(DEADLINE) };
        let answer = self.answers.remove(&ticket.call);
        if ticket.lost { Err(hung()) } else { answer.unwrap_or_else(|| Err(hung())) }
    }

    /// What happens now.
    pub(super) fn happen(&mut self, now: Ms, rng: &mut StdRng, event: Event) {
        match event {
            Event::Carry(id, call) => {
                let answer = self.carry(now, rng, call);
                self.answers.insert(id, answer);
            }
            Event::Healthy(uid) => {
                if let Some(copy) = self.copies.iter_mut().find(|copy| copy.uid == uid && copy.runs()) {
                    copy.healthy_since.get_or_insert(now);
                    if Fate::of(&copy.image) == Fate::Flaps {
                        self.later(now + rng.random_range(100..super::store::STABLE - 500), Event::Unhealthy(uid));
                    }
                }
            }
            Event::Unhealthy(uid) => {
                if let Some(copy) = self.copies.iter_mut().find(|copy| copy.uid == uid && copy.runs()) {
                    copy.healthy_for = copy.best(now);
                    copy.healthy_since = None;
                    self.later(now + rng.random_range(200..2_000), Event::Healthy(uid));
                }
            }
            Event::Ends(uid) => self.end(now, uid),
        }
    }

    /// A container ends: its address is free for the next.
    pub(super) fn end(&mut self, now: Ms, uid: u64) {
        if let Some(copy) = self.copies.iter_mut().find(|copy| copy.uid == uid && copy.runs()) {
            copy.healthy_for = copy.best(now);
            copy.healthy_since = None;
            self.deaths.insert(uid, now);
            copy.state = ContainerState::Exited { code: 1, out_of_memory: false };
        }
    }

    fn carry(&mut self, now: Ms, rng: &mut StdRng, call: Call) -> Answer {
        match call {
            Call::Observe => Ok(Reply::Seen(self.copies.iter().map(observed).collect(), now)),
            Call::Ensure { id, image, looked } => self.ensure(now, rng, id, image, looked),
            Call::Remove { uid, .. } => {
                if let Some(uid) = uid {
                    self.end(now, uid);
                    self.copies.retain(|copy| copy.uid != uid);
                }
                Ok(Reply::Done)
            }
            Call::Command { rollout } => {
                *self.commands.entry(rollout).or_default() += 1;
                let code = if rng.random_ratio(1, 8) { 3 } else { 0 };
                Ok(Reply::Ended(TaskEnd::Exited { code, out_of_memory: false }))
            }
        }
    }

    fn ensure(&mut self, now: Ms, rng: &mut StdRng, id: WorkloadId, image: String, looked: Ms) -> Answer {
        let there = self.copy(&id).map(|copy| (copy.uid, copy.state.clone()));
        if there.as_ref().is_some_and(|(_, state)| *state != ContainerState::Created) {
            return Ok(Reply::Done);
        }
        let fate = Fate::of(&image);
        if fate == Fate::Refused {
            return Err(PlatformError::CannotStart("simulated".into()));
        }
        let uid = there.map_or_else(|| self.make(id, image, looked), |(uid, _)| uid);
        // Made, and not started: an engine that stopped in between.
        if self.trouble > 0 && rng.random_ratio(1, 50) {
            return Err(PlatformError::Gone("simulated".into()));
        }
        let address = self.free();
        if let Some(copy) = self.copies.iter_mut().find(|copy| copy.uid == uid) {
            (copy.state, copy.address, copy.looked) = (ContainerState::Running, address, looked);
        }
        match fate {
            Fate::Good | Fate::Flaps => self.later(now + rng.random_range(50..4_000), Event::Healthy(uid)),
            Fate::Crashes => {
                if rng.random() {
                    self.later(now + rng.random_range(50..200), Event::Healthy(uid));
                }
                self.later(now + rng.random_range(200..2_500), Event::Ends(uid));
            }
            Fate::Deaf | Fate::Refused => {}
        }
        Ok(Reply::Done)
    }

    fn make(&mut self, id: WorkloadId, image: String, looked: Ms) -> u64 {
        let uid = self.fresh();
        let (state, address) = (ContainerState::Created, IpAddr::from([0, 0, 0, 0]));
        self.copies.push(Copy { uid, id, image, state, address, healthy_since: None, healthy_for: 0, looked, proven: false });
        uid
    }

    /// The lowest address nobody has: as an engine does, which gives what was freed to the next.
    fn free(&self) -> IpAddr {
        (2..255_u8).map(|n| IpAddr::from([10, 0, 0, n])).find(|address| self.at(*address).is_none()).expect("a small world")
    }
}

fn observed(copy: &Copy) -> Observed {
    Observed {
        id: copy.id.clone(),
        fence: 0,
        container: copy.uid.to_string(),
        image: copy.image.clone(),
        state: copy.state.clone(),
        address: copy.runs().then_some(copy.address),
        started_at: None,
        restarts: 0,
    }
}
