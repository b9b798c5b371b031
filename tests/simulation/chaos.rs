//! What goes wrong, and what people ask for meanwhile.

use rand::Rng as _;

use super::{
    engine::Fate,
    store::{Asked, Ms},
    world::World,
};

impl World {
    /// One thing goes wrong, or a person asks for something.
    pub(super) fn trouble(&mut self) {
        let now = self.place.now;
        self.chaos_at = now + self.place.rng.random_range(50..6_000);
        let long: Ms = if self.place.rng.random_ratio(1, 6) { 100_000 } else { 12_000 };
        let until = now + self.place.rng.random_range(1..long);
        let which = self.place.rng.random_range(0..self.workers.len());
        match self.place.rng.random_range(0..12) {
            0 | 1 => {
                self.place.tally.halts += 1;
                self.place.tell(|| format!("Berth {which} is killed until {until}"));
                self.workers[which].kill(until);
                self.keepers[which].kill(until);
                self.starts[which] = until;
                self.place.edge.forget();
            }
            2 => {
                self.place.tally.halts += 1;
                self.place.tell(|| format!("Berth {which} is frozen until {until}"));
                self.workers[which].freeze(until);
                self.keepers[which].freeze(until);
            }
            3 => {
                self.place.tell(|| format!("the store is away until {until}"));
                self.place.store.down_until = until;
                self.place.engine.faults += 1;
            }
            4 => {
                self.place.tell(|| format!("the engine hangs until {until}"));
                self.place.engine.hung_until = until;
            }
            5 => {
                self.place.tell(|| format!("the engine is gone until {until}"));
                self.place.engine.gone_until = until;
                self.place.engine.faults += 1;
                if self.place.rng.random() {
                    let all: Vec<u64> = self.place.engine.copies.iter().map(|copy| copy.uid).collect();
                    all.into_iter().for_each(|uid| self.crash(uid));
                }
            }
            6 | 7 => {
                let count = self.place.engine.copies.len();
                if count > 0 {
                    let uid = self.place.engine.copies[self.place.rng.random_range(0..count)].uid;
                    self.crash(uid);
                    // Some are not only ended but taken away, by hand or with the disk.
                    if self.place.rng.random_ratio(1, 3) {
                        self.place.engine.copies.retain(|copy| copy.uid != uid);
                    }
                }
            }
            8 => {
                self.place.tell(|| "the newest rollout is cancelled".to_owned());
                self.place.store.cancel();
            }
            _ => self.ask(),
        }
    }

    fn crash(&mut self, uid: u64) {
        let now = self.place.now;
        let Some(copy) = self.place.engine.by_uid(uid).filter(|copy| copy.runs()) else { return };
        let which = format!("{} of {}", server::rollout::plan::Slot::of(&copy.id), copy.id.release);
        self.place.tally.crashes += 1;
        self.place.tell(|| format!("{which} crashes"));
        self.place.engine.end(now, uid);
        self.place.rules.ended_by_itself(uid);
    }

    /// A person deploys, scales, changes variables, or rolls back.
    pub(super) fn ask(&mut self) {
        let rng = &mut self.place.rng;
        let serves = self.place.store.serves();
        let (web, worker) = (rng.random_range(0..4), rng.random_range(0..2));
        let asked = match (rng.random_range(0..10), serves) {
            // Scaled: same image and variables.
            (0..=2, Some(serves)) => {
                Asked { image: serves.image.clone(), config: serves.config_number, command: serves.shape.release.is_some(), web, worker }
            }
            // Other variables.
            (3, Some(serves)) => Asked {
                image: serves.image.clone(),
                config: self.place.store.releases.len() as u64,
                command: serves.shape.release.is_some(),
                web,
                worker,
            },
            _ => {
                let fate = ["crashes", "deaf", "flaps", "refused", "good", "good", "good", "good"][rng.random_range(0..8)];
                let image = format!("{fate}-{}", self.place.store.releases.len());
                Asked { image, config: 0, command: rng.random_ratio(1, 3), web: web.max(1), worker: 0 }
            }
        };
        let number = self.place.store.ask(&asked);
        self.place.tell(|| format!("release {number} is asked for: {} web of {} with config {}", asked.web, asked.image, asked.config));
    }

    /// From here on nothing goes wrong any more, and one good release is asked for.
    pub(super) fn heal(&mut self) {
        self.healing = true;
        self.place.tell(|| "from here on nothing goes wrong any more".to_owned());
        let now = self.place.now;
        let engine = &mut self.place.engine;
        (engine.trouble, engine.gone_until, self.place.store.down_until) = (0, now, now);
        engine.hung_until = engine.hung_until.min(now + 5_000);
        let serves = self.place.store.serves().is_some_and(|release| Fate::of(&release.image) == Fate::Good);
        if !serves || self.place.rng.random() {
            let image = format!("good-{}", self.place.store.releases.len());
            let (web, worker) = (self.place.rng.random_range(1..4), self.place.rng.random_range(0..2));
            let last = self.place.store.ask(&Asked { image, config: 0, command: false, web, worker });
            self.place.tell(|| format!("release {last} is asked for, the last one"));
            self.last = Some(last);
        }
    }
}
