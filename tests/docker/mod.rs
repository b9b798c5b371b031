//! The container engine, really.

mod builders;
mod buildkit;
mod builds;
mod copies;
mod engines;
mod faults;
mod hardening;
mod networks;
mod probe;
mod reading;
mod tasks;

use std::{collections::BTreeMap, future::Future, time::Duration};

use app::model::{EnvironmentId, Profile, RunId, TargetId, TeamId};
use futures::StreamExt;
use server::platform::{Limits, Network, Output, OutputStream, Platform, PlatformError, Task, TaskEnd, Workload, WorkloadId};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::support::platform::TestPlatform;

/// A copy of an image for the team `a` in `dev`.
fn workload(image: &str) -> Workload {
    of_team("a", image)
}

fn of_team(team: &str, image: &str) -> Workload {
    let team = TeamId::from_text(team);
    Workload {
        id: WorkloadId {
            team: team.clone(),
            target: TargetId::from_text(format!("{team}-orders")),
            release: 1,
            process: "web".into(),
            slot: 0,
        },
        fence: 5,
        service: "orders".parse().unwrap(),
        image: image.into(),
        command: None,
        env: BTreeMap::new(),
        writable: Vec::new(),
        limits: Limits { memory: 64 << 20, ..Limits::default() },
        profile: Profile::Baseline,
        network: Network::Target { team, environment: EnvironmentId::from_text("dev") },
    }
}

/// A step of the run `1` which runs this in a shell.
fn step(image: &str, script: &str) -> Task {
    Task {
        name: "step-1".into(),
        team: TeamId::from_text("a"),
        run: Some(RunId::from_text("1")),
        image: image.into(),
        command: vec!["sh".into(), "-c".into(), script.into()],
        alias: None,
        env: BTreeMap::new(),
        workspace: None,
        caches: Vec::new(),
        limits: Limits { memory: 64 << 20, ..Limits::default() },
        profile: Profile::Baseline,
        network: Network::Run(RunId::from_text("1")),
        writable_root: true,
        writable: Vec::new(),
        timeout: Duration::from_secs(60),
    }
}

/// How a task ended, and what it wrote: standard output, standard error.
struct Ran {
    end: Result<TaskEnd, PlatformError>,
    out: String,
    err: String,
}

impl Ran {
    fn code(&self) -> i64 {
        match self.end {
            Ok(TaskEnd::Exited { code, .. }) => code,
            ref other => panic!("{other:?}: {}{}", self.out, self.err),
        }
    }
}

async fn run(platform: &TestPlatform, task: &Task) -> Ran {
    run_until(platform, task, &CancellationToken::new()).await
}

async fn run_until(platform: &TestPlatform, task: &Task, cancel: &CancellationToken) -> Ran {
    run_on(&platform.docker, task, cancel).await
}

async fn run_on(platform: &dyn Platform, task: &Task, cancel: &CancellationToken) -> Ran {
    let (sink, mut pieces) = mpsc::channel(1);
    let (end, (out, err)) = tokio::join!(platform.run_to_end(task, sink, cancel.clone()), async {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        while let Some(Output { error, bytes }) = pieces.recv().await {
            if error { &mut err } else { &mut out }.extend_from_slice(&bytes);
        }
        (out, err)
    });
    Ran { end, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
}

/// All of a stream that ends.
async fn text(stream: OutputStream) -> String {
    let pieces: Vec<_> = stream.map(|piece| piece.unwrap().bytes).collect().await;
    String::from_utf8(pieces.concat()).unwrap()
}

/// Waits until this is so, at most 20 s.
async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut is: impl FnMut() -> F) -> T {
    for _ in 0..400 {
        if let Some(value) = is().await {
            return value;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what} did not come to be within 20 s");
}

/// What a copy on port 8080 answers to `GET /`.
async fn get(address: std::net::IpAddr) -> String {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build().unwrap();
    until("an answer", || async {
        let url = format!("http://{address}:8080/");
        client.get(url).send().await.ok()?.text().await.ok()
    })
    .await
}
