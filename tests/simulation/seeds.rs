//! Looks at many worlds on every core. A seed that breaks a rule is lived through again with its story told.

use std::{
    fmt::Debug,
    ops::AddAssign,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicU64, Ordering},
};

/// What happened in one world, or in all of them.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) seeds: u64,
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    pub(super) cancelled: u64,
    pub(super) superseded: u64,
    pub(super) halts: u64,
    pub(super) faults: u64,
    pub(super) crashes: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.cancelled += other.cancelled;
        self.superseded += other.superseded;
        self.halts += other.halts;
        self.faults += other.faults;
        self.crashes += other.crashes;
    }
}

/// What a world came to: what happened, or which rule was broken; and its story, if that was asked for.
pub(super) struct Life<T = Tally> {
    pub(super) result: Result<T, String>,
    pub(super) story: Vec<String>,
}

/// Lives through `count` worlds, or the one that `BERTH_SEED` names. Panics with the first seed that breaks a rule, its story
/// and the command that repeats it.
pub(super) fn each<T>(name: &str, count: u64, live: fn(seed: u64, tell: bool) -> Life<T>) -> T
where
    T: AddAssign + Debug + Default + Send,
{
    if let Some(seed) = std::env::var("BERTH_SEED").ok().and_then(|seed| seed.parse().ok()) {
        let life = live(seed, true);
        println!("{}", life.story.join("\n"));
        return life.result.unwrap_or_else(|rule| panic!("seed {seed}: {rule}"));
    }
    let (next, worst) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let mut tally = T::default();
    std::thread::scope(|scope| {
        let work = || {
            let mut mine = T::default();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= count.min(worst.load(Ordering::Relaxed)) {
                    return mine;
                }
                // A panic is a broken rule too; its sentence is told when the seed is lived through again.
                match catch_unwind(AssertUnwindSafe(|| live(seed, false).result)) {
                    Ok(Ok(life)) => mine += life,
                    Ok(Err(_)) | Err(_) => _ = worst.fetch_min(seed, Ordering::Relaxed),
                }
            }
        };
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        threads.into_iter().for_each(|thread| tally += thread.join().unwrap());
    });
    let worst = worst.into_inner();
    if worst < count {
        let life = live(worst, true);
        let story = life.story.join("\n");
        let rule = life.result.expect_err("what happens follows from the seed");
        panic!("{story}\n\nseed {worst}: {rule}\nagain: BERTH_SEED={worst} .ci/test --no-capture simulation::{name}");
    }
    tally
}
