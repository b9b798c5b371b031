//! The real engine behind a way that fails: answers get lost, the engine hangs, the connection is cut.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use server::platform::{
    Platform, PlatformError, Scope, TaskEnd,
    docker::{Deadlines, Docker, Settings},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{UnixListener, UnixStream},
    sync::{mpsc, watch},
};
use tokio_util::sync::CancellationToken;

use super::{step, until, workload};
use crate::support::{images, platform::TestPlatform};

/// How the way to the engine is.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Open,
    /// Nothing passes, in neither direction, of what is under way either.
    Frozen,
    /// Connections end, and none is taken.
    Cut,
}

struct Proxy {
    _folder: tempfile::TempDir,
    path: PathBuf,
    way: watch::Sender<Way>,
    /// Requests whose first line has both of these are done, and their answers lost.
    loses: Arc<Mutex<Option<(&'static str, &'static str)>>>,
}

impl Proxy {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("engine.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let (way, ways) = watch::channel(Way::Open);
        let loses = Arc::new(Mutex::new(None));
        let lost = Arc::clone(&loses);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(carry(stream, ways.clone(), Arc::clone(&lost)));
            }
        });
        Self { _folder: folder, path, way, loses }
    }

    fn driver(&self, platform: &TestPlatform, limit: Duration) -> Docker {
        let deadlines = Deadlines { short: limit, long: limit, transfer: limit, idle: Duration::from_millis(200), slow: limit };
        let settings = Settings {
            host: None,
            address: Some(format!("unix://{}", self.path.display())),
            instance: platform.instance.clone(),
            subnets: "10.202.0.0/16".into(),
            deadlines,
        };
        Docker::new(settings).unwrap()
    }

    fn lose(&self, answers: Option<(&'static str, &'static str)>) {
        *self.loses.lock().unwrap() = answers;
    }
}

async fn carry(mut client: UnixStream, mut ways: watch::Receiver<Way>, loses: Arc<Mutex<Option<(&'static str, &'static str)>>>) {
    if *ways.borrow() == Way::Cut {
        return;
    }
    let mut request = vec![0; 65_536];
    let length = client.read(&mut request).await.unwrap_or(0);
    let line = String::from_utf8_lossy(&request[..length]).lines().next().unwrap_or_default().to_owned();
    while *ways.borrow_and_update() == Way::Frozen {
        if ways.changed().await.is_err() {
            return;
        }
    }
    let mut engine = UnixStream::connect("/var/run/docker.sock").await.unwrap();
    engine.write_all(&request[..length]).await.unwrap();
    let lost = loses.lock().unwrap().is_some_and(|(method, part)| line.starts_with(method) && line.contains(part));
    if lost {
        // Until the answer is there, so that it really was done; then silence.
        let _ = engine.read(&mut request).await;
        std::future::pending::<()>().await;
    }
    loop {
        // Cut off in the middle of a copy, bytes may be lost; nothing passes any more after that anyway.
        tokio::select! {
            _ = copy_bidirectional(&mut client, &mut engine) => return,
            changed = ways.changed() => if changed.is_err() { return },
        }
        let way = *ways.borrow();
        match way {
            Way::Open => {}
            Way::Frozen => std::future::pending::<()>().await,
            Way::Cut => return,
        }
    }
}

#[tokio::test]
async fn whatever_answer_is_lost_the_next_call_mends_it() {
    let platform = TestPlatform::new();
    let asked = workload(&images::deaf_image().await);
    let proxy = Proxy::new();
    let berth = proxy.driver(&platform, Duration::from_secs(3));
    let limits = (Duration::ZERO, Scope::All);
    for lost in [("POST", "/networks/create"), ("POST", "/containers/create"), ("POST", "/start")] {
        proxy.lose(Some(lost));
        let error = berth.ensure(&asked).await.unwrap_err();
        assert!(matches!(error, PlatformError::Hung { .. }), "{lost:?}: {error}");
        proxy.lose(None);
        let made = berth.ensure(&asked).await.unwrap();
        assert_eq!(berth.observe(&limits.1).await.unwrap(), std::slice::from_ref(&made), "{lost:?}");
        assert_eq!(platform.things().await.len(), 2, "{lost:?}: a container, a network");
        berth.remove(&asked.id, limits.0).await.unwrap();
        assert!(platform.things().await.is_empty(), "{lost:?}");
    }
    for lost in [("POST", "/stop"), ("DELETE", "/containers/"), ("DELETE", "/networks/")] {
        berth.ensure(&asked).await.unwrap();
        proxy.lose(Some(lost));
        let error = berth.remove(&asked.id, limits.0).await.unwrap_err();
        assert!(matches!(error, PlatformError::Hung { .. }), "{lost:?}: {error}");
        proxy.lose(None);
        berth.remove(&asked.id, limits.0).await.unwrap();
        assert_eq!(berth.observe(&limits.1).await.unwrap(), [], "{lost:?}");
        assert!(platform.things().await.is_empty(), "{lost:?}: {:?}", platform.things().await);
    }
    platform.finish().await;
}

#[tokio::test]
async fn a_task_whose_engine_hangs_or_goes_ends_with_that() {
    let platform = TestPlatform::new();
    let long = step(&images::busybox_image().await, "echo here; sleep 600");
    for (way, hung) in [(Way::Frozen, true), (Way::Cut, false)] {
        let proxy = Proxy::new();
        let berth = proxy.driver(&platform, Duration::from_secs(2));
        let (sink, mut pieces) = mpsc::channel(1);
        let (ended, broken) = tokio::join!(berth.run_to_end(&long, sink, CancellationToken::new()), async {
            pieces.recv().await.unwrap();
            proxy.way.send(way).unwrap();
            Instant::now()
        });
        let error = ended.unwrap_err();
        assert_eq!(matches!(error, PlatformError::Hung { .. }), hung, "{error}");
        assert_eq!(matches!(error, PlatformError::Gone(_)), !hung, "{error}");
        assert!(error.passing() && broken.elapsed() < Duration::from_secs(20));
        assert_eq!(berth.hosts().await[0].state == app::model::EngineState::Hung, hung);
        // Once it is back, nothing of it is in the way.
        let mut short = long.clone();
        short.command = vec!["true".into()];
        let (sink, _pieces) = mpsc::channel(1);
        let ended = platform.run_to_end(&short, sink, CancellationToken::new()).await;
        assert_eq!(ended, Ok(TaskEnd::Exited { code: 0, out_of_memory: false }));
    }
    platform.clean_run(long.run.as_ref().unwrap()).await.unwrap();
    until("everything to be gone", || async { platform.things().await.is_empty().then_some(()) }).await;
    platform.finish().await;
}
