//! Secrets that steps are given by name: set and never shown, there for the step that names them, in no log and no row.

use std::time::Duration;

use app::model::{LineKind, Run, RunState};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use server::platform::fake::Script;

use crate::{
    git::{Copy, harbour},
    support::berth::{Harbour, service, team, within},
};

const CANARY: &str = "kanari/7?vogel+Zé\"19";

fn file(secrets: &str) -> String {
    format!(
        "version: 1\nservices:\n  hello:\n    stages:\n      - name: fast\n        steps:\n          - {{ name: unit, image: shell, run: [\"make test\"], secrets: [{secrets}] }}\n          - {{ name: other, image: shell, run: [\"make\"] }}\n"
    )
}

async fn ended(harbour: &Harbour, number: u64) -> Run {
    within(Duration::from_secs(30), "the run ends", async || {
        harbour.berth.backend.runs.show(&harbour.owner, &team(), &service(), number).await.ok().filter(|run| run.state.ended())
    })
    .await
}

/// The canary in the forms programs print a value in.
fn encodings() -> Vec<(&'static str, String)> {
    let bytes = |form: fn(u8) -> String, between: &str| CANARY.bytes().map(form).collect::<Vec<_>>().join(between);
    let lower = bytes(|byte| format!("{byte:02x}"), "");
    vec![
        ("plain", CANARY.to_owned()),
        ("base64", STANDARD.encode(CANARY)),
        ("base64url", URL_SAFE_NO_PAD.encode(CANARY)),
        ("base64 of a line", STANDARD.encode(format!("{CANARY}\n"))),
        ("hex", lower.clone()),
        ("HEX", lower.to_uppercase()),
        ("hex with spaces", bytes(|byte| format!("{byte:02x}"), " ")),
        ("hex with colons", bytes(|byte| format!("{byte:02x}"), ":")),
        ("percent", utf8_percent_encode(CANARY, NON_ALPHANUMERIC).to_string()),
        ("percent, every byte", bytes(|byte| format!("%{byte:02X}"), "")),
        ("HTML", CANARY.replace('"', "&quot;")),
        ("percent in lower case", bytes(|byte| format!("%{byte:02x}"), "")),
        ("JSON", serde_json::to_string(CANARY).unwrap().trim_matches('"').to_owned()),
    ]
}

/// Where any of these is found in a file of the data folder.
fn found_in(folder: &std::path::Path, forms: &[(&'static str, String)]) -> Vec<String> {
    let mut hits = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            hits.extend(found_in(&path, forms));
        } else if let Ok(bytes) = std::fs::read(&path) {
            let holds = |form: &str| bytes.windows(form.len()).any(|window| window == form.as_bytes());
            hits.extend(forms.iter().filter(|(_, form)| holds(form)).map(|(name, _)| format!("{name} in {}", path.display())));
        }
    }
    hits
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
    let run = ended(&harbour, 1).await;
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

    let forms = encodings();
    let lines: Vec<String> = forms.iter().map(|(name, form)| format!("{name}: <{form}>")).collect();
    harbour.fake.on_task(move |task| {
        let mut script = Script::new(&lines.iter().map(String::as_str).collect::<Vec<_>>(), i64::from(task.name.ends_with("unit")));
        let (head, tail) = CANARY.split_at(9);
        script.pieces = vec![format!("split: <{head}"), format!("{tail}>\n")];
        task.env.contains_key("DEPLOY_KEY").then_some(script)
    });
    copy.write("more", "");
    copy.commit("Second").await;
    copy.good(&["push", "-q", "-o", "no-wait", "berth", "HEAD"]).await;
    let run = ended(&harbour, 2).await;
    let tasks = harbour.fake.tasks();
    let with: Vec<_> = tasks.iter().filter(|task| task.env.contains_key("DEPLOY_KEY")).collect();
    assert_eq!((with.len(), with[0].env["DEPLOY_KEY"].as_str()), (1, CANARY), "the step that names it alone");
    assert!(tasks.iter().all(|task| !task.env.contains_key("OTHER") && !task.command.join(" ").contains(CANARY)));
    let log = harbour.berth.backend.runs.log(&harbour.owner, &run.stages[0].steps[0].id, 1, 100).await.unwrap();
    let shown: Vec<_> = log.lines.iter().filter(|line| line.kind == LineKind::Out).map(|line| line.text.as_str()).collect();
    assert_eq!(shown.len(), forms.len() + 1);
    for line in &shown {
        assert!(line.ends_with(": <***>"), "{line}");
    }
    let hits = found_in(&harbour.berth.config.data, &forms);
    assert!(hits.is_empty(), "{hits:?}");

    services.unset_secret(&harbour.owner, &team(), &service(), "DEPLOY_KEY").await.unwrap();
    services.unset_secret(&harbour.owner, &team(), &service(), "DEPLOY_KEY").await.unwrap();
    assert_eq!(services.secrets(&harbour.owner, &team(), &service()).await.unwrap().len(), 1);
    harbour.berth.stop().await;
    crate::support::proof(
        "canary",
        &format!("{} encodings and 1 split over two writes: 0 hits in the log, the database, its WAL", forms.len()),
    );
}
