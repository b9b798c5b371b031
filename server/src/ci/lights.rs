//! “Are you really doing CI?”: three questions about a service, each answered from its own pushes and runs.
//!
//! The questions are those with which Jez Humble asks an audience whether they do continuous integration, as Martin Fowler
//! wrote them down (“Continuous Integration Certification”, martinfowler.com, 2017): does everybody push to a shared
//! mainline at least daily; does each such push start an automated build with tests; when the build breaks, is it usually
//! green again within ten minutes. What is counted for each is said at its function. Whoever pushed is counted and never
//! named, and no team is held against another.

use std::{collections::BTreeSet, time::Duration};

use app::{
    model::{Answered, Fact, Light, Question, RunState, Timestamp},
    said,
};

/// How many days are looked at: four weeks, so that each day of the week counts alike.
pub const DAYS: u32 = 28;
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// How many facts stand behind a light.
const FACTS: usize = 8;

/// A branch that is older than this and not merged is no daily integration any more …
const OLD: u64 = 3;
/// … and one that is older than this the opposite of it.
const VERY_OLD: u64 = 14;
/// The share of days on which work reached the default branch: from here on it does …
const DAILY: f64 = 0.8;
/// … and below this it does not.
const SELDOM: f64 = 0.5;
/// The share of runs that must hold for “each”: one in twenty may be an accident.
const EACH: f64 = 0.95;
/// How soon what mends a red branch is pushed: Humble's ten minutes …
const SOON: Duration = Duration::from_secs(10 * 60);
/// … and what is not soon any more.
const LATE: Duration = Duration::from_secs(3_600);

/// A push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// Who pushed. Only told apart, never told.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Whether to the default branch.
    pub on_default: bool,
}

/// A branch that holds something the default branch does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// Its name.
    pub name: String,
    /// When it was pushed first.
    pub since: Timestamp,
}

/// A run of the default branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Its number.
    pub number: u64,
    /// How it ended.
    pub state: RunState,
    /// When its push was accepted.
    pub pushed_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How many tests it carried out, as far as reports say.
    pub tests: u64,
    /// Whether steps were carried out before the image.
    pub steps: bool,
    /// Whether it made a candidate.
    pub candidate: bool,
}

impl Ran {
    /// Whether it says that the branch is bad. What could not run, or was stopped, says nothing.
    const fn red(&self) -> bool {
        matches!(self.state, RunState::Failed | RunState::TimedOut)
    }

    const fn green(&self) -> bool {
        matches!(self.state, RunState::Passed)
    }
}

fn fact(says: String, run: Option<u64>, at: Option<Timestamp>) -> Fact {
    Fact { says, run, at }
}

fn answered(question: Question, light: Light, why: String, mut evidence: Vec<Fact>) -> Answered {
    evidence.sort_by_key(|fact| std::cmp::Reverse(fact.at));
    evidence.truncate(FACTS);
    Answered { question, light, why, evidence }
}

/// So many of so many, as a share.
#[allow(clippy::cast_precision_loss)]
pub(super) fn share(count: usize, of: usize) -> f64 {
    if of == 0 { 0.0 } else { count as f64 / of as f64 }
}

/// A share in whole per cent.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(super) fn percent(share: f64) -> u64 {
    (share * 100.0).round().clamp(0.0, 100.0) as u64
}

const fn day(at: Timestamp) -> i64 {
    at.0.div_euclid(86_400_000)
}

/// The day as people write it.
fn date(at: Timestamp) -> String {
    at.to_string().get(..10).unwrap_or_default().to_owned()
}

/// Does everybody integrate into the default branch daily?
///
/// Counted are working days of persons: each day (UTC) on which somebody pushed anything. A day counts as integrated where
/// the same person pushed to the default branch on it. Green: 80 % of them, and no branch with something of its own is older
/// than 3 days. Red: less than half, or a branch is older than 14 days. Grey: nobody pushed.
pub fn integrates(branch: &str, pushes: &[Push], branches: &[Branch], now: Timestamp) -> Answered {
    let begin = now.minus(DAY * DAYS);
    let recent = || pushes.iter().filter(|push| push.at >= begin && push.at <= now);
    let worked: BTreeSet<(i64, &str)> = recent().map(|push| (day(push.at), push.by.as_str())).collect();
    let integrated: BTreeSet<(i64, &str)> = recent().filter(|push| push.on_default).map(|push| (day(push.at), push.by.as_str())).collect();
    let age = |one: &Branch| now.since(one.since).as_secs() / DAY.as_secs();
    let mut evidence: Vec<Fact> = branches
        .iter()
        .filter(|one| age(one) > OLD)
        .map(|one| fact(said::ci_branch(&one.name, age(one), branch), None, Some(one.since)))
        .collect();
    for (at, _) in worked.difference(&integrated) {
        let at = Timestamp(at * 86_400_000);
        evidence.push(fact(said::ci_day_apart(date(at), branch), None, Some(at)));
    }
    evidence.dedup();
    let oldest = branches.iter().map(age).max().unwrap_or(0);
    if worked.is_empty() {
        let light = if oldest > VERY_OLD { Light::Red } else { Light::Grey };
        return answered(Question::Integrates, light, said::ci_no_push(DAYS), evidence);
    }
    let daily = share(integrated.len(), worked.len());
    let light = match (daily, oldest) {
        (daily, oldest) if daily < SELDOM || oldest > VERY_OLD => Light::Red,
        (daily, oldest) if daily >= DAILY && oldest <= OLD => Light::Green,
        _ => Light::Amber,
    };
    if let Some(last) = recent().filter(|push| push.on_default).max_by_key(|push| push.at) {
        evidence.push(fact(said::ci_last_push(branch, date(last.at)), None, Some(last.at)));
    }
    let why = said::ci_integrates(percent(daily), integrated.len(), worked.len(), branch);
    answered(Question::Integrates, light, why, evidence)
}

/// Does a suite of tests validate each change?
///
/// Counted are runs of the default branch that let a change through: those that passed, and those that were skipped because
/// the commit asked for it. Green: 95 % of them carried out tests (as their reports say). Amber: 95 % at least carried out
/// steps, and which tests ran is not known. Red: less. Grey: no run. That a red run makes no candidate is not left to
/// anybody; it is shown all the same.
pub fn validates(runs: &[Ran], now: Timestamp) -> Answered {
    let begin = now.minus(DAY * DAYS);
    let recent: Vec<&Ran> = runs.iter().filter(|run| run.pushed_at >= begin).collect();
    let through: Vec<&&Ran> = recent.iter().filter(|run| run.green() || run.state == RunState::Skipped).collect();
    let red = recent.iter().filter(|run| run.red()).count();
    let let_through = recent.iter().filter(|run| run.red() && run.candidate).count();
    let mut evidence: Vec<Fact> = Vec::new();
    for run in &through {
        let says = match (run.state, run.tests, run.steps) {
            (RunState::Skipped, ..) => said::ci_run_skipped(run.number),
            (_, 0, true) => said::ci_run_unknown(run.number),
            (_, 0, false) => said::ci_run_untested(run.number),
            _ => continue,
        };
        evidence.push(fact(says, Some(run.number), Some(run.ended_at)));
    }
    if let Some(run) = through.iter().rev().find(|run| run.tests > 0) {
        evidence.push(fact(said::ci_run_tested(run.number, run.tests), Some(run.number), Some(run.ended_at)));
    }
    if red > 0 {
        let last = recent.iter().rev().find(|run| run.red());
        evidence.push(fact(said::ci_red_stopped(red, let_through), last.map(|run| run.number), last.map(|run| run.ended_at)));
    }
    if through.is_empty() {
        return answered(Question::Validates, Light::Grey, said::ci_no_run(DAYS), evidence);
    }
    let tested = through.iter().filter(|run| run.tests > 0).count();
    let checked = through.iter().filter(|run| run.state == RunState::Passed && (run.steps || run.tests > 0)).count();
    let light = if let_through > 0 {
        Light::Red
    } else if share(tested, through.len()) >= EACH {
        Light::Green
    } else if share(checked, through.len()) >= EACH {
        Light::Amber
    } else {
        Light::Red
    };
    answered(Question::Validates, light, said::ci_validates(tested, through.len()), evidence)
}

/// A stretch in which the default branch was red.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Red {
    /// The run that made it red.
    pub by: u64,
    /// When that run ended.
    pub since: Timestamp,
    /// The runs pushed while it was red that left it so.
    pub onto: Vec<(u64, Timestamp)>,
    /// The run that mended it: its number, when it was pushed, when it ended.
    pub mended: Option<(u64, Timestamp, Timestamp)>,
}

/// The red stretches of a branch, oldest first. `runs` are in the order of their numbers.
pub fn red_stretches(runs: &[Ran]) -> Vec<Red> {
    let mut all: Vec<Red> = Vec::new();
    for run in runs.iter().filter(|run| run.red() || run.green()) {
        let open = all.last_mut().filter(|red| red.mended.is_none());
        match (open, run.red()) {
            (None, true) => all.push(Red { by: run.number, since: run.ended_at, onto: Vec::new(), mended: None }),
            (Some(red), false) => red.mended = Some((run.number, run.pushed_at, run.ended_at)),
            // What was pushed before anybody could know is no push onto red.
            (Some(red), true) if run.pushed_at > red.since => red.onto.push((run.number, run.pushed_at)),
            _ => {}
        }
    }
    all
}

/// Is a broken build fixed first?
///
/// For each time the default branch was red: how long until that was pushed which made it green again (the run of what mends
/// it takes as long as it takes). Green: half of them within ten minutes, nothing else was pushed onto red, and it is not red
/// for longer than that. Red: half take more than an hour, or it has been red for more than an hour. Grey: no run.
pub fn fixes(runs: &[Ran], now: Timestamp) -> Answered {
    let begin = now.minus(DAY * DAYS);
    if !runs.iter().any(|run| run.pushed_at >= begin && (run.red() || run.green())) {
        return answered(Question::Fixes, Light::Grey, said::ci_no_run(DAYS), Vec::new());
    }
    let stretches: Vec<Red> = red_stretches(runs).into_iter().filter(|red| red.mended.is_none_or(|(.., ended)| ended >= begin)).collect();
    let open = stretches.last().filter(|red| red.mended.is_none());
    let took = |red: &Red| red.mended.map(|(_, pushed, _)| pushed.since(red.since));
    let median = median(stretches.iter().filter_map(took).collect());
    let onto: usize = stretches.iter().map(|red| red.onto.len()).sum();
    let mut evidence: Vec<Fact> = Vec::new();
    for red in &stretches {
        for (run, at) in &red.onto {
            evidence.push(fact(said::ci_onto_red(run, red.by), Some(*run), Some(*at)));
        }
        if let (Some((run, ..)), Some(took)) = (red.mended, took(red)) {
            evidence.push(fact(said::ci_mended(red.by, run, minutes(took)), Some(run), Some(red.since)));
        }
    }
    let red_for = open.map(|red| now.since(red.since));
    if let Some(red) = open {
        evidence.push(fact(said::ci_is_red(red.by, minutes(now.since(red.since))), Some(red.by), Some(red.since)));
    }
    let longest = median.max(red_for).unwrap_or_default();
    let light = if longest > LATE {
        Light::Red
    } else if longest <= SOON && onto == 0 {
        Light::Green
    } else {
        Light::Amber
    };
    let why = match (median, red_for) {
        (_, Some(long)) => said::ci_red_now(minutes(long)),
        (None, None) => said::ci_never_red(DAYS),
        (Some(median), None) => said::ci_fixes(stretches.len(), minutes(median), onto),
    };
    answered(Question::Fixes, light, why, evidence)
}

fn minutes(time: Duration) -> u64 {
    time.as_secs().div_ceil(60)
}

/// The middle one; of two in the middle the longer.
pub(super) fn median(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort();
    times.get(times.len() / 2).copied()
}

#[cfg(test)]
mod tests;
