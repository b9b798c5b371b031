//! Builds of images.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use app::model::{RunId, TeamId};
use bollard::query_parameters::{RemoveImageOptions, TagImageOptionsBuilder};
use server::platform::{Build, ImageInfo, Limits, Platform, PlatformError, Task};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::until;
use crate::support::{images, platform::TestPlatform};

/// How a build ended, and what it said.
pub(super) struct Built {
    pub(super) result: Result<ImageInfo, PlatformError>,
    pub(super) text: String,
}

/// A build of the run `1` from this Dockerfile.
pub(super) fn build(folder: &tempfile::TempDir, dockerfile: &str) -> Build {
    let context = folder.path().join("context.tar");
    std::fs::write(&context, images::archive(&[("deploy/Dockerfile", dockerfile), ("hello", "hello\n")])).unwrap();
    Build {
        service: app::model::ServiceId::from_text("service"),
        run: RunId::from_text("1"),
        team: TeamId::from_text("a"),
        context,
        dockerfile: "deploy/Dockerfile".into(),
        buildkit: false,
        bases: Vec::new(),
        text: None,
        target: None,
        args: BTreeMap::new(),
        labels: [("commit".to_owned(), "0123".to_owned())].into(),
        limits: Limits { memory: 3 << 30, ..Limits::default() },
        timeout: Duration::from_secs(60),
    }
}

/// Builds it.
pub(super) async fn make(platform: &TestPlatform, build: &Build, cancel: &CancellationToken) -> Built {
    make_on(&platform.docker, build, cancel).await
}

/// The same on any platform.
pub(super) async fn make_on(platform: &dyn Platform, build: &Build, cancel: &CancellationToken) -> Built {
    let (sink, mut pieces) = mpsc::channel(1);
    let (result, text) = tokio::join!(platform.build(build, sink, cancel.clone()), async {
        let mut text = Vec::new();
        while let Some(piece) = pieces.recv().await {
            text.extend_from_slice(&piece.bytes);
        }
        text
    });
    Built { result, text: String::from_utf8(text).unwrap() }
}

async fn clean(platform: TestPlatform) {
    platform.clean_run(&RunId::from_text("1")).await.unwrap();
    platform.finish().await;
}

#[tokio::test]
async fn an_image_is_built_by_content() {
    let platform = TestPlatform::new();
    images::busybox_image().await;
    let folder = tempfile::tempdir().unwrap();
    let dockerfile = format!(
        "FROM {} AS base\nARG GREETING\nRUN echo $GREETING >/greeting && cat /greeting\nFROM base AS runtime\nCOPY hello /\nEXPOSE 9000 53/udp 80/tcp\nVOLUME /kept\nUSER 1000\nCMD [\"cat\", \"/hello\"]\nFROM base\nRUN exit 1\n",
        images::BUSYBOX
    );
    let mut asked = build(&folder, &dockerfile);
    asked.target = Some("runtime".into());
    // Another one each time: what was built in a former run of this test is in the engine's cache, and would print nothing.
    let greeting = format!("annyeong & {}", server::clock::new_id());
    asked.args.insert("GREETING".into(), greeting.clone());
    let built = make(&platform, &asked, &CancellationToken::new()).await;
    let image = built.result.unwrap();
    assert!(image.id.starts_with("sha256:") && image.id.len() == 71, "{}", image.id);
    assert_eq!((image.ports, image.volumes, image.user.as_str()), (vec![80, 9000], vec!["/kept".to_owned()], "1000"));
    assert!(image.size > 1_000_000);
    assert!(built.text.contains("Step 1/") && built.text.contains(&format!("{greeting}\n")), "{}", built.text);
    let labels = images::engine().inspect_image(&image.id).await.unwrap().config.unwrap().labels.unwrap();
    assert_eq!((labels["commit"].as_str(), labels["berth.run"].as_str()), ("0123", "1"));
    for _ in 0..2 {
        platform.remove_image(&image.id).await.unwrap();
    }
    let gone = platform.image(&image.id, &TeamId::from_text("a")).await.unwrap_err();
    assert!(matches!(gone, PlatformError::ImageNotFound { .. }), "{gone}");
    clean(platform).await;
}

#[tokio::test]
async fn what_was_built_is_there_for_its_team_alone() {
    let platform = TestPlatform::new();
    images::busybox_image().await;
    let folder = tempfile::tempdir().unwrap();
    let dockerfile = format!("FROM {}\nCMD [\"true\"]\n", images::BUSYBOX);
    let image = make(&platform, &build(&folder, &dockerfile), &CancellationToken::new()).await.result.unwrap().id;
    let (own, other) = (TeamId::from_text("a"), TeamId::from_text("b"));
    assert_eq!(platform.image(&image, &own).await.unwrap().id, image);
    let engine = images::engine();
    let tag = TagImageOptionsBuilder::default().repo("berth-test/of-a").tag("1").build();
    engine.tag_image(&image, Some(tag)).await.unwrap();
    let named = "berth-test/of-a:1";
    let said = platform.image(named, &own).await.unwrap().id;
    // Engines find an image by the beginning of its id too: that could be guessed, so it is no name to anybody.
    let beginning = &image["sha256:".len()..][..12];
    for (team, name) in [(&other, image.as_str()), (&other, named), (&other, beginning), (&own, beginning), (&own, &image[..30])] {
        let error = platform.image(name, team).await.unwrap_err();
        let hidden = matches!(&error, PlatformError::ImageNotFound { hint, .. } if *team == own || !hint.contains("of-a"));
        assert!(hidden, "{name} for {team}: {error:?}");
    }
    let step = Task { team: other.clone(), ..super::step(&image, "true") };
    let ran = super::run(&platform, &step).await;
    assert!(matches!(ran.end, Err(PlatformError::ImageNotFound { .. })), "{:?}", ran.end);
    let copy = platform.ensure(&super::of_team("b", &image)).await;
    assert!(matches!(copy, Err(PlatformError::ImageNotFound { .. })), "{copy:?}");
    engine.remove_image(named, None::<RemoveImageOptions>, None).await.unwrap();
    assert_eq!(said, image);
    platform.remove_image(&image).await.unwrap();
    clean(platform).await;
}

#[tokio::test]
async fn a_build_that_fails_says_why() {
    let platform = TestPlatform::new();
    images::busybox_image().await;
    let folder = tempfile::tempdir().unwrap();
    let base = images::BUSYBOX;
    for (dockerfile, part) in [
        (format!("FROM {base}\nRUN echo broken >&2; exit 3\n"), "returned a non-zero code: 3"),
        (format!("FROM {base}\nCOPY none /\n"), "none"),
        (format!("FROM {base}\nNONSENSE x\n"), "unknown instruction: NONSENSE"),
        (String::new(), "empty"),
    ] {
        let built = make(&platform, &build(&folder, &dockerfile), &CancellationToken::new()).await;
        let error = built.result.unwrap_err();
        assert!(matches!(&error, PlatformError::BuildFailed(why) if why.contains(part)), "{dockerfile}: {error:?}");
    }
    let mut elsewhere = build(&folder, "FROM scratch\n");
    elsewhere.dockerfile = "Dockerfile".into();
    let error = make(&platform, &elsewhere, &CancellationToken::new()).await.result.unwrap_err();
    assert!(matches!(&error, PlatformError::BuildFailed(why) if why.contains("Dockerfile")), "{error:?}");
    clean(platform).await;
}

#[tokio::test]
async fn a_missing_base_is_named_with_what_there_is() {
    let platform = TestPlatform::new();
    images::busybox_image().await;
    let folder = tempfile::tempdir().unwrap();
    let base = images::BUSYBOX;
    for dockerfile in [
        "FROM berth-test/none:7\n".to_owned(),
        format!("FROM {base}\nRUN true\nFROM --platform=linux/amd64 berth-test/none:7 AS x\n"),
        format!("FROM {base}\nCOPY --from=berth-test/none:7 /a /b\n"),
    ] {
        let built = make(&platform, &build(&folder, &dockerfile), &CancellationToken::new()).await;
        match built.result.unwrap_err() {
            PlatformError::ImageNotFound { image, hint } => {
                assert_eq!(image, "berth-test/none:7");
                assert!(hint.contains(base), "{hint}");
            }
            other => panic!("{dockerfile}: {other:?}"),
        }
    }
    clean(platform).await;
}

#[tokio::test]
async fn a_build_is_stopped_when_told_to_or_too_late() {
    let platform = TestPlatform::new();
    images::busybox_image().await;
    let folder = tempfile::tempdir().unwrap();
    let mark = format!("cancel-{}", platform.instance);
    let mut asked = build(&folder, &format!("FROM {}\nRUN echo {mark}; sleep 600\n", images::BUSYBOX));
    let runs = || async {
        let all = images::engine().list_containers(None).await.unwrap();
        all.iter().any(|container| container.command.as_deref().is_some_and(|command| command.contains(&mark)))
    };
    let cancel = CancellationToken::new();
    let asked_at = Instant::now();
    let (built, ()) = tokio::join!(make(&platform, &asked, &cancel), async {
        until("the step to run", || async { runs().await.then_some(()) }).await;
        cancel.cancel();
    });
    assert_eq!(built.result, Err(PlatformError::Cancelled));
    until("the step to end", || async { (!runs().await).then_some(()) }).await;
    assert!(asked_at.elapsed() < Duration::from_secs(30));

    asked.timeout = Duration::from_secs(2);
    let built = make(&platform, &asked, &CancellationToken::new()).await;
    assert_eq!(built.result, Err(PlatformError::TimedOut(Duration::from_secs(2))));
    until("the step to end", || async { (!runs().await).then_some(()) }).await;
    clean(platform).await;
}

#[tokio::test]
async fn a_build_stays_within_its_memory() {
    let platform = TestPlatform::new();
    images::busybox_image().await;
    let folder = tempfile::tempdir().unwrap();
    let mut asked = build(
        &folder,
        &format!(
            "FROM {}\nRUN cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; true\n",
            images::BUSYBOX
        ),
    );
    let built = make(&platform, &asked, &CancellationToken::new()).await;
    assert!(built.text.contains(&(3_u64 << 30).to_string()), "{}", built.text);
    asked.limits.memory = 16 << 20;
    let hungry = format!("FROM {}\nRUN x=aaaaaaaaaaaaaaaa; while true; do x=$x$x; done\n", images::BUSYBOX);
    std::fs::write(&asked.context, images::archive(&[("deploy/Dockerfile", &hungry)])).unwrap();
    let error = make(&platform, &asked, &CancellationToken::new()).await.result.unwrap_err();
    assert!(matches!(&error, PlatformError::BuildFailed(why) if why.contains("137")), "{error:?}");
    clean(platform).await;
}
