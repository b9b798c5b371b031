//! What steps leave, on the platform in memory: reports that become results, files that are kept, and what hostile ones come to.

use std::time::Duration;

use app::model::{Mute, RetryFrom, Run, RunState, Scope, TestChange, TestReport};
use server::{
    clock,
    platform::{
        PlatformError,
        fake::{Fault, Leaves, Script, Verb},
    },
    store::{Query as _, artifacts},
};

use crate::{
    git::{Copy, harbour, token},
    support::{
        berth::{Harbour, service, team, within},
        proof,
    },
};

/// How long a run takes at most.
const SOON: Duration = Duration::from_secs(20);

const FILE: &str = "version: 1
services:
  hello:
    stages:
      - name: fast
        steps:
          - { name: unit, image: shell, run: [\"make test\"], junit: \"out/*.xml\", artifacts: [\"out/**/*.log\", \"dist/app\"], env: { API_KEY: hunter2hunter2 } }
";

/// A report of these tests: their names, and whether they pass.
fn report(tests: &[(&str, bool)]) -> String {
    let one = |(name, passes): &(&str, bool)| {
        let failure = if *passes { "" } else { "<failure message=\"it is 4\">expected 5\nat line 7</failure>" };
        format!("<testcase classname=\"shop\" name=\"{name}\" time=\"0.25\">{failure}</testcase>")
    };
    format!("<testsuites><testsuite name=\"s\">{}</testsuite></testsuites>", tests.iter().map(one).collect::<String>())
}

async fn tests(harbour: &Harbour, number: u64) -> TestReport {
    harbour.berth.backend.ci.tests(&harbour.owner, &team(), &service(), number).await.unwrap()
}

/// Says what steps leave from now on, and pushes; waits for the run.
async fn push(harbour: &Harbour, copy: &Copy, number: u64, code: i64, leaves: Vec<(String, Leaves)>) -> Run {
    harbour.fake.on_task(move |_| Some(Script { leaves: leaves.clone(), code, ..Script::default() }));
    copy.commit(&format!("Commit {number}")).await;
    copy.good(&["push", "-q", "-o", "no-wait", "berth", "HEAD"]).await;
    harbour.run_ended_within(SOON, number).await
}

fn file(path: &str, text: &str) -> (String, Leaves) {
    (path.to_owned(), Leaves::File(text.as_bytes().to_vec()))
}

async fn copy(harbour: &Harbour, text: &str) -> Copy {
    let copy = Copy::new(harbour).await;
    copy.write("berth.yaml", text);
    copy.write("Dockerfile", "FROM scratch\n");
    copy
}

/// What Berth said in the log of a run's first step.
async fn said(harbour: &Harbour, run: &Run) -> String {
    let log = harbour.berth.backend.runs.log(&harbour.owner, &run.stages[0].steps[0].id, 1, 1_000).await.unwrap();
    log.lines.into_iter().map(|line| line.text).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn reports_become_results_against_the_default_branch() {
    let harbour = harbour().await;
    let copy = copy(&harbour, FILE).await;
    let xml = |tests: &[(&str, bool)]| vec![file("out/a.xml", &report(tests)), file("out/deep/b.xml", &report(&[("other", true)]))];
    let first = push(&harbour, &copy, 1, 0, xml(&[("a", true), ("b", false)])).await;
    assert_eq!(first.state, RunState::Passed, "the exit code decides, whatever the tests say");
    assert!(said(&harbour, &first).await.contains("Tests: 1 passed, 1 failed, 0 left out."));
    let one = tests(&harbour, 1).await;
    assert_eq!((one.counts.passed, one.counts.failed, one.compared_with, one.counts.new), (1, 1, None, 0));
    assert_eq!((one.failing[0].name.as_str(), one.failing[0].message.as_deref()), ("b", Some("it is 4")));
    assert_eq!(
        (one.failing[0].output.as_slice(), one.failing[0].step.as_str()),
        (&["expected 5".to_owned(), "at line 7".into()][..], "fast/unit")
    );
    assert_eq!((one.slowest.len(), one.slowest[0].took_ms, one.nothing), (2, 250, None));
    push(&harbour, &copy, 2, 1, xml(&[("a", false), ("b", false), ("c", true)])).await;
    let two = tests(&harbour, 2).await;
    let failing: Vec<_> = two.failing.iter().map(|case| (case.name.as_str(), case.change)).collect();
    assert_eq!(failing, [("a", Some(TestChange::New)), ("b", Some(TestChange::Still))]);
    assert_eq!((two.compared_with, two.counts.added, two.added[0].name.as_str()), (Some(1), 1, "c"));
    // A branch is held against the default one, and not the other way round.
    copy.good(&["checkout", "-q", "-b", "topic"]).await;
    push(&harbour, &copy, 3, 0, xml(&[("a", true), ("b", true)])).await;
    let three = tests(&harbour, 3).await;
    assert_eq!((three.compared_with, three.counts.fixed, three.counts.failed), (Some(2), 2, 0));
    copy.good(&["checkout", "-q", "main"]).await;
    push(&harbour, &copy, 4, 0, xml(&[("a", true), ("b", true)])).await;
    assert_eq!(tests(&harbour, 4).await.compared_with, Some(2));
    proof("test results", "4 runs of 2 branches: new, still failing, fixed and added told apart, 0 wrong");
    harbour.berth.stop().await;
}

#[tokio::test]
async fn a_test_with_both_results_for_one_commit_is_flaky_and_can_be_muted() {
    let harbour = harbour().await;
    let copy = copy(&harbour, FILE).await;
    push(&harbour, &copy, 1, 1, vec![file("out/a.xml", &report(&[("a", false), ("b", false), ("c", true)]))]).await;
    let ci = harbour.berth.backend.ci.clone();
    assert_eq!(ci.flaky(&harbour.owner, &team(), &service()).await.unwrap(), []);
    harbour.fake.on_task(|_| Some(Script::default().leaving("out/a.xml", report(&[("a", true), ("b", false), ("c", true)]))));
    harbour.berth.backend.runs.retry(&harbour.owner, &team(), &service(), 1, RetryFrom::Start).await.unwrap();
    harbour.run_ended_within(SOON, 2).await;
    let found = ci.flaky(&harbour.owner, &team(), &service()).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].name.as_str(), found[0].times, found[0].last_run, found[0].muted_until), ("a", 1, 2, None));
    let day = clock::now().plus(Duration::from_secs(5 * 86_400)).to_string()[..10].to_owned();
    let mute = |until: Option<&str>| Mute { until: until.map(str::to_owned) };
    let muted = ci.mute(&harbour.owner, &team(), &service(), &found[0].id, mute(Some(&day))).await.unwrap();
    assert_eq!((muted.muted_until.unwrap().to_string()[..10].to_owned(), muted.muted_by.as_deref()), (day, Some("Ada")));
    let one = tests(&harbour, 1).await;
    let shown: Vec<_> = one.failing.iter().map(|case| (case.name.as_str(), case.flaky, case.muted_until.is_some())).collect();
    assert_eq!(shown, [("b", false, false), ("a", true, true)], "a muted one is shown, and last");
    let heard = ci.mute(&harbour.owner, &team(), &service(), &found[0].id, mute(None)).await.unwrap();
    assert_eq!((heard.muted_until, heard.muted_by), (None, None));
    let refused = |id: &str, until: &str| {
        let (ci, owner, id, mute) = (ci.clone(), harbour.owner.clone(), id.to_owned(), mute(Some(until)));
        async move { ci.mute(&owner, &team(), &service(), &id, mute).await.unwrap_err().code }
    };
    assert_eq!(refused(&found[0].id, "2001-01-01").await, "invalid_until");
    let soon = clock::now().plus(Duration::from_secs(86_400)).to_string()[..10].to_owned();
    assert_eq!(refused("nothing", &soon).await, "unknown_test");
    harbour.berth.stop().await;
}

#[tokio::test]
async fn a_report_counts_once_however_many_steps_find_it() {
    let harbour = harbour().await;
    let two = format!(
        "{FILE}      - name: slow\n        steps:\n          - {{ name: again, image: shell, run: [\"x\"], junit: \"out/*.xml\" }}\n"
    );
    let copy = copy(&harbour, &two).await;
    harbour.fake.on_task(|task| {
        let script = Script::default();
        Some(if task.name.ends_with("unit") {
            script.leaving("out/a.xml", report(&[("a", true)]))
        } else {
            script.leaving("out/b.xml", report(&[("b", true), ("c", true)]))
        })
    });
    copy.push("First").await;
    assert_eq!(harbour.run_ended_within(SOON, 1).await.state, RunState::Passed);
    assert_eq!(tests(&harbour, 1).await.counts.passed, 3);
    harbour.berth.stop().await;
}

#[tokio::test]
async fn a_run_whose_steps_executed_no_test_is_told_so() {
    let harbour = harbour().await;
    let copy = copy(&harbour, crate::git::FILE).await;
    push(&harbour, &copy, 1, 0, Vec::new()).await;
    assert!(tests(&harbour, 1).await.nothing.unwrap().starts_with("No step names its test reports"));
    copy.write("berth.yaml", FILE);
    let run = push(&harbour, &copy, 2, 0, Vec::new()).await;
    assert_eq!(tests(&harbour, 2).await.nothing.as_deref(), Some("The steps of this run executed no test."));
    assert!(said(&harbour, &run).await.contains("No test report fits `out/*.xml`"));
    harbour.berth.stop().await;
}

/// Everything a step could leave to harm who reads it: the run ends as its commands did, and the log says what was left out.
#[tokio::test]
async fn what_is_hostile_in_a_workspace_is_left_out_with_a_sentence() {
    let harbour = harbour().await;
    let copy = copy(&harbour, FILE).await;
    let link = |to: &str| Leaves::Link(to.to_owned());
    type Case = (&'static str, Vec<(String, Leaves)>, &'static str);
    let cases: Vec<Case> = vec![
        ("a link out", vec![("out/a.xml".into(), link("/etc/passwd"))], "`out/a.xml` is a link or no file"),
        ("a link within", vec![("out/a.xml".into(), link("b.xml"))], "`out/a.xml` is a link or no file"),
        ("another name", vec![("out/a.xml".into(), Leaves::Name("workspace/x".into()))], "`out/a.xml` is a link or no file"),
        ("a pipe", vec![("out/a.xml".into(), Leaves::Pipe)], "`out/a.xml` is a link or no file"),
        ("a device", vec![("out/a.log".into(), Leaves::Device)], "`out/a.log` is a link or no file"),
        ("a way out", vec![file("out/../../../etc/a.xml", "x")], "leads out of it"),
        ("a huge report", vec![("out/a.xml".into(), Leaves::Large(9 << 20))], "`out/a.xml` is larger than 8 MiB"),
        ("no XML", vec![file("out/a.xml", "no report")], "Report `out/a.xml` cannot be read"),
        (
            "entities",
            vec![file("out/a.xml", "<!DOCTYPE a [<!ENTITY b \"c\">]><testsuite/>")],
            "Report `out/a.xml` refused: it declares a document type",
        ),
        ("half a report", vec![file("out/a.xml", &report(&[("a", true)])[..90])], "Report `out/a.xml`"),
        ("control characters", vec![file("out/a\u{1b}[31m.xml", "x")], "No test report fits"),
    ];
    let count = cases.len();
    for (at, (what, leaves, sentence)) in (1..).zip(cases) {
        let run = push(&harbour, &copy, at, 0, leaves).await;
        assert_eq!((run.state, run.failure.as_deref()), (RunState::Passed, None), "{what}");
        let said = said(&harbour, &run).await;
        assert!(said.contains(sentence), "{what}: {said}");
        let kept = harbour.berth.backend.ci.artifacts(&harbour.owner, &team(), &service(), at).await.unwrap();
        assert_eq!(kept, [], "{what}");
    }
    proof("hostile workspaces", &format!("{count} kinds, 0 taken, 0 runs ended otherwise"));
    harbour.berth.stop().await;
}

#[tokio::test]
async fn an_engine_in_trouble_changes_nothing_about_a_step_that_ended() {
    let harbour = harbour().await;
    let copy = copy(&harbour, FILE).await;
    let faults = [Fault::Fail(PlatformError::Gone("away".into())), Fault::Hang, Fault::Lose];
    for (number, fault) in (1..).zip(faults) {
        harbour.fake.fault(Verb::ReadWorkspace, &fault, 1);
        let run = push(&harbour, &copy, number, 0, vec![file("out/a.xml", &report(&[("a", true)]))]).await;
        assert_eq!(run.state, RunState::Passed, "{fault:?}");
        assert!(said(&harbour, &run).await.contains("The files of the workspace could not be read"), "{fault:?}");
    }
    harbour.berth.stop().await;
}

#[tokio::test]
async fn secrets_of_a_step_are_not_in_what_its_tests_said() {
    let harbour = harbour().await;
    let copy = copy(&harbour, FILE).await;
    let xml =
        report(&[("takes hunter2hunter2", false)]).replace("expected 5", "Bearer hunter2hunter2").replace("it is 4", "hunter2hunter2!");
    push(&harbour, &copy, 1, 1, vec![file("out/a.xml", &xml)]).await;
    let found = tests(&harbour, 1).await;
    assert_eq!((found.failing[0].name.as_str(), found.failing[0].message.as_deref()), ("takes ***", Some("***!")));
    assert_eq!(found.failing[0].output[0], "Bearer ***");
    harbour.berth.stop().await;
}

#[tokio::test]
async fn files_are_kept_downloaded_and_forgotten() {
    let harbour = harbour().await;
    let copy = copy(&harbour, FILE).await;
    let page = "<script>alert(1)</script>";
    let leaves = vec![file("out/a.log", "one"), file("out/deep/b.log", page), file("dist/app", "binary"), file("out/none.txt", "x")];
    let run = push(&harbour, &copy, 1, 0, leaves).await;
    assert!(said(&harbour, &run).await.contains("Files kept with the run: 3, 1 KiB."), "{}", said(&harbour, &run).await);
    let kept = harbour.berth.backend.ci.artifacts(&harbour.owner, &team(), &service(), 1).await.unwrap();
    let paths: Vec<_> = kept.iter().map(|file| (file.path.as_str(), file.size, file.step.as_str())).collect();
    assert_eq!(paths, [("dist/app", 6, "fast/unit"), ("out/a.log", 3, "fast/unit"), ("out/deep/b.log", 25, "fast/unit")]);
    let token = token(&harbour, vec![Scope::Read]).await;
    let base = format!("http://{}/api/v1/teams/demo/services/hello/runs/1/artifacts", harbour.berth.console);
    let get = |id: &str| reqwest::Client::new().get(format!("{base}/{id}")).bearer_auth(&token).send();
    let answer = get(&kept[2].id).await.unwrap();
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/octet-stream");
    assert_eq!(header("content-disposition"), "attachment; filename*=UTF-8''b.log");
    assert_eq!((header("x-content-type-options"), header("cache-control")), ("nosniff".into(), "no-store".into()));
    assert_eq!(answer.text().await.unwrap(), page);
    for strange in ["none", "..%2F..%2Froot.key", "%00"] {
        assert_eq!(get(strange).await.unwrap().status(), 404, "{strange}");
    }
    // Old ones go, but not those of the last runs.
    let mut tx = harbour.berth.db.begin().await.unwrap();
    let later = clock::now().plus(Duration::from_secs(1));
    assert_eq!(artifacts::forget(&mut tx, later, 20).await.unwrap(), []);
    assert_eq!(artifacts::forget(&mut tx, clock::now().minus(Duration::from_secs(60)), 0).await.unwrap(), []);
    let forgotten = artifacts::forget(&mut tx, later, 0).await.unwrap();
    assert_eq!(forgotten.len(), 3);
    tx.commit().await.unwrap();
    let folder = harbour.berth.config.artifacts().join(forgotten[0].0.as_str());
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 3);
    server::pipelines::artifacts::remove(&harbour.berth.config, &forgotten).await;
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    // With the service goes what is left, rows and files.
    push(&harbour, &copy, 2, 0, vec![file("out/a.log", "two"), file("out/a.xml", &report(&[("a", true)]))]).await;
    harbour.berth.backend.services.delete(&harbour.owner, &team(), &service(), "hello").await.unwrap();
    within(Duration::from_secs(20), "the service is gone", async || (!folder.exists()).then_some(())).await;
    within(Duration::from_secs(20), "its rows are gone", async || {
        let rows = harbour.berth.db.fetch_all("SELECT 1 AS one FROM step_tests UNION ALL SELECT 1 FROM artifacts", vec![]).await.unwrap();
        rows.is_empty().then_some(())
    })
    .await;
    harbour.berth.stop().await;
}
