//! Builds by BuildKit.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use app::model::{RunId, ServiceId};
use server::platform::{Build, Platform as _, PlatformError};
use tokio_util::sync::CancellationToken;

use super::{
    builds::{Built, build, make},
    run, step, until,
};
use crate::support::{engine::Engine, images, platform::TestPlatform, proof};

/// The same build by BuildKit.
pub(super) fn kit(folder: &tempfile::TempDir, dockerfile: &str) -> Build {
    Build { buildkit: true, ..build(folder, dockerfile) }
}

async fn built(platform: &TestPlatform, asked: &Build) -> Built {
    make(platform, asked, &CancellationToken::new()).await
}

async fn clean(platform: TestPlatform) {
    platform.clean_run(&RunId::from_text("1")).await.unwrap();
    platform.finish().await;
}

/// Takes a while, and says from when to when.
const WAITS: &str = "read from rest < /proc/uptime; sleep 2; read to rest < /proc/uptime; echo $from $to";

/// Two stages that need nothing of each other, and a cache that is kept.
fn side_by_side(mark: &str) -> String {
    let base = images::BUSYBOX;
    format!(
        "FROM {base} AS one\nRUN --mount=type=cache,id=kept,target=/kept echo {mark} >> /kept/marks; cat /kept/marks; {WAITS} > /one\n\
         FROM {base} AS two\nRUN echo {mark} >&2; {WAITS} > /two\n\
         FROM {base}\nLABEL berth.team=stranger\nCOPY --from=one /one /\nCOPY --from=two /two /\nCOPY --chmod=0700 hello /\nEXPOSE 9000\nUSER 1000\n"
    )
}

#[tokio::test]
async fn buildkit_builds_stages_side_by_side_and_keeps_a_cache() {
    let platform = TestPlatform::new();
    images::busybox_image().await;
    let folder = tempfile::tempdir().unwrap();
    let mark = server::clock::new_id();
    let mut asked = kit(&folder, &side_by_side(&mark));
    asked.service = ServiceId::from_text(format!("service-{mark}"));
    let first = built(&platform, &asked).await;
    let image = first.result.unwrap_or_else(|error| panic!("{error}: {}", first.text));
    assert!(image.id.starts_with("sha256:") && image.id.len() == 71, "{}", image.id);
    assert_eq!((image.ports, image.user.as_str()), (vec![9000], "1000"));
    let text = &first.text;
    for told in ["[one 2/2] RUN --mount=type=cache", "[two 2/2] RUN echo", &format!("\n{mark}\n"), "COPY --chmod=0700 hello /"] {
        assert!(text.contains(told), "{told}: {text}");
    }
    assert!(!text.contains("[internal]") && !text.contains("Using cache"), "{text}");
    let labels = images::engine().inspect_image(&image.id).await.unwrap().config.unwrap().labels.unwrap();
    assert_eq!((labels["commit"].as_str(), labels["berth.run"].as_str(), labels["berth.team"].as_str()), ("0123", "1", "a"));
    let other = platform.image(&image.id, &app::model::TeamId::from_text("b")).await;
    assert!(matches!(other, Err(PlatformError::ImageNotFound { .. })), "{other:?}");
    let ran = run(&platform, &step(&image.id, "ls -l /hello | cut -c1-10; cat /one /two")).await;
    let times = ran.out.strip_prefix("-rwx------\n").unwrap_or_else(|| panic!("{}", ran.out));
    let times: Vec<f64> = times.split_whitespace().map(|time| time.parse().unwrap()).collect();
    let [from, to, other_from, other_to] = times[..] else { panic!("{times:?}") };
    assert!(from < other_to && other_from < to, "side by side: {times:?}");

    // Nothing changed: every step is there. One command changed: what its cache held is.
    let again = built(&platform, &asked).await;
    assert_eq!(again.text.matches(" ---> Using cache").count(), 5, "{}", again.text);
    let mark_of_next = server::clock::new_id();
    let write = |text: &str| std::fs::write(&asked.context, images::archive(&[("deploy/Dockerfile", text), ("hello", "hello\n")])).unwrap();
    write(&side_by_side(&mark_of_next));
    let next = built(&platform, &asked).await;
    assert!(next.text.contains(&format!("\n{mark}\n{mark_of_next}\n")), "{}", next.text);
    // Of another service, whatever it calls its cache, it is another.
    let mark_of_other = server::clock::new_id();
    write(&side_by_side(&mark_of_other));
    let other = Build { service: ServiceId::from_text("other"), ..asked.clone() };
    let other = built(&platform, &other).await;
    assert!(other.text.contains(&format!("\n{mark_of_other}\n")) && !other.text.contains(&mark), "{}", other.text);
    for image in [image.id, again.result.unwrap().id, next.result.unwrap().id, other.result.unwrap().id] {
        platform.remove_image(&image).await.unwrap();
    }
    clean(platform).await;
    let together = to.min(other_to) - from.max(other_from);
    let figures =
        format!("of two stages of 2 s {together:.1} s side by side; 5 of 5 steps cached in the second; caches of 2 services, 0 shared");
    proof("BuildKit", &figures);
}

#[tokio::test]
async fn another_text_is_read_in_the_place_of_the_dockerfile() {
    let platform = TestPlatform::new();
    images::busybox_image().await;
    let folder = tempfile::tempdir().unwrap();
    let mut asked = kit(&folder, "NONSENSE\n");
    asked.text = Some(format!(
        "FROM {}\nCOPY . /all\nENV ONCE={}\nRUN ls /all /all/deploy && cat /all/hello /all/deploy/Dockerfile\n",
        images::BUSYBOX,
        server::clock::new_id()
    ));
    let done = built(&platform, &asked).await;
    let image = done.result.unwrap_or_else(|error| panic!("{error}: {}", done.text));
    assert!(done.text.contains("hello\nFROM ") && !done.text.contains("NONSENSE"), "{}", done.text);
    platform.remove_image(&image.id).await.unwrap();
    clean(platform).await;
}

#[tokio::test]
async fn a_build_of_buildkit_that_fails_says_why() {
    let platform = TestPlatform::new();
    images::busybox_image().await;
    let folder = tempfile::tempdir().unwrap();
    let base = images::BUSYBOX;
    for (dockerfile, part) in [
        (format!("FROM {base}\nRUN echo broken >&2; exit 3\n"), "exit code: 3"),
        (format!("FROM {base}\nRUN echo unauthorized; exit 4\n"), "exit code: 4"),
        (format!("FROM {base}\nCOPY none /\n"), "none"),
        (format!("FROM {base}\nNONSENSE x\n"), "dockerfile parse error"),
        (String::new(), "empty"),
    ] {
        let error = built(&platform, &kit(&folder, &dockerfile)).await.result.unwrap_err();
        assert!(
            matches!(&error, PlatformError::BuildFailed(why) if why.contains(part) && !why.contains("solve")),
            "{dockerfile}: {error:?}"
        );
    }
    for dockerfile in ["FROM berth-test/none:7\n".to_owned(), format!("FROM {base}\nCOPY --from=berth-test/none:7 /a /b\n")] {
        match built(&platform, &kit(&folder, &dockerfile)).await.result.unwrap_err() {
            PlatformError::ImageNotFound { image, hint } => assert!(image == "berth-test/none:7" && hint.contains(base), "{image}: {hint}"),
            other => panic!("{dockerfile}: {other:?}"),
        }
    }
    // What begins as no archive that BuildKit knows would be read as a Dockerfile.
    let asked = kit(&folder, "");
    let long = format!("{}/{}", "a".repeat(160), "b".repeat(160));
    std::fs::write(&asked.context, images::archive(&[(&long, "x"), ("deploy/Dockerfile", "NONSENSE\n")])).unwrap();
    let error = built(&platform, &asked).await.result.unwrap_err();
    assert!(matches!(&error, PlatformError::BuildFailed(why) if why.contains("NONSENSE")), "{error:?}");
    clean(platform).await;
}

#[tokio::test]
async fn a_build_of_buildkit_is_stopped_when_told_to_or_too_late() {
    let platform = TestPlatform::new();
    images::busybox_image().await;
    let folder = tempfile::tempdir().unwrap();
    let mark = format!("cancel-{}", platform.instance);
    let mut asked = kit(&folder, &format!("FROM {}\nRUN echo {mark}; sleep 600; true\n", images::BUSYBOX));
    // Its commands are in no container that the engine lists, and processes of the host: of the shell, which waits for its last one.
    let runs = || async {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let lines = processes.filter_map(|process| std::fs::read_to_string(process.path().join("cmdline")).ok());
        lines.filter(|line| line.contains("sleep 600") && line.contains(&mark)).count() > 0
    };
    let cancel = CancellationToken::new();
    let asked_at = Instant::now();
    let (built_one, ()) = tokio::join!(make(&platform, &asked, &cancel), async {
        until("the step to run", || async { runs().await.then_some(()) }).await;
        cancel.cancel();
    });
    assert_eq!(built_one.result, Err(PlatformError::Cancelled));
    until("the step to end", || async { (!runs().await).then_some(()) }).await;
    assert!(asked_at.elapsed() < Duration::from_secs(30));
    asked.timeout = Duration::from_secs(2);
    assert_eq!(built(&platform, &asked).await.result, Err(PlatformError::TimedOut(Duration::from_secs(2))));
    until("the step to end", || async { (!runs().await).then_some(()) }).await;
    let left = platform.built_images().await.unwrap();
    assert_eq!(left, [], "no image is left");
    clean(platform).await;
}

/// The bytes of BuildKit's cache on this engine that are no image's.
fn unshared(address: &str) -> u64 {
    let mut stream = UnixStream::connect(address.strip_prefix("unix://").unwrap()).unwrap();
    stream.write_all(b"GET /v1.41/system/df HTTP/1.0\r\nHost: engine\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let usage: serde_json::Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    let records = usage["BuildCache"].as_array().unwrap().iter();
    records.filter(|record| record["Shared"] == false).filter_map(|record| record["Size"].as_u64()).sum()
}

#[tokio::test]
async fn what_buildkit_keeps_has_a_bound_and_nothing_else_is_touched() {
    let engine = Engine::new().await;
    images::busybox_on(&engine.docker()).await;
    let platform = TestPlatform::at(&engine.address());
    let folder = tempfile::tempdir().unwrap();
    let base = images::BUSYBOX;
    let kept = || unshared(&engine.address());
    let large =
        format!("FROM {base}\nRUN --mount=type=cache,target=/c head -c 9000000 /dev/zero > /c/x; head -c 9000000 /dev/zero > /y; false\n");
    let _ = built(&platform, &kit(&folder, &large)).await;
    let image = built(&platform, &kit(&folder, &format!("FROM {base}\nRUN echo 1 > /x\n"))).await;
    let image = image.result.unwrap_or_else(|error| panic!("{error}: {}", image.text));
    let classic =
        make(&platform, &build(&folder, &format!("FROM {base}\nRUN echo 2 > /x\n")), &CancellationToken::new()).await.result.unwrap();
    let before = kept();
    assert_eq!(platform.bound_build_cache(1 << 30).await.unwrap(), 0, "within its bound");
    let freed = platform.bound_build_cache(1 << 20).await.unwrap();
    let after = kept();
    assert!(before > 9_000_000 && freed > 9_000_000 && after <= 1 << 20, "{before} {freed} {after}");
    for id in [&image.id, &classic.id] {
        assert_eq!(&platform.image(id, &app::model::TeamId::from_text("a")).await.unwrap().id, id);
    }
    proof("BuildKit's cache", &format!("{before} bytes held to a bound of 1 MiB: {after} left, images of both builders untouched"));
}
