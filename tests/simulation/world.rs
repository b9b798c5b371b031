//! The world: what there is, who acts next, and how long it lives.

use std::time::{Duration, Instant};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use super::{
    edge::Edge,
    engine::{Engine, Event, Fate},
    keeper::Keeper,
    rules::Rules,
    seeds::{Life, Tally},
    store::{Ms, Store, slots},
    worker::Worker,
};

/// How long things go wrong.
const CHAOS: std::ops::Range<Ms> = 20_000..180_000;
/// Within this time after that everything must be as it should: a lease that must run out, a rollout with its deadline and
/// drain, another one behind it, and the keeper's looks.
const CONVERGES_WITHIN: Ms = 600_000;

/// What those who act share.
pub(super) struct Place {
    pub(super) now: Ms,
    pub(super) rng: StdRng,
    pub(super) store: Store,
    pub(super) engine: Engine,
    pub(super) edge: Edge,
    pub(super) rules: Rules,
    pub(super) tally: Tally,
    began: Instant,
    story: Option<Vec<String>>,
}

impl Place {
    /// Whether the store answers.
    pub(super) fn up(&self) -> bool {
        self.now >= self.store.down_until
    }

    /// Now, for what reckons in instants.
    pub(super) fn instant(&self) -> Instant {
        self.began + Duration::from_millis(self.now)
    }

    /// Adds to the story, if it is told.
    pub(super) fn tell(&mut self, what: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            story.push(format!("{:>8} ms  {}", self.now, what()));
        }
    }
}

/// A world with two Berths.
pub(super) struct World {
    pub(super) place: Place,
    pub(super) workers: [Worker; 2],
    pub(super) keepers: [Keeper; 2],
    /// When a killed Berth starts again.
    pub(super) starts: [Ms; 2],
    pub(super) chaos_at: Ms,
    pub(super) healing: bool,
    /// The last release asked for.
    pub(super) last: Option<u64>,
}

/// Who acts next.
enum Actor {
    Engine,
    Start(usize),
    Worker(usize),
    Holder(usize),
    Keeper(usize),
    Edge,
    Chaos,
}

/// Lives through one world.
pub(super) fn live(seed: u64, tell: bool) -> Life {
    let mut rng = StdRng::seed_from_u64(seed);
    let heals_at = rng.random_range(CHAOS);
    let mut engine = Engine::new();
    engine.trouble = [0, 20, 150][rng.random_range(0..3)];
    let place = Place {
        now: 0,
        rng,
        store: Store::new(),
        engine,
        edge: Edge::new(),
        rules: Rules::default(),
        tally: Tally { seeds: 1, ..Tally::default() },
        began: Instant::now(),
        story: tell.then(Vec::new),
    };
    let mut world = World {
        place,
        workers: [Worker::new("Berth 0"), Worker::new("Berth 1")],
        keepers: [Keeper::new("Berth 0"), Keeper::new("Berth 1")],
        starts: [Ms::MAX; 2],
        chaos_at: 20_000,
        healing: false,
        last: None,
    };
    world.ask();
    let result = world.run(heals_at);
    let mut tally = world.place.tally;
    tally.faults = world.place.engine.faults;
    Life { result: result.map(|()| tally), story: world.place.story.unwrap_or_default() }
}

impl World {
    fn run(&mut self, heals_at: Ms) -> Result<(), String> {
        loop {
            let (at, actor) = self.next();
            self.place.now = self.place.now.max(at);
            if !self.healing && self.place.now >= heals_at {
                self.heal();
            }
            match actor {
                Actor::Engine => {
                    if let Some((_, event)) = self.place.engine.due.pop_first() {
                        self.happen(event);
                    }
                }
                Actor::Start(which) => {
                    self.starts[which] = Ms::MAX;
                    let name = self.workers[which].name.clone();
                    if self.place.up() {
                        self.place.store.release_held_by(&name);
                    }
                }
                Actor::Worker(which) => self.workers[which].step(&mut self.place),
                Actor::Holder(which) => self.workers[which].hold(&mut self.place),
                Actor::Keeper(which) => self.keepers[which].step(&mut self.place),
                Actor::Edge => {
                    let Place { now, rng, store, engine, edge, .. } = &mut self.place;
                    edge.refresh(*now, rng, store, engine);
                }
                Actor::Chaos if self.healing => {}
                Actor::Chaos => self.trouble(),
            }
            let Place { rules, store, engine, .. } = &mut self.place;
            rules.look(store, engine);
            if let Some(rule) = rules.broken.take() {
                return Err(rule);
            }
            if self.healing {
                let wrong = self.unlike();
                match wrong {
                    None => return Ok(()),
                    Some(wrong) if self.place.now > heals_at + CONVERGES_WITHIN => {
                        return Err(format!("not as it should be {} s after everything healed: {wrong}", CONVERGES_WITHIN / 1_000));
                    }
                    Some(_) => {}
                }
            }
        }
    }

    fn happen(&mut self, event: Event) {
        if let Event::Ends(uid) = event {
            self.place.rules.ended_by_itself(uid);
        }
        let Place { now, rng, engine, .. } = &mut self.place;
        engine.happen(*now, rng, event);
    }

    fn next(&self) -> (Ms, Actor) {
        let engine = self.place.engine.due.first_key_value().map_or(Ms::MAX, |((at, _), _)| *at);
        let chaos = if self.healing { Ms::MAX } else { self.chaos_at };
        let mut first = (engine, Actor::Engine);
        let mut or = |at: Ms, actor: Actor| {
            if at < first.0 {
                first = (at, actor);
            }
        };
        or(self.place.edge.at, Actor::Edge);
        or(chaos, Actor::Chaos);
        for which in 0..self.workers.len() {
            or(self.starts[which], Actor::Start(which));
            or(self.workers[which].at, Actor::Worker(which));
            or(self.workers[which].hold_at, Actor::Holder(which));
            or(self.keepers[which].at, Actor::Keeper(which));
        }
        first
    }

    /// What is not as the last release says, if anything.
    fn unlike(&self) -> Option<String> {
        let Place { store, engine, edge, .. } = &self.place;
        if store.moving() {
            return Some("a rollout is under way".to_owned());
        }
        if store.wanted != store.serving {
            return Some("another release is wanted than serves".to_owned());
        }
        let Some(release) = store.serves() else { return Some("nothing serves".to_owned()) };
        if self.last.is_some_and(|last| last != release.number) || Fate::of(&release.image) != Fate::Good {
            return Some(format!("release {} serves, {:?} was asked for last", release.number, self.last));
        }
        let slots = slots(release);
        let kept = |copy: &super::engine::Copy| {
            copy.runs() && copy.id.release == release.generation && slots.contains(&server::rollout::plan::Slot::of(&copy.id))
        };
        if engine.copies.len() != slots.len() || !engine.copies.iter().all(kept) {
            let there: Vec<_> = engine.copies.iter().map(|copy| (copy.id.release, &copy.id.process, copy.id.slot, &copy.state)).collect();
            return Some(format!("{} instances should run; there are {there:?}", slots.len()));
        }
        let web = engine.copies.iter().filter(|copy| copy.id.process == "web");
        let routed = |table: &[server::store::backends::BackendRow]| {
            web.clone().all(|copy| {
                table.iter().any(|row| {
                    (row.release, row.slot) == (copy.id.release, copy.id.slot)
                        && row.address.ip() == copy.address
                        && row.draining_since.is_none()
                })
            }) && table.len() == web.clone().count()
        };
        (!routed(&store.backends) || !routed(&edge.table)).then(|| format!("the edge leads elsewhere: {:?}", store.backends))
    }
}
