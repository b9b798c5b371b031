//! Runs on hosts of their own, beside the one of the services: on three real engines.

use std::time::Duration;

use app::model::{EngineState, PageRequest, RunState};
use bollard::query_parameters::{ListContainersOptions, ListContainersOptionsBuilder};

use crate::{
    git::Copy,
    support::{
        berth::{Harbour, service, team, within},
        engine::Engine,
        images::{self, BUSYBOX},
        proof,
    },
};

/// The second stage needs what the first left, and takes its time.
fn file(slow: &str) -> String {
    format!(
        "version: 1
services:
  hello:
    stages:
      - name: fast
        steps:
          - {{ name: unit, image: \"{BUSYBOX}\", run: [\"echo $BERTH_RUN >>/kept/runs\", \"cat /kept/runs >carried\"], caches: {{ /kept: [] }} }}
          - {{ name: slow, image: \"{BUSYBOX}\", run: [\"{slow}\"] }}
      - name: second
        sidecars:
          beside: {{ image: \"{BUSYBOX}\", command: [\"sleep\", \"60\"], ready: [\"true\"] }}
        steps:
          - {{ name: carried, image: \"{BUSYBOX}\", run: [\"cat carried\"] }}
    processes:
      web: {{ port: 8080, health: {{ path: /index.html }}, drain: 0s }}
"
    )
}

async fn running(engine: &Engine) -> usize {
    engine.docker().list_containers(None::<ListContainersOptions>).await.map_or(0, |all| all.len())
}

async fn all(engine: &Engine) -> usize {
    let options = ListContainersOptionsBuilder::default().all(true).build();
    engine.docker().list_containers(Some(options)).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_builder_that_is_lost_in_the_middle_loses_no_run() {
    images::busybox_image().await;
    let (one, two) = tokio::join!(Engine::elsewhere(), Engine::elsewhere());
    let mut engines = [one, two];
    let addresses = [("b1".to_owned(), engines[0].address()), ("b2".to_owned(), engines[1].address())];
    let harbour = Harbour::on_engine_with(|config| config.builders = addresses.into()).await;
    let copy = Copy::new(&harbour).await;
    copy.write("www/index.html", "one");
    copy.write("Dockerfile", &images::serving("/www", "COPY www /www\n"));
    copy.write("berth.yaml", &file("true"));
    let shown = copy.push("First").await;
    let run = harbour.run_ended(1).await;
    assert_eq!((run.state, run.failure.as_deref()), (RunState::Passed, None), "{shown}");
    assert!(shown.contains("✓ dev: live at http://hello-demo.dev.localhost"), "{shown}");
    assert_eq!(harbour.ask("dev").await, (200, "one".into()));
    let text = async |run: &app::model::Run, stage: usize| {
        let log = harbour.berth.backend.runs.log(&harbour.owner, &run.stages[stage].steps[0].id, 1, 100).await.unwrap();
        log.lines.into_iter().map(|line| line.text).collect::<Vec<_>>().join("\n")
    };
    assert!(text(&run, 1).await.contains("cat carried\n1\n"), "{}", text(&run, 1).await);
    assert_eq!((all(&engines[0]).await, all(&engines[1]).await), (0, 0), "nothing of a run is left");

    // Its service's builder again, where its cache is. That host goes while a step runs.
    copy.write("www/index.html", "two");
    copy.write("berth.yaml", &file("sleep 20"));
    copy.commit("Second").await;
    copy.good(&["push", "-q", "-o", "no-wait", "berth", "main"]).await;
    let busy = within(Duration::from_secs(30), "a step runs", async || {
        let (first, second) = (running(&engines[0]).await, running(&engines[1]).await);
        (first + second > 0).then_some(usize::from(first == 0))
    })
    .await;
    engines[busy].stop();
    let run = harbour.run_ended_within(Duration::from_secs(120), 2).await;
    assert_eq!((run.state, run.failure.as_deref()), (RunState::Passed, None));
    assert_eq!(
        run.stages.iter().filter(|stage| stage.name == "fast").map(|stage| stage.state).collect::<Vec<_>>(),
        [RunState::Lost, RunState::Passed]
    );
    within(Duration::from_secs(20), "the second is live", async || (harbour.ask("dev").await.1 == "two").then_some(())).await;
    let hosts = harbour.berth.backend.platform.hosts(&harbour.owner).await.unwrap();
    let gone: Vec<EngineState> = hosts.iter().filter(|host| host.pool == "builders").map(|host| host.state).collect();
    assert_eq!(gone.iter().filter(|state| **state == EngineState::Gone).count(), 1, "{hosts:?}");
    let candidates = harbour.berth.backend.runs.candidates(&harbour.owner, &team(), &service(), &PageRequest::default()).await.unwrap();
    assert_eq!(candidates.items.len(), 2);
    proof("builders", "2 builders, one lost in the middle of a step: 2 runs passed, 1 moved, 0 lost");
    harbour.clear().await;
}
