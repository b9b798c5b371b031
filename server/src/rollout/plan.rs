//! Decides what a rollout does next: pure, with the elapsed time as an argument. The table at the end is its test.

use std::{collections::BTreeMap, time::Duration};

use app::{model::RolloutState, said};
use serde::{Deserialize, Serialize};

use crate::{
    platform::{ContainerState, Observed, WorkloadId},
    store::backends::BackendRow,
};

/// One instance of a process within a release.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slot {
    /// The process.
    pub process: String,
    /// Which one, from 0.
    pub index: u32,
}

impl Slot {
    /// The slot of a workload.
    pub fn of(id: &WorkloadId) -> Self {
        Self { process: id.process.clone(), index: id.slot }
    }
}

impl std::fmt::Display for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.process, self.index)
    }
}

/// What should be in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// The number its instances carry.
    pub generation: u64,
    /// The image's id.
    pub image: String,
    /// Its instances.
    pub slots: Vec<Slot>,
    /// Those of them that the release before has too: where it only scales, what serves stays whatever comes.
    pub before: Vec<Slot>,
    /// Whether a release command comes first.
    pub command: bool,
    /// Whether the edge leads to its `web` process: it has one, with at least one instance.
    pub routed: bool,
    /// How long an instance must be healthy.
    pub stabilisation: Duration,
    /// How long it may take until all are.
    pub deadline: Duration,
    /// How long the old instances may finish what they have.
    pub drain: Duration,
}

/// How far the release command is. Never run twice: where its end is unknown, a person decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Not begun.
    #[default]
    Not,
    /// Begun; its end was not seen (yet).
    Begun,
    /// Ended well.
    Passed,
    /// Ended with this code.
    Failed(i64),
}

/// What a rollout must remember across a restart of Berth. Everything else is observed anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// Whether the first pass has been made.
    pub begun: bool,
    /// Instances that served before it began and are kept.
    pub kept: Vec<Slot>,
    /// The release command.
    pub command: Command,
    /// Whether every new instance was healthy for the stabilisation time.
    pub proven: bool,
    /// Whether the new instances are on the edge.
    pub routed: bool,
    /// Whether the first request came back.
    pub first_request: bool,
    /// Whether the old ones were taken off the edge: from here on there is no way back.
    pub draining: bool,
    /// How it ends, once that is decided while the new release was not proven: what is new is taken away, then it is over.
    pub ending: Option<Ending>,
}

/// How a rollout that does not reach its release ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// Failed, cancelled or superseded.
    pub state: RolloutState,
    /// The likely cause.
    pub failure: Option<String>,
    /// The last lines of log.
    pub last_lines: Vec<String>,
}

/// The health of a running instance, as far as it was watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// For how long it has been healthy without a break.
    pub healthy_for: Option<Duration>,
    /// What the last bad answer was.
    pub last_error: Option<String>,
}

/// Why a rollout stops before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A person asked.
    Cancelled,
    /// A newer release is wanted.
    Superseded,
}

/// What is seen at the beginning of a pass.
#[derive(Clone, Debug)]
pub struct Situation<'a> {
    /// What should be.
    pub desired: &'a Desired,
    /// Everything of the target that is there.
    pub observed: &'a [Observed],
    /// The health of the instances of this generation.
    pub health: &'a BTreeMap<Slot, Health>,
    /// What the edge is told to use for the target.
    pub backends: &'a [BackendRow],
    /// What was remembered.
    pub progress: &'a Progress,
    /// Since this Berth took it up.
    pub elapsed: Duration,
    /// Whether the edge serves the new instances by now.
    pub edge_serves: bool,
    /// Whether no route that reads leads to the target, so that no request can come.
    pub no_way: bool,
    /// Whether a request to the new release came back through the edge.
    pub first_request: bool,
    /// Requests open on instances that are draining.
    pub in_flight: usize,
    /// Since the old ones were taken off the edge.
    pub draining_for: Duration,
    /// Whether the engine was away since this was looked at last: what ended meanwhile ended with it.
    pub engine_away: bool,
    /// Whether it is asked to stop.
    pub stop: Option<Stop>,
}

/// Why it failed, as facts; [`super::cause`] makes a sentence of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The release command ended with this code.
    Command(i64),
    /// Whether the release command ran is not known.
    CommandUncertain,
    /// An instance ended.
    Exited {
        /// Which one.
        slot: Slot,
        /// Its exit code.
        code: i64,
        /// Whether it ran out of memory.
        out_of_memory: bool,
    },
    /// An instance runs another image than it should.
    WrongImage(Slot),
    /// An instance was not healthy in time.
    NotHealthy {
        /// Which one.
        slot: Slot,
        /// What the last bad answer was.
        error: Option<String>,
    },
    /// The edge did not get an answer from it.
    NoFirstRequest,
    /// No route that reads leads to it.
    NoWay,
}

/// Why a rollout ends without its release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It failed.
    Failed(Failure),
    /// It was stopped.
    Stopped(Stop),
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Note which instances serve already and are kept.
    Begin(Vec<Slot>),
    /// Run the release command.
    RunCommand,
    /// Start an instance.
    Start(Slot),
    /// Note that all are proven, and put them on the edge.
    Route(Vec<Slot>),
    /// Send a first request through the edge.
    SendFirstRequest,
    /// Note that the first request came back.
    NoteFirstRequest,
    /// Take these off the edge for new requests.
    Drain(Vec<BackendRow>),
    /// Take these off the edge at once and forget them.
    Unroute(Vec<BackendRow>),
    /// Stop and remove a copy.
    Remove(WorkloadId),
    /// Look again when something moves, at the latest after this long.
    Wait(Duration, Waiting),
    /// Decide that it ends without its release, and gather why while everything is still there.
    GiveUp(Reason),
    /// It is over: as [`Progress::ending`] says, else well.
    End,
}

/// What a rollout waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Instances to become healthy: so many of so many are.
    Healthy(usize, usize),
    /// Healthy instances to stay so.
    Stabilisation(Duration),
    /// The edge to take over the new instances.
    Edge,
    /// Open requests of the old instances.
    Drain(usize),
}

/// The first request may take this long before the rollout fails.
pub const FIRST_REQUEST_WITHIN: Duration = Duration::from_secs(20);

/// What to do next. Nothing here is done twice, and whatever was done is recognised from what is observed.
pub fn plan(s: &Situation<'_>) -> Vec<Action> {
    if s.progress.ending.is_some() {
        return undo(s);
    }
    // Before anything is started: an engine gives a free address to whoever comes next, and that one is not proven.
    let dead = dead_backends(s);
    if !dead.is_empty() {
        return vec![Action::Unroute(dead)];
    }
    if let Some(begin) = begin(s) {
        return begin;
    }
    if s.progress.draining {
        return finish(s);
    }
    if let Some(stop) = &s.stop {
        return vec![Action::GiveUp(Reason::Stopped(stop.clone()))];
    }
    let fallen = fallen(s);
    if !fallen.is_empty() {
        return fallen.into_iter().map(Action::Remove).collect();
    }
    if let Some(failure) = failure(s) {
        return vec![Action::GiveUp(Reason::Failed(failure))];
    }
    if s.desired.command && s.progress.command == Command::Not {
        return vec![Action::RunCommand];
    }
    let missing = missing(s);
    if !missing.is_empty() {
        return missing.into_iter().map(Action::Start).collect();
    }
    let unproven = unproven(s);
    if let Some(wait) = wait(s, &unproven) {
        return vec![wait];
    }
    if !unproven.is_empty() || !s.progress.proven {
        // Perhaps none to route: workers only, or scaled to zero. The proof is noted all the same.
        return vec![Action::Route(unproven.into_iter().filter(|slot| slot.process == "web").collect())];
    }
    if s.desired.routed && !s.progress.first_request {
        return first_request(s);
    }
    vec![Action::Drain(old_backends(s))]
}

/// The first pass, and a pass that finds something kept gone: what serves is kept, what ended before is started anew and no
/// fault of this release.
fn begin(s: &Situation<'_>) -> Option<Vec<Action>> {
    let serves = kept(s);
    let gone = |slot: &Slot| s.progress.kept.contains(slot) && !serves.contains(slot);
    if s.progress.begun && (s.progress.draining || !s.progress.kept.iter().any(gone)) {
        return None;
    }
    let ended = s.observed.iter().filter(|o| o.id.release == s.desired.generation && matches!(o.state, ContainerState::Exited { .. }));
    let ended = ended.filter(|o| !s.progress.begun || gone(&Slot::of(&o.id)));
    let mut actions: Vec<Action> = ended.map(|o| Action::Remove(o.id.clone())).collect();
    actions.push(Action::Begin(serves.into_iter().filter(|slot| !s.progress.begun || s.progress.kept.contains(slot)).collect()));
    Some(actions)
}

/// What ended because the engine went away is no fault of the release: it makes room and is started anew.
fn fallen(s: &Situation<'_>) -> Vec<WorkloadId> {
    let fell = |o: &&Observed| is_new(s, o.id.release, &Slot::of(&o.id)) && matches!(o.state, ContainerState::Exited { .. });
    if s.engine_away { s.observed.iter().filter(fell).map(|o| o.id.clone()).collect() } else { Vec::new() }
}

/// The instances of this generation that serve already.
fn kept(s: &Situation<'_>) -> Vec<Slot> {
    let serves = |slot: &Slot| {
        slot.process != "web"
            || s.backends.iter().any(|b| b.release == s.desired.generation && b.process == slot.process && b.slot == slot.index)
    };
    s.observed
        .iter()
        .filter(|o| o.id.release == s.desired.generation && o.state == ContainerState::Running)
        .map(|o| Slot::of(&o.id))
        .filter(serves)
        .collect()
}

/// Whether an instance is this rollout's own, to be taken away where it fails.
fn is_new(s: &Situation<'_>, release: u64, slot: &Slot) -> bool {
    release == s.desired.generation && !s.progress.kept.contains(slot) && !s.desired.before.contains(slot)
}

fn is_desired(s: &Situation<'_>, id: &WorkloadId) -> bool {
    id.release == s.desired.generation && s.desired.slots.contains(&Slot::of(id))
}

fn current<'a>(s: &'a Situation<'_>, slot: &Slot) -> Option<&'a Observed> {
    s.observed.iter().find(|o| o.id.release == s.desired.generation && o.id.process == slot.process && o.id.slot == slot.index)
}

fn old_backends(s: &Situation<'_>) -> Vec<BackendRow> {
    s.backends
        .iter()
        .filter(|b| {
            let slot = Slot { process: b.process.clone(), index: b.slot };
            b.release != s.desired.generation || !s.desired.slots.contains(&slot)
        })
        .cloned()
        .collect()
}

/// Rows of the edge that lead to nothing that runs.
fn dead_backends(s: &Situation<'_>) -> Vec<BackendRow> {
    s.backends.iter().filter(|b| !s.observed.iter().any(|o| leads_to(b, o))).cloned().collect()
}

/// Whether a row of the edge leads to this instance, which runs.
fn leads_to(b: &BackendRow, o: &Observed) -> bool {
    let same = b.release == o.id.release && b.process == o.id.process && b.slot == o.id.slot;
    same && o.state == ContainerState::Running && o.address == Some(b.address.ip())
}

/// The instances that have not shown yet that they are good. A web instance that has is on the edge; one that came in its
/// place shows it anew.
fn unproven(s: &Situation<'_>) -> Vec<Slot> {
    let on_edge =
        |slot: &Slot| s.backends.iter().any(|b| b.release == s.desired.generation && b.process == slot.process && b.slot == slot.index);
    let proven = |slot: &Slot| s.progress.proven && (slot.process != "web" || on_edge(slot));
    s.desired.slots.iter().filter(|slot| !s.progress.kept.contains(slot) && !proven(slot)).cloned().collect()
}

fn missing(s: &Situation<'_>) -> Vec<Slot> {
    s.desired.slots.iter().filter(|slot| current(s, slot).is_none_or(|o| o.state == ContainerState::Created)).cloned().collect()
}

/// What went wrong with the new instances, if anything did.
fn failure(s: &Situation<'_>) -> Option<Failure> {
    match s.progress.command {
        Command::Begun => return Some(Failure::CommandUncertain),
        Command::Failed(code) => return Some(Failure::Command(code)),
        Command::Not | Command::Passed => {}
    }
    for slot in &s.desired.slots {
        let Some(observed) = current(s, slot) else { continue };
        if let ContainerState::Exited { code, out_of_memory } = observed.state {
            return Some(Failure::Exited { slot: slot.clone(), code, out_of_memory });
        }
        if observed.image != s.desired.image {
            return Some(Failure::WrongImage(slot.clone()));
        }
    }
    let late = s.elapsed >= s.desired.deadline + s.desired.stabilisation + FIRST_REQUEST_WITHIN;
    if late || !s.progress.proven && s.elapsed >= s.desired.deadline {
        let sick = unproven(s).into_iter().find(|slot| health(s, slot).healthy_for.is_none());
        if let Some(slot) = sick {
            let error = health(s, &slot).last_error;
            return Some(Failure::NotHealthy { slot, error });
        }
    }
    (s.progress.routed && s.desired.routed && !s.progress.first_request && !s.first_request && late).then_some(Failure::NoFirstRequest)
}

fn health(s: &Situation<'_>, slot: &Slot) -> Health {
    s.health.get(slot).cloned().unwrap_or_default()
}

/// What is waited for until these are proven; none when they are.
fn wait(s: &Situation<'_>, unproven: &[Slot]) -> Option<Action> {
    let healthy: Vec<Duration> = unproven.iter().filter_map(|slot| health(s, slot).healthy_for).collect();
    if healthy.len() < unproven.len() {
        let left = s.desired.deadline.saturating_sub(s.elapsed).min(Duration::from_secs(1));
        return Some(Action::Wait(left, Waiting::Healthy(healthy.len(), unproven.len())));
    }
    let youngest = healthy.into_iter().min()?;
    let left = s.desired.stabilisation.saturating_sub(youngest);
    (!left.is_zero()).then_some(Action::Wait(left, Waiting::Stabilisation(left)))
}

fn first_request(s: &Situation<'_>) -> Vec<Action> {
    if s.no_way && !s.first_request {
        return vec![Action::GiveUp(Reason::Failed(Failure::NoWay))];
    }
    if !s.edge_serves {
        return vec![Action::Wait(Duration::from_millis(500), Waiting::Edge)];
    }
    if s.first_request {
        return vec![Action::NoteFirstRequest];
    }
    vec![Action::SendFirstRequest]
}

/// The new release is proven: let the old instances finish, then remove them.
fn finish(s: &Situation<'_>) -> Vec<Action> {
    let not_draining: Vec<BackendRow> = old_backends(s).into_iter().filter(|b| b.draining_since.is_none()).collect();
    if !not_draining.is_empty() {
        return vec![Action::Drain(not_draining)];
    }
    if s.in_flight > 0 && s.draining_for < s.desired.drain {
        return vec![Action::Wait((s.desired.drain - s.draining_for).min(Duration::from_millis(500)), Waiting::Drain(s.in_flight))];
    }
    let mut actions = Vec::new();
    let old = old_backends(s);
    if !old.is_empty() {
        actions.push(Action::Unroute(old));
    }
    actions.extend(s.observed.iter().filter(|o| !is_desired(s, &o.id)).map(|o| Action::Remove(o.id.clone())));
    if actions.is_empty() {
        actions.push(Action::End);
    }
    actions
}

/// Takes the new instances away; the old ones were never touched.
fn undo(s: &Situation<'_>) -> Vec<Action> {
    let new_backends: Vec<BackendRow> =
        s.backends.iter().filter(|b| is_new(s, b.release, &Slot { process: b.process.clone(), index: b.slot })).cloned().collect();
    let mut actions = Vec::new();
    if !new_backends.is_empty() {
        actions.push(Action::Unroute(new_backends));
    }
    actions.extend(s.observed.iter().filter(|o| is_new(s, o.id.release, &Slot::of(&o.id))).map(|o| Action::Remove(o.id.clone())));
    actions.push(Action::End);
    actions
}

/// The plan in sentences, as a person reads it before anything happens.
pub fn sentences(desired: &Desired, from: Option<(u64, u32)>, to: u64, same_generation: bool) -> Vec<String> {
    let count = desired.slots.len();
    let mut plan = Vec::new();
    if desired.command {
        plan.push(said::plan_command());
    }
    let old = from.map_or(0, |(_, n)| n as usize);
    if same_generation {
        match count.cmp(&old) {
            std::cmp::Ordering::Greater if old == 1 => plan.push(said::plan_more_beside_one(said::instances(count - 1))),
            std::cmp::Ordering::Greater => plan.push(said::plan_more(said::instances(count - old), old)),
            std::cmp::Ordering::Less => plan.push(said::plan_fewer(said::instances(count))),
            std::cmp::Ordering::Equal => plan.push(said::plan_same()),
        }
    } else if count > 0 {
        plan.push(match from {
            Some((number, _)) => said::plan_beside(said::instances(count), to, number),
            None => said::plan_first(said::instances(count), to),
        });
    }
    if !same_generation || count > old {
        plan.push(said::plan_healthy(desired.stabilisation.as_secs_f32()));
        if desired.routed {
            plan.push(said::plan_route());
        }
    }
    if old > 0 && (!same_generation || count < old) {
        let gone = if same_generation { old - count } else { old };
        let up_to = desired.drain.as_secs();
        plan.push(if gone == 1 { said::plan_drain_one(up_to) } else { said::plan_drain(gone, up_to) });
    }
    plan
}

#[cfg(test)]
mod tests;
