//! The core as a simulation: rollouts, their planner, the keeper and the claims run in a small world of their own, with a
//! clock that is a number and an engine that loses, delays, repeats and hangs. What happens follows from one seed.
//!
//! Every seed has two phases. In the first, chaos: Berths are killed and frozen, instances crash, the engine and the store go
//! away, people deploy, scale and cancel; the rules of [`rules`] hold at every step. In the second, everything heals: within a
//! bound all must be as the last release says. [`crew`] does the same to the queue of runs, by the rules of [`line`], which [`queue`]
//! holds against the real store; [`fleet`] and [`histories`] are on the real store too.

mod chaos;
mod covered;
mod crew;
mod edge;
mod engine;
mod fleet;
mod further;
mod histories;
mod keeper;
mod line;
mod operations;
mod queue;
mod rules;
mod seeds;
mod store;
mod worker;
mod world;

use seeds::Tally;

use crate::support::proof;

/// How many worlds `make test` looks at.
const SEEDS: u64 = 10_000;

#[test]
fn rollouts_keep_their_promises_in_every_world() {
    let began = std::time::Instant::now();
    let t: Tally = seeds::each("rollouts", SEEDS, world::live);
    if t.seeds == 1 {
        return;
    }
    assert!(t.succeeded > 0 && t.failed > 0 && t.cancelled > 0 && t.superseded > 0, "chaos reaches every end: {t:?}");
    let rollouts = t.succeeded + t.failed + t.cancelled + t.superseded;
    let ends = format!("{} succeeded, {} failed, {} cancelled, {} superseded", t.succeeded, t.failed, t.cancelled, t.superseded);
    let chaos = format!("Berth killed or frozen {} times, {} faults, {} crashes", t.halts, t.faults, t.crashes);
    let took = began.elapsed().as_secs();
    proof("simulation", &format!("{} seeds in {took} s: {rollouts} rollouts ({ends}); {chaos}; 0 rules broken, all converged", t.seeds));
}

#[test]
fn the_line_keeps_its_promises_in_every_world() {
    let began = std::time::Instant::now();
    let t: crew::Tally = seeds::each("the_line", SEEDS, crew::live);
    if t.seeds == 1 {
        return;
    }
    assert!(t.all().iter().all(|figure| *figure > 0), "chaos reaches everything: {t:?}");
    let claims = format!("{} runs, {} claims ({} taken over), {} steps waited for room", t.runs, t.claims, t.taken_over, t.waited);
    let halts = format!("{} kills, {} freezes, partitions {} shorter and {} longer than the lease", t.kills, t.freezes, t.short, t.long);
    let ends = format!(
        "{} superseded, {} cancelled, {} lost after their last attempt, {} timed out, {} late writes refused",
        t.superseded, t.cancelled, t.lost, t.timed_out, t.refused
    );
    let broken = "double executions that count: 0, limits broken: 0, unfair: 0, lost: 0, all ended";
    let took = began.elapsed().as_secs();
    proof(
        "queue, simulated",
        &format!("{} seeds in {took} s: {claims}; {halts}, {} clocks moved by 1 h; {ends}; {broken}", t.seeds, t.moved),
    );
}
