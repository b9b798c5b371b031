//! `berth backup`, `berth restore`, `berth doctor` and the support bundle as people type them, beside a Berth that serves.

use std::{fs, io::Read as _, os::unix::fs::PermissionsExt as _};

use app::model::{ConfigChange, Source};
use flate2::read::GzDecoder;
use server::platform::fake::Behaviour;

use crate::{
    cli::person::Person,
    support::{
        berth::{Harbour, environment, service, team},
        proof,
    },
};

/// Somebody on the server's own machine.
fn keeper(harbour: &Harbour) -> Person {
    let config = &harbour.berth.config;
    fs::set_permissions(&config.data, fs::Permissions::from_mode(0o700)).unwrap();
    Person::stranger()
        .with("BERTH_DATABASE", &config.database)
        .with("BERTH_DATA", config.data.to_str().unwrap())
        .with("BERTH_LISTEN", &config.listen.to_string())
        .with("BERTH_EDGE_LISTEN", &config.edge_listen.to_string())
        .with("BERTH_DOCKER", "unix:///nowhere/docker.sock")
}

async fn finding(person: &Person, what: &str) -> serde_json::Value {
    let findings = person.berth("doctor --json").await.json();
    let found = findings.as_array().unwrap().iter().find(|finding| finding["what"] == what);
    found.unwrap_or_else(|| panic!("nothing about {what}: {findings:#}")).clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_are_made_kept_and_put_back_by_hand() {
    let harbour = Harbour::new().await;
    let person = keeper(&harbour);
    assert!(finding(&person, "backup").await["found"].as_str().unwrap().contains("not known"));
    let made = person.berth("backup --to . --keep 2").await.fine();
    assert!(made.out.contains("repositories are in") && made.err.contains("root.key"), "{}{}", made.out, made.err);
    for _ in 0..2 {
        person.types("backup --to . --keep 2 --passphrase-stdin", "seven seas and a harbour").await.fine();
    }
    let mut files: Vec<_> = fs::read_dir(person.folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "backup"));
    files.sort();
    assert_eq!(files.len(), 2, "{files:?}");
    assert_eq!(fs::metadata(&files[0]).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(finding(&person, "backup").await["found"].as_str().unwrap().contains("0 h old"));

    let newest = files[1].file_name().unwrap().to_str().unwrap();
    person.types(&format!("restore {newest} --passphrase-stdin"), "x").await.says(1, "is not empty");
    let elsewhere = Person::stranger().with("BERTH_DATA", person.folder().join("elsewhere").to_str().unwrap());
    let file = files[1].to_str().unwrap();
    elsewhere.berth(&format!("restore {file}")).await.says(1, "--passphrase-stdin");
    elsewhere.types(&format!("restore {file} --passphrase-stdin"), "not the passphrase").await.says(1, "not the passphrase");
    let done = elsewhere.types(&format!("restore {file} --passphrase-stdin"), "seven seas and a harbour").await.fine();
    assert!(done.out.contains("rows") && done.err.contains("Images are not in a backup"), "{}{}", done.out, done.err);
    let mode = |path: &str| fs::metadata(person.folder().join("elsewhere").join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("root.key"), 0o400);
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_looks_at_a_berth_that_serves() {
    let harbour = Harbour::new().await;
    let person = keeper(&harbour);
    let findings = person.berth("doctor --json").await.json();
    // Who holds the edge's port is told by the name of a process, and this one's is that of a test.
    for what in ["settings", "data", "rights", "disk", "database", "schema", "key", "work", "console", "running", "tls", "git"] {
        let finding = findings.as_array().unwrap().iter().find(|finding| finding["what"] == what).unwrap();
        assert_eq!((finding["good"].as_bool(), finding["mend"].as_str()), (Some(true), Some("")), "{finding}");
    }
    person.berth("doctor").await.says(1, "no engine at unix:///nowhere");
    let data = harbour.berth.config.data.clone();
    fs::set_permissions(data.join("root.key"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    let ended = person.berth("doctor").await.says(1, "root.key can be read by others (mode 644)");
    assert!(ended.out.contains("chmod 400") && ended.out.contains("chmod 700"), "{}", ended.out);
    harbour.fake.set_engine(app::model::EngineState::Gone);
    crate::support::berth::until("it is said", async || {
        let running = finding(&person, "running").await;
        (running["good"] == false && running["found"].as_str().unwrap().contains("engine takes no connections")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_support_bundle_holds_no_secret() {
    const CANARIES: [&str; 3] = ["canary-variable-91", "canary-database-92", "berth_canary93canary93canary93"];
    let harbour = Harbour::new().await;
    harbour.fake.set_image("hello:1", Behaviour::saying("one"));
    let change = ConfigChange { set: [("SECRET".to_owned(), CANARIES[0].to_owned())].into(), unset: Vec::new() };
    let releases = &harbour.berth.backend.releases;
    releases.change_config(&harbour.owner, &team(), &service(), &environment("dev"), change, None, false).await.unwrap();
    harbour.deploy("dev", Source::Image("hello:1".into())).await;
    let data = &harbour.berth.config.data;
    // As if a library had logged what it should not.
    let lines: String = CANARIES.iter().map(|secret| format!("{{\"message\":\"it said {secret} aloud\"}}\n")).collect();
    fs::write(data.join("berth.log"), lines).unwrap();
    let person = keeper(&harbour);
    person.berth("admin support-bundle help.tar.gz").await.fine().says(0, "doctor.json");
    // Nor where the database is away, whose password is in its address.
    let away = format!("postgres://berth:{}@127.0.0.1:1/berth", CANARIES[1]);
    let helpless = keeper(&harbour).with("BERTH_DATABASE", &away);
    helpless.berth("admin support-bundle away.tar.gz").await.fine();

    let key = fs::read(data.join("root.key")).unwrap();
    let people = server::store::users::by_email(&harbour.berth.db, "ada@example.com").await.unwrap().unwrap();
    let mut read = 0;
    let mut hold = |file: &std::path::Path, pieces: &[&str]| {
        let mut tar = tar::Archive::new(GzDecoder::new(fs::File::open(file).unwrap()));
        let mut names = Vec::new();
        for entry in tar.entries().unwrap() {
            let mut entry = entry.unwrap();
            names.push(entry.path().unwrap().file_name().unwrap().to_string_lossy().into_owned());
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            // A database that is away cannot tell the variables' values, and one that is a file has no password.
            let unknown = if pieces.is_empty() { CANARIES[0] } else { CANARIES[1] };
            for secret in CANARIES.iter().filter(|secret| **secret != unknown) {
                assert!(!text.contains(secret), "{secret} is in {names:?}");
            }
            assert!(!text.contains(&people.password_hash) && !text.contains("correct horse") && !text.contains("ada@example.com"));
            assert!(!bytes.windows(key.len()).any(|part| part == key) && !text.contains(&hex(&key)));
            read += bytes.len();
        }
        for piece in pieces {
            assert!(names.iter().any(|name| name == piece), "{piece} is missing: {names:?}");
        }
    };
    let pieces = ["about.json", "settings.json", "doctor.json", "state.json", "ready.txt", "log.jsonl"];
    hold(&person.folder().join("help.tar.gz"), &pieces);
    hold(&helpless.folder().join("away.tar.gz"), &[]);
    proof("support bundle", &format!("{} pieces, {read} bytes: 0 of {} planted secrets in them", pieces.len(), CANARIES.len() + 3));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
