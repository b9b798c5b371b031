//! Secrets that steps are given by name: set and never shown, there for the step that names them. `canary` looks for them
//! where they must not be.

use std::time::Duration;

use app::model::{LineKind, RunState};
use server::platform::fake::Script;

use crate::{
    git::{Copy, harbour},
    support::berth::{service, team},
};

/// How long a run takes at most.
const SOON: Duration = Duration::from_secs(30);

const CANARY: &str = "kanari/7?vogel+Zé\"19";

fn file(secrets: &str) -> String {
    format!(
        "version: 1\nservices:\n  hello:\n    stages:\n      - name: fast\n        steps:\n          - {{ name: unit, image: shell, run: [\"make test\"], secrets: [{secrets}] }}\n          - {{ name: other, image: shell, run: [\"make\"] }}\n"
    )
}

#[tokio::test]
async fn a_secret_reaches_the_step_that_names_it_and_nothing_else() {
    let harbour = harbour().await;
    let services = &harbour.berth.backend.services;
    let copy = Copy::new(&harbour).await;
    copy.write("Dockerfile", "FROM scratch\n");
    copy.write("berth.yaml", &file("DEPLOY_KEY"));
    copy.commit("First").await;
    copy.good(&["push", "-q", "-o", "no-wait", "berth", "HEAD"]).await;
    let run = harbour.run_ended_within(SOON, 1).await;
    let sentence = "Stage fast, step unit: It needs the secret DEPLOY_KEY, which the service does not have. \
                    `berth secret set demo/hello DEPLOY_KEY` sets it.";
    assert_eq!((run.state, run.failure.as_deref()), (RunState::Failed, Some(sentence)));
    assert!(harbour.fake.tasks().is_empty(), "nothing is begun");

    services.set_secret(&harbour.owner, &team(), &service(), "DEPLOY_KEY", "old").await.unwrap();
    services.set_secret(&harbour.owner, &team(), &service(), "DEPLOY_KEY", CANARY).await.unwrap();
    services.set_secret(&harbour.owner, &team(), &service(), "OTHER", "unused value").await.unwrap();
    let names: Vec<String> =
        services.secrets(&harbour.owner, &team(), &service()).await.unwrap().into_iter().map(|secret| secret.name).collect();
    assert_eq!(names, ["DEPLOY_KEY", "OTHER"]);
    for (name, value) in [("1A", "x"), ("A-B", "x"), ("BERTH_RUN", "x"), ("A", ""), ("", "x")] {
        let error = services.set_secret(&harbour.owner, &team(), &service(), name, value).await.unwrap_err();
        assert_eq!(error.code, "invalid_secret", "{name}");
    }

    harbour.fake.on_task(move |task| {
        let script = Script::new(&[&format!("it is: <{CANARY}>")], i64::from(task.name.ends_with("unit")));
        task.env.contains_key("DEPLOY_KEY").then_some(script)
    });
    copy.write("more", "");
    copy.commit("Second").await;
    copy.good(&["push", "-q", "-o", "no-wait", "berth", "HEAD"]).await;
    let run = harbour.run_ended_within(SOON, 2).await;
    let tasks = harbour.fake.tasks();
    let with: Vec<_> = tasks.iter().filter(|task| task.env.contains_key("DEPLOY_KEY")).collect();
    assert_eq!((with.len(), with[0].env["DEPLOY_KEY"].as_str()), (1, CANARY), "the step that names it alone");
    assert!(tasks.iter().all(|task| !task.env.contains_key("OTHER") && !task.command.join(" ").contains(CANARY)));
    let log = harbour.berth.backend.runs.log(&harbour.owner, &run.stages[0].steps[0].id, 1, 100).await.unwrap();
    let shown: Vec<_> = log.lines.iter().filter(|line| line.kind == LineKind::Out).map(|line| line.text.as_str()).collect();
    assert_eq!(shown, ["it is: <***>"]);

    services.unset_secret(&harbour.owner, &team(), &service(), "DEPLOY_KEY").await.unwrap();
    services.unset_secret(&harbour.owner, &team(), &service(), "DEPLOY_KEY").await.unwrap();
    assert_eq!(services.secrets(&harbour.owner, &team(), &service()).await.unwrap().len(), 1);
    harbour.berth.stop().await;
}
