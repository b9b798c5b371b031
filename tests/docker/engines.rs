//! Engines that do not answer as they should.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use app::model::EngineState;
use server::platform::{
    Platform, PlatformError, Scope,
    docker::{Deadlines, Docker, Settings},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixListener,
};

use super::workload;
use crate::support::platform::TestPlatform;

fn driver(socket: &Path) -> Docker {
    let limit = Duration::from_millis(300);
    let deadlines = Deadlines { short: limit, long: limit, transfer: limit, idle: limit, slow: Duration::from_millis(100) };
    let settings = Settings {
        host: None,
        address: Some(format!("unix://{}", socket.display())),
        instance: "x".into(),
        subnets: "10.202.0.0/16".into(),
        deadlines,
    };
    Docker::new(settings).unwrap()
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let missing = driver(&folder.path().join("none.sock"));
    let error = missing.observe(&Scope::All).await.unwrap_err();
    assert!(matches!(error, PlatformError::Gone(_)), "{error}");
    assert_eq!(missing.hosts().await[0].state, EngineState::Gone);
    // A socket that nobody listens on any more.
    let path = folder.path().join("dead.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let dead = driver(&path);
    let error = dead.ensure(&workload("sha256:00")).await.unwrap_err();
    assert!(matches!(error, PlatformError::Gone(_)) && error.passing(), "{error}");
    assert_eq!(dead.hosts().await[0].state, EngineState::Gone);
}

#[tokio::test]
async fn an_engine_that_takes_calls_and_says_nothing_is_hung() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hung.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let holding = tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            held.push(listener.accept().await.unwrap());
        }
    });
    let hung = driver(&path);
    let asked = Instant::now();
    let error = hung.observe(&Scope::All).await.unwrap_err();
    assert!(matches!(error, PlatformError::Hung { .. }) && error.passing(), "{error}");
    assert!(asked.elapsed() < Duration::from_secs(2));
    assert_eq!(hung.hosts().await[0].state, EngineState::Hung);
    holding.abort();
}

/// An engine that answers questions with `{}`-like bodies, `after` each time, and never answers to `silent`.
async fn make_believe(path: &Path, after: Duration, silent: &'static str) {
    let listener = UnixListener::bind(path).unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut request = vec![0; 65_536];
                let length = stream.read(&mut request).await.unwrap_or(0);
                let line = String::from_utf8_lossy(&request[..length]).lines().next().unwrap_or_default().to_owned();
                if !silent.is_empty() && line.contains(silent) {
                    std::future::pending::<()>().await;
                }
                tokio::time::sleep(after).await;
                let body = if line.contains("/version") {
                    r#"{"ApiVersion":"1.41","MinAPIVersion":"1.12","Version":"20.10"}"#
                } else if line.contains("/containers/json") {
                    "[]"
                } else {
                    r#"{"Name":"h","NCPU":2,"MemTotal":1024,"ServerVersion":"20.10"}"#
                };
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
}

#[tokio::test]
async fn a_late_engine_is_slow_and_one_that_hangs_later_keeps_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("slow.sock");
    make_believe(&path, Duration::from_millis(80), "").await;
    let host = driver(&path).hosts().await.remove(0);
    assert_eq!((host.state, host.name.as_str(), host.cpus), (EngineState::Slow, "h", 2));
    assert_eq!(host.api.as_deref(), Some("1.41"));

    let path = folder.path().join("hangs.sock");
    make_believe(&path, Duration::ZERO, "/networks").await;
    let hangs = driver(&path);
    assert_eq!(hangs.hosts().await[0].state, EngineState::Answers);
    let error = hangs.runs_with_leftovers().await.unwrap_err();
    assert!(matches!(error, PlatformError::Refused(_) | PlatformError::Hung { .. }), "{error}");
}

#[tokio::test]
async fn the_real_engine_answers() {
    let platform = TestPlatform::new();
    let host = platform.hosts().await.remove(0);
    assert_eq!((host.state, host.pool.as_str(), host.instances), (EngineState::Answers, "default", 0));
    assert!(host.cpus > 0 && host.memory > 1 << 20 && host.engine.is_some() && host.api.is_some() && !host.name.is_empty());
    platform.finish().await;
}

#[test]
fn settings_that_are_none_are_refused() {
    for (instance, subnets, address) in [
        ("", "10.0.0.0/16", "unix:///x"),
        ("A b", "10.0.0.0/16", "unix:///x"),
        ("a", "10.0.0.0", "unix:///x"),
        ("a", "10.0.0.0/16", "ssh://x"),
    ] {
        let settings = Settings {
            host: None,
            address: Some(address.into()),
            instance: instance.into(),
            subnets: subnets.into(),
            deadlines: Deadlines::default(),
        };
        assert!(matches!(Docker::new(settings), Err(PlatformError::Refused(_))));
    }
}
