//! What runs beside the steps of a stage, and steps that are tried again: in memory, and on the real engine.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use app::model::{LineKind, Run, RunState, Step};
use server::platform::{
    PlatformError,
    fake::{Behaviour, Fault, Script, Verb},
};

use crate::{
    git::{Copy, harbour},
    support::{
        berth::{Harbour, service, team, until, within},
        images::{self, BUSYBOX},
    },
};

/// One stage with a sidecar and two steps.
fn file(sidecar: &str, steps: &str) -> String {
    format!(
        "version: 1\nservices:\n  hello:\n    stages:\n      - name: slow\n        timeout: 20s\n        sidecars:\n          db: {sidecar}\n        steps:\n{steps}"
    )
}

const TWO: &str = "          - { name: one, image: shell, run: [\"one\"] }\n          - { name: two, image: shell, run: [\"two\"] }\n";

async fn lines(harbour: &Harbour, step: &Step) -> Vec<(LineKind, String)> {
    let log = harbour.berth.backend.runs.log(&harbour.owner, &step.id, 1, 1_000).await.unwrap();
    assert!(log.complete);
    log.lines.into_iter().map(|line| (line.kind, line.text)).collect()
}

async fn pushed(harbour: &Harbour, file: &str) -> Copy {
    let copy = Copy::new(harbour).await;
    copy.write("Dockerfile", "FROM scratch\n");
    again(&copy, file).await;
    copy
}

async fn again(copy: &Copy, file: &str) {
    copy.write("berth.yaml", file);
    copy.commit("Change").await;
    copy.good(&["push", "-q", "-o", "no-wait", "berth", "HEAD"]).await;
}

fn shown(run: &Run) -> Vec<(&str, bool, RunState)> {
    run.stages[0].steps.iter().map(|step| (step.name.as_str(), step.sidecar, step.state)).collect()
}

#[tokio::test]
async fn what_runs_beside_the_steps_is_ready_before_them_and_stopped_after_them() {
    let harbour = harbour().await;
    harbour.fake.set_image("db", Behaviour { lines: vec!["listening".into()], exec: 0, ..Behaviour::default() });
    let copy = pushed(&harbour, &file("{ image: db, env: { DB: x }, ready: [\"ask\"] }", TWO)).await;
    let run = harbour.run_ended(1).await;
    assert_eq!((run.state, run.failure.as_deref()), (RunState::Passed, None));
    let passed = RunState::Passed;
    assert_eq!(shown(&run), [("one", false, passed), ("two", false, passed), ("db", true, passed)]);
    assert_eq!(lines(&harbour, &run.stages[0].steps[2]).await, [(LineKind::Out, "listening".to_owned())]);
    let tasks = harbour.fake.tasks();
    assert_eq!((tasks[0].alias.as_deref(), tasks[0].command.len(), tasks[0].env["DB"].as_str()), (Some("db"), 0, "x"));
    assert!(tasks[1..].iter().all(|task| task.alias.is_none() && task.network == tasks[0].network), "on one network");
    let calls: Vec<Verb> = harbour.fake.calls().into_iter().map(|(verb, _)| verb).collect();
    let asked = calls.iter().position(|verb| *verb == Verb::ExecTask).unwrap();
    let begun: Vec<_> = calls.iter().enumerate().filter(|(_, verb)| **verb == Verb::RunToEnd).map(|(at, _)| at).collect();
    assert!(begun[0] < asked && asked < begun[1], "asked before the first step: {calls:?}");

    // One that is never ready, one that ends before, and one whose image is nowhere.
    harbour.fake.set_image("db", Behaviour { lines: vec!["no space".into()], exec: 2, ..Behaviour::default() });
    again(&copy, &file("{ image: db, ready: [\"ask\", \"it\"], ready_within: 1s }", TWO)).await;
    let run = harbour.run_ended(2).await;
    let sentence = "Stage slow, sidecar db: It was not ready within 1 s. `ask it` ended with exit code 2. Its last line: no space";
    assert_eq!((run.state, run.failure.as_deref()), (RunState::Failed, Some(sentence)));
    let skipped = RunState::Skipped;
    assert_eq!(shown(&run), [("one", false, skipped), ("two", false, skipped), ("db", true, RunState::Failed)]);
    assert_eq!(harbour.fake.tasks().len(), 4, "no step was begun");

    harbour.fake.set_image("db", Behaviour { lines: vec!["bad password".into()], ..Behaviour::crashing(3) });
    again(&copy, &file("{ image: db, ready: [\"ask\"] }", TWO)).await;
    let run = harbour.run_ended(3).await;
    let sentence = "Stage slow, sidecar db: It ended with exit code 3 before it was ready: bad password";
    assert_eq!((run.state, run.failure.as_deref()), (RunState::Failed, Some(sentence)));
    assert_eq!(run.stages[0].steps[2].exit_code, Some(3));

    again(&copy, &file("{ image: nowhere }", TWO)).await;
    let failure = harbour.run_ended(4).await.failure.unwrap();
    assert!(failure.starts_with("Stage slow, sidecar db: The image nowhere was not found."), "{failure}");
    harbour.berth.stop().await;
    crate::support::proof("sidecars", "4 runs: ready, never ready, ended before, no image; 0 steps begun without theirs");
}

#[tokio::test]
async fn a_large_matrix_waits_for_room_and_a_run_has_its_own_end() {
    let harbour = harbour().await;
    harbour.fake.on_task(|_| Some(Script { takes: Duration::from_millis(150), ..Script::new(&["done"], 0) }));
    let values: Vec<String> = (0..12).map(|number| format!("\"{number}\"")).collect();
    let step = format!("          - {{ name: one, image: shell, run: [\"one\"], matrix: {{ N: [{}] }} }}\n", values.join(", "));
    let stages = |terms: &str, step: &str| {
        format!("version: 1\nservices:\n  hello:\n{terms}    stages:\n      - name: slow\n        steps:\n{step}")
    };
    let copy = pushed(&harbour, &stages("", &step)).await;
    let (mut most, mut waited) = (0, 0);
    let run = within(Duration::from_secs(60), "the run ends", async || {
        harbour.berth.backend.runs.show(&harbour.owner, &team(), &service(), 1).await.ok().filter(|run| {
            let count = |state| run.stages.first().map_or(0, |stage| stage.steps.iter().filter(|step| step.state == state).count());
            let running = count(RunState::Running);
            most = most.max(running);
            waited = waited.max(if running > 0 { count(RunState::Queued) } else { 0 });
            run.state.ended()
        })
    })
    .await;
    assert_eq!((run.state, run.failure.as_deref()), (RunState::Passed, None));
    assert!(most == 4 && waited == 8, "{most} at once, {waited} waited");
    let mut notes = 0;
    for step in &run.stages[0].steps {
        assert!(step.started_at.is_some() && step.state == RunState::Passed);
        let said = lines(&harbour, step).await.iter().filter(|(_, text)| text.contains("one run 4 steps may be under way")).count();
        notes += said;
    }
    assert_eq!(notes, 8, "who waited says so");

    // All of it may take a second; each of its stages much longer.
    harbour.fake.on_task(|_| Some(Script { takes: Duration::from_secs(600), ..Script::new(&["begun"], 0) }));
    let long = "          - { name: long, image: shell, run: [\"one\"] }\n";
    again(&copy, &stages("    timeout: 1s\n", long)).await;
    let run = harbour.run_ended(2).await;
    let sentence = "The run took longer than the 1s it may take in all.";
    assert_eq!((run.state, run.failure.as_deref()), (RunState::TimedOut, Some(sentence)));
    harbour.berth.stop().await;
    crate::support::proof(
        "room for steps",
        &format!("12 steps of a run: {most} at once, {waited} waited and say so; a run of 1 s ended at its time"),
    );
}

#[tokio::test]
async fn a_step_is_tried_again_as_often_as_its_way_to_fail_allows() {
    let harbour = harbour().await;
    let count = Arc::new(AtomicI64::new(0));
    let tries = count.clone();
    harbour.fake.on_task(move |_| {
        let number = tries.fetch_add(1, Ordering::SeqCst) + 1;
        // The first run: 75 twice, then good. The second: 75, then 1.
        let code = [75, 75, 0, 75, 1].get(usize::try_from(number - 1).unwrap()).copied().unwrap_or(0);
        Some(Script::new(&[&format!("number {number}")], code))
    });
    let steps = |retry: &str| {
        format!(
            "version: 1\nservices:\n  hello:\n    stages:\n      - name: slow\n        steps:\n          - {{ name: one, image: shell, run: [\"one\"], retry: {retry} }}\n"
        )
    };
    let copy = pushed(&harbour, &steps("{ failed: 3, exit_codes: [75] }")).await;
    let run = harbour.run_ended(1).await;
    let step = &run.stages[0].steps[0];
    assert_eq!((run.state, step.tries, step.exit_code), (RunState::Passed, 3, Some(0)));
    let texts: Vec<_> = lines(&harbour, step).await;
    let notes: Vec<_> = texts.iter().filter(|(kind, _)| *kind == LineKind::Note).map(|(_, text)| text.as_str()).collect();
    assert_eq!(notes.len(), 2, "{texts:?}");
    assert!(notes[0].starts_with("Try 2 of 4: ") && notes[0].ends_with("exit code 75: number 1"), "{notes:?}");
    assert!(notes[1].starts_with("Try 3 of 4: ") && notes[1].ends_with("exit code 75: number 2"), "{notes:?}");

    again(&copy, &steps("{ failed: 3, exit_codes: [75] }")).await;
    let run = harbour.run_ended(2).await;
    let step = &run.stages[0].steps[0];
    assert_eq!((run.state, step.tries, step.exit_code), (RunState::Failed, 2, Some(1)), "1 is none of the codes");

    // An image that is not there at first: asked for again, and that is said.
    let gone = PlatformError::ImageNotFound { image: "shell".into(), hint: String::new() };
    harbour.fake.fault(Verb::Image, &Fault::Fail(gone), 1);
    again(&copy, &steps("{ pull: 1 }")).await;
    let run = harbour.run_ended(3).await;
    assert_eq!((run.state, run.failure.as_deref()), (RunState::Passed, None));
    let texts = lines(&harbour, &run.stages[0].steps[0]).await;
    assert_eq!(texts[0], (LineKind::Note, "The image shell could be had at try 2 only.".to_owned()));
    harbour.berth.stop().await;
    crate::support::proof("retry", "3 runs, 7 tries: 3 of 4, 2 of 4 (another exit code), 1 pull again");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_engine_a_sidecar_answers_by_its_name_and_nothing_is_left() {
    images::busybox_image().await;
    let harbour = Harbour::on_engine().await;
    let web = format!(
        "{{ image: \"{BUSYBOX}\", command: [sh, -c, \"echo up; mkdir -p /srv && echo from db > /srv/index.html && exec httpd -f -p 80 -h /srv\"], ready: [wget, -q, -O, /dev/null, \"http://127.0.0.1/\"] }}"
    );
    let steps = format!("          - {{ name: one, image: \"{BUSYBOX}\", run: [\"wget -q -O - http://db/\"] }}\n");
    let copy = Copy::new(&harbour).await;
    copy.write("Dockerfile", &images::serving("/", ""));
    again(&copy, &file(&web, &steps)).await;
    let run = harbour.run_ended(1).await;
    assert_eq!((run.state, run.failure.as_deref()), (RunState::Passed, None));
    let texts = lines(&harbour, &run.stages[0].steps[0]).await;
    assert!(texts.contains(&(LineKind::Out, "from db".into())), "{texts:?}");
    assert_eq!(lines(&harbour, &run.stages[0].steps[1]).await, [(LineKind::Out, "up".to_owned())]);

    let never = format!("{{ image: \"{BUSYBOX}\", command: [sh, -c, \"echo waiting; sleep 600\"], ready: [\"false\"], ready_within: 2s }}");
    again(&copy, &file(&never, &steps)).await;
    let run = harbour.run_ended(2).await;
    let sentence = "Stage slow, sidecar db: It was not ready within 2 s. `false` ended with exit code 1. Its last line: waiting";
    assert_eq!((run.state, run.failure.as_deref()), (RunState::Failed, Some(sentence)));

    let ends = format!("{{ image: \"{BUSYBOX}\", command: [sh, -c, \"echo bad; exit 9\"], ready: [\"false\"] }}");
    again(&copy, &file(&ends, &steps)).await;
    let failure = harbour.run_ended(3).await.failure.unwrap();
    assert!(failure.starts_with("Stage slow, sidecar db: It ended with exit code 9 ") && failure.ends_with(": bad"), "{failure}");
    until("nothing is left of the runs", async || harbour.left().await.is_empty().then_some(())).await;
    harbour.clear().await;
    crate::support::proof("sidecars on the engine", "1 answered by name, 1 never ready, 1 ended: 0 containers, networks, volumes left");
}
