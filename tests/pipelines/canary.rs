//! A secret printed in every form, and each form cut into writes: it is nowhere afterwards. By a step on the simulated engine
//! with both databases, and on the real one by a step and by the build of the image.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::Duration,
};

use app::model::{LineKind, NewService, Run, RunState};
use server::{
    args,
    platform::fake::{Behaviour, Leaves, Script},
    store::Query as _,
};
use sqlx::{Connection as _, Row as _};

use crate::{
    git::Copy,
    support::{
        app::TestApp,
        berth::{Harbour, service, team, within},
        canary::{cuts, forms, found, in_columns, in_folder},
        images::{self, BUSYBOX},
        proof,
    },
};

/// No file of a test holds it as it stands: it is put together while the test runs.
fn canary(end: &str) -> String {
    format!("kanari/7?vogel+Zé\"&{end}")
}

/// What is looked for beside it, and has to be found: who finds nothing anywhere may be blind.
const THERE: &str = "nothing-secret-at-all";

const FILE: &str = "version: 1
services:
  hello:
    stages:
      - name: fast
        steps:
          - { name: unit, image: shell, run: [\"make test\"], secrets: [DEPLOY_KEY], junit: \"out/*.xml\", artifacts: [\"out/kept.txt\"] }
";

/// Prints every form in every cut, and again in a test report; keeps a file beside it.
fn script(value: &str) -> Script {
    let forms = forms(value);
    let printed = |form: &str| form.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    let case =
        |(name, form): (usize, &str)| format!("<testcase name='n{name}'><failure message=\"{0}\">{0}</failure></testcase>", printed(form));
    let cases: String = forms.iter().map(|form| form.printed.as_str()).enumerate().map(case).collect();
    let pieces = forms.iter().flat_map(|form| cuts(&form.printed)).flat_map(|cut| {
        let line = ["<".to_owned()].into_iter().chain(cut).chain([">\n".to_owned()]);
        line.collect::<Vec<_>>()
    });
    let leaves = vec![
        ("out/report.xml".into(), Leaves::File(format!("<testsuite name='{THERE}'>{cases}</testsuite>").into_bytes())),
        ("out/kept.txt".into(), Leaves::File(THERE.into())),
    ];
    Script { pieces: pieces.collect(), leaves, ..Script::new(&[THERE], 0) }
}

async fn printed_in_pieces(app: TestApp, name: &str) {
    let value = canary(name);
    let app = app.with_team("demo").await;
    let owner = app.actor(&app.user("owner@demo.test").await).await;
    let backend = &app.berth.backend;
    let new = NewService { name: service(), description: String::new(), environments: None, repository: None, mirror: None };
    backend.services.create(&owner, &team(), new).await.unwrap();
    backend.services.set_secret(&owner, &team(), &service(), "DEPLOY_KEY", &value).await.unwrap();
    app.fake.set_image("shell", Behaviour::default());
    let played = script(&value);
    app.fake.on_task(move |task| task.env.contains_key("DEPLOY_KEY").then(|| played.clone()));
    let since = wal_now(&app.berth.config.database).await;
    let client = app.client("owner@demo.test").await;
    let copy = Copy::at(&format!("http://x:{}@{}/git/demo/hello.git", client.secret(), app.berth.console)).await;
    copy.write("Dockerfile", "FROM scratch\n");
    copy.write("berth.yaml", FILE);
    let shown = copy.push("First").await;
    let run = backend.runs.show(&owner, &team(), &service(), 1).await.unwrap();
    assert_eq!((run.state, run.failure.as_deref()), (RunState::Passed, None), "{shown}");
    let forms = forms(&value);
    let log = backend.runs.log(&owner, &run.stages[0].steps[0].id, 1, 1_000).await.unwrap();
    let hidden = log.lines.iter().filter(|line| line.kind == LineKind::Out && line.text.contains("***")).count();
    assert_eq!(hidden, forms.len() * cuts("four").len(), "each is there, and hidden");
    let tests = backend.ci.tests(&owner, &team(), &service(), 1).await.unwrap();
    assert_eq!(tests.failing.len(), forms.len(), "the report was read");
    let said = found(format!("{shown}{log:?}{tests:?}").as_bytes(), &forms);
    assert!(said.is_empty(), "shown: {said:?}");
    let (columns, count) = in_columns(app.db(), &forms).await;
    let (files, of) = in_folder(&app.berth.config.data, &forms);
    let (wal, segments) = in_wal(&app.berth.config.database, since, &forms.iter().map(|form| form.core.clone()).collect::<Vec<_>>()).await;
    assert!(columns.is_empty() && files.is_empty() && wal.is_empty(), "{columns:?} {files:?} {wal:?}");
    let control = crate::support::canary::forms(THERE);
    let (log, kept) = (in_columns(app.db(), &control).await.0, in_folder(&app.berth.config.artifacts(), &control).0);
    assert!(log.iter().any(|hit| hit.contains("log_chunks")) && log.iter().any(|hit| hit.contains("test")), "{log:?}");
    assert!(!kept.is_empty(), "{kept:?}");
    proof(
        &format!("canary on {name}"),
        &format!(
            "{} encodings, each in {} cuts into writes and in a test report: 0 hits in answers, log, {count} columns, \
             {of} files of the data folder with WAL and artifacts, {segments} WAL segments of PostgreSQL",
            forms.len(),
            cuts("four").len()
        ),
    );
    app.berth.stop().await;
}

/// Where the write-ahead log of PostgreSQL is now.
async fn wal_now(database: &str) -> Option<String> {
    let mut connection = connect(database).await?;
    Some(sqlx::query_scalar("SELECT pg_walfile_name(pg_current_wal_lsn())").fetch_one(&mut connection).await.unwrap())
}

async fn connect(database: &str) -> Option<sqlx::PgConnection> {
    let address = Some(database).filter(|address| address.starts_with("postgres"))?;
    Some(sqlx::PgConnection::connect(address).await.unwrap())
}

/// What of these texts is in the write-ahead log of PostgreSQL that was written since; and how many segments that are.
async fn in_wal(database: &str, since: Option<String>, texts: &[String]) -> (Vec<String>, usize) {
    let (Some(mut connection), Some(since)) = (connect(database).await, since) else { return (Vec::new(), 0) };
    let sql = "SELECT name, pg_read_binary_file('pg_wal/' || name) AS bytes FROM pg_ls_waldir()
                WHERE name BETWEEN $1 AND pg_walfile_name(pg_current_wal_lsn())";
    let segments = sqlx::query(sql).bind(since).fetch_all(&mut connection).await.unwrap();
    let mut hits = Vec::new();
    for segment in &segments {
        let bytes: Vec<u8> = segment.get("bytes");
        let finder = aho_corasick::AhoCorasick::new(texts).unwrap();
        hits.extend(
            finder.find_iter(&bytes).map(|hit| format!("{} in {}", texts[hit.pattern().as_usize()], segment.get::<String, _>("name"))),
        );
    }
    assert!(!segments.is_empty());
    (hits, segments.len())
}

#[tokio::test]
async fn on_sqlite_no_form_in_no_cut_is_kept() {
    printed_in_pieces(TestApp::new().await, "sqlite").await;
}

#[tokio::test]
async fn on_postgres_no_form_in_no_cut_is_kept() {
    printed_in_pieces(TestApp::on_postgres().await, "postgres").await;
}

/// A step that prints what is in `forms`, where each line stands backwards: its letters one write apart at three places.
const PRINTS: &str = r#"cut() { printf '%s' "${1%"${1#$2}"}"; usleep 2000; printf '%s\n' "${1#$2}"; }
rev forms | while read -r line; do echo "<$line>"; cut "<$line>" '??'; cut "<$line>" '?????'; cut "<$line>" '?????????'; done
echo "as it is given: $DEPLOY_KEY"
"#;

/// What `docker` says, byte by byte.
fn docker(words: &[&str]) -> Vec<u8> {
    let done = Command::new("docker").args(words).output().unwrap();
    assert!(done.status.success(), "docker {words:?}: {}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}

/// The arguments of every process of this machine.
fn processes() -> Vec<u8> {
    let folders = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path().join("cmdline"));
    folders.filter_map(|path| std::fs::read(path).ok()).collect::<Vec<_>>().join(&b'\n')
}

/// The bytes of an image as the engine hands it out, every layer of it.
fn layers(image: &str) -> Vec<u8> {
    let mut saving = Command::new("docker").args(["save", image]).stdout(Stdio::piped()).spawn().unwrap();
    let mut archive = tar::Archive::new(BufReader::new(saving.stdout.take().unwrap()));
    let mut all = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = BufReader::new(entry.unwrap());
        if entry.fill_buf().unwrap().starts_with(&[0x1f, 0x8b]) {
            std::io::copy(&mut flate2::bufread::MultiGzDecoder::new(entry), &mut all).unwrap();
        } else {
            std::io::copy(&mut entry, &mut all).unwrap();
        }
    }
    assert!(saving.wait().unwrap().success());
    all
}

async fn run(harbour: &Harbour, number: u64, is: impl Fn(&Run) -> bool) -> Run {
    within(Duration::from_secs(60), "the run is so far", async || {
        harbour.berth.backend.runs.show(&harbour.owner, &team(), &service(), number).await.ok().filter(&is)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_engine_neither_a_step_nor_a_build_leaves_it_anywhere() {
    images::busybox_image().await;
    let harbour = Harbour::on_engine().await;
    // In a shell of no language, letters are bytes.
    let value = canary("engine").replace('é', "e");
    let forms = forms(&value);
    harbour.berth.backend.services.set_secret(&harbour.owner, &team(), &service(), "DEPLOY_KEY", &value).await.unwrap();
    let copy = Copy::new(&harbour).await;
    let backwards = |text: &str| text.chars().rev().collect::<String>();
    copy.write("forms", &forms.iter().map(|form| format!("{}\n", backwards(&form.printed))).collect::<String>());
    copy.write("www/index.html", THERE);
    copy.write("print.sh", PRINTS);
    copy.write("Dockerfile", &images::serving("/www", "COPY www /www\nCOPY forms print.sh /\nRUN cd / && sh print.sh\n"));
    copy.write(
        "berth.yaml",
        &format!(
            "version: 1
services:
  hello:
    stages:
      - name: fast
        steps:
          - name: unit
            image: {BUSYBOX}
            run: [\". ./print.sh\", \"until test -e /tmp/enough; do usleep 50000; done\", \"echo {THERE} > out.txt\"]
            secrets: [DEPLOY_KEY]
            artifacts: [out.txt]
    processes:
      web: {{ port: 8080, health: {{ path: / }}, drain: 0s }}
"
        ),
    );
    copy.commit("First").await;
    copy.good(&["push", "-q", "-o", "no-wait", "berth", "main"]).await;
    let lines = forms.len() as u64 * 4;
    let going = run(&harbour, 1, |run| run.state.ended() || run.stages.first().is_some_and(|stage| stage.steps[0].lines > lines)).await;
    let listed = processes();
    assert!(memmem(&listed, b"print.sh"), "the step's script is in the list of processes: {going:?}");
    assert_eq!(found(&listed, &forms), [""; 0], "processes");
    let id = harbour.berth.db.fetch_all("SELECT id FROM runs", args![]).await.unwrap()[0].text("id").unwrap();
    let name = String::from_utf8(docker(&["ps", "-q", "--filter", &format!("name={id}-fast")])).unwrap();
    docker(&["exec", name.trim(), "touch", "/tmp/enough"]);
    let run = run(&harbour, 1, |run| run.state.ended()).await;
    assert_eq!((run.state, run.failure.as_deref()), (RunState::Passed, None));
    let mut hidden = Vec::new();
    for stage in &run.stages {
        let log = harbour.berth.backend.runs.log(&harbour.owner, &stage.steps[0].id, 1, 1_000).await.unwrap();
        assert_eq!(found(format!("{log:?}").as_bytes(), &forms), [""; 0], "{}: {log:?}", stage.name);
        hidden.push(log.lines.iter().filter(|line| line.text.contains("***")).count());
    }
    let count = forms.len() * 4;
    assert_eq!(hidden, [count + 1, count], "in the step and in the build, each cut is there and hidden");
    let page = harbour.berth.backend.runs.candidates(&harbour.owner, &team(), &service(), &Default::default()).await.unwrap();
    let image = page.items[0].image.as_str();
    let told = [docker(&["history", "--no-trunc", image]), docker(&["image", "inspect", image])].concat();
    let layers = layers(image);
    assert!(memmem(&told, b"/www") && memmem(&layers, THERE.as_bytes()), "they are read");
    assert_eq!((found(&told, &forms), found(&layers, &forms)), (vec![], vec![]));
    let (columns, of) = in_columns(&harbour.berth.db, &forms).await;
    let (files, files_of) = in_folder(&harbour.berth.config.data, &forms);
    assert!(columns.is_empty() && files.is_empty(), "{columns:?} {files:?}");
    proof(
        "canary on the engine",
        &format!(
            "{} encodings in 4 cuts by a step and by a build: 0 hits in logs, {of} columns, {files_of} files, image history, {} MiB of \
             layers, processes",
            forms.len(),
            layers.len() >> 20
        ),
    );
    harbour.clear().await;
}

fn memmem(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}
