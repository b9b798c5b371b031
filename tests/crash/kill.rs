//! The harness: find the points an operation reaches, then cut it short at each of them, and lose the answer of each call.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    panic::AssertUnwindSafe,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bollard::query_parameters::EventsOptionsBuilder;
use futures::{FutureExt as _, StreamExt as _};

use super::{
    operations::{Operation, all},
    points,
    world::World,
};
use crate::support::proof;

/// Worlds side by side.
pub(super) const SIDE_BY_SIDE: u8 = 2;
/// How often an operation is done for a point that it does not come to.
const TRIES: usize = 3;
/// How long a point is waited for.
const REACHED_WITHIN: Duration = Duration::from_secs(25);

/// What all worlds share.
struct Shared {
    walk: Walk,
    /// Operations still to be done, by their place in the list.
    open: Mutex<VecDeque<usize>>,
    found: Mutex<Found>,
}

/// What is done to an operation at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Harm {
    /// Berth is killed.
    Kill,
    /// The engine did what it was called for, and its answer is lost.
    Lose,
}

impl Harm {
    const ALL: [Self; 2] = [Self::Kill, Self::Lose];

    /// Whether it is done at this point.
    fn fits(self, point: &str) -> bool {
        self == Self::Kill || point.starts_with("docker::after_") && point != "docker::after_build"
    }

    fn armed(self, point: &str) -> String {
        format!("{} {point}", if self == Self::Kill { "kill" } else { "lose" })
    }
}

#[derive(Default)]
struct Found {
    /// What is taken up by somebody, so that each is done once: by one of the operations that come by it, or by each of them.
    taken: BTreeSet<(Harm, String, String)>,
    /// What was done, after which everything came back and kept its promises.
    exercised: BTreeSet<(Harm, String)>,
    /// How many times something was done.
    times: usize,
    failures: Vec<String>,
}

/// What is walked. As a rule each point is done once, whichever operation comes by it. The variable `BERTH_CRASH` has other words:
/// `push` for one who works on what is called so, `all` for each operation at every point that it reaches, which takes hours, and
/// `all push` for both.
struct Walk {
    only: String,
    each: bool,
}

impl Walk {
    fn asked() -> Self {
        let words = std::env::var("BERTH_CRASH").unwrap_or_default();
        match words.strip_prefix("all").filter(|rest| rest.is_empty() || rest.starts_with(' ')) {
            Some(rest) => Self { only: rest.trim().to_owned(), each: true },
            None => Self { only: words, each: false },
        }
    }

    /// What is not done again once somebody took it up.
    fn key(&self, harm: Harm, point: &str, operation: &str) -> (Harm, String, String) {
        (harm, point.to_owned(), if self.each { operation.to_owned() } else { String::new() })
    }
}

impl Found {
    fn exercised(&mut self, harm: Harm, point: &str) {
        self.exercised.insert((harm, point.to_owned()));
        self.times += 1;
    }
}

impl Shared {
    fn found(&self) -> std::sync::MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[test]
fn killed_at_every_point_of_every_operation_it_keeps_its_promises_on_the_engine() {
    let defined = points::defined();
    let walk = Walk::asked();
    let open: VecDeque<usize> = (0..all().len()).filter(|index| all()[*index].name().contains(&walk.only)).collect();
    assert!(!open.is_empty(), "no operation is called {:?}", walk.only);
    let shared = Shared { walk, open: Mutex::new(open), found: Mutex::default() };
    let began = Instant::now();
    std::thread::scope(|scope| {
        for number in 0..SIDE_BY_SIDE {
            let (shared, defined) = (&shared, &defined);
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(work(number, shared, defined));
            });
        }
    });
    let Shared { walk, found, .. } = shared;
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    let wanted = || Harm::ALL.into_iter().flat_map(|harm| defined.iter().map(move |(point, called)| (harm, point, called)));
    let wanted = || wanted().filter(|(harm, point, _)| harm.fits(point));
    let missed: Vec<_> = wanted().filter(|(harm, point, _)| !found.exercised.contains(&(*harm, (*point).clone()))).collect();
    let seconds = began.elapsed().as_secs();
    let called = |harm: Harm| -> Vec<&String> {
        found.exercised.iter().filter(|(done, _)| *done == harm).filter_map(|(_, point)| defined.get(point)).collect()
    };
    println!("defined: {:#?}", defined.values().collect::<Vec<_>>());
    println!("killed at: {:#?}\nanswers lost at: {:#?}", called(Harm::Kill), called(Harm::Lose));
    println!("in {seconds} s; not exercised: {missed:#?}");
    assert!(found.failures.is_empty(), "{} promises were broken:\n\n{}", found.failures.len(), found.failures.join("\n\n"));
    if walk.only.is_empty() {
        assert!(missed.is_empty(), "reached by no operation; add one that does: {missed:#?}");
        let count = |harm| found.exercised.iter().filter(|(done, _)| *done == harm).count();
        let (defined, killed, lost) = (defined.len(), count(Harm::Kill), count(Harm::Lose));
        let kept = "0 not exercised, 0 leaked, 0 release commands repeated";
        let walked = format!("{} times by {} operations", found.times, all().len());
        proof(
            "crashes",
            &format!("{defined} points defined, killed at {killed}, answers of the engine lost at {lost}, {walked}: {kept}; {seconds} s"),
        );
    }
}

async fn work(number: u8, shared: &Shared, defined: &BTreeMap<String, String>) {
    let mut world = World::new(number).await;
    loop {
        let Some(index) = shared.open.lock().unwrap_or_else(PoisonError::into_inner).pop_front() else { return };
        let mut operation = all().remove(index);
        let name = operation.name();
        let reached = match AssertUnwindSafe(uncut(&mut world, operation.as_mut())).catch_unwind().await {
            Ok(reached) => reached,
            Err(panic) => {
                fail(&mut world, shared, &format!("{name}, uncut"), panic.as_ref());
                (world, operation) = (World::new(number).await, all().remove(index));
                continue;
            }
        };
        let harms = Harm::ALL.into_iter().flat_map(|harm| reached.iter().map(move |point| (harm, point, false)));
        let mut open: VecDeque<_> = harms.filter(|(harm, point, _)| defined.contains_key(*point) && harm.fits(point)).collect();
        while let Some((harm, point, again)) = open.pop_front() {
            let key = shared.walk.key(harm, point, &name);
            if !shared.found().taken.insert(key.clone()) {
                // Somebody beside this one tries it just now, and may not come by it: it is looked at again at the end.
                let done = shared.found().exercised.contains(&(harm, point.clone()));
                // A broken promise is never exercised, and is told at the end.
                if done || !shared.found().failures.is_empty() {
                    continue;
                }
                if again {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                open.push_back((harm, point, true));
                continue;
            }
            let (began, what) = (Instant::now(), format!("{name}, {harm:?} {}", defined[point]));
            let mut done = Ok(false);
            // It may not come to the point each time, by what else is under way.
            for _ in 0..TRIES {
                done = match harm {
                    Harm::Kill => AssertUnwindSafe(cut(&mut world, operation.as_mut(), point)).catch_unwind().await,
                    Harm::Lose => AssertUnwindSafe(lose(&mut world, operation.as_mut(), point)).catch_unwind().await,
                };
                if !matches!(done, Ok(false)) {
                    break;
                }
            }
            match done {
                Ok(true) => shared.found().exercised(harm, point),
                // One that comes by it at times only: another may come by it always.
                Ok(false) => drop(shared.found().taken.remove(&key)),
                Err(panic) => {
                    fail(&mut world, shared, &what, panic.as_ref());
                    (world, operation) = (World::new(number).await, all().remove(index));
                }
            }
            println!("{what}: {:.1} s", began.elapsed().as_secs_f32());
        }
    }
}

fn fail(world: &mut World, shared: &Shared, what: &str, panic: &(dyn std::any::Any + Send)) {
    let text = panic.downcast_ref::<String>().cloned().or(panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    let failure = format!("{what}: {}\n{}", text.unwrap_or_default(), world.end_of_log());
    println!("BROKEN {failure}");
    shared.found().failures.push(failure);
}

/// Does an operation with nothing in its way; the points it reaches, each once, in their order.
async fn uncut(world: &mut World, operation: &mut dyn Operation) -> Vec<String> {
    prepare(world, operation, "").await;
    operation.act(world).await;
    let left = world.calm().await;
    world.rest().await;
    let mut seen = BTreeSet::new();
    let reached = world.reached().into_iter().filter(|point| seen.insert(point.clone())).collect();
    world.disarm();
    world.aside = false;
    assert_eq!(left, Vec::<String>::new(), "left over");
    operation.judge(world).await;
    reached
}

async fn prepare(world: &mut World, operation: &mut dyn Operation, harm: &str) {
    operation.prepare(world).await;
    world.aside = operation.aside();
    world.disarm();
    world.arm(&format!("{}{harm}", operation.beside()));
}

/// Cuts an operation short at a point, and sees it come back. False: it never came there this time.
async fn cut(world: &mut World, operation: &mut dyn Operation, point: &str) -> bool {
    let since = SystemTime::now();
    prepare(world, operation, &Harm::Kill.armed(point)).await;
    operation.act(world).await;
    let died = dies(world, operation).await;
    // Other threads go on for the moment that a process takes to end.
    let last: Vec<String> = world.reached().into_iter().rev().take(5).collect();
    world.disarm();
    world.aside = false;
    if died {
        assert!(last.iter().any(|reached| reached == point), "killed elsewhere: {last:?}");
        operation.restart(world).await;
        if !operation.taken(world).await {
            operation.act(world).await;
        }
    }
    keeps_its_promises(world, operation, since).await;
    died
}

/// Loses the answer of a call in the middle of an operation. False: it never came there this time.
async fn lose(world: &mut World, operation: &mut dyn Operation, point: &str) -> bool {
    let since = SystemTime::now();
    prepare(world, operation, &Harm::Lose.armed(point)).await;
    operation.act(world).await;
    if !operation.taken(world).await {
        operation.act(world).await;
    }
    let left = world.calm().await;
    let reached = world.reached().iter().any(|reached| reached == point);
    world.disarm();
    assert_eq!(left, Vec::<String>::new(), "left over");
    keeps_its_promises(world, operation, since).await;
    reached
}

async fn keeps_its_promises(world: &mut World, operation: &mut dyn Operation, since: SystemTime) {
    let left = world.calm().await;
    assert_eq!(left, Vec::<String>::new(), "left over");
    operation.judge(world).await;
    once_only(world, since).await;
}

/// Waits for the end of what is to be killed, or until nothing moves any more.
async fn dies(world: &mut World, operation: &mut dyn Operation) -> bool {
    let began = Instant::now();
    let mut still = 0;
    while began.elapsed() < REACHED_WITHIN && still < 60 {
        if operation.died(world) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        still = if world.moves().await { 0 } else { still + 1 };
    }
    operation.died(world)
}

/// No release command was started twice since then, as the engine itself saw it.
async fn once_only(world: &World, since: SystemTime) {
    let stamp = |time: SystemTime| {
        let since = time.duration_since(UNIX_EPOCH).unwrap();
        format!("{}.{:09}", since.as_secs(), since.subsec_nanos())
    };
    let filters = [("type", "container"), ("event", "start")].map(|(key, value)| (key.to_owned(), vec![value.to_owned()]));
    let (since, until) = (stamp(since), stamp(SystemTime::now()));
    let options = EventsOptionsBuilder::default().since(&since).until(&until).filters(&filters.into()).build();
    let docker = world.engine.docker();
    let mut events = std::pin::pin!(docker.events(Some(options)));
    let mut started = BTreeSet::new();
    while let Some(Ok(event)) = events.next().await {
        let name = event.actor.and_then(|actor| actor.attributes).and_then(|mut names| names.remove("name")).unwrap_or_default();
        if name.contains("release-") {
            assert!(started.insert(name.clone()), "the release command {name} ran twice");
        }
    }
}
