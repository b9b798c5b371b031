//! Runs on the platform in memory, each started by a real push.

use std::time::Duration;

use app::model::{LineKind, PageRequest, RetryFrom, Run, RunState, StageKind};
use futures::StreamExt;
use server::platform::fake::{Behaviour, Script, Verb};

use crate::{
    git::{Copy, FILE, harbour},
    support::berth::{Harbour, service, team, until},
};

/// How long a run takes at most.
const SOON: Duration = Duration::from_secs(20);

/// Two stages, the first with two steps.
const STAGES: &str = "version: 1
services:
  hello:
    stages:
      - name: fast
        timeout: 1s
        steps:
          - { name: lint, image: shell, run: [\"lint\"] }
          - { name: unit, image: shell, run: [\"cd src\", \"make test\"], env: { LEVEL: high } }
      - name: slow
        steps:
          - { name: acceptance, image: shell, run: [\"accept\"] }
";

/// As [`Harbour::run_in_state`], sooner.
async fn in_state(harbour: &Harbour, number: u64, state: RunState) -> Run {
    until(&format!("run {number} is {}", state.name()), async || harbour.run(number).await.filter(|run| run.state == state)).await
}

/// A copy with a file, pushed without waiting.
async fn pushed(harbour: &Harbour, file: &str) -> Copy {
    let copy = Copy::new(harbour).await;
    copy.write("berth.yaml", file);
    copy.write("Dockerfile", "FROM scratch\n");
    push(&copy, "First").await;
    copy
}

async fn push(copy: &Copy, message: &str) {
    copy.commit(message).await;
    copy.good(&["push", "-q", "-o", "no-wait", "berth", "HEAD"]).await;
}

fn states(run: &Run) -> Vec<(&str, RunState)> {
    run.stages.iter().map(|stage| (stage.name.as_str(), stage.state)).collect()
}

/// Steps that never end by themselves.
fn stuck() -> Script {
    Script { takes: Duration::from_secs(3_600), ..Script::default() }
}

#[tokio::test]
async fn a_good_run_makes_a_candidate_of_every_stage() {
    let harbour = harbour().await;
    pushed(&harbour, STAGES).await;
    let run = harbour.run_ended_within(SOON, 1).await;
    assert_eq!((run.state, run.failure.as_deref(), run.candidate), (RunState::Passed, None, Some(1)));
    assert_eq!(states(&run), [("fast", RunState::Passed), ("slow", RunState::Passed), ("image", RunState::Passed)]);
    assert_eq!(run.stages[2].kind, StageKind::Image);
    assert_eq!((run.title.as_str(), run.author.as_str(), run.by.as_str(), run.branch.as_str()), ("First", "Ann", "Ada", "main"));
    assert_eq!(run.rollouts.len(), 1, "deployed to dev by itself");
    let tasks = harbour.fake.tasks();
    assert_eq!(tasks.len(), 3);
    let unit = tasks.iter().find(|task| task.name.ends_with("unit")).unwrap();
    for (name, value) in [("CI", "true"), ("LEVEL", "high"), ("BERTH_SERVICE", "hello"), ("BERTH_STEP", "unit"), ("BERTH_BRANCH", "main")] {
        assert_eq!(unit.env[name], value);
    }
    assert_eq!(unit.command[..3], ["sh", "-e", "-c"]);
    let calls: Vec<Verb> = harbour.fake.calls().into_iter().map(|(verb, _)| verb).collect();
    assert!(calls.contains(&Verb::FillWorkspace) && calls.contains(&Verb::CleanRun), "{calls:?}");
    let candidates = harbour.berth.backend.runs.candidates(&harbour.owner, &team(), &service(), &PageRequest::default()).await.unwrap();
    assert_eq!((candidates.items.len(), candidates.items[0].run), (1, 1));
    assert!(std::fs::read_dir(harbour.berth.config.scratch()).unwrap().next().is_none(), "nothing is left in the scratch folder");
    harbour.berth.stop().await;
}

#[tokio::test]
async fn a_failing_step_stops_the_run_at_its_stage() {
    let harbour = harbour().await;
    harbour.fake.on_task(|task| {
        let mut script = Script::default();
        if task.name.ends_with("unit") {
            script = Script { lines: vec![(false, "1 test".into()), (true, "error: it is not so".into())], code: 3, ..script };
        }
        Some(script)
    });
    pushed(&harbour, STAGES).await;
    let run = harbour.run_ended_within(SOON, 1).await;
    assert_eq!(run.state, RunState::Failed);
    let failure = run.failure.as_deref().unwrap();
    assert!(
        failure.starts_with("Stage fast, step unit: ") && failure.ends_with("ended with exit code 3: error: it is not so"),
        "{failure}"
    );
    assert_eq!(states(&run), [("fast", RunState::Failed), ("slow", RunState::Skipped), ("image", RunState::Skipped)]);
    let steps: Vec<_> = run.stages[0].steps.iter().map(|step| (step.name.as_str(), step.state, step.exit_code)).collect();
    assert_eq!(steps, [("lint", RunState::Passed, Some(0)), ("unit", RunState::Failed, Some(3))]);
    assert_eq!((run.candidate, run.rollouts.len()), (None, 0));
    let log = harbour.berth.backend.runs.log(&harbour.owner, &run.stages[0].steps[1].id, 1, 100).await.unwrap();
    let texts: Vec<_> = log.lines.iter().map(|line| (line.number, line.kind, line.text.as_str())).collect();
    assert_eq!(texts[0], (1, LineKind::Out, "1 test"));
    assert_eq!(texts[1], (2, LineKind::Err, "error: it is not so"));
    assert_eq!((texts.len(), log.total, log.complete), (3, 3, true));
    // The same commit again is a new run.
    harbour.fake.on_task(|_| Some(Script::default()));
    let again = harbour.berth.backend.runs.retry(&harbour.owner, &team(), &service(), 1, RetryFrom::Start).await.unwrap();
    assert_eq!(again.number, 2);
    assert_eq!(harbour.run_ended_within(SOON, 2).await.state, RunState::Passed);
    harbour.berth.stop().await;
}

#[tokio::test]
async fn a_step_that_takes_too_long_is_stopped() {
    let harbour = harbour().await;
    harbour.fake.on_task(|_| Some(stuck()));
    pushed(&harbour, STAGES).await;
    let run = harbour.run_ended_within(SOON, 1).await;
    assert_eq!(run.state, RunState::TimedOut);
    assert_eq!(run.failure.as_deref(), Some("Stage fast, step lint: It took longer than 1 s and was stopped."));
    harbour.berth.stop().await;
}

#[tokio::test]
async fn an_image_that_is_not_there_fails_before_anything_starts() {
    let harbour = harbour().await;
    let copy = pushed(&harbour, &FILE.replace("image: shell", "image: nowhere:1")).await;
    let run = harbour.run_ended_within(SOON, 1).await;
    assert_eq!(run.state, RunState::Failed);
    let failure = run.failure.unwrap();
    assert!(failure.starts_with("Stage fast, step unit: The image nowhere:1 was not found. There are: "), "{failure}");
    copy.write("berth.yaml", FILE);
    copy.write("Dockerfile", "FROM missing:2\n");
    push(&copy, "Second").await;
    let run = harbour.run_ended_within(SOON, 2).await;
    assert!(run.failure.as_deref().unwrap().starts_with("`Dockerfile`: The image missing:2 was not found."), "{run:?}");
    assert!(harbour.fake.tasks().is_empty());
    harbour.berth.stop().await;
}

#[tokio::test]
async fn what_this_version_does_not_run_is_refused_and_what_is_skipped_says_so() {
    let harbour = harbour().await;
    let copy = pushed(&harbour, &format!("{FILE}    jobs: {{ nightly: {{ command: [report] }} }}\n")).await;
    let run = harbour.run_ended_within(SOON, 1).await;
    assert_eq!(run.state, RunState::Failed);
    assert_eq!(run.failure.as_deref(), Some("This version of Berth does not run `jobs` yet. Take them out until it does."));
    push(&copy, "Words [skip ci]").await;
    let run = harbour.run_ended_within(SOON, 2).await;
    assert_eq!((run.state, run.reason.as_str()), (RunState::Skipped, "The commit says `[skip ci]`."));
    std::fs::remove_file(copy.path().join("berth.yaml")).unwrap();
    std::fs::remove_file(copy.path().join("Dockerfile")).unwrap();
    copy.write("README", "nothing to build");
    push(&copy, "Nothing").await;
    assert!(harbour.run_ended_within(SOON, 3).await.failure.unwrap().starts_with("This commit has neither a Dockerfile nor a berth.yaml"));
    harbour.berth.stop().await;
}

#[tokio::test]
async fn runs_of_a_branch_wait_for_each_other_and_are_cancelled_in_every_state() {
    let harbour = harbour().await;
    harbour.fake.on_task(|_| Some(stuck()));
    let copy = pushed(&harbour, FILE).await;
    in_state(&harbour, 1, RunState::Running).await;
    push(&copy, "Second").await;
    let second = in_state(&harbour, 2, RunState::Queued).await;
    assert_eq!(second.waits.as_deref(), Some("Waits for run 1, which is before it on `main`."));
    let runs = &harbour.berth.backend.runs;
    runs.cancel(&harbour.owner, &team(), &service(), 2).await.unwrap();
    assert_eq!(harbour.run(2).await.unwrap().state, RunState::Cancelled);
    until("a step runs", async || (!harbour.fake.tasks().is_empty()).then_some(())).await;
    runs.cancel(&harbour.owner, &team(), &service(), 1).await.unwrap();
    let first = harbour.run_ended_within(SOON, 1).await;
    assert_eq!((first.state, first.failure.as_deref()), (RunState::Cancelled, Some("It was cancelled.")));
    assert_eq!(states(&first), [("fast", RunState::Cancelled), ("image", RunState::Skipped)]);
    let late = runs.cancel(&harbour.owner, &team(), &service(), 1).await.unwrap_err();
    assert_eq!(late.code, "already_ended");
    harbour.berth.stop().await;
}

#[tokio::test]
async fn a_newer_push_supersedes_what_waits_but_never_on_the_default_branch() {
    let harbour = harbour().await;
    harbour.fake.on_task(|_| Some(stuck()));
    let copy = pushed(&harbour, FILE).await;
    copy.good(&["checkout", "-q", "-b", "topic"]).await;
    for number in 2..=4 {
        push(&copy, &format!("Commit {number}")).await;
        until("it is there", async || harbour.run(number).await).await;
        if number == 2 {
            in_state(&harbour, 2, RunState::Running).await;
        }
    }
    in_state(&harbour, 3, RunState::Superseded).await;
    in_state(&harbour, 4, RunState::Queued).await;
    copy.good(&["checkout", "-q", "main"]).await;
    for number in 5..=6 {
        push(&copy, &format!("Commit {number}")).await;
        in_state(&harbour, number, RunState::Queued).await;
    }
    assert_eq!(harbour.run(5).await.unwrap().state, RunState::Queued);
    harbour.berth.stop().await;
}

#[tokio::test]
async fn a_run_in_the_middle_of_a_stage_is_carried_on_after_a_restart() {
    let harbour = harbour().await;
    harbour.fake.on_task(|task| Some(if task.name.ends_with("acceptance") { stuck() } else { Script::default() }));
    pushed(&harbour, STAGES).await;
    until("the second stage runs", async || harbour.fake.tasks().iter().any(|task| task.name.ends_with("acceptance")).then_some(())).await;
    harbour.fake.on_task(|_| Some(Script::default()));
    let harbour = harbour.restart().await;
    let run = harbour.run_ended_within(SOON, 1).await;
    assert_eq!(run.state, RunState::Passed, "{run:?}");
    let stages: Vec<_> = run.stages.iter().map(|stage| (stage.name.as_str(), stage.attempt, stage.state)).collect();
    let expected =
        [("fast", 1, RunState::Passed), ("slow", 1, RunState::Lost), ("slow", 2, RunState::Passed), ("image", 1, RunState::Passed)];
    assert_eq!(stages, expected);
    let names: Vec<_> = harbour.fake.tasks().into_iter().map(|task| task.name).filter(|name| name.ends_with("acceptance")).collect();
    assert_eq!(names.len(), 2);
    assert_eq!(names[0], names[1], "what the first attempt left is found by its name");
    harbour.berth.stop().await;
}

#[tokio::test]
async fn a_log_is_followed_while_it_is_written() {
    let harbour = harbour().await;
    let lines = (1..=2_500).map(|number| (number % 2 == 0, format!("line {number}"))).collect::<Vec<_>>();
    harbour.fake.on_task(move |_| Some(Script { lines: lines.clone(), takes: Duration::from_millis(600), ..Script::default() }));
    pushed(&harbour, FILE).await;
    let step = until("the step runs", async || {
        let run = harbour.run(1).await?;
        run.stages.first()?.steps.first().filter(|step| step.state == RunState::Running).map(|step| step.id.clone())
    })
    .await;
    let runs = &harbour.berth.backend.runs;
    let all: Vec<_> = runs.follow(&harbour.owner, &step, 1).await.unwrap().collect().await;
    assert_eq!((all.len(), all[2_500].kind), (2_501, LineKind::Exit));
    assert!(all[..2_500].iter().zip(1..).all(|(line, number)| line.number == number && line.text == format!("line {number}")));
    let middle = runs.log(&harbour.owner, &step, 2_001, 10).await.unwrap();
    assert_eq!((middle.lines.len(), middle.lines[0].number, middle.total, middle.complete), (10, 2_001, 2_501, true));
    assert_eq!(runs.log(&harbour.owner, &step, 9_999, 10).await.unwrap().lines, []);
    let (mut found, mut from) = (Vec::new(), Some(1));
    while let Some(next) = from {
        let part = runs.find_in_log(&harbour.owner, &step, " LINE 24", next, 50).await.unwrap();
        assert!(part.lines.len() <= 50 && part.total == 2_501);
        found.extend(part.lines.iter().map(|line| line.number));
        from = part.next;
    }
    let expected: Vec<u64> = [24].into_iter().chain(240..250).chain(2_400..2_500).collect();
    assert_eq!(found, expected);
    assert_eq!(runs.find_in_log(&harbour.owner, &step, "  ", 1, 50).await.unwrap_err().code, "nothing_to_find");
    let url = format!("http://{}/api/v1/steps/{step}/log/text", harbour.berth.console);
    let token = crate::git::token(&harbour, vec![app::model::Scope::Read]).await;
    let text = reqwest::Client::new().get(url).bearer_auth(token).send().await.unwrap().text().await.unwrap();
    assert_eq!((text.lines().count(), text.lines().next().unwrap().split_once(' ').unwrap().1), (2_501, "line 1"));
    let nowhere = app::model::StepId::from_text("nowhere");
    assert_eq!(runs.log(&harbour.owner, &nowhere, 1, 10).await.unwrap_err().code, "unknown_step");
    assert_eq!(runs.find_in_log(&harbour.owner, &nowhere, "line", 1, 10).await.unwrap_err().code, "unknown_step");
    harbour.berth.stop().await;
}

#[tokio::test]
async fn a_build_that_fails_says_so_and_an_engine_that_is_away_is_waited_for() {
    let harbour = harbour().await;
    harbour.fake.on_build(|_| Some((vec!["Step 1/1".into()], Err(server::platform::PlatformError::BuildFailed("no such file".into())))));
    let copy = pushed(&harbour, FILE).await;
    let run = harbour.run_ended_within(SOON, 1).await;
    assert_eq!(run.state, RunState::Failed);
    let failure = run.failure.unwrap();
    assert!(failure.starts_with("Stage image: `Dockerfile` could not be built: ") && failure.contains("no such file"), "{failure}");
    harbour.fake.on_build(|_| Some((Vec::new(), Ok(Behaviour::default()))));
    let gone = server::platform::fake::Fault::Fail(server::platform::PlatformError::Gone("away".into()));
    harbour.fake.fault(Verb::FillWorkspace, &gone, 1);
    push(&copy, "Second").await;
    assert_eq!(harbour.run_ended_within(SOON, 2).await.state, RunState::Passed);
    harbour.fake.on_task(|_| Some(Script { code: 137, out_of_memory: true, ..Script::default() }));
    push(&copy, "Third").await;
    let run = harbour.run_ended_within(SOON, 3).await;
    assert!(run.failure.as_deref().unwrap().contains("MiB of memory"), "{run:?}");
    harbour.berth.stop().await;
}
