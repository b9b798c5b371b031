//! Logs of steps: how one ended is a line of its own kind, the last words of a killed one are kept, and parts of it can be
//! asked for.

use std::time::Duration;

use app::model::{LineKind, LogRange, Run, RunState, Scope, Step};
use server::platform::fake::{Fault, Leaves, Script, Verb};

use crate::{
    git::{Copy, harbour, token},
    support::{
        berth::{Harbour, service, team, within},
        proof,
    },
};

/// What a step writes before it is killed; no line end follows.
const LAST_WORDS: &str = "these are its last words";

fn file(more: &str) -> String {
    format!(
        "version: 1\nservices:\n  hello:\n    stages:\n      - name: fast\n        steps:\n          - {{ name: unit, image: shell, run: [\"make test\"]{more} }}\n"
    )
}

async fn copy(harbour: &Harbour) -> Copy {
    let copy = Copy::new(harbour).await;
    copy.write("Dockerfile", "FROM scratch\n");
    copy
}

async fn push(copy: &Copy, text: &str, message: &str) {
    copy.write("berth.yaml", text);
    copy.commit(message).await;
    copy.good(&["push", "-q", "-o", "no-wait", "berth", "HEAD"]).await;
}

async fn run(harbour: &Harbour, number: u64, is: impl Fn(&Run) -> bool) -> Run {
    within(Duration::from_secs(30), "the run is so far", async || {
        harbour.berth.backend.runs.show(&harbour.owner, &team(), &service(), number).await.ok().filter(&is)
    })
    .await
}

async fn lines(harbour: &Harbour, step: &Step) -> Vec<(LineKind, String)> {
    let log = harbour.berth.backend.runs.log(&harbour.owner, &step.id, 1, 5_000).await.unwrap();
    log.lines.into_iter().map(|line| (line.kind, line.text)).collect()
}

/// The last two lines of the first step.
async fn end(harbour: &Harbour, run: &Run) -> [(LineKind, String); 2] {
    let mut all = lines(harbour, &run.stages[0].steps[0]).await;
    let last = all.pop().unwrap();
    [all.pop().unwrap(), last]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_words_of_a_killed_step_are_kept_and_its_exit_is_a_line() {
    let harbour = harbour().await;
    let copy = copy(&harbour).await;
    let script = |takes: u64, code: i64, out_of_memory: bool| Script {
        pieces: vec!["x\n".repeat(2_000), LAST_WORDS.to_owned()],
        takes: Duration::from_secs(takes),
        code,
        out_of_memory,
        ..Script::default()
    };
    let play = |played: Script| harbour.fake.on_task(move |_| Some(played.clone()));
    let words = (LineKind::Out, LAST_WORDS.to_owned());
    let exit = |text: &str| (LineKind::Exit, text.to_owned());

    play(script(0, 0, false));
    push(&copy, &file(""), "Good").await;
    let good = run(&harbour, 1, |run| run.state.ended()).await;
    assert_eq!(end(&harbour, &good).await, [words.clone(), exit("It ended with exit code 0.")]);

    play(script(0, 137, true));
    push(&copy, &file(""), "Memory").await;
    let killed = run(&harbour, 2, |run| run.state.ended()).await;
    let [last, ended] = end(&harbour, &killed).await;
    assert_eq!((last, ended.0), (words.clone(), LineKind::Exit), "{ended:?}");
    assert!(ended.1.contains("memory"), "{ended:?}");

    play(script(600, 0, false));
    push(&copy, &file(", timeout: 1s"), "Timeout").await;
    let late = run(&harbour, 3, |run| run.state.ended()).await;
    assert_eq!(late.state, RunState::TimedOut);
    assert_eq!(end(&harbour, &late).await, [words.clone(), exit("It took longer than 1 s and was stopped.")]);

    push(&copy, &file(""), "Cancel").await;
    run(&harbour, 4, |run| run.stages.first().is_some_and(|stage| stage.steps[0].lines >= 2_000)).await;
    harbour.berth.backend.runs.cancel(&harbour.owner, &team(), &service(), 4).await.unwrap();
    let cancelled = run(&harbour, 4, |run| run.state.ended()).await;
    assert_eq!((cancelled.state, &end(&harbour, &cancelled).await[1]), (RunState::Cancelled, &words));

    // The engine goes away, and nobody knows how the step ended: what it wrote until then is kept, and the
    // stage is begun again.
    play(script(0, 0, false));
    harbour.fake.fault(Verb::RunToEnd, &Fault::Lose, 1);
    push(&copy, &file(""), "Engine lost").await;
    let lost = run(&harbour, 5, |run| run.state.ended()).await;
    let tries: Vec<RunState> = lost.stages.iter().take(2).map(|stage| stage.state).collect();
    assert_eq!((lost.state, tries), (RunState::Passed, vec![RunState::Lost, RunState::Passed]));
    let [last, ended] = end(&harbour, &lost).await;
    assert_eq!((last, ended.0), (words, LineKind::Exit), "{ended:?}");
    harbour.berth.stop().await;
    proof("last words", "a step that ended, one each killed for memory, time, by a person, and one whose engine was lost: 5 of 5 kept");
}

#[tokio::test]
async fn parts_of_a_log_are_asked_for() {
    let harbour = harbour().await;
    harbour.fake.on_task(|_| Some(Script { pieces: (1..=300).map(|number| format!("line {number}\n")).collect(), ..Script::default() }));
    let copy = copy(&harbour).await;
    push(&copy, &file(""), "First").await;
    let run = run(&harbour, 1, |run| run.state.ended()).await;
    let step = &run.stages[0].steps[0];
    let token = token(&harbour, vec![Scope::Read]).await;
    let asked = async |query: &str| {
        let url = format!("http://{}/api/v1/steps/{}/log?{query}", harbour.berth.console, step.id);
        reqwest::Client::new().get(url).bearer_auth(&token).send().await.unwrap()
    };
    let total = step.lines;
    let cases = [
        ("tail=1", total, total),
        ("tail=50", total - 49, total),
        ("tail=5000", 1, total),
        ("tail=50&limit=10", total - 49, total - 40),
        ("from=10&to=19", 10, 19),
        ("from=290&to=100000", 290, total),
        ("to=5", 1, 5),
        ("from=5&limit=3", 5, 7),
    ];
    for (query, first, last) in cases {
        let range: LogRange = asked(query).await.json().await.unwrap();
        let numbers: Vec<u64> = range.lines.iter().map(|line| line.number).collect();
        assert_eq!((numbers, range.total), ((first..=last).collect(), total), "{query}");
    }
    assert_eq!(asked("from=9&to=8").await.status(), 422);
    harbour.berth.stop().await;
    proof("parts of a log", &format!("{} ways to ask, 0 lines too many or too few", cases.len()));
}

#[tokio::test]
async fn a_failed_run_says_what_is_different_since_the_last_good_one() {
    let harbour = harbour().await;
    let copy = copy(&harbour).await;
    let play = |code: i64, failing: &[&str]| {
        let case = |name: &&str| format!("<testcase name='{name}'>{}</testcase>", if failing.contains(name) { "<failure/>" } else { "" });
        let cases: String = ["adds", "rounds", "sums"].iter().map(case).collect();
        let report = Leaves::File(format!("<testsuite name='money'>{cases}</testsuite>").into_bytes());
        harbour.fake.on_task(move |_| Some(Script { leaves: vec![("out/a.xml".into(), report.clone())], code, ..Script::default() }));
    };
    let text = file(", junit: \"out/*.xml\"");
    play(1, &["adds"]);
    push(&copy, &text, "Never good").await;
    assert_eq!(run(&harbour, 1, |run| run.state.ended()).await.since_good, None, "nothing passed before it");
    play(0, &["adds"]);
    push(&copy, &text, "Good").await;
    assert_eq!(run(&harbour, 2, |run| run.state.ended()).await.since_good, None, "it passed");
    play(1, &["adds", "rounds"]);
    push(&copy, &text, "Break <it>").await;
    push(&copy, &text, "Break more").await;
    let since = run(&harbour, 4, |run| run.state.ended()).await.since_good.unwrap();
    let titles: Vec<&str> = since.commits.iter().map(|commit| commit.title.as_str()).collect();
    assert_eq!((since.run, titles, since.commits_unread), (2, vec!["Break more", "Break <it>"], None));
    assert_eq!(since.failing, ["money › rounds"], "what failed then as well is nothing new");
    harbour.berth.stop().await;
}
