//! The tests of a step against those of the default branch, and against other tries of the same commit.

use std::collections::HashMap;

use app::model::{TestCase, TestChange, TestCounts, TestOutcome, TestReport};

use super::{
    junit::Case,
    kept::{self, Kept},
};

/// How many failures of a step are told one by one …
const FAILING: usize = 200;
/// … of what was mended and what is new …
const OTHERS: usize = 50;
/// … and of what takes longest.
const SLOWEST: usize = 10;
/// How many tests of a step are caught giving both results.
const FLIPPED: usize = 200;

/// A test by its names.
type Named<'a> = (&'a str, &'a str);

/// What each test came to. Tests of the same name are one: it failed if one of them did, and passed if one did.
fn outcomes(tests: &[Kept]) -> HashMap<Named<'_>, TestOutcome> {
    let weight = |outcome: TestOutcome| match outcome {
        TestOutcome::Failed => 2,
        TestOutcome::Passed => 1,
        TestOutcome::Skipped => 0,
    };
    let mut all = HashMap::with_capacity(tests.len());
    for test in tests {
        let known = all.entry((test.suite.as_str(), test.name.as_str())).or_insert(test.outcome);
        if weight(test.outcome) > weight(*known) {
            *known = test.outcome;
        }
    }
    all
}

/// How a test differs from the default branch's.
const fn change(now: TestOutcome, before: Option<TestOutcome>) -> Option<TestChange> {
    match (now, before) {
        (TestOutcome::Failed, Some(TestOutcome::Failed)) => Some(TestChange::Still),
        (TestOutcome::Failed, _) => Some(TestChange::New),
        (TestOutcome::Passed, Some(TestOutcome::Failed)) => Some(TestChange::Fixed),
        _ => None,
    }
}

/// What the tests of a step said; `before` are those of the default branch, with their run.
pub fn report(step: &str, cases: &[Case], before: Option<(u64, &[Kept])>) -> TestReport {
    let known = before.map(|(_, tests)| outcomes(tests));
    let mut report = TestReport { compared_with: before.map(|(run, _)| run), ..TestReport::default() };
    let mut failing = Vec::new();
    for case in cases {
        let there = known.as_ref().map(|known| known.get(&(case.suite.as_str(), case.name.as_str())).copied());
        let change = there.and_then(|there| change(case.outcome, there));
        let added = there == Some(None);
        count(&mut report.counts, case, change, added);
        let shown = || shown(step, case, change);
        if case.outcome == TestOutcome::Failed {
            failing.push((case, change));
        }
        if change == Some(TestChange::Fixed) {
            keep(&mut report.fixed, OTHERS, shown);
        }
        if added {
            keep(&mut report.added, OTHERS, shown);
        }
    }
    failing.sort_by_key(|(_, change)| *change == Some(TestChange::Still));
    report.failing = failing.into_iter().take(FAILING).map(|(case, change)| shown(step, case, change)).collect();
    let mut slow: Vec<&Case> = cases.iter().filter(|case| case.took_ms > 0).collect();
    slow.sort_by_key(|case| std::cmp::Reverse(case.took_ms));
    report.slowest = slow.into_iter().take(SLOWEST).map(|case| shown(step, case, None)).collect();
    sort(&mut report);
    report
}

fn count(counts: &mut TestCounts, case: &Case, change: Option<TestChange>, added: bool) {
    match case.outcome {
        TestOutcome::Passed => counts.passed += 1,
        TestOutcome::Failed => counts.failed += 1,
        TestOutcome::Skipped => counts.skipped += 1,
    }
    match change {
        Some(TestChange::New) => counts.new += 1,
        Some(TestChange::Still) => counts.still += 1,
        Some(TestChange::Fixed) => counts.fixed += 1,
        None => {}
    }
    counts.added += u64::from(added);
    counts.took_ms += case.took_ms;
}

fn keep(list: &mut Vec<TestCase>, most: usize, case: impl FnOnce() -> TestCase) {
    if list.len() < most {
        list.push(case());
    }
}

fn shown(step: &str, case: &Case, change: Option<TestChange>) -> TestCase {
    TestCase {
        id: kept::id(&case.suite, &case.name),
        step: step.to_owned(),
        suite: case.suite.clone(),
        name: case.name.clone(),
        outcome: case.outcome,
        took_ms: case.took_ms,
        change,
        flaky: case.flaky,
        muted_until: None,
        message: case.message.clone(),
        output: case.output.clone(),
    }
}

/// New failures first, then the others; each in the order of their report. The slowest by their time.
fn sort(report: &mut TestReport) {
    report.failing.sort_by_key(|case| (case.muted_until.is_some(), case.change == Some(TestChange::Still)));
    report.slowest.sort_by_key(|case| std::cmp::Reverse(case.took_ms));
    report.slowest.truncate(SLOWEST);
}

/// What the tests of several steps said together. `about` says of a test whether it is flaky, and until when it is muted.
pub fn together(
    reports: impl IntoIterator<Item = TestReport>,
    about: impl Fn(&str) -> Option<Option<app::model::Timestamp>>,
) -> TestReport {
    let mut all = reports.into_iter().fold(TestReport::default(), |mut all, one| {
        let (sum, add) = (&mut all.counts, one.counts);
        sum.passed += add.passed;
        sum.failed += add.failed;
        sum.skipped += add.skipped;
        sum.took_ms += add.took_ms;
        sum.new += add.new;
        sum.still += add.still;
        sum.fixed += add.fixed;
        sum.added += add.added;
        all.compared_with = all.compared_with.max(one.compared_with);
        all.failing.extend(one.failing);
        all.fixed.extend(one.fixed);
        all.added.extend(one.added);
        all.slowest.extend(one.slowest);
        all
    });
    for case in all.failing.iter_mut().chain(&mut all.fixed).chain(&mut all.added).chain(&mut all.slowest) {
        if let Some(muted_until) = about(&case.id) {
            case.flaky = true;
            case.muted_until = muted_until;
        }
    }
    sort(&mut all);
    all
}

/// The tests that gave both results for one commit: here and in another try, or as their runner says itself.
pub fn flipped<'c>(cases: &'c [Case], mine: &[Kept], others: &[Vec<Kept>]) -> Vec<&'c Case> {
    let mine = outcomes(mine);
    let others: Vec<_> = others.iter().map(|other| outcomes(other)).collect();
    let both = |case: &Case| {
        let name = (case.suite.as_str(), case.name.as_str());
        let opposite = match mine.get(&name) {
            Some(TestOutcome::Failed) => TestOutcome::Passed,
            Some(TestOutcome::Passed) => TestOutcome::Failed,
            _ => return false,
        };
        others.iter().any(|other| other.get(&name) == Some(&opposite))
    };
    let mut seen = std::collections::HashSet::new();
    let caught = cases.iter().filter(|case| case.flaky || both(case));
    caught.filter(|case| seen.insert((case.suite.as_str(), case.name.as_str()))).take(FLIPPED).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(name: &str, outcome: TestOutcome) -> Case {
        Case { suite: "s".into(), name: name.into(), outcome, took_ms: 10, flaky: false, message: None, output: Vec::new() }
    }

    fn kept(name: &str, outcome: TestOutcome) -> Kept {
        Kept::from(&case(name, outcome))
    }

    use TestOutcome::{Failed, Passed, Skipped};

    #[test]
    fn each_test_is_held_against_the_default_branch() {
        #[rustfmt::skip]
        let table = [
            // there, here, how it differs, whether it is new there
            (Some(Passed), Passed, None, false),
            (Some(Passed), Failed, Some(TestChange::New), false),
            (Some(Passed), Skipped, None, false),
            (Some(Failed), Passed, Some(TestChange::Fixed), false),
            (Some(Failed), Failed, Some(TestChange::Still), false),
            (Some(Failed), Skipped, None, false),
            (Some(Skipped), Passed, None, false),
            (Some(Skipped), Failed, Some(TestChange::New), false),
            (Some(Skipped), Skipped, None, false),
            (None, Passed, None, true),
            (None, Failed, Some(TestChange::New), true),
            (None, Skipped, None, true),
        ];
        for (there, here, expected, added) in table {
            let before: Vec<Kept> = there.map(|outcome| kept("a", outcome)).into_iter().collect();
            let found = report("fast/unit", &[case("a", here)], Some((7, &before)));
            let counts = found.counts;
            let counted = match (counts.new, counts.still, counts.fixed) {
                (1, 0, 0) => Some(TestChange::New),
                (0, 1, 0) => Some(TestChange::Still),
                (0, 0, 1) => Some(TestChange::Fixed),
                _ => None,
            };
            assert_eq!((counted, counts.added == 1), (expected, added), "{there:?} → {here:?}");
            assert_eq!(found.failing.len() as u64, counts.failed);
            assert_eq!(found.compared_with, Some(7));
        }
        println!("proof  against the default branch: {} cases, 0 wrong", table.len());
    }

    #[test]
    fn with_nothing_to_compare_with_nothing_is_new() {
        let found = report("fast/unit", &[case("a", Failed), case("b", Passed)], None);
        assert_eq!((found.counts.new, found.counts.added, found.counts.failed, found.compared_with), (0, 0, 1, None));
        assert_eq!(found.failing[0].change, None);
    }

    #[test]
    fn new_failures_come_first_muted_ones_last_and_lists_are_short() {
        let cases: Vec<Case> = (0..900).map(|at| case(&format!("t{at}"), Failed)).collect();
        let before: Vec<Kept> = (0..100).map(|at| kept(&format!("t{at}"), Failed)).collect();
        let found = report("fast/unit", &cases, Some((1, &before)));
        assert_eq!((found.counts.failed, found.counts.new, found.counts.still), (900, 800, 100));
        assert_eq!((found.failing.len(), found.added.len(), found.slowest.len()), (FAILING, OTHERS, SLOWEST));
        assert_eq!((found.failing[0].name.as_str(), found.failing[199].name.as_str()), ("t100", "t299"));
        let muted = kept::id("s", "t100");
        let all = together([found.clone(), found], |id| (id == muted).then_some(Some(app::model::Timestamp(5))));
        assert_eq!((all.counts.failed, all.slowest.len()), (1_800, SLOWEST));
        let last = all.failing.last().unwrap();
        assert!(last.flaky && last.muted_until.is_some() && last.name == "t100", "{last:?}");
        assert!(all.failing[0].muted_until.is_none());
    }

    #[test]
    fn a_test_with_both_results_for_a_commit_is_caught() {
        type Caught<'a> = (&'a [TestOutcome], &'a [&'a [TestOutcome]], bool);
        #[rustfmt::skip]
        let table: [Caught<'_>; 8] = [
            (&[Passed], &[], false),
            (&[Passed], &[&[Passed]], false),
            (&[Passed], &[&[Failed]], true),
            (&[Failed], &[&[Passed]], true),
            (&[Failed], &[&[Failed], &[Passed]], true),
            (&[Skipped], &[&[Failed]], false),
            (&[Failed], &[&[Skipped]], false),
            // Two of one name in one report are two tests, and no flip.
            (&[Failed, Passed], &[&[Failed, Passed]], false),
        ];
        for (here, there, expected) in table {
            let cases: Vec<Case> = here.iter().map(|outcome| case("a", *outcome)).collect();
            let mine: Vec<Kept> = cases.iter().map(Kept::from).collect();
            let others: Vec<Vec<Kept>> = there.iter().map(|one| one.iter().map(|outcome| kept("a", *outcome)).collect()).collect();
            assert_eq!(!flipped(&cases, &mine, &others).is_empty(), expected, "{here:?} {there:?}");
        }
        let told = Case { flaky: true, ..case("a", Passed) };
        assert_eq!(flipped(std::slice::from_ref(&told), &[], &[]).len(), 1);
    }
}
