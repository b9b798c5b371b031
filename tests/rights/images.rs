//! What one team's builds made is nobody else's: not to be deployed, to run steps in or to build on, by whatever name.

use serde_json::{Value, json};

use crate::{
    git::Copy,
    support::{
        app::{Client, TestApp},
        berth::until,
        proof,
    },
};

/// Pushes these files to a team's service and waits for the end of that run.
async fn pushed(app: &TestApp, owner: &Client, team: &str, number: u64, files: &[(&str, &str)]) -> Value {
    let copy = Copy::at(&format!("http://x:{}@{}/git/{team}/hello.git", owner.secret(), app.berth.console)).await;
    files.iter().for_each(|(name, text)| copy.write(name, text));
    copy.commit("Change").await;
    copy.good(&["push", "-q", "-f", "-o", "no-wait", "berth", "HEAD:main"]).await;
    until("the run ends", async || {
        let run = owner.get(&format!("/teams/{team}/services/hello/runs/{number}")).await;
        (run.status == 200 && run.body["finished_at"].is_string()).then_some(run.body)
    })
    .await
}

/// Deploys an image of this name and waits for the end; says how it failed.
async fn deployed(owner: &Client, team: &str, image: &str) -> Option<String> {
    let target = format!("/teams/{team}/services/hello/targets/dev");
    let change = owner.post(&format!("{target}/actions/deploy"), json!({ "image": image })).await.is(202);
    let rollout = change["rollout"].as_str().unwrap().to_owned();
    let ended = until("the rollout ends", async || {
        let rollout = owner.get(&format!("/rollouts/{rollout}")).await.is(200);
        rollout["finished_at"].is_string().then_some(rollout)
    })
    .await;
    ended["failure"].as_str().map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_team_built_is_not_there_for_another() {
    let app = TestApp::new().await.with_team("a").await.with_team("b").await;
    let mut tx = app.db().begin().await.unwrap();
    tx.execute("UPDATE environments SET stabilisation_ms = 100, deadline_ms = 2000", vec![]).await.unwrap();
    tx.commit().await.unwrap();
    app.fake.set_image("public:1", server::platform::fake::Behaviour::saying("hello"));
    let (ours, theirs) = (app.client("owner@a.test").await, app.client("owner@b.test").await);
    for (owner, team) in [(&ours, "a"), (&theirs, "b")] {
        owner.post(&format!("/teams/{team}/services"), json!({"name": "hello", "environments": ["dev", "staging"]})).await.is(201);
    }
    let built = pushed(&app, &theirs, "b", 1, &[("Dockerfile", "FROM public:1\n")]).await;
    assert_eq!(built["state"], "passed", "{built}");
    let candidates = theirs.get("/teams/b/services/hello/candidates").await.is(200);
    let secret = candidates["items"][0]["image"].as_str().unwrap().to_owned();
    // A name for it that an operator gave.
    app.fake.name_image(&secret, "named:1");

    // Its own team may: by its id, by a name, in a step and as a base.
    assert_eq!(deployed(&theirs, "b", &secret).await, None);
    assert_eq!(deployed(&theirs, "b", "named:1").await, None);
    // For another it is as one that is nowhere.
    let nowhere = format!("sha256:{}", "0".repeat(64));
    let unknown = deployed(&ours, "a", &nowhere).await.unwrap();
    let mut refused = 0;
    for name in [secret.as_str(), "named:1"] {
        let failure = deployed(&ours, "a", name).await.unwrap();
        assert_eq!(failure.replace(name, "IMAGE"), unknown.replace(&nowhere, "IMAGE"));
        assert!(failure.starts_with(&format!("The image {name} was not found.")), "{failure}");
        refused += 1;
    }
    let step = |image: &str| {
        format!(
            "version: 1\nservices:\n  hello:\n    stages:\n      - name: fast\n        steps:\n          - {{ name: unit, image: \"{image}\", run: [id] }}\n"
        )
    };
    let plain = "FROM public:1\n";
    let copying = format!("FROM public:1\nCOPY --fr\\om={secret} / /\n");
    // Expanded on its way into the archive: the commit shows a comment there.
    let hidden = "FROM public:1\n# $Format:%nCOPY --from=named:1 / /%n$\n";
    let cases: [(&str, &[(&str, &str)]); 6] = [
        ("Stage fast, step unit: The image", &[("berth.yaml", &step(&secret)), ("Dockerfile", plain)]),
        ("Stage fast, step unit: The image", &[("berth.yaml", &step("named:1")), ("Dockerfile", plain)]),
        ("`Dockerfile`: The image", &[("Dockerfile", &format!("ARG X\nFROM ${{X:-{secret}}}\n"))]),
        ("`Dockerfile`: The image", &[("Dockerfile", &copying)]),
        ("Stage image: The image named:1 was not found.", &[(".gitattributes", "Dockerfile export-subst\n"), ("Dockerfile", hidden)]),
        ("Stage image: `Dockerfile` could not be built: Its directive", &[("Dockerfile", "# escape=`\nFROM public:1\n")]),
    ];
    for (number, (sentence, files)) in (1..).zip(cases) {
        let run = pushed(&app, &ours, "a", number, files).await;
        assert!(run["failure"].as_str().is_some_and(|failure| failure.starts_with(sentence)), "{sentence}: {run}");
        refused += 1;
    }
    // By its number and from where it runs, a candidate is found in one's own service only.
    for source in [json!({"candidate": 1}), json!({"from": "staging"})] {
        let answer = ours.post("/teams/a/services/hello/targets/dev/actions/deploy", source).await;
        assert!([404, 409].contains(&answer.status), "{}", answer.text);
        refused += 1;
    }
    assert_eq!(deployed(&ours, "a", "public:1").await, None);
    proof("images of another team", &format!("{refused} ways to name one, 0 found; public ones are there for everybody"));
}
