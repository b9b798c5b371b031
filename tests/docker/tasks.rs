//! Commands that run to their end, and the files they hand on.

use std::{
    fmt::Write as _,
    path::PathBuf,
    time::{Duration, Instant},
};

use app::model::{RunId, TeamId};
use futures::StreamExt as _;
use server::platform::{Output, Platform, PlatformError, TaskEnd, Workspace};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{run, run_until, step, until};
use crate::support::{images, platform::TestPlatform};

fn on_disk(folder: &tempfile::TempDir, archive: &[u8]) -> PathBuf {
    let path = folder.path().join("archive.tar");
    std::fs::write(&path, archive).unwrap();
    path
}

async fn clean(platform: TestPlatform) {
    platform.clean_run(&RunId::from_text("1")).await.unwrap();
    platform.finish().await;
}

#[tokio::test]
async fn output_is_exact_and_told_apart() {
    let platform = TestPlatform::new();
    let image = images::busybox_image().await;
    let ran = run(&platform, &step(&image, "echo out; echo err >&2; printf 'no end'; exit 7")).await;
    assert_eq!((ran.code(), ran.out.as_str(), ran.err.as_str()), (7, "out\nno end", "err\n"));
    assert!(platform.things().await.iter().all(|thing| !thing.starts_with("container")));

    let many = run(&platform, &step(&image, "seq 1 50000")).await;
    let expected = (1..=50_000).fold(String::new(), |mut all, line| {
        writeln!(all, "{line}").unwrap();
        all
    });
    assert!(many.out == expected, "{} of {} bytes came", many.out.len(), expected.len());
    clean(platform).await;
}

#[tokio::test]
async fn a_slow_reader_loses_nothing() {
    let platform = TestPlatform::new();
    let task = step(&images::busybox_image().await, "yes 0123456789abcdef | head -n 200000");
    let (sink, mut pieces) = mpsc::channel(1);
    let (end, length) = tokio::join!(platform.run_to_end(&task, sink, CancellationToken::new()), async {
        let mut length = 0;
        while let Some(Output { bytes, .. }) = pieces.recv().await {
            length += bytes.len();
            if length < 200_000 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        length
    });
    assert_eq!(end, Ok(TaskEnd::Exited { code: 0, out_of_memory: false }));
    assert_eq!(length, 200_000 * 17);
    clean(platform).await;
}

#[tokio::test]
async fn a_reader_that_went_away_does_not_stop_a_task() {
    let platform = TestPlatform::new();
    let task = step(&images::busybox_image().await, "yes | head -n 100000; exit 4");
    let (sink, pieces) = mpsc::channel(1);
    drop(pieces);
    let end = platform.run_to_end(&task, sink, CancellationToken::new()).await;
    assert_eq!(end, Ok(TaskEnd::Exited { code: 4, out_of_memory: false }));
    clean(platform).await;
}

#[tokio::test]
async fn a_task_ends_in_time_or_when_told_to() {
    let platform = TestPlatform::new();
    let image = images::busybox_image().await;
    let mut late = step(&image, "echo here; trap 'echo stopping; exit 0' TERM; while true; do sleep 0.05; done");
    late.timeout = Duration::from_secs(2);
    let ran = run(&platform, &late).await;
    assert_eq!((ran.end, ran.out.as_str()), (Ok(TaskEnd::TimedOut), "here\nstopping\n"));

    let cancel = CancellationToken::new();
    let stubborn = step(&image, "trap '' TERM; echo here; while true; do sleep 0.05; done");
    let asked = Instant::now();
    let (ran, ()) = tokio::join!(run_until(&platform, &stubborn, &cancel), async {
        until("its start", || async { (!platform.things().await.is_empty()).then_some(()) }).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        cancel.cancel();
    });
    assert_eq!(ran.end, Ok(TaskEnd::Cancelled));
    assert!(asked.elapsed() < Duration::from_secs(20));
    clean(platform).await;
}

#[tokio::test]
async fn memory_and_missing_programs_and_images_are_told_apart() {
    let platform = TestPlatform::new();
    let image = images::busybox_image().await;
    let mut hungry = step(&image, "x=aaaaaaaaaaaaaaaa; while true; do x=$x$x; done");
    hungry.limits.memory = 16 << 20;
    assert_eq!(run(&platform, &hungry).await.end, Ok(TaskEnd::Exited { code: 137, out_of_memory: true }));

    let mut nothing = step(&image, "");
    nothing.command = vec!["none".into()];
    let error = run(&platform, &nothing).await.end.unwrap_err();
    assert!(matches!(&error, PlatformError::CannotStart(why) if why.contains("none")), "{error}");

    let missing = run(&platform, &step("berth-test/none:1", "true")).await.end.unwrap_err();
    assert!(matches!(&missing, PlatformError::ImageNotFound { hint, .. } if hint.contains(images::BUSYBOX)), "{missing}");
    clean(platform).await;
}

#[tokio::test]
async fn what_a_crash_left_is_in_nobodys_way() {
    let platform = TestPlatform::new();
    let long = step(&images::busybox_image().await, "echo here; sleep 600");
    let (sink, mut pieces) = mpsc::channel(1);
    {
        // Dropped in the middle, as when the process ends; here the container is even removed behind it.
        let running = platform.run_to_end(&long, sink, CancellationToken::new());
        tokio::select! {
            ended = running => panic!("{ended:?}"),
            piece = pieces.recv() => assert_eq!(&piece.unwrap().bytes[..], b"here\n"),
        }
    }
    let mut next = long.clone();
    next.command = ["sh", "-c", "echo again"].map(str::to_owned).into();
    let ran = run(&platform, &next).await;
    assert_eq!((ran.code(), ran.out.as_str()), (0, "again\n"));
    assert_eq!(platform.runs_with_leftovers().await.unwrap(), [RunId::from_text("1")], "its network");
    platform.clean_run(&RunId::from_text("1")).await.unwrap();
    assert_eq!(platform.runs_with_leftovers().await.unwrap(), []);
    clean(platform).await;
}

#[tokio::test]
async fn files_are_carried_from_task_to_task() {
    let platform = TestPlatform::new();
    let folder = tempfile::tempdir().unwrap();
    let workspace = Workspace { run: RunId::from_text("1"), team: TeamId::from_text("a") };
    let archive = on_disk(&folder, &images::archive(&[("src/main.sh", "echo main"), ("README", "read me")]));
    platform.fill_workspace(&workspace, archive, CancellationToken::new()).await.unwrap();
    let image = images::busybox_image().await;
    let within = |script: &str| {
        let mut task = step(&image, script);
        task.workspace = Some((workspace.clone(), "/workspace".into()));
        task
    };
    let first = run(&platform, &within("pwd; ls; sh src/main.sh; echo built >product")).await;
    assert_eq!((first.code(), first.out.as_str()), (0, "/workspace\nREADME\nsrc\nmain\n"), "{}", first.err);
    let second = run(&platform, &within("cat product README")).await;
    assert_eq!(second.out, "built\nread me");
    // One that is not root may put files beside them.
    let mut restricted = within("echo mine >own && cat own");
    restricted.profile = app::model::Profile::Restricted;
    assert_eq!(run(&platform, &restricted).await.out, "mine\n");

    let other = on_disk(&folder, &images::archive(&[("other", "")]));
    platform.fill_workspace(&workspace, other, CancellationToken::new()).await.unwrap();
    assert_eq!(run(&platform, &within("ls")).await.out, "other\n", "filled anew");
    let missing = platform.fill_workspace(&workspace, folder.path().join("none"), CancellationToken::new()).await;
    assert!(matches!(missing, Err(PlatformError::Refused(_))), "{missing:?}");
    assert!(platform.things().await.iter().all(|thing| !thing.starts_with("container")));
    assert_eq!(platform.runs_with_leftovers().await.unwrap(), std::slice::from_ref(&workspace.run));
    clean(platform).await;
}

#[tokio::test]
async fn nothing_is_made_in_a_workspace_after_it_was_told_to_stop() {
    let platform = TestPlatform::new();
    let folder = tempfile::tempdir().unwrap();
    let workspace = Workspace { run: RunId::from_text("1"), team: TeamId::from_text("a") };
    let files = on_disk(&folder, &images::archive(&[("big", &"x".repeat(8 << 20))]));
    let mut cancelled = 0;
    // Told after a while that grows, so that each of its calls is the one under way.
    for wait in (0..400).step_by(7) {
        let cancel = CancellationToken::new();
        let fill = platform.fill_workspace(&workspace, files.clone(), cancel.clone());
        let tell = async {
            tokio::time::sleep(Duration::from_millis(wait)).await;
            cancel.cancel();
        };
        let (filled, ()) = tokio::join!(fill, tell);
        assert!(matches!(filled, Ok(()) | Err(PlatformError::Cancelled)), "{filled:?}");
        cancelled += u32::from(filled.is_err());
        platform.clean_run(&workspace.run).await.unwrap();
        assert_eq!(platform.runs_with_leftovers().await.unwrap(), [], "told after {wait} ms");
        if filled.is_ok() {
            break;
        }
    }
    assert!(cancelled > 0);
}

/// The files of an archive: name, size, and whether it is a plain file.
async fn listed(archive: server::platform::Archive) -> Vec<(String, u64, bool)> {
    let bytes: Vec<_> = archive.map(|piece| piece.unwrap()).collect::<Vec<_>>().await.concat();
    let mut archive = tar::Archive::new(bytes.as_slice());
    let read = |entry: std::io::Result<tar::Entry<'_, &[u8]>>| {
        let entry = entry.unwrap();
        (entry.path().unwrap().display().to_string(), entry.size(), entry.header().entry_type().is_file())
    };
    let mut all: Vec<_> = archive.entries().unwrap().map(read).collect();
    all.sort();
    all
}

#[tokio::test]
async fn files_come_out_of_a_workspace() {
    let platform = TestPlatform::new();
    let folder = tempfile::tempdir().unwrap();
    let workspace = Workspace { run: RunId::from_text("1"), team: TeamId::from_text("a") };
    let archive = on_disk(&folder, &images::archive(&[("README", "read me")]));
    platform.fill_workspace(&workspace, archive, CancellationToken::new()).await.unwrap();
    let mut task = step(
        &images::busybox_image().await,
        "mkdir -p out/deep big; echo 1 >out/a.xml; ln -s /etc/passwd out/link; ln -s /etc out/deep/etc; mkfifo out/pipe; dd if=/dev/zero of=big/file bs=1M count=64 2>/dev/null",
    );
    task.workspace = Some((workspace.clone(), "/workspace".into()));
    assert_eq!(run(&platform, &task).await.code(), 0);
    let names = |files: Vec<(String, u64, bool)>| files.into_iter().map(|(name, _, plain)| (name, plain)).collect::<Vec<_>>();
    let out = platform.read_workspace(&workspace, "out").await.unwrap().unwrap();
    let expected =
        [("out/", false), ("out/a.xml", true), ("out/deep/", false), ("out/deep/etc", false), ("out/link", false), ("out/pipe", false)];
    assert_eq!(names(listed(out).await), expected.map(|(name, plain)| (name.to_owned(), plain)));
    let one = platform.read_workspace(&workspace, "out/a.xml").await.unwrap().unwrap();
    assert_eq!(listed(one).await, [("a.xml".to_owned(), 2, true)]);
    let all = listed(platform.read_workspace(&workspace, "").await.unwrap().unwrap()).await;
    assert!(all.iter().any(|(name, ..)| name == "workspace/README"), "{all:?}");
    for nothing in ["none", "out/none/x", "README/x"] {
        assert!(platform.read_workspace(&workspace, nothing).await.unwrap().is_none(), "{nothing}");
    }
    // A link is handed out as a link, and none leads to the host.
    for link in ["out/link", "out/deep/etc"] {
        let found = platform.read_workspace(&workspace, link).await.unwrap();
        let files = match found {
            Some(found) => listed(found).await,
            None => Vec::new(),
        };
        assert!(files.iter().all(|(_, size, plain)| !plain && *size == 0), "{link}: {files:?}");
    }
    // Who has seen enough leaves nothing behind.
    let mut large = platform.read_workspace(&workspace, "big").await.unwrap().unwrap();
    large.next().await.unwrap().unwrap();
    drop(large);
    until("no helper is left", || async { platform.things().await.iter().all(|thing| !thing.starts_with("container")).then_some(()) })
        .await;
    clean(platform).await;
}
