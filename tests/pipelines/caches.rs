//! What steps leave for those of the next runs: in memory, and on the real engine.

use std::{collections::BTreeSet, time::Duration};

use app::model::{Cache, CacheEnd, LineKind, Run, RunState, Step};
use server::{
    args,
    platform::{
        Task,
        fake::{CACHED, Fault, Script, Verb},
    },
    store::Query as _,
};

use crate::{
    git::{Copy, furnish, harbour},
    support::{
        berth::{Harbour, service, team, within},
        images::{self, BUSYBOX},
        proof,
    },
};

/// Two steps at once with the same folder, one of them keyed by a file.
const FILE: &str = "version: 1
services:
  hello:
    stages:
      - name: fast
        steps:
          - { name: one, image: shell, run: [one], caches: { /kept: [lock, \"*/lock\"] } }
          - { name: two, image: shell, run: [two], caches: { /kept: [lock, \"*/lock\"] } }
";

async fn caches(harbour: &Harbour) -> Vec<Cache> {
    harbour.berth.backend.services.caches(&harbour.owner, &team(), &service()).await.unwrap()
}

/// Why each of those that were given up was.
async fn ends(harbour: &Harbour) -> Vec<CacheEnd> {
    caches(harbour).await.into_iter().filter_map(|cache| cache.why).collect()
}

/// What a step's log says of caches.
async fn said(harbour: &Harbour, step: &Step) -> Vec<String> {
    let log = harbour.berth.backend.runs.log(&harbour.owner, &step.id, 1, 1_000).await.unwrap();
    let note = |line: &app::model::LogLine| line.kind == LineKind::Note && line.text.to_lowercase().contains("cache");
    log.lines.into_iter().filter(note).map(|line| line.text).collect()
}

/// Lets every task take so long that those of a stage are under way at once.
fn at_once(harbour: &Harbour) {
    harbour.fake.on_task(|_| Some(Script { takes: Duration::from_millis(1_500), ..Script::default() }));
}

/// Pushes what the copy holds, and waits for the run.
async fn pushed(harbour: &Harbour, copy: &Copy, number: u64) -> Run {
    copy.push(&format!("Push {number}")).await;
    harbour.run_ended(number).await
}

async fn begun(harbour: &Harbour, file: &str) -> Copy {
    let copy = Copy::new(harbour).await;
    copy.write("berth.yaml", file);
    copy.write("Dockerfile", "FROM scratch\n");
    copy.write("lock", "one");
    copy
}

/// The volumes there are, until they are these many.
async fn come_to(harbour: &Harbour, count: usize) {
    within(Duration::from_secs(30), "so many caches are there", async || {
        (harbour.berth.platform.caches().await.ok()?.len() == count).then_some(())
    })
    .await;
}

fn of_tasks(tasks: &[Task], step: &str) -> Vec<String> {
    let ends = format!("-{step}");
    tasks.iter().filter(|task| task.name.ends_with(&ends)).flat_map(|task| &task.caches).map(|cache| cache.id.to_string()).collect()
}

#[tokio::test]
async fn each_step_has_a_cache_for_itself_and_finds_what_was_left_for_the_same_files() {
    let harbour = harbour().await;
    at_once(&harbour);
    let copy = begun(&harbour, FILE).await;
    let run = pushed(&harbour, &copy, 1).await;
    assert_eq!(run.state, RunState::Passed, "{run:?}");
    let empty = "Cache /kept: nothing is kept yet, it begins empty.";
    assert_eq!(said(&harbour, &run.stages[0].steps[0]).await, [empty]);
    copy.write("other", "a file that no cache is keyed by");
    let run = pushed(&harbour, &copy, 2).await;
    assert_eq!(said(&harbour, &run.stages[0].steps[1]).await, ["Cache /kept: goes on with what run 1 left."]);
    let tasks = harbour.fake.tasks();
    let (one, two) = (of_tasks(&tasks, "one"), of_tasks(&tasks, "two"));
    assert_eq!((one.len(), two.len()), (2, 2));
    assert!(one[0] != two[0] && one[1] != two[1], "never one for two at once: {one:?} {two:?}");
    let before: BTreeSet<&String> = [&one[0], &two[0]].into();
    assert_eq!(before, [&one[1], &two[1]].into());

    // Other files: both begin with a copy of what was left for the first, which stay.
    copy.write("deep/lock", "two");
    let run = pushed(&harbour, &copy, 3).await;
    let others = "Cache /kept: nothing is kept for these files, it goes on with what run 2 left for others.";
    assert_eq!(said(&harbour, &run.stages[0].steps[0]).await, [others]);
    copy.good(&["rm", "-q", "-r", "deep"]).await;
    let run = pushed(&harbour, &copy, 4).await;
    assert_eq!(said(&harbour, &run.stages[0].steps[0]).await, ["Cache /kept: goes on with what run 2 left."]);
    assert_eq!(said(&harbour, &run.stages[0].steps[1]).await, ["Cache /kept: goes on with what run 2 left."]);
    let kept = caches(&harbour).await;
    let made_for: BTreeSet<_> = kept.iter().map(|cache| cache.made_for.clone()).collect();
    assert_eq!((kept.len(), made_for.len()), (4, 2), "{kept:?}");
    within(Duration::from_secs(30), "they are measured", async || {
        caches(&harbour).await.iter().all(|cache| cache.size.is_some_and(|size| size >= CACHED)).then_some(())
    })
    .await;

    // Cleared, they are gone; and the service takes the rest with it.
    harbour.berth.backend.services.clear_caches(&harbour.owner, &team(), &service()).await.unwrap();
    come_to(&harbour, 0).await;
    assert_eq!(ends(&harbour).await, [CacheEnd::Cleared; 4]);
    let run = pushed(&harbour, &copy, 5).await;
    assert_eq!(said(&harbour, &run.stages[0].steps[0]).await, [empty]);
    assert_eq!(harbour.fake.kept().len(), 2);
    let fake = harbour.fake.clone();
    harbour.clear().await;
    assert_eq!(fake.kept().len(), 0);
    proof("caches", "5 runs of 2 steps at once over 2 sets of files: 10 of 10 as kept for them, never one for two, 0 left");
}

#[tokio::test]
async fn what_was_cut_short_is_given_up_and_what_failed_by_itself_is_kept() {
    let harbour = harbour().await;
    let file = FILE.replace("run: [two],", "run: [two], timeout: 4s, retry: { lost: 1 },");
    let copy = begun(&harbour, &file).await;
    harbour.fake.on_task(|task| {
        let script = Script { code: 1, ..Script::default() };
        Some(if task.name.ends_with("-two") { Script { takes: Duration::from_secs(60), ..script } } else { script })
    });
    let run = pushed(&harbour, &copy, 1).await;
    assert_eq!(run.state, RunState::Failed);
    let two = said(&harbour, &run.stages[0].steps[1]).await;
    assert_eq!(two[1], "Its caches are given up: it was ended from outside, and they may be half written.", "{two:?}");
    assert_eq!(ends(&harbour).await, [CacheEnd::CutShort]);
    come_to(&harbour, 1).await;

    // The engine goes away in the middle: nobody knows how that ended. Whatever it was, it is not kept.
    at_once(&harbour);
    harbour.fake.fault(Verb::RunToEnd, &Fault::Lose, 2);
    let run = pushed(&harbour, &copy, 2).await;
    assert_eq!(run.state, RunState::Passed, "{run:?}");
    within(Duration::from_secs(30), "they are given up", async || (ends(&harbour).await.len() == 3).then_some(())).await;
    come_to(&harbour, 2).await;
    harbour.berth.stop().await;
}

#[tokio::test]
async fn what_was_not_used_for_longest_goes_when_there_is_no_room_or_nobody_uses_it() {
    let harbour = Harbour::with(|config| config.cache_budget = 5 * CACHED / 2).await;
    furnish(&harbour);
    at_once(&harbour);
    let copy = begun(&harbour, FILE).await;
    pushed(&harbour, &copy, 1).await;
    within(Duration::from_secs(30), "both are measured", async || {
        (caches(&harbour).await.iter().filter(|cache| cache.size == Some(CACHED)).count() == 2).then_some(())
    })
    .await;
    // The copies of other files hold twice as much: both of before go, and one of them.
    copy.write("lock", "two");
    pushed(&harbour, &copy, 2).await;
    within(Duration::from_secs(60), "there is room again", async || (ends(&harbour).await == [CacheEnd::OverBudget; 3]).then_some(()))
        .await;
    come_to(&harbour, 1).await;

    // What a Berth left behind whose rows are gone is removed, and what was not used for two weeks.
    let mut tx = harbour.berth.db.begin().await.unwrap();
    tx.execute("UPDATE caches SET used_at = 1 WHERE dropped_at IS NULL", args![]).await.unwrap();
    tx.execute("DELETE FROM caches WHERE dropped_at IS NOT NULL", args![]).await.unwrap();
    tx.commit().await.unwrap();
    let harbour = harbour.restart().await;
    come_to(&harbour, 0).await;
    assert_eq!(ends(&harbour).await, [CacheEnd::Unused]);
    // First the engine lets go of it, then its row says so.
    within(Duration::from_secs(30), "none is to be removed any more", async || {
        let rows = harbour.berth.db.fetch_all("SELECT id FROM caches WHERE removed_at IS NULL", args![]).await.unwrap();
        rows.is_empty().then_some(())
    })
    .await;
    harbour.berth.stop().await;
}

/// Steps that say what they find, and leave something: in a folder of the image, and in one of the workspace.
fn on_engine(last: &str) -> String {
    format!(
        "version: 1
services:
  hello:
    stages:
      - name: fast
        steps:
          - name: make
            image: {BUSYBOX}
            caches: {{ /var/kept: [lock], /workspace/modules: [] }}
            run: [\"cat /var/kept/by /workspace/modules/by 2>/dev/null || echo nothing yet\", \"ls -A /workspace\", \"echo $BERTH_RUN > /var/kept/by; echo $BERTH_RUN > modules/by\", \"{last}\"]
"
    )
}

async fn printed(harbour: &Harbour, run: &Run) -> Vec<String> {
    let log = harbour.berth.backend.runs.log(&harbour.owner, &run.stages[0].steps[0].id, 1, 1_000).await.unwrap();
    log.lines.into_iter().filter(|line| line.kind == LineKind::Out).map(|line| line.text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_engine_folders_are_kept_from_run_to_run() {
    images::busybox_image().await;
    let harbour = Harbour::on_engine_with(|config| config.cache_budget = 8 << 20).await;
    let copy = begun(&harbour, &on_engine("true")).await;
    copy.write("Dockerfile", &images::serving("/", ""));
    let first = pushed(&harbour, &copy, 1).await;
    assert_eq!(first.state, RunState::Passed, "{first:?}");
    assert!(printed(&harbour, &first).await.contains(&"nothing yet".to_owned()));

    // A step that fails by itself keeps what it had; one for other files has a copy.
    copy.write("berth.yaml", &on_engine("exit 3"));
    let second = pushed(&harbour, &copy, 2).await;
    assert_eq!((second.state, &printed(&harbour, &second).await[..2]), (RunState::Failed, &["1".to_owned(), "1".to_owned()][..]));
    copy.write("berth.yaml", &on_engine("true"));
    copy.write("lock", "two");
    let third = pushed(&harbour, &copy, 3).await;
    assert_eq!(printed(&harbour, &third).await[..2], ["2", "2"], "{:?}", said(&harbour, &third.stages[0].steps[0]).await);
    copy.write("lock", "one");
    let fourth = pushed(&harbour, &copy, 4).await;
    assert_eq!(printed(&harbour, &fourth).await[..2], ["2", "3"], "what was left for the first files was left alone");
    come_to(&harbour, 3).await;

    // More than there is room for: the engine tells the sizes.
    copy.write("berth.yaml", &on_engine("head -c 20000000 /dev/zero > /var/kept/large"));
    pushed(&harbour, &copy, 5).await;
    within(Duration::from_secs(60), "it is given up", async || ends(&harbour).await.contains(&CacheEnd::OverBudget).then_some(())).await;
    let large = caches(&harbour).await.into_iter().filter_map(|cache| cache.size).max();
    assert!(large.is_some_and(|size| size >= 20_000_000), "{large:?}");
    assert_eq!(harbour.left().await.len(), 0, "nothing of a run");

    let platform = harbour.berth.platform.clone();
    harbour.clear().await;
    within(Duration::from_secs(60), "they go with their service", async || platform.caches().await.ok()?.is_empty().then_some(())).await;
}
