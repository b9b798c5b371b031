//! A new run goes on where another failed: in memory, and on the real engine.

use std::{sync::Arc, time::Duration};

use app::{
    error::Error,
    model::{LineKind, RetryFrom, Run, RunBrief, RunState, StageKind, Step},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::Value;
use server::{
    args,
    pipelines::{self, queue, room::Room},
    platform::fake::{Fault, Script, Verb},
    secrets::Secrets,
    store::files,
};

use super::monorepo::{FILE as SHOP, Shop, name, pushed, team as shop_team};
use crate::{
    git::{Copy, harbour},
    support::{
        app::TestApp,
        berth::{Harbour, service, team, until},
        images::{self, BUSYBOX},
        proof,
    },
};

/// Two stages; of the second one step can fail.
const FILE: &str = "version: 1
services:
  hello:
    stages:
      - name: fast
        steps: [{ name: make, image: shell, run: [make] }]
      - name: slow
        sidecars: { db: { image: shell } }
        steps:
          - { name: good, image: shell, run: [good] }
          - { name: bad, image: shell, run: [bad] }
";

async fn retry(harbour: &Harbour, number: u64, from: RetryFrom) -> Result<RunBrief, Error> {
    harbour.berth.backend.runs.retry(&harbour.owner, &team(), &service(), number, from).await
}

async fn push(harbour: &Harbour, file: &str, dockerfile: &str) -> Copy {
    let copy = Copy::new(harbour).await;
    copy.write("berth.yaml", file);
    copy.write("Dockerfile", dockerfile);
    copy.commit("First").await;
    copy.good(&["push", "-q", "-o", "no-wait", "berth", "HEAD"]).await;
    copy
}

/// The steps of a run with how they ended, and what run each was taken from.
fn steps(run: &Run) -> Vec<(&str, RunState, Option<u64>)> {
    let steps = run.stages.iter().filter(|stage| stage.kind == StageKind::Steps).flat_map(|stage| &stage.steps);
    steps.filter(|step| !step.sidecar).map(|step| (step.name.as_str(), step.state, step.taken_from)).collect()
}

async fn lines(harbour: &Harbour, step: &Step) -> Vec<String> {
    let log = harbour.berth.backend.runs.log(&harbour.owner, &step.id, 1, 1_000).await.unwrap();
    log.lines.into_iter().filter(|line| matches!(line.kind, LineKind::Out | LineKind::Note)).map(|line| line.text).collect()
}

/// The times that a task was run whose step is called this.
fn times(harbour: &Harbour, step: &str) -> usize {
    harbour.fake.tasks().iter().filter(|task| task.name.ends_with(&format!("-{step}"))).count()
}

/// Has the steps of this name fail.
fn fails(harbour: &Harbour, step: Option<&'static str>) {
    harbour.fake.on_task(move |task| {
        let fails = step.is_some_and(|step| task.name.ends_with(&format!("-{step}")));
        Some(Script { code: i64::from(fails), ..Script::default() })
    });
}

/// What a sweep does as time goes by.
async fn sweep(harbour: &Harbour) {
    let berth = &harbour.berth;
    let ctx = pipelines::Context {
        config: berth.config.clone(),
        db: berth.db.clone(),
        platform: berth.platform.clone(),
        wake: server::wake::Wake::default(),
        secrets: Secrets::open(&berth.config.data.join("root.key")).unwrap(),
        holder: "test".into(),
        room: Room::new(1, 1),
        wall: std::sync::Arc::new(|| Box::pin(async { Ok(()) })),
    };
    assert!(queue::sweep(&ctx).await);
}

/// Lets the time be over for which files are kept.
async fn a_day_later(harbour: &Harbour) {
    let mut tx = harbour.berth.db.begin().await.unwrap();
    tx.execute("UPDATE runs SET files_until = 1 WHERE files_until IS NOT NULL", args![]).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_failed_run_is_gone_on_with_and_what_passed_is_not_run_again() {
    let harbour = harbour().await;
    fails(&harbour, Some("bad"));
    let _copy = push(&harbour, FILE, "FROM scratch\n").await;
    let run = harbour.run_ended(1).await;
    assert_eq!((run.state, run.again.as_slice()), (RunState::Failed, RetryFrom::ALL.as_slice()));
    assert!(run.files_until.is_some_and(|until| until > server::clock::now()), "{run:?}");
    assert_eq!(harbour.left().await.len(), 0, "beside its files");

    // Only what failed; the answer of the copy is lost once, and it is made again.
    fails(&harbour, None);
    harbour.fake.fault(Verb::CopyWorkspace, &Fault::Lose, 1);
    let new = retry(&harbour, 1, RetryFrom::Steps).await.unwrap();
    let run = harbour.run_ended(2).await;
    assert_eq!((new.number, run.state, run.candidate, run.goes_on), (2, RunState::Passed, Some(1), Some(1)), "{run:?}");
    assert_eq!(run.reason, "Ada asked to go on from run 1, at the stage slow");
    let passed = RunState::Passed;
    assert_eq!(steps(&run), [("make", passed, Some(1)), ("good", passed, Some(1)), ("bad", passed, None)]);
    assert_eq!((run.stages[0].taken_from(), run.stages[1].taken_from()), (Some(1), None));
    assert_eq!((times(&harbour, "make"), times(&harbour, "good"), times(&harbour, "bad")), (1, 1, 2));
    let bad = run.stages[1].steps.iter().find(|step| step.name == "bad").unwrap();
    let note = "Goes on from run 1 with the files as it left them. Taken over, and not run again: fast/make, slow/good.";
    assert!(lines(&harbour, bad).await.contains(&note.to_owned()));
    assert_eq!((run.files_until, run.again), (None, vec![RetryFrom::Start]));

    // The whole stage; and where that fails again, the next goes on from it, and what passed first is still run 1's.
    fails(&harbour, Some("bad"));
    retry(&harbour, 1, RetryFrom::Stage).await.unwrap();
    assert_eq!(steps(&harbour.run_ended(3).await)[..2], [("make", passed, Some(1)), ("good", passed, None)]);
    fails(&harbour, None);
    retry(&harbour, 3, RetryFrom::Steps).await.unwrap();
    let run = harbour.run_ended(4).await;
    assert_eq!(steps(&run), [("make", passed, Some(1)), ("good", passed, Some(3)), ("bad", passed, None)]);
    assert_eq!((times(&harbour, "make"), times(&harbour, "good"), times(&harbour, "bad")), (1, 2, 4));

    // What did not fail, and what is unknown.
    for (number, code) in [(4, "not_failed"), (9, "unknown_run")] {
        assert_eq!(retry(&harbour, number, RetryFrom::Stage).await.unwrap_err().code, code);
    }
    harbour.berth.stop().await;
    proof("going on from a failed run", "3 runs went on: 5 steps that had passed taken over, 1 run again since it was asked for, 0 else");
}

#[tokio::test]
async fn files_are_given_up_after_a_day_unless_they_are_needed() {
    let harbour = harbour().await;
    fails(&harbour, Some("bad"));
    let _copy = push(&harbour, FILE, "FROM scratch\n").await;
    harbour.run_ended(1).await;
    // Needed: a run that has not ended goes on from them.
    harbour.fake.on_task(|_| Some(Script { takes: Duration::from_secs(3_600), ..Script::default() }));
    retry(&harbour, 1, RetryFrom::Stage).await.unwrap();
    until("it works", async || harbour.run(2).await.filter(|run| run.stages[1].steps.iter().any(|step| step.state == RunState::Running)))
        .await;
    a_day_later(&harbour).await;
    sweep(&harbour).await;
    assert_eq!(files::kept(&harbour.berth.db).await.unwrap().len(), 1);
    harbour.berth.backend.runs.cancel(&harbour.owner, &team(), &service(), 2).await.unwrap();
    harbour.run_ended(2).await;
    let refused = retry(&harbour, 1, RetryFrom::Stage).await.unwrap_err();
    assert_eq!(refused.code, "files_gone");
    assert!(refused.sentence.starts_with("The files of run 1 of hello are not kept (any more)"), "{}", refused.sentence);
    sweep(&harbour).await;
    assert_eq!(harbour.berth.platform.runs_with_leftovers().await.unwrap(), [], "nothing is left of any");
    let run = harbour.run(1).await.unwrap();
    assert_eq!((run.files_until, run.again), (None, vec![RetryFrom::Start]));

    // Of a service those of the newest few are kept.
    fails(&harbour, Some("bad"));
    for number in 3..=6 {
        retry(&harbour, 1, RetryFrom::Start).await.unwrap();
        harbour.run_ended(number).await;
    }
    sweep(&harbour).await;
    assert_eq!(files::kept(&harbour.berth.db).await.unwrap().len(), 3);
    assert_eq!(harbour.berth.platform.runs_with_leftovers().await.unwrap().len(), 3);
    let run = harbour.run(3).await.unwrap();
    assert_eq!(run.files_until, None, "the oldest");

    // An image is built from the commit: what failed there is gone on with without any files.
    fails(&harbour, None);
    harbour.fake.on_build(|_| Some((Vec::new(), Err(server::platform::PlatformError::BuildFailed("no".into())))));
    retry(&harbour, 1, RetryFrom::Start).await.unwrap();
    assert_eq!(harbour.run_ended(7).await.again, [RetryFrom::Start, RetryFrom::Stage]);
    a_day_later(&harbour).await;
    harbour.fake.on_build(|_| None);
    let before = harbour.fake.tasks().len();
    retry(&harbour, 7, RetryFrom::Stage).await.unwrap();
    let run = harbour.run_ended(8).await;
    assert_eq!((run.state, run.stages[1].taken_from(), harbour.fake.tasks().len() - before), (RunState::Passed, Some(7), 0));

    // With the service everything goes.
    fails(&harbour, Some("bad"));
    retry(&harbour, 1, RetryFrom::Start).await.unwrap();
    harbour.run_ended(9).await;
    harbour.berth.backend.services.delete(&harbour.owner, &team(), &service(), "hello").await.unwrap();
    until("nothing is left", async || harbour.berth.platform.runs_with_leftovers().await.unwrap().is_empty().then_some(())).await;
    harbour.berth.stop().await;
    proof("files of failed runs", "kept while needed and for a day, 3 of a service, 0 left after it is deleted");
}

#[tokio::test]
async fn a_run_that_is_interrupted_goes_on_again_with_the_files_it_began_with() {
    let harbour = harbour().await;
    fails(&harbour, Some("bad"));
    let _copy = push(&harbour, FILE, "FROM scratch\n").await;
    harbour.run_ended(1).await;
    harbour.fake.on_task(|_| Some(Script { takes: Duration::from_secs(3_600), ..Script::default() }));
    retry(&harbour, 1, RetryFrom::Steps).await.unwrap();
    until("it works", async || (times(&harbour, "bad") == 2).then_some(())).await;
    // From now on; what is under way stays stuck.
    fails(&harbour, None);
    let harbour = harbour.restart().await;
    let run = harbour.run_ended(2).await;
    assert_eq!((run.state, run.stages.len()), (RunState::Passed, 4), "{run:?}");
    let tries: Vec<_> = run.stages.iter().filter(|stage| stage.name == "slow").map(|stage| (stage.attempt, stage.state)).collect();
    assert_eq!(tries, [(1, RunState::Lost), (2, RunState::Passed)]);
    assert_eq!((times(&harbour, "make"), times(&harbour, "good"), times(&harbour, "bad")), (1, 1, 3), "what was taken over stays so");
    let copies = harbour.fake.calls().iter().filter(|(verb, _)| *verb == Verb::CopyWorkspace).count();
    assert_eq!(copies, 2, "its files are as at its beginning");
    harbour.berth.stop().await;
}

#[tokio::test]
async fn files_that_vanished_are_missed_by_a_sentence() {
    let harbour = harbour().await;
    fails(&harbour, Some("bad"));
    let _copy = push(&harbour, FILE, "FROM scratch\n").await;
    harbour.run_ended(1).await;
    let run = files::kept(&harbour.berth.db).await.unwrap().remove(0);
    harbour.berth.platform.clean_run(&run).await.unwrap();
    retry(&harbour, 1, RetryFrom::Stage).await.unwrap();
    let run = harbour.run_ended(2).await;
    let sentence = "The files of run 1 are not on the engine any more, so nothing can go on from it. Run the commit again from the start.";
    assert_eq!((run.state, run.failure.as_deref()), (RunState::Errored, Some(sentence)));
    harbour.berth.stop().await;
}

async fn together_each_goes_on_from_its_own(app: TestApp) {
    let shop = Shop::new(app).await;
    let copy = pushed(&shop).await;
    let stages = "stages: [{ name: fast, steps: [{ name: unit, image: shell, run: [a] }] }]";
    let orders = format!("orders: {{ path: services/orders, watch: [\"libs/money/**\"], {stages} }}");
    let file = SHOP.replace("version: 1\n", "version: 1\nbuild: together\n");
    let file = file.replace("orders: { path: services/orders, watch: [\"libs/money/**\"] }", &orders);
    copy.write(
        "berth.yaml",
        &file.replace("[\"make test\"] }] }", "[\"make test\"] }] }, { name: slow, steps: [{ name: late, image: shell, run: [b] }] }"),
    );
    let tasks = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = tasks.clone();
    let decide = move |fails: bool| {
        let counted = counted.clone();
        move |task: &server::platform::Task| {
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            Some(Script { code: i64::from(fails && task.name.ends_with("-late")), ..Script::default() })
        }
    };
    shop.app.fake.on_task(decide(true));
    copy.commit("Billing fails late").await;
    copy.good(&["push", "-q", "-o", "no-wait", "berth", "HEAD"]).await;
    let (billing, orders) = (shop.run("billing", 2).await, shop.run("orders", 2).await);
    assert_eq!((billing.state, orders.state), (RunState::Failed, RunState::Failed));
    let before = tasks.load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!(before, 3);
    shop.app.fake.on_task(decide(false));
    // Asked for by the one that did not fail itself.
    let runs = &shop.app.berth.backend.runs;
    runs.retry(&shop.owner, &shop_team(), &name("orders"), 2, RetryFrom::Stage).await.unwrap();
    let (billing, orders) = (shop.run("billing", 3).await, shop.run("orders", 3).await);
    assert_eq!((billing.state, orders.state), (RunState::Passed, RunState::Passed), "{billing:?}");
    assert_eq!(billing.candidate, orders.candidate);
    assert_eq!((billing.stages[0].taken_from(), billing.stages[1].taken_from()), (Some(2), None));
    assert_eq!(orders.stages[0].taken_from(), Some(2));
    assert_eq!(tasks.load(std::sync::atomic::Ordering::SeqCst) - before, 1, "what had failed alone");
    // Where the files of one are gone, none goes on: together they come to one version.
    shop.app.fake.on_task(decide(true));
    runs.retry(&shop.owner, &shop_team(), &name("billing"), 3, RetryFrom::Start).await.unwrap();
    shop.run("billing", 4).await;
    let mut tx = shop.app.db().begin().await.unwrap();
    tx.execute("UPDATE runs SET files_until = NULL", args![]).await.unwrap();
    tx.commit().await.unwrap();
    let refused = runs.retry(&shop.owner, &shop_team(), &name("orders"), 4, RetryFrom::Stage).await.unwrap_err();
    assert!(refused.sentence.contains("The files of run 4 of billing are not kept"), "{}", refused.sentence);
    shop.app.berth.stop().await;
}

#[tokio::test]
async fn together_each_goes_on_from_its_own_on_sqlite() {
    together_each_goes_on_from_its_own(TestApp::new().await).await;
}

#[tokio::test]
async fn together_each_goes_on_from_its_own_on_postgres() {
    together_each_goes_on_from_its_own(TestApp::on_postgres().await).await;
}

/// The first stage leaves files of every kind; of the second one step fails the first time.
fn on_engine() -> String {
    format!(
        "version: 1
services:
  hello:
    stages:
      - name: fast
        steps:
          - name: make
            image: {BUSYBOX}
            run:
              - echo made in $BERTH_RUN > made && chmod 751 made && ln -s made link && mkdir -p deep/er && head -c 3000000 /dev/urandom > deep/er/big
              - md5sum deep/er/big > sum && chown 1234:1234 sum
              - echo '<testsuite name=\"s\"><testcase name=\"sums\"/></testsuite>' > report.xml
            junit: report.xml
      - name: slow
        steps:
          - {{ name: good, image: \"{BUSYBOX}\", run: [\"echo good in $BERTH_RUN >> good\", \"cat good\"] }}
          - name: bad
            image: {BUSYBOX}
            run:
              - test $BERTH_RUN -gt 1
              - cat link && stat -c '%a' made && stat -c '%u:%g' sum
              - md5sum -c -s sum && echo whole
              - cat good
"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_engine_a_run_goes_on_with_the_files_of_the_one_that_failed() {
    images::busybox_image().await;
    let harbour = Harbour::on_engine().await;
    let _copy = push(&harbour, &on_engine(), &images::serving("/", "")).await;
    let run = harbour.run_ended(1).await;
    assert_eq!((run.state, run.again.as_slice()), (RunState::Failed, RetryFrom::ALL.as_slice()), "{run:?}");
    assert_eq!(harbour.berth.platform.runs_with_leftovers().await.unwrap().len(), 1, "its files");

    retry(&harbour, 1, RetryFrom::Steps).await.unwrap();
    let run = harbour.run_ended(2).await;
    assert_eq!((run.state, run.failure.as_deref(), run.candidate), (RunState::Passed, None, Some(1)));
    let passed = RunState::Passed;
    assert_eq!(steps(&run), [("make", passed, Some(1)), ("good", passed, Some(1)), ("bad", passed, None)]);
    assert_eq!(run.stages[0].steps[0].lines, 0, "it was not run");
    let said = lines(&harbour, &run.stages[1].steps[1]).await;
    assert_eq!(said[1..], ["made in 1", "751", "1234:1234", "whole", "good in 1"], "{said:?}");
    let tests = harbour.berth.backend.ci.tests(&harbour.owner, &team(), &service(), 2).await.unwrap();
    assert_eq!(tests.counts.passed, 1, "what was taken over counts");

    // The candidate says so, signed.
    let envelope = harbour.berth.backend.candidates.provenance(&harbour.owner, &team(), &service(), 1).await.unwrap();
    let statement: Value = serde_json::from_slice(&BASE64.decode(&envelope.payload).unwrap()).unwrap();
    let byproducts = statement["predicate"]["runDetails"]["byproducts"].as_array().unwrap();
    let taken = byproducts.iter().find(|product| product["name"] == "taken over").unwrap();
    assert!(taken["uri"].as_str().unwrap().ends_with("/teams/demo/services/hello/runs/1"), "{taken}");
    assert_eq!(taken["annotations"]["steps"], serde_json::json!(["fast/make", "slow/good"]));

    // The whole stage begins with the same files again: what run 2 did with its copy is not there.
    retry(&harbour, 1, RetryFrom::Stage).await.unwrap();
    let run = harbour.run_ended(3).await;
    assert_eq!(run.state, RunState::Passed, "{run:?}");
    let said = lines(&harbour, &run.stages[1].steps[0]).await;
    assert!(said.ends_with(&["good in 1".to_owned(), "good in 3".to_owned()]), "{said:?}");
    assert_eq!(harbour.left().await.len(), 0, "nothing of the runs that passed");

    a_day_later(&harbour).await;
    sweep(&harbour).await;
    assert_eq!(harbour.berth.platform.runs_with_leftovers().await.unwrap().len(), 0);
    assert_eq!(retry(&harbour, 1, RetryFrom::Steps).await.unwrap_err().code, "files_gone");
    harbour.clear().await;
    proof(
        "going on on the engine",
        "2 runs went on with files, owners, modes and links of run 1: 0 differences, 0 volumes left after a day",
    );
}
