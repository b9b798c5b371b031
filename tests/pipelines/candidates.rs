//! What is said of a candidate, from a real push on: signed, verified before every deploy, compared, and kept as long as
//! anything may need it.

use std::{
    collections::BTreeMap,
    io::Read as _,
    sync::{Arc, Mutex},
    time::Duration,
};

use app::model::{
    Candidate, ConfigChange, ConfigCompared, Envelope, NewService, PageRequest, PlatformRole, Role, RolloutState, RunState, SigningKey,
    Source, Timestamp, VariableChange, Vouched,
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::Value;
use server::{
    args,
    candidates::dsse::Signed,
    clock,
    platform::fake::{Behaviour, Script},
    secrets::PublicKey,
    store::Query as _,
};

use crate::{
    git::{Copy, harbour},
    support::{
        berth::{Harbour, environment, service, team, until, within},
        images::{self, BUSYBOX},
        proof,
    },
};

/// How long a run takes at most.
const SOON: Duration = Duration::from_secs(20);

/// An image of Debian with these packages, each `name=version`.
fn debian(packages: &str) -> Behaviour {
    let stanza = |word: &str| {
        let (name, version) = word.split_once('=').unwrap();
        format!("Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n\n")
    };
    let status: String = packages.split(' ').map(stanza).collect();
    let release = "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian 12\"\n".to_owned();
    let files = [("/var/lib/dpkg/status".to_owned(), status), ("/usr/lib/os-release".to_owned(), release)];
    Behaviour { files: files.into(), ..Behaviour::default() }
}

fn file(port: u16) -> String {
    format!("version: 1\nservices:\n  hello:\n    image: {{ args: {{ LEVEL: high }} }}\n    processes: {{ web: {{ port: {port} }} }}\n")
}

/// A harbour with a candidate of an image with these packages.
async fn made(packages: &'static str) -> (Harbour, Copy) {
    let harbour = harbour().await;
    harbour.fake.set_image("base:1", Behaviour::default());
    harbour.fake.on_build(move |_| Some((vec!["Step 1/1 : FROM base:1".into()], Ok(debian(packages)))));
    let copy = Copy::new(&harbour).await;
    copy.write("berth.yaml", &file(8080));
    copy.write("Dockerfile", "FROM base:1\n");
    copy.push("First").await;
    assert_eq!(harbour.run_ended_within(SOON, 1).await.state, RunState::Passed);
    (harbour, copy)
}

async fn change(harbour: &Harbour, sql: &str, values: Vec<server::store::Value>) -> u64 {
    let mut tx = harbour.berth.db.begin().await.unwrap();
    let count = tx.execute(sql, values).await.unwrap();
    tx.commit().await.unwrap();
    count
}

async fn asked(harbour: &Harbour, path: &str) -> Value {
    let token = crate::git::token(harbour, vec![app::model::Scope::Read]).await;
    let url = format!("http://{}/api/v1{path}", harbour.berth.console);
    let answer = reqwest::Client::new().get(url).bearer_auth(token).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    answer.json().await.unwrap()
}

async fn deploy(harbour: &Harbour, place: &str, source: Source) -> app::error::Result<app::model::Change> {
    harbour.berth.backend.releases.deploy(&harbour.owner, &team(), &service(), &environment(place), source, false).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_says_where_it_came_from_and_what_is_in_it() {
    let (harbour, copy) = made("bash=5.2-1 libc6=2.36-9").await;
    let path = "/teams/demo/services/hello/candidates/1";
    let shown = harbour.berth.backend.candidates.show(&harbour.owner, &team(), &service(), 1).await.unwrap();
    assert_eq!((shown.vouched, shown.refusal), (Vouched::Verified, None));
    let made = shown.candidate.made.as_ref().unwrap();
    assert_eq!((made.packages, made.bases[0].name.as_str(), made.by.as_str()), (Some(2), "base:1", "Ada"));

    let key: SigningKey = serde_json::from_value(asked(&harbour, "/signing-key").await).unwrap();
    let public = PublicKey::read(&key.public).unwrap();
    assert_eq!((shown.key.as_deref(), key.id.as_str()), (Some(key.id.as_str()), public.id().as_str()));
    let envelope: Envelope = serde_json::from_value(asked(&harbour, &format!("{path}/provenance")).await).unwrap();
    assert!(Signed::open(&envelope).unwrap().verifies(&public));
    let statement: Value = serde_json::from_slice(&BASE64.decode(&envelope.payload).unwrap()).unwrap();
    let digest = shown.candidate.image.strip_prefix("sha256:").unwrap();
    let commit = copy.good(&["rev-parse", "HEAD"]).await.trim().to_owned();
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(statement["subject"][0]["digest"]["sha256"], digest);
    let definition = &statement["predicate"]["buildDefinition"];
    let asked_for = &definition["externalParameters"];
    assert_eq!((&asked_for["commit"], &asked_for["ref"]), (&Value::from(commit.as_str()), &Value::from("refs/heads/main")));
    assert_eq!(asked_for["args"]["LEVEL"], "high");
    let text = sha256(&file(8080));
    assert_eq!(asked_for["file"]["digest"]["sha256"], text);
    assert_eq!(asked_for["repository"], format!("{}/git/demo/hello.git", harbour.berth.config.url));
    let dependencies = definition["resolvedDependencies"].as_array().unwrap();
    assert_eq!((&dependencies[0]["digest"]["gitCommit"], &dependencies[1]["uri"]), (&Value::from(commit), &Value::from("docker:base:1")));
    assert_eq!(statement["predicate"]["runDetails"]["builder"]["id"], harbour.berth.config.url);

    let bill = asked(&harbour, &format!("{path}/sbom")).await;
    assert_eq!((&bill["bomFormat"], &bill["specVersion"]), (&Value::from("CycloneDX"), &Value::from("1.6")));
    assert_eq!(bill["metadata"]["component"]["hashes"][0]["content"], digest);
    assert_eq!(bill["components"][1]["purl"], "pkg:deb/debian/bash@5.2-1?arch=amd64&distro=debian-12");
    let signed: Envelope = serde_json::from_value(asked(&harbour, &format!("{path}/sbom?signed=true")).await).unwrap();
    assert!(Signed::open(&signed).unwrap().verifies(&public));
    harbour.berth.stop().await;
}

fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(text))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_was_tampered_with_keeps_its_candidate_from_every_environment() {
    let (harbour, _copy) = made("bash=5.2-1").await;
    until("it is live", async || {
        let target = harbour.berth.backend.services.target(&harbour.owner, &team(), &service(), &environment("dev")).await.unwrap();
        target.rollout.filter(|rollout| rollout.state == RolloutState::Succeeded)
    })
    .await;
    let kept = "SELECT payload, signature, key_id FROM statements WHERE kind = 'provenance'";
    let row = harbour.berth.db.fetch_opt(kept, args![]).await.unwrap().unwrap();
    let (payload, signature, key) = (row.text("payload").unwrap(), row.text("signature").unwrap(), row.text("key_id").unwrap());
    let set = |column: &str| format!("UPDATE statements SET {column} = $1 WHERE kind = 'provenance'");
    let other = "(SELECT payload FROM statements WHERE kind = 'sbom')";
    let tampered: [(&str, String, Vec<server::store::Value>, &str); 5] = [
        ("another statement", format!("UPDATE statements SET payload = {other} WHERE kind = 'provenance'"), args![], "was changed"),
        ("no statement at all", set("payload"), args!["AAAA"], "was changed"),
        ("another signature", set("signature"), args![BASE64.encode([7_u8; 64])], "was changed"),
        ("another key", set("key_id"), args!["0".repeat(32)], "another key"),
        ("another image", "UPDATE candidates SET image = $1".to_owned(), args![server::platform::fake::image_id("evil")], "another image"),
    ];
    harbour.fake.set_image(&server::platform::fake::image_id("evil"), Behaviour::saying("evil"));
    let image = harbour.berth.db.fetch_opt("SELECT image FROM candidates", args![]).await.unwrap().unwrap().text("image").unwrap();
    for (what, sql, values, expected) in tampered {
        assert_eq!(change(&harbour, &sql, values).await, 1, "{what}");
        let refused = deploy(&harbour, "staging", Source::Candidate(1)).await.unwrap_err();
        assert_eq!(refused.code, "statement_unverified", "{what}");
        assert!(refused.sentence.contains(expected), "{what}: {}", refused.sentence);
        let shown = harbour.berth.backend.candidates.show(&harbour.owner, &team(), &service(), 1).await.unwrap();
        assert_eq!(shown.vouched, Vouched::Refused, "{what}");
        let back = "UPDATE statements SET payload = $1, signature = $2, key_id = $3 WHERE kind = 'provenance'";
        change(&harbour, back, args![&payload, &signature, &key]).await;
        change(&harbour, "UPDATE candidates SET image = $1", args![&image]).await;
    }
    // What is not a deploy by its name is one all the same: the rollout itself asks, and what serves goes on serving.
    change(&harbour, &set("signature"), args![BASE64.encode([7_u8; 64])]).await;
    let variables = ConfigChange { set: BTreeMap::from([("TEXT".to_owned(), "two".to_owned())]), unset: Vec::new() };
    let releases = &harbour.berth.backend.releases;
    let changed = releases.change_config(&harbour.owner, &team(), &service(), &environment("dev"), variables, None, false).await.unwrap();
    let rollout = harbour.ended(&changed.rollout.unwrap()).await;
    assert_eq!(rollout.state, RolloutState::Failed);
    assert!(rollout.failure.as_deref().unwrap().contains("was changed since it was signed"), "{rollout:?}");
    assert_eq!(harbour.ask("dev").await, (200, "hello".into()));
    // Taken away it is no better, and put back it is good.
    change(&harbour, "DELETE FROM statements WHERE kind = 'provenance'", args![]).await;
    let missing = deploy(&harbour, "staging", Source::From(environment("dev"))).await.unwrap_err();
    assert!(missing.code == "statement_unverified" && missing.sentence.contains("is missing"), "{}", missing.sentence);
    let back =
        "INSERT INTO statements (candidate_id, kind, payload, key_id, signature) SELECT id, 'provenance', $1, $2, $3 FROM candidates";
    change(&harbour, back, args![&payload, &key, &signature]).await;
    assert!(deploy(&harbour, "staging", Source::Candidate(1)).await.unwrap().rollout.is_some());
    // One of before there were statements has none, and that is said.
    change(&harbour, "DELETE FROM statements", args![]).await;
    change(&harbour, "UPDATE candidates SET made = NULL", args![]).await;
    let old = deploy(&harbour, "production", Source::Candidate(1)).await.unwrap();
    assert!(old.plan.last().unwrap().contains("before candidates were signed"), "{:?}", old.plan);
    proof("provenance", "a signed statement tampered with in 6 ways and taken away: 8 deploys refused, 0 let through");
    harbour.berth.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_candidates_are_compared() {
    let (harbour, copy) = made("bash=5.2-1 libc6=2.36-9 zlib=1").await;
    harbour.fake.on_build(|_| Some((Vec::new(), Ok(debian("bash=5.2-1 libc6=2.36-10 curl=8")))));
    copy.write("berth.yaml", &file(9090));
    copy.commit("Second <b>").await;
    copy.push("Third").await;
    assert_eq!(harbour.run_ended_within(SOON, 2).await.state, RunState::Passed);
    let candidates = &harbour.berth.backend.candidates;
    let found = candidates.compare(&harbour.owner, &team(), &service(), 1, 2).await.unwrap();
    let titles: Vec<&str> = found.commits.iter().map(|commit| commit.title.as_str()).collect();
    assert_eq!((titles, found.taken_back.len(), found.commits_unread), (vec!["Third", "Second <b>"], 0, None));
    let packages = found.packages.unwrap();
    assert_eq!((packages.added[0].name.as_str(), packages.removed[0].name.as_str()), ("curl", "zlib"));
    assert_eq!(packages.changed.len(), 1);
    assert_eq!(packages.changed[0].after.as_deref(), Some("2.36-10"));
    assert_eq!(found.shape.iter().map(|change| change.field.as_str()).collect::<Vec<_>>(), ["processes.web.port"]);
    let back = candidates.compare(&harbour.owner, &team(), &service(), 2, 1).await.unwrap();
    assert_eq!((back.commits.len(), back.taken_back.len()), (0, 2));
    assert_eq!(candidates.compare(&harbour.owner, &team(), &service(), 1, 9).await.unwrap_err().code, "unknown_candidate");
    // The run says how its image compares with the one before.
    let image = harbour.run_ended_within(SOON, 2).await.image.unwrap();
    assert_eq!((image.before, image.size_before), (Some(1), Some(image.size)));
    harbour.berth.stop().await;
}

/// The variables a candidate ran with last are what a comparison shows: values for who may read them, names for others.
#[tokio::test(flavor = "multi_thread")]
async fn two_candidates_are_compared_by_the_variables_they_ran_with() {
    let (harbour, copy) = made("bash=5.2-1").await;
    let set = async |pairs: &[(&str, &str)]| {
        let set = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let change = ConfigChange { set, unset: Vec::new() };
        let (team, service, place) = (team(), service(), environment("dev"));
        let changed = harbour.berth.backend.releases.change_config(&harbour.owner, &team, &service, &place, change, None, false);
        if let Some(rollout) = changed.await.unwrap().rollout {
            assert_eq!(harbour.ended(&rollout).await.state, RolloutState::Succeeded);
        }
    };
    set(&[("LEVEL", "info"), ("API_TOKEN", "first-token")]).await;
    copy.push("Second").await;
    assert_eq!(harbour.run_ended_within(SOON, 2).await.state, RunState::Passed);
    let live = async || harbour.ask("dev").await.0 == 200;
    within(Duration::from_secs(20), "the second serves", async || live().await.then_some(())).await;
    set(&[("LEVEL", "debug"), ("API_TOKEN", "other-token"), ("NEW", "1")]).await;
    let candidates = &harbour.berth.backend.candidates;
    let told = |found: &[ConfigCompared]| -> Vec<String> {
        let line = |variable: &VariableChange| {
            let side = |value: &Option<String>| value.clone().unwrap_or_default();
            format!("{} {}>{}", variable.name, side(&variable.before), side(&variable.after))
        };
        found[0].changes.iter().map(line).collect()
    };
    let found = candidates.compare(&harbour.owner, &team(), &service(), 1, 2).await.unwrap().config;
    assert_eq!(found.len(), 1, "dev alone: elsewhere neither ran");
    assert_eq!((found[0].environment.as_str(), found[0].before, found[0].after), ("dev", Some(1), Some(2)));
    assert_eq!(told(&found), ["API_TOKEN >", "LEVEL info>debug", "NEW >1"]);
    let mut viewer = harbour.owner.clone();
    viewer.roles.iter_mut().for_each(|(_, role)| *role = Role::Viewer);
    viewer.platform = PlatformRole::None;
    let seen = candidates.compare(&viewer, &team(), &service(), 1, 2).await.unwrap().config;
    assert_eq!(told(&seen), ["API_TOKEN >", "LEVEL >", "NEW >"], "names alone");
    harbour.berth.stop().await;
}

/// Makes older candidates of the same service, so many days old each, numbered from 2 on; each has an image.
async fn aged(harbour: &Harbour, count: u64, days: i64) {
    let at = Timestamp(clock::now().0 - days * 86_400_000);
    for number in 2..=count {
        let image = server::platform::fake::image_id(&format!("aged {number}"));
        harbour.fake.set_image(&image, Behaviour::saying(format!("candidate {number}")));
        let sql =
            "INSERT INTO candidates (id, team_id, service_id, number, image, size, commit_id, title, branch, run_id, run_number, shape,
                     created_at) SELECT $1, team_id, service_id, $2, $3, size, commit_id, title, branch, run_id, run_number, shape, $4
                     FROM candidates WHERE number = 1";
        change(harbour, sql, args![format!("aged-{number}"), number, image, at]).await;
    }
    change(harbour, "UPDATE candidates SET created_at = $1 WHERE number = 1", args![at]).await;
    change(harbour, "UPDATE services SET next_candidate = $1", args![count + 1]).await;
}

async fn all(harbour: &Harbour) -> Vec<Candidate> {
    let page = PageRequest { cursor: None, limit: Some(200) };
    harbour.berth.backend.runs.candidates(&harbour.owner, &team(), &service(), &page).await.unwrap().items
}

async fn settled(harbour: &Harbour, change: app::model::Change) {
    let rollout = harbour.ended(&change.rollout.unwrap()).await;
    assert_eq!(rollout.state, RolloutState::Succeeded, "{rollout:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn images_that_nobody_needs_go_and_what_may_be_rolled_back_to_stays() {
    let (harbour, _copy) = made("bash=5.2-1").await;
    until("the first one is live", async || (harbour.ask("dev").await == (200, "hello".into())).then_some(())).await;
    aged(&harbour, 40, 31).await;
    // Staging ran 3, 4 and 5; production wants 6, of which not one instance could be started; 7 is held.
    for number in [3, 4, 5] {
        settled(&harbour, deploy(&harbour, "staging", Source::Candidate(number)).await.unwrap()).await;
    }
    settled(&harbour, deploy(&harbour, "production", Source::Candidate(6)).await.unwrap()).await;
    harbour.berth.backend.candidates.hold(&harbour.owner, &team(), &service(), 7, true).await.unwrap();
    // The image of 8 is another service's too.
    let new = NewService {
        name: "other".parse().unwrap(),
        description: String::new(),
        environments: Some(Vec::new()),
        repository: None,
        mirror: None,
    };
    harbour.berth.backend.services.create(&harbour.owner, &team(), new).await.unwrap();
    let sql = "INSERT INTO candidates (id, team_id, service_id, number, image, size, commit_id, title, branch, run_id, run_number, shape,
                 created_at) SELECT 'shared', c.team_id, s.id, 1, image, size, commit_id, title, branch, run_id, run_number, shape,
                 c.created_at FROM candidates c, services s WHERE c.number = 8 AND s.name = 'other'";
    assert_eq!(change(&harbour, sql, args![]).await, 1);
    let harbour = harbour.restart().await;
    let going = "SELECT COUNT(*) AS number FROM candidates WHERE removed_at IS NOT NULL";
    until("images are removed", async || {
        let gone = harbour.berth.db.fetch_opt(going, args![]).await.unwrap().unwrap().int("number").unwrap();
        (gone == 13).then_some(())
    })
    .await;
    // 21 to 40 are the newest; 1 serves in dev.
    let there: Vec<u64> = all(&harbour).await.iter().filter(|one| one.gone_at.is_none()).map(|one| one.number).rev().collect();
    let expected: Vec<u64> = [1, 3, 4, 5, 6, 7, 8].into_iter().chain(21..=40).collect();
    assert_eq!(there, expected);
    for candidate in all(&harbour).await {
        let image = harbour.berth.platform.image(&candidate.image, &harbour_team(&harbour).await).await;
        assert_eq!(image.is_ok(), candidate.gone_at.is_none(), "{candidate:?}");
    }
    // Every release of every target can be gone back to.
    let mut back = 0;
    for number in [2, 1] {
        settled(&harbour, deploy(&harbour, "staging", Source::Release(number)).await.unwrap()).await;
        back += 1;
    }
    assert_eq!(harbour.ask("staging").await, (200, "candidate 3".into()));
    let gone = deploy(&harbour, "staging", Source::Candidate(2)).await.unwrap_err();
    assert!(gone.code == "candidate_gone" && gone.sentence.contains("was removed on 2"), "{}", gone.sentence);
    let late = harbour.berth.backend.candidates.hold(&harbour.owner, &team(), &service(), 2, true).await.unwrap_err();
    assert_eq!(late.code, "candidate_gone");
    proof(
        "retention",
        &format!("13 of 40 images removed, 27 kept, {back} rollbacks to old releases succeeded, 0 that a target may need removed"),
    );
    harbour.berth.stop().await;
}

async fn harbour_team(harbour: &Harbour) -> app::model::TeamId {
    harbour.berth.backend.teams.show(&harbour.owner, &team()).await.unwrap().id
}

/// A file whose image is a recipe's.
fn baked(image: &str, recipe: &str) -> String {
    format!(
        "version: 1\nservices:\n  hello:\n    stages:\n      - name: fast\n        steps:\n          - {{ name: unit, image: \"{image}\", run: [\"make\"] }}\n    \
         image: {{ {recipe} }}\n    processes: {{ web: {{ port: 8080, drain: 0s }} }}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recipe_bakes_what_the_stages_left_and_nothing_else() {
    let harbour = harbour().await;
    harbour.fake.set_image("base:1", Behaviour::default());
    let seen: Arc<Mutex<Vec<(String, u32, String)>>> = Arc::default();
    let sink = seen.clone();
    harbour.fake.on_build(move |build| {
        let mut archive = tar::Archive::new(std::fs::File::open(&build.context).unwrap());
        let read = |entry: std::io::Result<tar::Entry<'_, std::fs::File>>| {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap(), text)
        };
        *sink.lock().unwrap() = archive.entries().unwrap().map(read).collect();
        Some((Vec::new(), Ok(Behaviour::default())))
    });
    harbour.fake.on_task(|_| Some(Script::default().leaving("out/orders", "a program").leaving("out/other", "no")));
    let copy = Copy::new(&harbour).await;
    copy.write("berth.yaml", &baked("shell", "recipe: binary, artifact: out/orders, base: \"base:1\""));
    copy.push("First").await;
    let run = harbour.run_ended_within(SOON, 1).await;
    assert_eq!((run.state, run.failure), (RunState::Passed, None));
    let dockerfile = "FROM base:1\nCOPY [\"artifact/orders\",\"/app/run\"]\nENTRYPOINT [\"/app/run\"]\nWORKDIR /app\nUSER 65532:65532\n";
    let expected = [("Dockerfile".to_owned(), 0o444, dockerfile.to_owned()), ("artifact/orders".to_owned(), 0o555, "a program".to_owned())];
    assert_eq!(*seen.lock().unwrap(), expected);
    let envelope = harbour.berth.backend.candidates.provenance(&harbour.owner, &team(), &service(), 1).await.unwrap();
    let statement: Value = serde_json::from_slice(&BASE64.decode(&envelope.payload).unwrap()).unwrap();
    let definition = &statement["predicate"]["buildDefinition"];
    assert_eq!(definition["externalParameters"]["recipe"], serde_json::json!({ "kind": "binary", "artifact": "out/orders" }));
    assert_eq!(definition["resolvedDependencies"][1]["uri"], "docker:base:1");

    let refusals = [
        ("recipe: binary, artifact: out/none, base: \"base:1\"", "The stages left nothing at `out/none` in the workspace."),
        ("recipe: binary, artifact: out, base: \"base:1\"", "`out` in the workspace is no file."),
        ("recipe: binary, artifact: out/orders, base: \"nowhere:1\"", "The image nowhere:1 was not found."),
    ];
    for (number, (recipe, expected)) in (2..).zip(refusals) {
        copy.write("berth.yaml", &baked("shell", recipe));
        copy.push(expected).await;
        let run = harbour.run_ended_within(SOON, number).await;
        assert_eq!(run.state, RunState::Failed);
        assert!(run.failure.as_deref().is_some_and(|failure| failure.contains(expected)), "{:?}", run.failure);
    }
    harbour.berth.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_engine_recipes_make_images_that_serve_and_are_nobody_s_to_change() {
    images::busybox_image().await;
    let harbour = Harbour::on_engine().await;
    let copy = Copy::new(&harbour).await;
    let script = "#!/bin/sh\\nid -u > /tmp/index.html\\nexec httpd -f -p 8080 -h /tmp\\n";
    let make = format!("mkdir -p out && printf '{script}' > out/orders && chmod 0600 out/orders && cp /bin/busybox out/alone");
    let write =
        |recipe: &str| copy.write("berth.yaml", &baked(BUSYBOX, recipe).replace("\"make\"", &serde_json::to_string(&make).unwrap()));
    write(&format!("recipe: binary, artifact: out/orders, base: \"{BUSYBOX}\""));
    let shown = copy.push("A script").await;
    let run = within(Duration::from_secs(90), "the run ends", async || {
        harbour.berth.backend.runs.show(&harbour.owner, &team(), &service(), 1).await.ok().filter(|run| run.state.ended())
    })
    .await;
    assert_eq!((run.state, run.failure.as_deref()), (RunState::Passed, None), "{shown}");
    let answered =
        within(Duration::from_secs(60), "it serves", async || Some(harbour.ask("dev").await).filter(|(status, _)| *status == 200)).await;
    assert_eq!(answered.1.trim(), "65532", "it runs as nobody in particular");

    write("recipe: static, artifact: out/alone");
    copy.push("A program alone").await;
    let run = within(Duration::from_secs(90), "the run ends", async || {
        harbour.berth.backend.runs.show(&harbour.owner, &team(), &service(), 2).await.ok().filter(|run| run.state.ended())
    })
    .await;
    assert_eq!((run.state, run.failure.as_deref()), (RunState::Passed, None));
    let shown = harbour.berth.backend.candidates.show(&harbour.owner, &team(), &service(), 2).await.unwrap();
    let made = shown.candidate.made.unwrap();
    assert_eq!((shown.vouched, made.bases, made.packages), (Vouched::Verified, Vec::new(), None));
    let image = images::engine().inspect_image(&shown.candidate.image).await.unwrap().config.unwrap();
    assert_eq!((image.user.as_deref(), image.entrypoint), (Some("65532:65532"), Some(vec!["/app/run".to_owned()])));
    proof("recipes", "a script on a base serves as user 65532 and a program stands alone, both baked from what a step left on the engine");
    harbour.clear().await;
}
