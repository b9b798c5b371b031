//! The table of situations, and a world that obeys.

use app::model::{TargetId, TeamId, Timestamp};

use super::*;

const IMAGE: &str = "sha256:new";

fn slot(index: u32) -> Slot {
    Slot { process: "web".into(), index }
}

fn id(release: u64, index: u32) -> WorkloadId {
    WorkloadId { team: TeamId::from_text("t"), target: TargetId::from_text("g"), release, process: "web".into(), slot: index }
}

fn copy(release: u64, index: u32, state: ContainerState) -> Observed {
    let image = if release == 2 { IMAGE } else { "sha256:old" };
    Observed {
        id: id(release, index),
        fence: 1,
        container: format!("c{release}.{index}"),
        image: image.into(),
        state,
        address: Some([10, 0, u8::try_from(release).unwrap(), u8::try_from(index).unwrap()].into()),
        started_at: None,
        restarts: 0,
    }
}

fn row(release: u64, index: u32, draining: bool) -> BackendRow {
    BackendRow {
        target: TargetId::from_text("g"),
        release,
        process: "web".into(),
        slot: index,
        address: ([10, 0, u8::try_from(release).unwrap(), u8::try_from(index).unwrap()], 8080).into(),
        since: Timestamp(0),
        draining_since: draining.then_some(Timestamp(1)),
    }
}

/// A world to plan in: release 1 serves with one instance, release 2 is wanted with `replicas`.
struct World {
    desired: Desired,
    observed: Vec<Observed>,
    health: BTreeMap<Slot, Health>,
    backends: Vec<BackendRow>,
    progress: Progress,
    elapsed: u64,
    edge_serves: bool,
    no_way: bool,
    first_request: bool,
    in_flight: usize,
    draining_for: u64,
    engine_away: bool,
    stop: Option<Stop>,
}

impl World {
    fn new(replicas: u32) -> Self {
        Self {
            desired: Desired {
                generation: 2,
                image: IMAGE.into(),
                slots: (0..replicas).map(slot).collect(),
                before: Vec::new(),
                command: false,
                routed: replicas > 0,
                stabilisation: Duration::from_secs(3),
                deadline: Duration::from_secs(60),
                drain: Duration::from_secs(10),
            },
            observed: vec![copy(1, 0, ContainerState::Running)],
            health: BTreeMap::new(),
            backends: vec![row(1, 0, false)],
            progress: Progress { begun: true, ..Progress::default() },
            elapsed: 1,
            edge_serves: false,
            no_way: false,
            first_request: false,
            in_flight: 0,
            draining_for: 0,
            engine_away: false,
            stop: None,
        }
    }

    fn running(mut self, healthy_for: Option<u64>) -> Self {
        for slot in self.desired.slots.clone() {
            self.observed.push(copy(2, slot.index, ContainerState::Running));
            let health = Health { healthy_for: healthy_for.map(Duration::from_secs), last_error: Some("GET / answered 500".into()) };
            self.health.insert(slot, health);
        }
        self
    }

    fn routed(mut self) -> Self {
        self.progress.proven = true;
        self.progress.routed = true;
        self.edge_serves = true;
        self.backends.extend(self.desired.slots.iter().map(|slot| row(2, slot.index, false)));
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn plan(&self) -> Vec<Action> {
        plan(&Situation {
            desired: &self.desired,
            observed: &self.observed,
            health: &self.health,
            backends: &self.backends,
            progress: &self.progress,
            elapsed: Duration::from_secs(self.elapsed),
            edge_serves: self.edge_serves,
            no_way: self.no_way,
            first_request: self.first_request,
            in_flight: self.in_flight,
            draining_for: Duration::from_secs(self.draining_for),
            engine_away: self.engine_away,
            stop: self.stop.clone(),
        })
    }
}

fn failed(failure: Failure) -> Vec<Action> {
    vec![Action::GiveUp(Reason::Failed(failure))]
}

#[test]
fn each_situation_has_its_next_step() {
    let second = Duration::from_secs;
    let ending = Ending { state: RolloutState::Failed, failure: None, last_lines: vec![] };
    let cases: Vec<(&str, World, Vec<Action>)> = vec![
        ("first pass", World::new(1).with(|w| w.progress.begun = false), vec![Action::Begin(vec![])]),
        (
            "ended with the engine",
            World::new(2).with(|w| {
                w.observed.push(copy(2, 0, ContainerState::Exited { code: 137, out_of_memory: false }));
                w.observed.push(copy(2, 1, ContainerState::Running));
                w.engine_away = true;
            }),
            vec![Action::Remove(id(2, 0))],
        ),
        ("nothing there", World::new(2), vec![Action::Start(slot(0)), Action::Start(slot(1))]),
        (
            "made and not started",
            World::new(1).with(|w| w.observed.push(copy(2, 0, ContainerState::Created))),
            vec![Action::Start(slot(0))],
        ),
        ("not healthy yet", World::new(1).running(None), vec![Action::Wait(second(1), Waiting::Healthy(0, 1))]),
        ("healthy, too short", World::new(1).running(Some(1)), vec![Action::Wait(second(2), Waiting::Stabilisation(second(2)))]),
        ("proven", World::new(2).running(Some(3)), vec![Action::Route(vec![slot(0), slot(1)])]),
        (
            "routed, the edge is behind",
            World::new(1).running(Some(3)).routed().with(|w| w.edge_serves = false),
            vec![Action::Wait(Duration::from_millis(500), Waiting::Edge)],
        ),
        (
            "routed, and no way leads there",
            World::new(1).running(Some(3)).routed().with(|w| (w.edge_serves, w.no_way) = (false, true)),
            failed(Failure::NoWay),
        ),
        (
            "no way leads there any more, and a first request had come back",
            World::new(1).running(Some(3)).routed().with(|w| (w.first_request, w.no_way) = (true, true)),
            vec![Action::NoteFirstRequest],
        ),
        ("routed, nobody asked", World::new(1).running(Some(3)).routed(), vec![Action::SendFirstRequest]),
        (
            "a first request came back",
            World::new(1).running(Some(3)).routed().with(|w| w.first_request = true),
            vec![Action::NoteFirstRequest],
        ),
        (
            "first request noted",
            World::new(1).running(Some(3)).routed().with(|w| w.progress.first_request = true),
            vec![Action::Drain(vec![row(1, 0, false)])],
        ),
        (
            "draining, requests open",
            World::new(1).running(Some(3)).routed().with(|w| {
                w.progress.draining = true;
                w.backends[0] = row(1, 0, true);
                w.in_flight = 2;
            }),
            vec![Action::Wait(Duration::from_millis(500), Waiting::Drain(2))],
        ),
        (
            "drain time over",
            World::new(1).running(Some(3)).routed().with(|w| {
                w.progress.draining = true;
                w.backends[0] = row(1, 0, true);
                w.in_flight = 2;
                w.draining_for = 10;
            }),
            vec![Action::Unroute(vec![row(1, 0, true)]), Action::Remove(id(1, 0))],
        ),
        (
            "only the new ones are left",
            World::new(1).running(Some(3)).routed().with(|w| {
                w.progress.draining = true;
                w.backends.remove(0);
                w.observed.remove(0);
            }),
            vec![Action::End],
        ),
        (
            "crashed",
            World::new(1).with(|w| w.observed.push(copy(2, 0, ContainerState::Exited { code: 1, out_of_memory: false }))),
            failed(Failure::Exited { slot: slot(0), code: 1, out_of_memory: false }),
        ),
        (
            "never healthy",
            World::new(1).running(None).with(|w| w.elapsed = 60),
            failed(Failure::NotHealthy { slot: slot(0), error: Some("GET / answered 500".into()) }),
        ),
        (
            "another image",
            World::new(1).running(None).with(|w| w.observed[1].image = "sha256:other".into()),
            failed(Failure::WrongImage(slot(0))),
        ),
        (
            "given up: only what is new goes",
            World::new(1).running(Some(3)).routed().with(|w| w.progress.ending = Some(ending)),
            vec![Action::Unroute(vec![row(2, 0, false)]), Action::Remove(id(2, 0)), Action::End],
        ),
        (
            "cancelled",
            World::new(1).running(None).with(|w| w.stop = Some(Stop::Cancelled)),
            vec![Action::GiveUp(Reason::Stopped(Stop::Cancelled))],
        ),
        (
            "cancelled too late: it is proven and goes on",
            World::new(1).running(Some(3)).routed().with(|w| {
                w.progress.draining = true;
                w.stop = Some(Stop::Cancelled);
            }),
            vec![Action::Drain(vec![row(1, 0, false)])],
        ),
        ("release command first", World::new(1).with(|w| w.desired.command = true), vec![Action::RunCommand]),
        (
            "release command begun and its end not seen: never again by itself",
            World::new(1).with(|w| (w.desired.command, w.progress.command) = (true, Command::Begun)),
            failed(Failure::CommandUncertain),
        ),
        (
            "release command failed",
            World::new(1).with(|w| (w.desired.command, w.progress.command) = (true, Command::Failed(3))),
            failed(Failure::Command(3)),
        ),
        (
            "what served ended: its address is free for whoever comes next, so the edge forgets it first",
            World::new(1).with(|w| w.observed[0].state = ContainerState::Exited { code: 1, out_of_memory: false }),
            vec![Action::Unroute(vec![row(1, 0, false)])],
        ),
        (
            "a proven one came back under another address: it shows anew that it is good",
            World::new(2).running(Some(1)).routed().with(|w| _ = w.backends.pop()),
            vec![Action::Wait(second(2), Waiting::Stabilisation(second(2)))],
        ),
        (
            "what was kept ended: started anew, and no fault of this release",
            World::new(2).with(|w| {
                w.observed = vec![copy(2, 0, ContainerState::Exited { code: 1, out_of_memory: false })];
                w.backends.clear();
                w.progress.kept = vec![slot(0)];
            }),
            vec![Action::Remove(id(2, 0)), Action::Begin(vec![])],
        ),
        (
            "scaling given up: what the release before has too stays, started anew or not",
            World::new(2).running(Some(3)).routed().with(|w| {
                w.desired.before = vec![slot(0)];
                w.progress.ending = Some(Ending { state: RolloutState::Cancelled, failure: None, last_lines: vec![] });
            }),
            vec![Action::Unroute(vec![row(2, 1, false)]), Action::Remove(id(2, 1)), Action::End],
        ),
        ("scaled to zero", World::new(0), vec![Action::Route(vec![])]),
        (
            "scaled up: the one that serves is kept",
            World::new(2).with(|w| {
                w.observed = vec![copy(2, 0, ContainerState::Running)];
                w.backends = vec![row(2, 0, false)];
                w.progress.kept = vec![slot(0)];
            }),
            vec![Action::Start(slot(1))],
        ),
        (
            "scaled down: only the surplus drains",
            World::new(1).with(|w| {
                w.observed = vec![copy(2, 0, ContainerState::Running), copy(2, 1, ContainerState::Running)];
                w.backends = vec![row(2, 0, false), row(2, 1, false)];
                w.progress.kept = vec![slot(0), slot(1)];
                (w.progress.proven, w.progress.routed, w.progress.first_request) = (true, true, true);
            }),
            vec![Action::Drain(vec![row(2, 1, false)])],
        ),
    ];
    for (what, world, expected) in cases {
        assert_eq!(world.plan(), expected, "{what}");
    }
}

/// The world obeys every action at once: from any beginning it ends, and the old release is never touched before the
/// new one answered.
#[test]
fn obeying_the_plan_ends_well_and_never_leaves_nothing_serving() {
    for (replicas, old) in [(1, 1), (3, 1), (0, 2), (2, 0)] {
        let mut w = World::new(replicas).with(|w| {
            w.progress.begun = false;
            w.observed = (0..old).map(|n| copy(1, n, ContainerState::Running)).collect();
            w.backends = (0..old).map(|n| row(1, n, false)).collect();
        });
        let mut ended = false;
        for _ in 0..50 {
            for action in w.plan() {
                match action {
                    Action::Begin(kept) => (w.progress.begun, w.progress.kept) = (true, kept),
                    Action::Start(slot) => {
                        w.observed.push(copy(2, slot.index, ContainerState::Running));
                        w.health.insert(slot, Health { healthy_for: Some(Duration::from_secs(3)), last_error: None });
                    }
                    Action::Route(slots) => {
                        w.backends.extend(slots.iter().map(|slot| row(2, slot.index, false)));
                        (w.progress.proven, w.progress.routed, w.edge_serves) = (true, true, true);
                    }
                    Action::SendFirstRequest => w.first_request = true,
                    Action::NoteFirstRequest => w.progress.first_request = true,
                    Action::Drain(rows) => {
                        w.progress.draining = true;
                        w.backends.iter_mut().filter(|b| rows.contains(b)).for_each(|b| b.draining_since = Some(Timestamp(1)));
                    }
                    Action::Unroute(rows) => w.backends.retain(|b| !rows.contains(b)),
                    Action::Remove(id) => w.observed.retain(|o| o.id != id),
                    Action::End => ended = true,
                    Action::RunCommand | Action::GiveUp(_) | Action::Wait(..) => {}
                }
                let serving = w.backends.iter().filter(|b| b.draining_since.is_none()).count();
                assert!(ended || replicas == 0 || old == 0 || serving > 0, "nothing serves");
            }
        }
        assert!(ended, "{replicas} after {old}");
        assert_eq!((w.observed.len(), w.backends.len()), (replicas as usize, replicas as usize));
    }
}
