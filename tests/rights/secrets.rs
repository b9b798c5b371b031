//! A secret that a program prints, however it prints it, is not in the database afterwards.

use std::path::Path;

use serde_json::json;
use server::{
    args,
    platform::fake::{Behaviour, Script},
    store::Query as _,
};

use crate::{
    git::Copy,
    support::{
        app::TestApp,
        berth::until,
        canary::{forms, found},
        proof,
    },
};

const SECRET: &str = r#"k9!<Zq&"7 r'/w+2Xv?"#;
const STEPS_OWN: &str = "t0ken-0f-a-step+/9";

/// Every file of the store: the database, what is written ahead of it, the rest but repositories.
fn stored(folder: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()).filter(|path| path.is_file());
    files.flat_map(|path| std::fs::read(path).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn printed_in_every_way_it_is_not_in_the_store() {
    let app = TestApp::new().await.with_team("a").await;
    let owner = app.client("owner@a.test").await;
    let lines: Vec<String> = forms(SECRET).into_iter().map(|form| format!("{}: {}", form.name, form.printed)).collect();
    let all = lines.clone();
    app.fake.set_image("shell", Behaviour::default());
    // The release command prints the variable and fails; a step prints its own.
    app.fake.on_task(move |task| {
        let secret = if task.name.starts_with("release-") { SECRET } else { STEPS_OWN };
        let lines = forms(secret).into_iter().map(|form| (false, format!("{}: {}", form.name, form.printed))).collect();
        Some(Script { lines, code: i64::from(task.name.starts_with("release-")), ..Script::default() })
    });
    app.fake.set_image("crashing", Behaviour { lines: all, ..Behaviour::crashing(3) });
    owner.post("/teams/a/services", json!({"name": "hello", "environments": ["dev"]})).await.is(201);
    let config = json!({"set": {"DATABASE_PASSWORD": SECRET}});
    owner.send("PATCH", "/teams/a/services/hello/targets/dev/config", Some(&config)).await.is(200);
    let copy = Copy::at(&format!("http://x:{}@{}/git/a/hello.git", owner.secret(), app.berth.console)).await;
    let file = "version: 1\nservices:\n  hello:\n    stages:\n      - name: fast\n        steps:\n          - { name: unit, image: shell, run: [\"make test\"], env: { API_TOKEN: \"@\" } }\n    release: [\"migrate\"]\n";
    copy.write("berth.yaml", &file.replace('@', STEPS_OWN));
    copy.write("Dockerfile", "FROM scratch\n");
    let shown = copy.push("First").await;
    assert!(shown.contains("as it is: ***"), "{shown}");
    // A copy that dies, too.
    let change = owner.post("/teams/a/services/hello/targets/dev/actions/deploy", json!({"image": "crashing"})).await.is(202);
    let rollout = change["rollout"].as_str().unwrap().to_owned();
    let failed = until("the rollout fails", async || {
        let rollout = owner.get(&format!("/rollouts/{rollout}")).await.is(200);
        (rollout["state"] == "failed").then_some(rollout)
    })
    .await;
    assert!(failed["last_lines"].to_string().contains("***"), "its last lines are kept: {failed}");
    let chunks = app.db().fetch_all("SELECT lines FROM log_chunks", args![]).await.unwrap();
    let chunks: String = chunks.iter().map(|row| row.text("lines").unwrap()).collect();
    assert!(chunks.contains("URL, every byte: ***"), "{chunks}");
    let said =
        [found(shown.as_bytes(), &forms(STEPS_OWN)), found(chunks.as_bytes(), &forms(STEPS_OWN)), found(shown.as_bytes(), &forms(SECRET))]
            .concat();
    let kept = found(&stored(&app.berth.config.data), &forms(SECRET));
    assert!(said.is_empty() && kept.is_empty(), "shown: {said:?}; stored: {kept:?}");
    let forms = forms(SECRET).len();
    proof(
        "secrets in output",
        &format!("printed in {forms} encodings by a step, a release command and an instance: 0 in logs, answers, database and WAL"),
    );
}
