//! Histories, and the lights they give.

use super::*;

const NOW: Timestamp = Timestamp(1_795_000_000_000);

fn ago(minutes: u64) -> Timestamp {
    NOW.minus(Duration::from_secs(minutes * 60))
}

fn days(days: u64) -> Timestamp {
    ago(days * 24 * 60)
}

/// Runs in order: state, minutes ago it was pushed, minutes it took, tests, steps.
fn runs(all: &[(RunState, u64, u64, u64, bool)]) -> Vec<Ran> {
    let one = |(at, (state, pushed, took, tests, steps)): (usize, &(RunState, u64, u64, u64, bool))| Ran {
        number: at as u64 + 1,
        state: *state,
        pushed_at: ago(*pushed),
        ended_at: ago(pushed - took),
        tests: *tests,
        steps: *steps,
        candidate: *state == RunState::Passed,
    };
    all.iter().enumerate().map(one).collect()
}

use RunState::{Cancelled, Errored, Failed, Passed, Skipped, TimedOut};

#[test]
fn work_that_reaches_the_default_branch_daily() {
    let push = |by: &str, at: u64, on_default: bool| Push { by: by.into(), at: days(at), on_default };
    let branch = |age: u64| Branch { name: "topic".into(), since: days(age) };
    #[rustfmt::skip]
    let table: Vec<(&str, Vec<Push>, Vec<Branch>, Light)> = vec![
        ("nobody pushed", vec![], vec![], Light::Grey),
        ("long ago", vec![push("a", 40, true)], vec![], Light::Grey),
        ("a branch nobody touches", vec![], vec![branch(30)], Light::Red),
        ("daily", (0..10).map(|at| push("a", at, true)).collect(), vec![], Light::Green),
        ("daily, by way of branches", (0..10).flat_map(|at| [push("a", at, false), push("a", at, true)]).collect(), vec![branch(1)], Light::Green),
        ("four days of five", vec![push("a", 1, true), push("a", 2, true), push("a", 3, true), push("a", 4, true), push("a", 5, false)], vec![], Light::Green),
        ("two days of three", vec![push("a", 1, true), push("a", 2, true), push("a", 3, false)], vec![], Light::Amber),
        ("one day of three", vec![push("a", 1, true), push("a", 2, false), push("a", 3, false)], vec![], Light::Red),
        ("one of two people", vec![push("a", 1, true), push("b", 1, false)], vec![], Light::Amber),
        ("one of three people", vec![push("a", 1, true), push("b", 1, false), push("c", 1, false)], vec![], Light::Red),
        ("a branch of a week", vec![push("a", 1, true)], vec![branch(1), branch(7)], Light::Amber),
        ("a branch of three weeks", vec![push("a", 1, true)], vec![branch(21)], Light::Red),
    ];
    for (what, pushes, branches, light) in &table {
        let found = integrates("main", pushes, branches, NOW);
        assert_eq!(found.light, *light, "{what}: {}", found.why);
        let named = found.evidence.iter().any(|fact| ["a ", "b ", "c "].iter().any(|who| fact.says.starts_with(who)));
        assert!(!named && !found.why.is_empty(), "{what}");
    }
    println!("proof  integrates daily: {} histories, 0 wrong", table.len());
}

/// What it is called, its runs, and the light they come to.
type History<'a> = (&'a str, &'a [(RunState, u64, u64, u64, bool)], Light);

#[test]
fn tests_that_validate_each_change() {
    #[rustfmt::skip]
    let table: &[History<'_>] = &[
        ("no run", &[], Light::Grey),
        ("long ago", &[(Passed, 60_000, 5, 9, true)], Light::Grey),
        ("only red ones", &[(Failed, 100, 5, 9, true)], Light::Grey),
        ("tested", &[(Passed, 100, 5, 9, true), (Passed, 50, 5, 9, true)], Light::Green),
        ("tested, and a red one", &[(Passed, 100, 5, 9, true), (Failed, 50, 5, 0, true)], Light::Green),
        ("steps, and nobody knows which tests", &[(Passed, 100, 5, 0, true)], Light::Amber),
        ("half of them", &[(Passed, 100, 5, 9, true), (Passed, 50, 5, 0, true)], Light::Amber),
        ("no steps at all", &[(Passed, 100, 5, 0, false)], Light::Red),
        ("one without steps", &[(Passed, 100, 5, 9, true), (Passed, 50, 5, 0, false)], Light::Red),
        ("left out on request", &[(Passed, 100, 5, 9, true), (Skipped, 50, 0, 0, false)], Light::Red),
        ("could not run", &[(Passed, 100, 5, 9, true), (Errored, 50, 1, 0, true), (Cancelled, 40, 1, 0, true)], Light::Green),
    ];
    for (what, history, light) in table {
        let found = validates(&runs(history), NOW);
        assert_eq!(found.light, *light, "{what}: {}", found.why);
    }
    // One in twenty may be an accident.
    let mut many: Vec<_> = (0..20).map(|at| (Passed, 1_000 - at * 10, 5, if at == 7 { 0 } else { 3 }, true)).collect();
    assert_eq!(validates(&runs(&many), NOW).light, Light::Green);
    many[8].3 = 0;
    assert_eq!(validates(&runs(&many), NOW).light, Light::Amber);
    let mut leak = runs(&[(Passed, 100, 5, 9, true), (Failed, 50, 5, 9, true)]);
    leak[1].candidate = true;
    assert_eq!(validates(&leak, NOW).light, Light::Red);
    println!("proof  tests validate: {} histories, 0 wrong", table.len() + 3);
}

#[test]
fn red_that_is_fixed_first() {
    #[rustfmt::skip]
    let table: &[History<'_>] = &[
        ("no run", &[], Light::Grey),
        ("only what could not run", &[(Errored, 50, 5, 0, true)], Light::Grey),
        ("never red", &[(Passed, 500, 5, 9, true)], Light::Green),
        ("mended in five minutes", &[(Failed, 500, 5, 9, true), (Passed, 490, 5, 9, true)], Light::Green),
        ("mended by a long run", &[(Failed, 500, 5, 9, true), (Passed, 490, 300, 9, true)], Light::Green),
        ("mended in half an hour", &[(Failed, 500, 5, 9, true), (Passed, 465, 5, 9, true)], Light::Amber),
        ("mended in two hours", &[(TimedOut, 500, 5, 9, true), (Passed, 370, 5, 9, true)], Light::Red),
        ("half of them soon", &[(Failed, 900, 5, 9, true), (Passed, 890, 5, 9, true), (Failed, 800, 5, 9, true), (Passed, 790, 5, 9, true), (Failed, 700, 5, 9, true), (Passed, 500, 5, 9, true)], Light::Green),
        ("something else pushed onto red", &[(Failed, 500, 5, 9, true), (Failed, 493, 3, 9, true), (Passed, 489, 5, 9, true)], Light::Amber),
        ("pushed before one could know", &[(Failed, 500, 20, 9, true), (Failed, 490, 5, 9, true), (Passed, 478, 5, 9, true)], Light::Green),
        ("red for a moment", &[(Passed, 500, 5, 9, true), (Failed, 12, 5, 9, true)], Light::Green),
        ("red for half an hour", &[(Passed, 500, 5, 9, true), (Failed, 40, 5, 9, true)], Light::Amber),
        ("red since yesterday", &[(Passed, 5_000, 5, 9, true), (Failed, 1_500, 5, 9, true)], Light::Red),
        ("cancelled in between", &[(Failed, 500, 5, 9, true), (Cancelled, 494, 1, 0, true), (Passed, 490, 5, 9, true)], Light::Green),
        ("red since long before", &[(Failed, 60_000, 5, 9, true), (Passed, 100, 5, 9, true)], Light::Red),
    ];
    for (what, history, light) in table {
        let found = fixes(&runs(history), NOW);
        assert_eq!(found.light, *light, "{what}: {}", found.why);
    }
    println!("proof  red fixed first: {} histories, 0 wrong", table.len());
}

#[test]
fn evidence_is_short_and_newest_first() {
    let many: Vec<_> = (0..200).map(|at| (if at % 2 == 0 { Failed } else { Passed }, 9_000 - at * 20, 5, 0, true)).collect();
    let found = fixes(&runs(&many), NOW);
    assert_eq!(found.evidence.len(), FACTS);
    assert!(found.evidence.windows(2).all(|pair| pair[0].at >= pair[1].at));
    assert_eq!(red_stretches(&runs(&many)).len(), 100);
}
