//! What a run does not want, and what it does once something failed: in memory, and on the real engine.

use std::{collections::BTreeMap, time::Duration};

use app::model::{Light, LineKind, Question, RetryFrom, Run, RunState};
use server::platform::fake::{Behaviour, Built, Script, Verb};

use crate::{
    git::{Copy, harbour},
    support::{
        berth::{Harbour, service, team, until},
        images::{self, BUSYBOX},
    },
};

/// A service whose first stage and one more step are not wanted everywhere.
const CONDITIONS: &str = "version: 1
services:
  hello:
    stages:
      - name: gate
        if: { branch: [\"release/*\"] }
        sidecars: { db: { image: shell } }
        steps:
          - { name: sign, image: nowhere, run: [\"sign\"], secrets: [KEY] }
      - name: fast
        steps:
          - { name: docs, image: nowhere, run: [\"docs\"], if: { event: [manual] } }
          - { name: unit, image: shell, run: [\"unit\"] }
      - name: night
        if: { not: { event: [push] } }
        steps:
          - { name: soak, image: shell, run: [\"soak\"] }
";

async fn write(harbour: &Harbour, file: &str) -> Copy {
    let copy = Copy::new(harbour).await;
    copy.write("Dockerfile", "FROM scratch\n");
    copy.write("berth.yaml", file);
    copy
}

async fn push(copy: &Copy, file: &str) {
    copy.write("berth.yaml", file);
    copy.commit("Change").await;
    copy.good(&["push", "-q", "-o", "no-wait", "berth", "HEAD"]).await;
}

type Shown<'a> = (&'a str, RunState, Vec<(&'a str, RunState, Option<&'a str>)>);

fn shown(run: &Run) -> Vec<Shown<'_>> {
    run.stages
        .iter()
        .map(|stage| {
            let steps = stage.steps.iter().filter(|step| !step.sidecar);
            (stage.name.as_str(), stage.state, steps.map(|step| (step.name.as_str(), step.state, step.failure.as_deref())).collect())
        })
        .collect()
}

fn ran(harbour: &Harbour) -> Vec<String> {
    harbour.fake.tasks().iter().map(|task| task.env.get("BERTH_STEP").cloned().unwrap_or_default()).collect()
}

#[tokio::test]
async fn what_is_not_wanted_is_shown_as_skipped_and_counts_for_nothing() {
    use RunState::{Passed, Skipped};
    let harbour = harbour().await;
    let copy = write(&harbour, CONDITIONS).await;
    let said = copy.push("First").await;
    let run = harbour.run_ended(1).await;
    assert_eq!((run.state, run.failure.as_deref()), (Passed, None), "what is not wanted needs neither its image nor its secret");
    let (gate, docs, night) = ("only on release/*", "only for manual", "not for push");
    let expected = [
        ("gate", Skipped, vec![("sign", Skipped, Some(gate))]),
        ("fast", Passed, vec![("docs", Skipped, Some(docs)), ("unit", Passed, None)]),
        ("night", Skipped, vec![("soak", Skipped, Some(night))]),
        ("image", Passed, vec![("build", Passed, None)]),
    ];
    assert_eq!(shown(&run), expected);
    assert_eq!(ran(&harbour), ["unit"], "nor was what would have run beside it");
    let filled = harbour.fake.calls().iter().filter(|(verb, _)| *verb == Verb::FillWorkspace).count();
    assert_eq!(filled, 1, "the first stage that is wanted has the commit's files");
    for line in [
        "– gate skipped, only on release/*",
        "– night skipped, not for push",
        "gate (skipped: only on release/*), fast, night (skipped: not for push), image",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }

    // By hand, other steps are wanted; and the reason stands with the run for good.
    harbour.fake.set_image("nowhere", Behaviour::default());
    let start = app::model::StartRun::default();
    harbour.berth.backend.runs.start(&harbour.owner, &team(), &service(), start).await.unwrap();
    let run = harbour.run_ended(2).await;
    let states: Vec<RunState> =
        run.stages.iter().flat_map(|stage| &stage.steps).filter(|step| !step.sidecar).map(|step| step.state).collect();
    assert_eq!((run.state, states), (Passed, vec![Skipped, Passed, Passed, Passed, Passed]));
    harbour.berth.backend.runs.retry(&harbour.owner, &team(), &service(), 1, RetryFrom::Start).await.unwrap();
    assert_eq!(shown(&harbour.run_ended(3).await), expected, "again is the same again");

    // A run in which no stage was wanted tested nothing.
    push(&copy, &CONDITIONS.replace("      - name: fast\n", "      - name: fast\n        if: { branch: [nowhere] }\n")).await;
    let run = harbour.run_ended(4).await;
    assert_eq!((run.state, run.candidate), (Passed, Some(4)));
    assert!(run.stages[..3].iter().all(|stage| stage.state == Skipped));
    let report = harbour.berth.backend.ci.report(&harbour.owner, &team(), &service()).await.unwrap();
    let validates = report.answers.iter().find(|answer| answer.question == Question::Validates).unwrap();
    let untested = app::said::ci_run_untested(4);
    assert!(validates.light == Light::Red && validates.evidence.iter().any(|fact| fact.says == untested), "{validates:?}");
    harbour.berth.stop().await;
    crate::support::proof("conditions", "4 runs, 13 steps not wanted: each shown with its reason, 0 of them run, 0 counted as tested");
}

/// A stage with something to do after a failure, and a service with something too.
fn after(sidecar: &str, timeout: &str) -> String {
    format!(
        "version: 1
services:
  hello:
    stages:
      - name: slow
        sidecars: {{ {sidecar} }}
        steps:
          - {{ name: good, image: shell, run: [\"good\"] }}
          - {{ name: bad, image: shell, run: [\"bad\"] }}
        on_failure:
          - {{ name: dump, image: shell, run: [\"dump\"], timeout: {timeout} }}
    on_failure:
      - {{ name: tell, image: shell, run: [\"tell\"], env: {{ TO: us }} }}
"
    )
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

#[tokio::test]
async fn what_follows_a_failure_is_run_once_told_of_it_and_changes_nothing() {
    let harbour = harbour().await;
    let codes = |codes: &[(&'static str, i64)]| {
        let codes: BTreeMap<&str, i64> = codes.iter().copied().collect();
        harbour.fake.on_task(move |task| {
            let code = codes.get(task.env.get("BERTH_STEP")?.as_str()).copied().unwrap_or(0);
            // No code at all: it never ends by itself.
            let takes = if code < 0 { Duration::from_secs(3_600) } else { Duration::ZERO };
            Some(Script::new(&["it says so"], code).taking(takes))
        });
    };
    // The steps run: those of the stage, what follows; by the number before.
    let since = |before: usize| ran(&harbour)[before..].to_vec();

    codes(&[("bad", 3), ("dump", 9)]);
    let copy = write(&harbour, "").await;
    push(&copy, &after("", "5m")).await;
    let run = harbour.run_ended(1).await;
    let sentence = Some("Stage slow, step bad: `the script` ended with exit code 3: it says so");
    assert_eq!((run.state, run.failure.as_deref()), (RunState::Failed, sentence), "the failure of `dump` is not the run's");
    let names = |run: &Run, stage: usize| {
        run.stages[stage].steps.iter().map(|step| (step.name.clone(), step.on_failure, step.state)).collect::<Vec<_>>()
    };
    let row = |name: &str, after: bool, state: RunState| (name.to_owned(), after, state);
    let (passed, failed) = (RunState::Passed, RunState::Failed);
    assert_eq!(
        names(&run, 0),
        [row("good", false, passed), row("bad", false, failed), row("dump", true, failed), row("tell", true, passed)]
    );
    assert_eq!(sorted(since(0)[..2].to_vec()), ["bad", "good"]);
    assert_eq!(sorted(since(2)), ["dump", "tell"], "after all steps of the stage");
    let tasks = harbour.fake.tasks();
    for task in &tasks[2..] {
        assert_eq!((task.env["BERTH_FAILED_STAGE"].as_str(), task.env["BERTH_FAILED_STEP"].as_str()), ("slow", "bad"));
        assert_eq!(task.workspace, tasks[0].workspace);
    }
    let log = harbour.berth.backend.runs.log(&harbour.owner, &run.stages[0].steps[3].id, 1, 10).await.unwrap();
    assert!(log.complete && log.lines.iter().any(|line| line.text == "it says so" && line.kind == LineKind::Out), "{log:?}");

    // Nothing failed.
    codes(&[]);
    push(&copy, &after("", "5m")).await;
    assert_eq!(harbour.run_ended(2).await.state, passed);
    assert_eq!(sorted(since(4)), ["bad", "good"]);

    // It takes too long; the service's goes its own way.
    codes(&[("bad", 3), ("dump", -1)]);
    push(&copy, &after("", "1s")).await;
    let run = harbour.run_ended(3).await;
    assert_eq!(
        (run.failure.as_deref(), run.stages[0].steps[2].state, run.stages[0].steps[3].state),
        (sentence, RunState::TimedOut, passed)
    );

    // Somebody cancels: before, and in the middle.
    codes(&[("bad", -1)]);
    push(&copy, &after("", "5m")).await;
    let begun = async |name: &str, number| {
        until(&format!("{name} runs"), async || {
            let run = harbour.run(number).await?;
            run.stages[0].steps.iter().any(|step| step.name == name && step.lines > 0).then_some(())
        })
        .await;
    };
    begun("bad", 4).await;
    let before = ran(&harbour).len();
    harbour.berth.backend.runs.cancel(&harbour.owner, &team(), &service(), 4).await.unwrap();
    assert_eq!((harbour.run_ended(4).await.state, since(before).len()), (RunState::Cancelled, 0), "a run that is cancelled did not fail");
    codes(&[("bad", 3), ("dump", -1)]);
    push(&copy, &after("", "5m")).await;
    begun("dump", 5).await;
    harbour.berth.backend.runs.cancel(&harbour.owner, &team(), &service(), 5).await.unwrap();
    let run = harbour.run_ended(5).await;
    assert_eq!((run.state, run.stages[0].steps[2].state), (failed, RunState::Cancelled), "it had failed by then");

    // What runs beside the steps is not ready; and the image cannot be built.
    harbour.fake.set_image("db", Behaviour::crashing(3));
    codes(&[]);
    let before = harbour.fake.tasks().len();
    push(&copy, &after("db: { image: db, ready: [ask] }", "5m")).await;
    assert_eq!(harbour.run_ended(6).await.state, failed);
    let told: Vec<_> = harbour.fake.tasks()[before + 1..].iter().map(|task| task.env["BERTH_FAILED_STEP"].clone()).collect();
    assert_eq!(told, ["db", "db"]);
    harbour
        .fake
        .on_build(|_| -> Option<Built> { Some((vec![], Err(server::platform::PlatformError::BuildFailed("no such file".into())))) });
    let before = harbour.fake.tasks().len();
    push(&copy, &after("", "5m")).await;
    let run = harbour.run_ended(7).await;
    assert_eq!((run.state, since(before + 2)), (failed, vec!["tell".to_owned()]), "the stage's own is not for the image");
    assert_eq!(harbour.fake.tasks()[before + 2].env["BERTH_FAILED_STAGE"], "image");
    assert_eq!(names(&run, 1), [row("build", false, failed), row("tell", true, passed)]);
    harbour.berth.stop().await;
    crate::support::proof(
        "on_failure",
        "7 runs: after a failure 5, without one 0, after a cancel 0; 0 results changed, 1 stopped by its limit",
    );
}

#[tokio::test]
async fn what_follows_a_failure_is_not_run_again_after_berth_ended_in_the_middle() {
    let mut harbour = harbour().await;
    harbour.fake.on_task(|task| {
        let stuck = ["dump", "tell"].contains(&task.env.get("BERTH_STEP")?.as_str());
        let script = Script::new(&["line"], i64::from(!stuck));
        Some(if stuck { script.taking(Duration::from_secs(3_600)) } else { script })
    });
    let copy = write(&harbour, "").await;
    push(&copy, &after("", "5m")).await;
    until("it runs what follows", async || (harbour.fake.tasks().len() == 4).then_some(())).await;
    harbour = harbour.restart().await;
    let run = harbour.run_ended(1).await;
    let steps: Vec<RunState> = run.stages[0].steps.iter().map(|step| step.state).collect();
    let (failed, cancelled) = (RunState::Failed, RunState::Cancelled);
    assert_eq!((run.state, run.stages.len(), run.stages[0].attempt), (failed, 2, 1), "{run:?}");
    assert_eq!(steps, [failed, failed, cancelled, cancelled]);
    assert!(run.failure.as_deref().unwrap_or_default().starts_with("Stage slow, step good: "), "{:?}", run.failure);
    assert_eq!(harbour.fake.tasks().len(), 4, "neither the steps nor what follows them was run again");
    harbour.berth.stop().await;
    crate::support::proof("on_failure over a restart", "1 cut short: 0 run twice, the stage's end kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_engine_what_follows_a_failure_sees_files_and_sidecars() {
    images::busybox_image().await;
    let harbour = Harbour::on_engine().await;
    let db = format!(
        "db: {{ image: \"{BUSYBOX}\", command: [sh, -c, \"mkdir -p /srv && echo from db > /srv/index.html && exec httpd -f -p 80 -h /srv\"], ready: [wget, -q, -O, /dev/null, \"http://127.0.0.1/\"] }}"
    );
    let copy = Copy::new(&harbour).await;
    copy.write("Dockerfile", &images::serving("/", ""));
    let file = after(&db, "1m")
        .replace("image: shell", &format!("image: \"{BUSYBOX}\""))
        .replace("\"good\"", "\"true\"")
        .replace("\"bad\"", "\"echo left > left; exit 4\"")
        .replace("\"dump\"", "\"cat left; wget -q -O - http://db/; echo $BERTH_FAILED_STAGE/$BERTH_FAILED_STEP\"")
        .replace("\"tell\"", "\"exit 1\"");
    push(&copy, &file).await;
    let run = harbour.run_ended(1).await;
    assert_eq!(
        (run.state, run.failure.as_deref()),
        (RunState::Failed, Some("Stage slow, step bad: `echo left > left; exit 4` ended with exit code 4."))
    );
    let dump = run.stages[0].steps.iter().find(|step| step.name == "dump").unwrap();
    let log = harbour.berth.backend.runs.log(&harbour.owner, &dump.id, 1, 10).await.unwrap();
    let lines: Vec<&str> = log.lines.iter().filter(|line| line.kind == LineKind::Out).map(|line| line.text.as_str()).collect();
    assert_eq!((dump.state, lines), (RunState::Passed, vec!["left", "from db", "slow/bad"]));
    until("nothing is left of the run", async || harbour.left().await.is_empty().then_some(())).await;
    harbour.clear().await;
    crate::support::proof("on_failure on the engine", "1 saw the files and the sidecar of the stage that failed: 0 containers left");
}
