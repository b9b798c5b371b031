//! The catalogue of base images: made, versioned, used and rolled out; what is refused on its way in.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};
use server::{
    platform::{
        PlatformError,
        fake::{Fault, Verb},
    },
    store::Query as _,
};

use crate::{
    cli::person::Person,
    git::Copy,
    support::{
        app::{ADMIN, Answer, Client, TestApp},
        berth::{Harbour, until, within},
        images::{self, BUSYBOX},
        proof,
    },
};

const BASES: &str = "/platform/bases";

/// The newest version, once it has ended.
async fn built(client: &Client, name: &str) -> Value {
    within(Duration::from_secs(60), "the version has ended", async || {
        let newest = client.get(&format!("{BASES}/{name}")).await.is(200)["base"]["newest"].clone();
        (newest["state"] == "ready" || newest["state"] == "failed").then_some(newest)
    })
    .await
}

async fn rebuilt(client: &Client, name: &str, body: Value) -> Value {
    client.post(&format!("{BASES}/{name}/actions/rebuild"), body).await.is(202);
    built(client, name).await
}

/// A run that has ended.
async fn ended(client: &Client, service: &str, number: u64) -> Value {
    within(Duration::from_secs(60), "the run has ended", async || {
        let answer = client.get(&format!("/teams/a/services/{service}/runs/{number}")).await;
        (answer.status == 200 && !["queued", "running"].contains(&answer.body["state"].as_str().unwrap())).then_some(answer.body)
    })
    .await
}

/// A service of team `a` whose Dockerfile starts from this, pushed.
async fn service(app: &TestApp, client: &Client, name: &str, from: &str) -> Copy {
    client.post("/teams/a/services", json!({"name": name, "environments": ["dev"]})).await.is(201);
    let copy = Copy::at(&format!("http://x:{}@{}/git/a/{name}.git", client.secret(), app.berth.console)).await;
    copy.write("Dockerfile", &format!("FROM {from}\n"));
    copy.commit("First").await;
    copy.good(&["push", "-q", "-o", "no-wait", "berth", "main"]).await;
    assert_eq!(ended(client, name, 1).await["state"], "passed");
    copy
}

fn strings(list: &Value, field: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|one| one[field].to_string().trim_matches('"').to_owned()).collect()
}

async fn a_new_version_runs_who_follows_it(app: TestApp, database: &str) {
    let app = app.with_team("a").await.with_team("b").await;
    app.fake.set_image("debian:12", server::platform::fake::Behaviour::default());
    let (admin, owner, stranger) = (app.as_admin().await, app.client("owner@a.test").await, app.client("owner@b.test").await);
    assert_eq!(owner.get(BASES).await.is(200), json!([]));
    let body = json!({"name": "debian", "description": "For most.", "dockerfile": "FROM debian:12\nRUN true\n"});
    let made = admin.post(BASES, body.clone()).await.is(202);
    assert_eq!(
        (made["base"]["reference"].as_str(), made["versions"][0]["reference"].as_str()),
        (Some("base/debian"), Some("base/debian:1"))
    );
    let first = built(&admin, "debian").await;
    assert_eq!((&first["state"], &first["failure"]), (&json!("ready"), &Value::Null));
    assert!(admin.post(BASES, body).await.refused(409, "name_taken").contains("berth base rebuild debian"));
    let shown = owner.get(&format!("{BASES}/debian")).await.is(200);
    assert!(shown["log"].as_str().unwrap().contains("RUN true"), "{shown}");

    service(&app, &owner, "follows", "base/debian").await;
    service(&app, &owner, "stays", "base/debian:1").await;
    let users = owner.get(&format!("{BASES}/debian")).await.is(200)["users"].clone();
    assert_eq!(
        (strings(&users, "service"), strings(&users, "pinned")),
        (vec!["follows".into(), "stays".into()], vec!["false".into(), "true".into()])
    );
    let unseen = stranger.get(&format!("{BASES}/debian")).await.is(200);
    assert_eq!((&unseen["users"], &unseen["rolls"], &unseen["base"]["users"]), (&json!([]), &json!([]), &json!(0)));

    // Without being told to, a new version runs nothing.
    rebuilt(&admin, "debian", json!({})).await;
    let second = rebuilt(&admin, "debian", json!({"roll": true})).await;
    assert_eq!(second["number"], 3);
    let run = ended(&owner, "follows", 2).await;
    assert_eq!((&run["state"], &run["event"], &run["reason"]), (&json!("passed"), &json!("base"), &json!("base/debian has version 3")));
    assert_eq!(owner.get("/teams/a/services/stays/runs/2").await.status, 404);
    let shown = owner.get(&format!("{BASES}/debian")).await.is(200);
    let versions = strings(&shown["users"], "version");
    assert_eq!((versions, strings(&shown["rolls"], "service")), (vec!["3".to_owned(), "1".to_owned()], vec!["follows".to_owned()]));
    assert_eq!((&shown["rolls"][0]["run"], &shown["rolls"][0]["state"]), (&json!(2), &json!("passed")));

    // Three are kept whoever stands on them, and the first since a candidate does: of five, the second goes.
    rebuilt(&admin, "debian", json!({})).await;
    rebuilt(&admin, "debian", json!({})).await;
    let gone = until("an old version is given up", async || {
        let shown = owner.get(&format!("{BASES}/debian")).await.is(200);
        let gone: Vec<String> =
            shown["versions"].as_array().unwrap().iter().filter(|v| !v["gone_at"].is_null()).map(|v| v["number"].to_string()).collect();
        (!gone.is_empty()).then_some(gone)
    })
    .await;
    assert_eq!(gone, ["2"]);
    let team = server::store::teams::id_of(app.db(), &"a".parse().unwrap()).await.unwrap().unwrap();
    until("its image is gone", async || app.berth.platform.image("base/debian:2", &team).await.is_err().then_some(())).await;
    for there in ["base/debian:1", "base/debian:3", "base/debian:5", "base/debian"] {
        app.berth.platform.image(there, &team).await.unwrap();
    }
    // A service that goes takes what is known of its bases with it.
    owner.send("DELETE", "/teams/a/services/follows?confirm=follows", Some(&json!({"confirm": "follows"}))).await;
    until("its rows are gone", async || {
        let rows = app.db().fetch_all("SELECT 1 AS one FROM services WHERE name = 'follows'", server::args![]).await.unwrap();
        rows.is_empty().then_some(())
    })
    .await;
    assert_eq!(strings(&owner.get(&format!("{BASES}/debian")).await.is(200)["users"], "service"), ["stays"]);
    proof(
        &format!("base images on {database}"),
        "5 versions: 1 rolled out to 1 of 2 services (the other names a version), 1 of 5 images given up, 0 that a candidate stands on",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_runs_the_services_that_follow_it() {
    a_new_version_runs_who_follows_it(TestApp::new().await, "SQLite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_runs_the_services_that_follow_it_on_postgres() {
    a_new_version_runs_who_follows_it(TestApp::on_postgres().await, "PostgreSQL").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_built_says_why_and_leaves_the_version_before() {
    let app = TestApp::new().await;
    let admin = app.as_admin().await;
    for (body, code) in [
        (json!({"name": "Debian", "dockerfile": "FROM a"}), "invalid_body"),
        (json!({"name": "debian", "dockerfile": "RUN a"}), "invalid_dockerfile"),
        (json!({"name": "debian", "dockerfile": "# syntax=evil\nFROM a"}), "invalid_dockerfile"),
        (json!({"name": "debian", "dockerfile": "FROM a", "description": "a\nb"}), "invalid_description"),
        (json!({"name": "debian"}), "invalid_body"),
    ] {
        admin.post(BASES, body).await.refused(422, code);
    }
    admin.get(&format!("{BASES}/none")).await.refused(404, "unknown_base");
    admin.post(BASES, json!({"name": "debian", "dockerfile": "FROM nowhere:1\n"})).await.is(202);
    let failed = built(&admin, "debian").await;
    let failure = failed["failure"].as_str().unwrap();
    assert!(failure.starts_with("`Dockerfile`: The image nowhere:1 was not found."), "{failure}");
    app.fake.set_image("debian:12", server::platform::fake::Behaviour::default());
    assert_eq!(rebuilt(&admin, "debian", json!({"dockerfile": "FROM debian:12"})).await["state"], "ready");
    app.fake.fault(Verb::BuildBase, &Fault::Fail(PlatformError::BuildFailed("it is Sunday".into())), 1);
    let failed = rebuilt(&admin, "debian", json!({})).await;
    assert_eq!(failed["failure"], "`Dockerfile` could not be built: it is Sunday");
    let base = admin.get(&format!("{BASES}/debian")).await.is(200)["base"].clone();
    assert_eq!((&base["current"]["number"], &base["newest"]["number"]), (&json!(2), &json!(3)));
    // An engine that is away for a while, or whose answer was lost, is waited for.
    app.fake.fault(Verb::BuildBase, &Fault::Fail(PlatformError::Gone("refused".into())), 1);
    app.fake.fault(Verb::BuildBase, &Fault::Lose, 1);
    let body = json!({});
    admin.post(&format!("{BASES}/debian/actions/rebuild"), body.clone()).await.is(202);
    assert!(admin.post(&format!("{BASES}/debian/actions/rebuild"), body).await.refused(409, "base_busy").contains("Wait for it"));
    assert_eq!(built(&admin, "debian").await["state"], "ready");
}

/// An archive of one file.
fn archive(name: &str, kind: tar::EntryType) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(0);
    header.set_mode(0o644);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, name, &[][..]).unwrap();
    archive.into_inner().unwrap()
}

async fn send(client: &Client, path: &str, bytes: Vec<u8>) -> Answer {
    client.ask("POST", &format!("/api/v1{path}"), Some(("application/x-tar", bytes))).await
}

/// Sends a request by hand: its whole body first, and only then is looked for the answer. The client of old.
fn by_hand(address: std::net::SocketAddr, head: &str, body: usize) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let piece = vec![b'x'; 64 << 10];
    for at in (0..body).step_by(piece.len()) {
        stream.write_all(&piece[..piece.len().min(body - at)]).expect("the server takes what is sent");
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the answer arrives whole");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_file_system_is_looked_through_and_what_is_too_large_is_told() {
    let app = TestApp::new().await.with_team("a").await;
    let admin = app.as_admin().await;
    send(&admin, BASES, archive("bin/sh", tar::EntryType::Regular)).await.refused(422, "invalid_name");
    let files = format!("{BASES}?name=files");
    for (bytes, part) in [
        (archive("dev/null", tar::EntryType::Char), "`dev/null` is a device"),
        (archive("run/pipe", tar::EntryType::Fifo), "neither a file"),
        (b"PK\x03\x04 no tar at all, however long it is".repeat(100), "is no tar archive"),
        (Vec::new(), "holds nothing"),
    ] {
        let said = send(&admin, &files, bytes).await.refused(422, "invalid_root_file_system");
        assert!(said.contains(part), "{said}");
    }
    send(&admin, &files, archive("bin/sh", tar::EntryType::Regular)).await.is(202);
    assert_eq!(built(&admin, "files").await["state"], "ready");
    let rebuild = format!("{BASES}/files/actions/rebuild");
    admin.post(&rebuild, json!({})).await.refused(422, "root_file_system_needed");
    send(&admin, &format!("{rebuild}?roll=true"), archive("bin/sh", tar::EntryType::Regular)).await.is(202);
    assert_eq!(built(&admin, "files").await["number"], 2);
    let left = || std::fs::read_dir(app.berth.config.bases()).unwrap().count();
    until("no file is left", async || (left() == 0).then_some(())).await;

    // Whoever sends more than is taken, or may send nothing at all, hears so: the connection is not cut off before.
    let (console, viewer) = (app.berth.console, app.client("viewer@a.test").await);
    let head = |path: &str, token: &str, kind: &str, length: u64| {
        format!(
            "POST /api/v1{path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
        )
    };
    let mut heard = 0;
    for (who, path, kind, size, status) in [
        (&viewer, files.as_str(), "application/x-tar", 32_usize << 20, "403"),
        (&viewer, BASES, "application/json", (1 << 20) - 1, "403"),
        (&admin, BASES, "application/json", 16 << 20, "413"),
        (&admin, "/teams", "application/json", 16 << 20, "413"),
        (&app.anonymous(), "/teams", "application/json", 16 << 20, "401"),
    ] {
        let head = head(path, who.secret(), kind, size as u64);
        let answer = tokio::task::spawn_blocking(move || by_hand(console, &head, size)).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains("\"detail\""), "{path} {size}: {answer:.300}");
        heard += 1;
    }
    // The limit itself is not reached in a test: what says that it is larger is believed.
    let over = head(&format!("{BASES}?name=huge"), admin.secret(), "application/x-tar", 3 << 30);
    let answer = tokio::task::spawn_blocking(move || by_hand(console, &over, 8 << 20)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("root_file_system_too_large"), "{answer:.300}");
    assert_eq!(admin.get(BASES).await.is(200).as_array().unwrap().len(), 1);
    assert_eq!(left(), 0);
    proof("requests refused while they are sent", &format!("{} of up to 32 MiB, each heard its answer", heard + 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_was_to_be_built_is_built_after_a_restart() {
    let harbour = Harbour::new().await;
    harbour.fake.set_engine(app::model::EngineState::Gone);
    let person = Person::owner(&harbour).await;
    std::fs::write(person.folder().join("rootfs.tar"), archive("bin/sh", tar::EntryType::Regular)).unwrap();
    person.berth("base create files --root-file-system rootfs.tar --no-wait").await.says(0, "base/files:1 is built.");
    until("it waits for the engine", async || {
        let shown = person.berth("base show files --json").await.json();
        shown["versions"][0]["failure"].as_str().is_some_and(|why| why.starts_with("Waiting for the engine.")).then_some(())
    })
    .await;
    let harbour = harbour.restart().await;
    harbour.fake.heal();
    let person = Person::owner(&harbour).await;
    until("it is built", async || (person.berth("base show files --json").await.json()["base"]["current"]["number"] == 1).then_some(()))
        .await;
    harbour.berth.stop().await;
}

/// What was written of a base's versions, the newest last.
async fn told(client: &Client, app: &TestApp) -> Vec<String> {
    let events = client.get("/events").await.is(200)["items"].clone();
    let mut actions = strings(&events, "action");
    actions.retain(|action| action.starts_with("base."));
    actions.reverse();
    assert!(actions.len() > 1, "{}", app.url());
    actions
}

async fn cancelled_in_every_state(app: TestApp, database: &str) {
    let app = app.with_team("a").await;
    let (admin, owner) = (app.as_admin().await, app.client("owner@a.test").await);
    app.fake.set_image("debian:12", server::platform::fake::Behaviour::default());
    let path = format!("{BASES}/debian");
    let (cancel, rebuild) = (format!("{path}/actions/cancel"), format!("{path}/actions/rebuild"));
    admin.post(&cancel, json!({})).await.refused(404, "unknown_base");
    admin.post(BASES, json!({"name": "debian", "dockerfile": "FROM debian:12\n"})).await.is(202);
    assert_eq!(built(&admin, "debian").await["state"], "ready");
    admin.post(&cancel, json!({})).await.refused(409, "already_ended");
    owner.post(&cancel, json!({})).await.refused(403, "forbidden");

    // One that is built: who builds it stops, and the version before is what the name means still.
    app.fake.fault(Verb::BuildBase, &Fault::Delay(Duration::from_secs(60)), 1);
    admin.post(&rebuild, json!({"roll": true})).await.is(202);
    let newest = async || admin.get(&path).await.is(200)["base"]["newest"].clone();
    until("it is built", async || (newest().await["state"] == "building").then_some(())).await;
    let asked = admin.post(&cancel, json!({})).await.is(202)["base"]["newest"].clone();
    assert!(asked["cancelling"] == true || asked["state"] == "cancelled", "{asked}");
    let ended = until("it is stopped", async || Some(newest().await).filter(|newest| newest["state"] == "cancelled")).await;
    assert_eq!((&ended["number"], &ended["failure"], &ended["cancelling"]), (&json!(2), &Value::Null, &json!(false)));
    let shown = admin.get(&path).await.is(200);
    assert_eq!((&shown["base"]["current"]["number"], &shown["rolls"]), (&json!(1), &json!([])));
    admin.post(&cancel, json!({})).await.refused(409, "already_ended");

    // One that waits: it ends at once, and with it goes what it was to be made of. By the console's form.
    app.fake.set_engine(app::model::EngineState::Gone);
    send(&admin, &format!("{BASES}?name=files"), archive("bin/sh", tar::EntryType::Regular)).await.is(202);
    let files = async || admin.get(&format!("{BASES}/files")).await.is(200)["base"]["newest"].clone();
    until("it waits", async || (files().await["failure"].as_str().is_some_and(|why| why.contains("engine"))).then_some(())).await;
    let browser = app.browser(ADMIN).await;
    let page = async || browser.ask("GET", "/platform/bases/files", None).await.text;
    assert!(page().await.contains("value=\"cancel\""), "{}", page().await);
    assert_eq!(browser.form("/platform/bases/files", &[("do", "cancel")]).await.status, 303);
    let ended = files().await;
    assert_eq!((&ended["state"], &ended["failure"]), (&json!("cancelled"), &Value::Null));
    until("its files are gone", async || (std::fs::read_dir(app.berth.config.bases()).unwrap().count() == 0).then_some(())).await;
    assert!(!page().await.contains("value=\"cancel\""), "there is nothing to cancel any more");

    // Nothing is in the way of the next one.
    app.fake.heal();
    assert_eq!(rebuilt(&admin, "debian", json!({})).await["state"], "ready");
    let told = told(&admin, &app).await;
    let of_second = ["base.rebuild_asked", "base.cancel_asked", "base.cancelled"];
    assert!(told.windows(3).any(|three| three == of_second), "{told:?}");
    proof(
        &format!("base images cancelled on {database}"),
        "1 that was built and 1 that waited, 3 refused: the version before stays, nothing rolled, no file left",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_cancelled_in_every_state() {
    cancelled_in_every_state(TestApp::new().await, "SQLite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_cancelled_in_every_state_on_postgres() {
    cancelled_in_every_state(TestApp::on_postgres().await, "PostgreSQL").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_was_cancelled_just_before_a_crash_is_not_built_after_it() {
    let harbour = Harbour::new().await;
    harbour.fake.set_image("debian:12", server::platform::fake::Behaviour::default());
    harbour.fake.fault(Verb::BuildBase, &Fault::Delay(Duration::from_secs(60)), 1);
    let person = Person::owner(&harbour).await;
    std::fs::write(person.folder().join("Dockerfile"), "FROM debian:12\n").unwrap();
    person.berth("base create slow --dockerfile Dockerfile --no-wait").await.says(0, "base/slow:1 is built.");
    let state = async |person: &Person| person.berth("base show slow --json").await.json()["base"]["newest"]["state"].clone();
    until("it is built", async || (state(&person).await == "building").then_some(())).await;
    // As what was asked for is written, and nobody is there any more to see it.
    let mut tx = harbour.berth.db.begin().await.unwrap();
    tx.execute("UPDATE base_versions SET cancel_asked_at = 1", server::args![]).await.unwrap();
    tx.commit().await.unwrap();
    let harbour = harbour.restart().await;
    let person = Person::owner(&harbour).await;
    until("it is cancelled", async || (state(&person).await == "cancelled").then_some(())).await;
    assert_eq!(harbour.berth.platform.base_images().await.unwrap(), Vec::<String>::new());
    harbour.berth.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_engine_a_build_is_stopped_and_leaves_nothing() {
    let (_, name) = brought().await;
    let harbour = Harbour::on_engine().await;
    let (person, engine) = (Person::owner(&harbour).await, images::engine());
    let dockerfile = person.folder().join("Dockerfile");
    std::fs::write(&dockerfile, format!("FROM {BUSYBOX}\nRUN echo first\n")).unwrap();
    person.berth(&format!("base create {name} --dockerfile Dockerfile")).await.says(0, &format!("base/{name}:1 is there"));
    std::fs::write(&dockerfile, format!("FROM {BUSYBOX}\nRUN echo of {name}; sleep 300\n")).unwrap();
    person.berth(&format!("base rebuild {name} --dockerfile Dockerfile --no-wait")).await.says(0, "is built.");
    let running = async || {
        let all = bollard::query_parameters::ListContainersOptionsBuilder::default().all(true).build();
        let found = engine.list_containers(Some(all)).await.unwrap();
        found.into_iter().filter(|one| one.command.as_deref().is_some_and(|command| command.contains(&format!("of {name}")))).count()
    };
    within(Duration::from_secs(60), "the step runs", async || (running().await == 1).then_some(())).await;

    let began = std::time::Instant::now();
    person.berth(&format!("base cancel {name}")).await.says(0, &format!("base/{name}:2 is "));
    let shown = within(Duration::from_secs(30), "it is cancelled", async || {
        let shown = person.berth(&format!("base show {name} --json")).await.json();
        (shown["base"]["newest"]["state"] == "cancelled").then_some(shown)
    })
    .await;
    within(Duration::from_secs(30), "its container is gone", async || (running().await == 0).then_some(())).await;
    let took = began.elapsed();
    assert_eq!(shown["base"]["current"]["number"], 1);
    let platform = &harbour.berth.platform;
    until("its network is gone", async || platform.runs_with_leftovers().await.unwrap().is_empty().then_some(())).await;
    let images = platform.base_images().await.unwrap();
    assert_eq!(images.len(), 1, "the version before alone");
    assert_eq!(engine.inspect_image(&format!("base/{name}")).await.unwrap().id, images.first().cloned());
    person.berth(&format!("base cancel {name}")).await.says(1, "there is nothing to cancel");
    person.berth(&format!("base show {name}")).await.says(0, "cancelled");
    for image in images {
        platform.remove_base(&image).await.unwrap();
    }
    proof(
        "base images cancelled on the engine",
        &format!("a step of 300 s stopped {} ms after it was asked for: 0 containers, 0 networks, 0 images left", took.as_millis()),
    );
    harbour.clear().await;
}

/// The root file system of the tests' base, as somebody brings one, and a name for it that no other test has.
async fn brought() -> (Vec<u8>, String) {
    images::busybox_image().await;
    let name = format!("t{}", &server::clock::new_id().replace('-', "")[16..]);
    (images::root().to_vec(), name)
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_engine_services_stand_on_what_was_brought_and_built() {
    let (files, name) = brought().await;
    let harbour = Harbour::on_engine().await;
    let person = Person::owner(&harbour).await;
    std::fs::write(person.folder().join("rootfs.tar"), &files).unwrap();
    let made = person.berth(&format!("base create {name} --root-file-system rootfs.tar")).await;
    made.says(0, &format!("base/{name}:1 is there: `FROM base/{name}`."));
    let multi = format!(
        "FROM base/{name} AS one\nRUN echo 1 of it > /tmp/made\nFROM scratch\nCOPY --from=one /bin /bin\nCOPY --from=one /tmp/made /made\nENV PATH=/bin\n"
    );
    std::fs::write(person.folder().join("Dockerfile"), &multi).unwrap();
    let tool = format!("{name}-web");
    person.berth(&format!("base create {tool} --dockerfile Dockerfile")).await.says(0, "Step 2/");
    let list = person.berth("base list").await.fine().out;
    assert!(list.contains(&format!("base/{name} ")) && list.contains(&format!("base/{tool} ")), "{list}");

    let copy = Copy::new(&harbour).await;
    copy.write(
        "Dockerfile",
        &format!(
            "FROM base/{tool}\nRUN mkdir /www && cp /made /www/index.html\nCMD [\"httpd\", \"-f\", \"-p\", \"8080\", \"-h\", \"/www\"]\n"
        ),
    );
    copy.write(
        "berth.yaml",
        "version: 1\nservices:\n  hello:\n    processes:\n      web: { port: 8080, health: { path: /index.html }, drain: 0s }\n",
    );
    let shown = copy.push("First").await;
    assert!(shown.contains("✓ dev: live at"), "{shown}");
    assert_eq!(harbour.ask("dev").await, (200, "1 of it\n".into()));

    std::fs::write(person.folder().join("Dockerfile"), multi.replace("1 of it", "2 of it")).unwrap();
    person.berth(&format!("base rebuild {tool} --dockerfile Dockerfile --roll")).await.says(0, &format!("base/{tool}:2 is there"));
    within(Duration::from_secs(90), "what the new version set off is live", async || {
        (harbour.ask("dev").await == (200, "2 of it\n".into())).then_some(())
    })
    .await;
    let shown = person.berth(&format!("base show {tool}")).await.fine().out;
    assert!(shown.contains("demo/hello  2          2        base/") && shown.contains("version 2: demo/hello run 2 ✓ passed"), "{shown}");
    // No image that a service's build made passes for a base, whatever it inherits.
    let platform = &harbour.berth.platform;
    assert_eq!(platform.base_images().await.unwrap().len(), 3);

    // What is missing is named with what there is, the catalogue first; its names are looked for nowhere else.
    copy.write("Dockerfile", "FROM base/nothing-here\n");
    let shown = copy.push("Second").await;
    let line = shown.lines().find(|line| line.contains("base/nothing-here was not found")).unwrap_or_else(|| panic!("{shown}"));
    assert!(line.contains("The engine has: base/") && !line.contains("pulled"), "{line}");
    std::fs::write(person.folder().join("Dockerfile"), format!("FROM {BUSYBOX}\nRUN echo no luck >&2; exit 3\n")).unwrap();
    person.berth(&format!("base rebuild {tool} --dockerfile Dockerfile")).await.says(3, "returned a non-zero code: 3");
    for image in platform.base_images().await.unwrap() {
        platform.remove_base(&image).await.unwrap();
    }
    harbour.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_engine_a_name_of_somebody_else_is_not_taken_away() {
    let (_, name) = brought().await;
    let engine = images::engine();
    let reference = format!("base/{name}");
    let tag = bollard::query_parameters::TagImageOptionsBuilder::default().repo(&reference).tag("1").build();
    engine.tag_image(BUSYBOX, Some(tag)).await.unwrap();
    let harbour = Harbour::on_engine().await;
    let person = Person::owner(&harbour).await;
    std::fs::write(person.folder().join("Dockerfile"), format!("FROM {BUSYBOX}\n")).unwrap();
    let taken = format!("The engine has an image `{reference}:1` that is not of this Berth's catalogue.");
    let ended = person.berth(&format!("base create {name} --dockerfile Dockerfile")).await;
    let there = engine.inspect_image(&format!("{reference}:1")).await.map(|image| image.id);
    engine.remove_image(&format!("{reference}:1"), None::<bollard::query_parameters::RemoveImageOptions>, None).await.unwrap();
    ended.says(3, &taken);
    assert_eq!(there.unwrap(), engine.inspect_image(BUSYBOX).await.unwrap().id);
    harbour.clear().await;
}
