//! The same on the real container engine: from a push to a page in the browser.

use std::{process::Command, time::Duration};

use app::model::{LineKind, PageRequest, Run, RunState, Step};

use crate::{
    git::Copy,
    support::{
        berth::{Harbour, service, team, within},
        images::{self, BUSYBOX},
    },
};

/// The first stage leaves a file that the second one needs.
fn file(test: &str) -> String {
    format!(
        "version: 1
services:
  hello:
    stages:
      - name: fast
        timeout: 1m
        steps:
          - name: unit
            image: {BUSYBOX}
            run: [\"cd www && pwd\", \"{test}\", \"echo $BERTH_SERVICE $CI > /workspace/carried\", \"echo it is $DEPLOY_KEY\"]
            secrets: [DEPLOY_KEY]
          - name: offline
            image: {BUSYBOX}
            network: none
            run: [\"test $(ls /sys/class/net | wc -l) = 1\"]
      - name: slow
        timeout: 3s
        steps:
          - {{ name: carried, image: \"{BUSYBOX}\", run: [\"cat carried\", \"cat www/index.html\"] }}
    processes:
      web: {{ port: 8080, health: {{ path: /index.html }}, drain: 0s }}
"
    )
}

/// A value that nothing but its step may see.
const CANARY: &str = "kanarienvogel-41";

/// What `docker` says.
fn docker(words: &[&str]) -> String {
    let done = Command::new("docker").args(words).output().unwrap();
    assert!(done.status.success(), "docker {words:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// The last two lines of a step's log.
async fn last_lines(harbour: &Harbour, step: &Step) -> [(LineKind, String); 2] {
    let log = harbour.berth.backend.runs.log(&harbour.owner, &step.id, 1, 1_000).await.unwrap();
    let mut lines = log.lines.into_iter().rev().map(|line| (line.kind, line.text));
    let last = lines.next().unwrap();
    [lines.next().unwrap(), last]
}

async fn left(harbour: &Harbour) -> usize {
    harbour.left().await.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_engine_a_push_is_tested_built_and_live() {
    images::busybox_image().await;
    let harbour = Harbour::on_engine().await;
    let copy = Copy::new(&harbour).await;
    harbour.berth.backend.services.set_secret(&harbour.owner, &team(), &service(), "DEPLOY_KEY", CANARY).await.unwrap();
    copy.write("www/index.html", "one");
    copy.write("Dockerfile", &images::serving("/www", "COPY www /www\n"));
    copy.write("berth.yaml", &file("grep -q one index.html"));
    let shown = copy.push("First").await;
    let run = harbour.run_ended(1).await;
    assert_eq!((run.state, run.failure.as_deref()), (RunState::Passed, None), "{shown}");
    assert!(shown.contains("✓ dev: live at http://hello-demo.dev.localhost"), "{shown}");
    assert!(shown.contains("hello true"), "what the first stage left is there in the second: {shown}");
    assert_eq!(harbour.ask("dev").await, (200, "one".into()));
    let unit = &run.stages[0].steps[0];
    let log = harbour.berth.backend.runs.log(&harbour.owner, &unit.id, 1, 100).await.unwrap();
    let lines: Vec<_> = log.lines.iter().map(|line| (line.kind, line.text.as_str())).collect();
    assert_eq!(lines[0], (LineKind::Command, "cd www && pwd"));
    assert_eq!(lines[1], (LineKind::Out, "/workspace/www"));
    assert_eq!(lines.iter().filter(|(kind, _)| *kind == LineKind::Command).count(), 4);
    assert!(lines.contains(&(LineKind::Out, "it is ***")), "{lines:?}");
    let image = harbour.berth.backend.runs.candidates(&harbour.owner, &team(), &service(), &PageRequest::default()).await.unwrap();
    let image = &image.items[0].image;
    let (history, settings) = (docker(&["history", "--no-trunc", image]), docker(&["image", "inspect", image]));
    assert!(history.contains("/www") && !format!("{history}{settings}").contains(CANARY), "{history}\n{settings}");
    assert_eq!(left(&harbour).await, 0);

    copy.write("berth.yaml", &file("echo oh no >&2; exit 4"));
    let shown = copy.push("Second").await;
    let run = harbour.run_ended(2).await;
    assert_eq!(run.state, RunState::Failed);
    assert_eq!(run.failure.as_deref(), Some("Stage fast, step unit: `echo oh no >&2; exit 4` ended with exit code 4: oh no"), "{shown}");
    assert_eq!(run.candidate, None);

    copy.write("berth.yaml", &file("true").replace("cat carried", "printf last-words; sleep 60"));
    copy.push("Third").await;
    let run = harbour.run_ended(3).await;
    let late = "It took longer than 3 s and was stopped.";
    assert_eq!(run.failure.as_deref(), Some(format!("Stage slow, step carried: {late}").as_str()));
    assert_eq!(last_lines(&harbour, &run.stages[1].steps[0]).await, [(LineKind::Out, "last-words".into()), (LineKind::Exit, late.into())]);

    copy.write("berth.yaml", &file("true").replace(BUSYBOX, "berth-test/nowhere:1"));
    copy.push("Fourth").await;
    let failure = harbour.run_ended(4).await.failure.unwrap();
    assert!(failure.contains("The image berth-test/nowhere:1 was not found.") && failure.contains(BUSYBOX), "{failure}");

    copy.write("berth.yaml", &file("echo begun; printf last-words; sleep 300"));
    copy.commit("Fifth").await;
    copy.good(&["push", "-q", "-o", "no-wait", "berth", "main"]).await;
    within(Duration::from_secs(30), "the step runs", async || {
        let run = harbour.berth.backend.runs.show(&harbour.owner, &team(), &service(), 5).await.ok()?;
        // Two commands with what they wrote: what follows the last line was written long before a line reaches the store.
        run.stages.first().filter(|stage| stage.steps[0].lines > 3).map(|_| ())
    })
    .await;
    harbour.berth.backend.runs.cancel(&harbour.owner, &team(), &service(), 5).await.unwrap();
    let run = harbour.run_ended(5).await;
    assert_eq!(run.state, RunState::Cancelled);
    assert_eq!(last_lines(&harbour, &run.stages[0].steps[0]).await[1], (LineKind::Out, "last-words".into()));
    assert_eq!(left(&harbour).await, 0, "containers, volumes and networks of runs are gone");
    assert_eq!(harbour.ask("dev").await, (200, "one".into()), "what serves is untouched");
    harbour.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_engine_a_step_uses_no_more_than_the_settings_allow() {
    images::busybox_image().await;
    let harbour = Harbour::on_engine_with(|config| (config.step_memory, config.step_cpu_millis) = (64 << 20, 500)).await;
    let copy = Copy::new(&harbour).await;
    copy.write("Dockerfile", &format!("FROM {BUSYBOX}\n"));
    let step = |name: &str, command: &str| format!("          - {{ name: {name}, image: \"{BUSYBOX}\", run: [\"{command}\"] }}\n");
    // Half of every tenth of a second, by either of the kernel's two interfaces.
    let half = "cd /sys/fs/cgroup; cat cpu.max cpu/cpu.cfs_quota_us 2>/dev/null | grep -q '^50000'";
    let steps = step("half", half) + &step("greedy", "tail -c 200m /dev/zero > /dev/null");
    copy.write("berth.yaml", &format!("version: 1\nservices:\n  hello:\n    stages:\n      - name: fast\n        steps:\n{steps}"));
    let shown = copy.push("Greedy").await;
    let run = harbour.run_ended(1).await;
    let ends: Vec<_> = run.stages[0].steps.iter().map(|step| (step.name.as_str(), step.state)).collect();
    assert_eq!(ends, [("half", RunState::Passed), ("greedy", RunState::Failed)], "{shown}");
    assert!(run.failure.unwrap().contains("more than 64 MiB of memory"), "{shown}");
    harbour.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_engine_what_a_step_leaves_is_read_and_kept() {
    images::busybox_image().await;
    let harbour = Harbour::on_engine().await;
    let copy = Copy::new(&harbour).await;
    copy.write("services/a/Dockerfile", &images::serving("/", ""));
    copy.write("services/a/report.xml", "<testsuite name='s'><testcase name='sums'/><testcase name='rounds'><failure message='it is 4'>at line 7</failure></testcase></testsuite>");
    copy.write(
        "berth.yaml",
        &format!(
            "version: 1
services:
  hello:
    path: services/a
    stages:
      - name: fast
        steps:
          - name: unit
            image: {BUSYBOX}
            run: [\"mkdir -p out/deep && cp report.xml out/deep/a.xml\", \"ln -s /etc/passwd out/deep/b.xml\", \"exit 3\"]
            junit: \"out/**/*.xml\"
            artifacts: [\"out/deep/*\", report.xml]
"
        ),
    );
    copy.push("First").await;
    let run = harbour.run_ended(1).await;
    assert!(run.failure.as_deref().unwrap_or_default().ends_with("ended with exit code 3."), "{run:?}");
    let ci = &harbour.berth.backend.ci;
    let tests = ci.tests(&harbour.owner, &team(), &service(), 1).await.unwrap();
    assert_eq!((tests.counts.passed, tests.counts.failed, tests.failing[0].name.as_str()), (1, 1, "rounds"));
    let kept = ci.artifacts(&harbour.owner, &team(), &service(), 1).await.unwrap();
    let paths: Vec<&str> = kept.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["services/a/out/deep/a.xml", "services/a/report.xml"]);
    let (file, place) = ci.artifact(&harbour.owner, &team(), &service(), 1, &kept[0].id).await.unwrap();
    assert_eq!(std::fs::metadata(place).unwrap().len(), file.size);
    let log = harbour.berth.backend.runs.log(&harbour.owner, &run.stages[0].steps[0].id, 1, 100).await.unwrap();
    assert!(log.lines.iter().any(|line| line.text.starts_with("`services/a/out/deep/b.xml` is a link")), "{log:?}");
    assert_eq!(left(&harbour).await, 0, "no helper and no workspace is left");
    harbour.clear().await;
}

/// Two stages that need nothing of each other, a text below a command, and a cache that is kept.
const SIDE_BY_SIDE: &str = "FROM berth-test/busybox:1 AS one
RUN --mount=type=cache,target=/kept <<EOF
set -e
echo run >> /kept/runs
wc -l < /kept/runs > /one
echo it is $(cat /var/key)
EOF
FROM berth-test/busybox:1 AS two
RUN echo two > /two
FROM berth-test/busybox:1
COPY --from=one /one /www/
COPY --from=two /two /www/
COPY index.html /www/
CMD [\"httpd\", \"-f\", \"-p\", \"8080\", \"-h\", \"/www\"]
";

/// The log of the step that makes the image.
async fn log_of_image(harbour: &Harbour, run: &Run) -> Vec<String> {
    let image = run.stages.last().unwrap();
    let log = harbour.berth.backend.runs.log(&harbour.owner, &image.steps[0].id, 1, 1_000).await.unwrap();
    log.lines.into_iter().map(|line| line.text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_engine_buildkit_builds_where_it_is_let_in() {
    images::busybox_image().await;
    let harbour = Harbour::on_engine_with(|config| config.buildkit = true).await;
    let backend = &harbour.berth.backend;
    backend.services.set_secret(&harbour.owner, &team(), &service(), "DEPLOY_KEY", CANARY).await.unwrap();
    let copy = Copy::new(&harbour).await;
    let file = |more: &str| {
        format!("version: 1\nservices:\n  hello:\n    image: {{ {more} }}\n    processes: {{ web: {{ port: 8080, drain: 0s }} }}\n")
    };
    // The canary reaches the build as a file: what prints it is not to show it.
    // Whatever the engine keeps of builds before, of this one it has nothing.
    let once = server::clock::new_id();
    let dockerfile = SIDE_BY_SIDE.replace("RUN --mount=type=cache", &format!("ENV ONCE={once}\nCOPY key /var/key\nRUN --mount=type=cache"));
    let (one, two) = (format!("one {once}"), format!("two {once}"));
    copy.write("Dockerfile", &dockerfile);
    copy.write("key", &format!("{CANARY}\n"));
    copy.write("index.html", &one);
    copy.write("berth.yaml", &file("builder: buildkit"));
    let shown = copy.push("First").await;
    let run = harbour.run_ended(1).await;
    assert_eq!((run.state, run.failure.as_deref()), (RunState::Passed, None), "{shown}");
    assert_eq!(harbour.ask("dev").await, (200, one));
    let first = log_of_image(&harbour, &run).await;
    let has = |log: &[String], part: &str| log.iter().any(|line| line.contains(part));
    assert!(has(&first, "no limit of memory") && !has(&first, "own addresses"), "{first:#?}");
    assert!(has(&first, "it is ***") && !has(&first, CANARY) && !shown.contains(CANARY), "{first:#?}");
    let candidates = backend.runs.candidates(&harbour.owner, &team(), &service(), &PageRequest::default()).await.unwrap();
    let kept = ["image", "inspect", candidates.items[0].image.as_str()];
    let labels = docker(&kept);
    assert!(labels.contains("\"berth.run\": \"") && labels.contains("\"berth.team\": \"") && labels.contains(&run.commit), "{labels}");

    // The next build finds what the first one kept: every step but that of the file which changed.
    copy.write("index.html", &two);
    let shown = copy.push("Second").await;
    let run = harbour.run_ended(2).await;
    assert_eq!(run.state, RunState::Passed, "{shown}");
    let second = log_of_image(&harbour, &run).await;
    let cached = second.iter().filter(|line| line.contains("Using cache")).count();
    assert_eq!(cached, 5, "{second:#?}");
    assert_eq!(harbour.ask("dev").await, (200, two));

    // What goes round the checks is refused as with the other builder, and what is BuildKit's own.
    let mut refused = 0;
    for (dockerfile, part) in [
        ("# syntax=docker/dockerfile:1\nFROM berth-test/busybox:1\n", "`syntax`"),
        ("FROM berth-test/nowhere:1\n", "berth-test/nowhere:1 was not found"),
        ("FROM berth-test/busybox:1\nRUN --mount=from=berth-test/nowhere:2,target=/x ls /x\n", "berth-test/nowhere:2 was not found"),
        ("FROM berth-test/busybox:1\nRUN --mount=type=secret,id=x cat /run/secrets/x\n", "type=secret"),
        ("FROM berth-test/busybox:1\nRUN --network=host ip addr\n", "--network=host"),
        ("FROM berth-test/busybox:1\nADD http://127.0.0.1/ /x\n", "past the wall"),
    ] {
        copy.write("Dockerfile", dockerfile);
        copy.push(part).await;
        let run = harbour.run_ended(3 + refused).await;
        refused += 1;
        assert_eq!(run.state, RunState::Failed, "{dockerfile}");
        assert!(run.failure.as_deref().unwrap_or_default().contains(part), "{dockerfile}: {:?}", run.failure);
    }
    copy.write("Dockerfile", &dockerfile);
    copy.good(&["rm", "-q", "--cached", "key"]).await;
    std::os::unix::fs::symlink("/etc/shadow", copy.path().join("out")).unwrap();
    copy.push("A link that leads out").await;
    let failure = harbour.run_ended(3 + refused).await.failure.unwrap();
    assert!(failure.contains("`out` is a link that leads out"), "{failure}");
    assert_eq!(left(&harbour).await, 0);
    harbour.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_engine_buildkit_is_refused_where_it_is_not_let_in() {
    images::busybox_image().await;
    let harbour = Harbour::on_engine().await;
    let copy = Copy::new(&harbour).await;
    copy.write("Dockerfile", SIDE_BY_SIDE);
    copy.write("index.html", "one");
    copy.push("Without a file").await;
    let failure = harbour.run_ended(1).await.failure.unwrap();
    assert!(failure.contains("`RUN --mount`") || failure.contains("`RUN <<EOF`"), "{failure}");
    assert!(failure.contains("say `builder: buildkit` under `image:`"), "{failure}");
    copy.write("berth.yaml", "version: 1\nservices: { hello: { image: { builder: buildkit } } }\n");
    copy.push("Asked for").await;
    let run = harbour.run_ended(2).await;
    assert!(run.failure.as_deref().unwrap_or_default().contains("allow it with `--buildkit`"), "{:?}", run.failure);
    assert!(run.stages.iter().all(|stage| stage.steps.iter().all(|step| step.lines == 0)), "at once");
    harbour.clear().await;
}
