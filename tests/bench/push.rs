//! What a push costs before anything runs: services are selected, those with nothing to do say so, and what waits is claimed.

use std::{fmt::Write as _, fs, path::Path, process::Command, time::Instant};

use app::model::{NewService, NewToken, RunState, Scope};
use server::{
    args,
    claim::Hands,
    clock,
    git::{self, Ancestry},
    pipelines::{
        file::parse,
        select::{Choice, Since, Watched, choose},
    },
    platform::fake::Behaviour,
    store::{Db, Query as _, runs},
};

use crate::{
    filled::runtime,
    method::{Row, Table, median, said},
    support::{
        berth::{Harbour, service, team, within},
        postgres::Database,
        queue,
    },
};

/// How often each is measured, after a first time that warms up.
const ROUNDS: usize = 15;
/// Services of the large repository …
const SERVICES: usize = 200;
/// … and files that its push changes.
const FILES: usize = 10_000;
/// Runs that wait, and the teams they are of.
const WAITING: usize = 2_000;
const TEAMS: usize = 50;

fn git_in(folder: &Path, words: &[&str]) -> String {
    let identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "gc.auto=0"];
    let done = Command::new("git").current_dir(folder).args(identity).args(words).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "git {words:?}: {said}");
    said
}

fn row(table: &mut Table, number: &'static str, what: String, seconds: &[f64], budget: Option<(f64, &str)>) {
    let worst = seconds.iter().copied().fold(0.0, f64::max);
    table.add(Row {
        number,
        what,
        figure: format!("median {}, worst {}", said(median(seconds)), said(worst)),
        budget: budget.map(|(_, text)| text.to_owned()).unwrap_or_default(),
        met: budget.map(|(limit, _)| median(seconds) < limit),
        ..Row::default()
    });
}

/// The row `nothing`: a push that touches one of two services; the other keeps its candidate.
pub(crate) fn nothing(table: &mut Table) {
    let (said, whole) = runtime().block_on(kept());
    row(table, "nothing", "a run with nothing to do, from the push accepted to the candidate kept".into(), &said, Some((0.3, "< 300 ms")));
    row(table, "nothing", "the whole `git push` that is told so, its client included".into(), &whole, None);
}

/// Seconds from the acceptance of a push to the runs that keep what they have, and of the whole push.
async fn kept() -> (Vec<f64>, Vec<f64>) {
    let harbour = Harbour::new().await;
    harbour.fake.set_image("shell", Behaviour::default());
    let beside = NewService {
        name: "beside".parse().unwrap(),
        description: String::new(),
        environments: Some(Vec::new()),
        repository: Some("hello".parse().unwrap()),
        mirror: None,
    };
    harbour.berth.backend.services.create(&harbour.owner, &team(), beside).await.unwrap();
    let scopes = vec![Scope::Git, Scope::Read];
    let token = NewToken { name: "bench".into(), scopes, team: None, days: None };
    let token = harbour.berth.backend.tokens.create(&harbour.owner, token).await.unwrap().secret;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    git_in(path, &["init", "-q", "-b", "main"]);
    git_in(path, &["remote", "add", "berth", &format!("http://x:{token}@{}/git/demo/hello.git", harbour.berth.console)]);
    let file = "version: 1\nservices:\n  hello: { path: services/hello }\n  beside: { path: services/beside }\n";
    fs::write(path.join("berth.yaml"), file).unwrap();
    for service in ["hello", "beside"] {
        fs::create_dir_all(path.join("services").join(service)).unwrap();
        fs::write(path.join("services").join(service).join("Dockerfile"), "FROM scratch\n").unwrap();
    }
    let (mut accepted, mut whole) = (Vec::new(), Vec::new());
    for number in 1..=ROUNDS as u64 + 1 {
        fs::write(path.join("README"), format!("{number}")).unwrap();
        git_in(path, &["add", "-A"]);
        git_in(path, &["commit", "-q", "-m", "More"]);
        let began = Instant::now();
        let shown = git_in(path, &["push", "berth", "main"]);
        let took = began.elapsed().as_secs_f64();
        let run = within(std::time::Duration::from_secs(30), "the run ends", async || {
            harbour.berth.backend.runs.show(&harbour.owner, &team(), &service(), number).await.ok().filter(|run| run.state.ended())
        })
        .await;
        assert_eq!((run.state, run.kept), (RunState::Passed, number > 1), "{shown}");
        if number > 1 {
            assert!(shown.contains("unchanged since candidate 1"), "{shown}");
            whole.push(took);
        }
    }
    let sql =
        "SELECT r.finished_at - c.created_at AS waited FROM runs r JOIN ref_changes c ON c.id = r.push_id WHERE r.kept AND r.number > 1";
    for row in harbour.berth.db.fetch_all(sql, args![]).await.unwrap() {
        accepted.push(row.int("waited").unwrap() as f64 / 1e3);
    }
    assert_eq!(accepted.len(), 2 * ROUNDS);
    harbour.berth.stop().await;
    (accepted, whole)
}

/// The row `select`: which of 200 services a push of 10,000 changed files touches, with what Git needs for it.
pub(crate) fn select(table: &mut Table) {
    let folder = tempfile::tempdir().unwrap();
    let (text, base, head) = large(folder.path());
    let bare = folder.path().join("bare.git");
    let (mut all, mut diff) = (Vec::new(), Vec::new());
    runtime().block_on(async {
        for round in 0..=ROUNDS {
            let began = Instant::now();
            let file = parse(&text).unwrap();
            let watched = Watched::new(file.services.values());
            let asked = Instant::now();
            assert_eq!(git::ancestry(&bare, &base, &head).await.unwrap(), Ancestry::Within);
            let (mut seen, mut paths) = (watched.nothing(), 0);
            let see = |path: &str| {
                paths += 1;
                watched.see(path, &mut seen);
            };
            git::changed(&bare, &base, &head, see).await.unwrap();
            let read = asked.elapsed();
            let run = (0..file.services.len()).filter(|place| matches!(choose(Since::Read(1, &seen, *place)), Choice::Run(_))).count();
            assert_eq!((paths, run), (FILES, SERVICES / 2));
            if round > 0 {
                all.push(began.elapsed().as_secs_f64());
                diff.push(read.as_secs_f64());
            }
        }
    });
    row(
        table,
        "select",
        format!("{SERVICES} services, {FILES} changed files: the file read, the difference, the choice"),
        &all,
        Some((0.05, "< 50 ms")),
    );
    row(table, "select", "of it what Git is asked for, and each path held against what is watched".into(), &diff, None);
}

/// A repository of many services with twice as many files as its last commit changes: its file, and two commits.
fn large(folder: &Path) -> (String, String, String) {
    let work = folder.join("work");
    let write = |changed: bool| {
        for number in 0..2 * FILES {
            let touched = number < FILES;
            if changed && !touched {
                continue;
            }
            // The first half changes half of the services.
            let of = if touched { number % (SERVICES / 2) } else { SERVICES / 2 + number % (SERVICES / 2) };
            let folder = work.join(format!("services/s{of}/src/part{}", number / SERVICES % 7));
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(format!("file{number}.rs")), format!("{number} {changed}")).unwrap();
        }
    };
    write(false);
    let mut text = "version: 1\nservices:\n".to_owned();
    for number in 0..SERVICES {
        let _ = writeln!(
            text,
            "  s{number}: {{ path: services/s{number}, watch: [\"libs/l{}/**\", \"schemas/**/s{number}-*.json\"] }}",
            number % 40
        );
    }
    fs::write(work.join("berth.yaml"), &text).unwrap();
    git_in(&work, &["init", "-q", "-b", "main"]);
    let mut commits = Vec::new();
    for changed in [false, true] {
        write(changed);
        git_in(&work, &["add", "-A"]);
        git_in(&work, &["commit", "-q", "-m", "Much"]);
        commits.push(git_in(&work, &["rev-parse", "HEAD"]).trim().to_owned());
    }
    git_in(folder, &["clone", "-q", "--bare", "--no-local", "work", "bare.git"]);
    let head = commits.pop().unwrap();
    (text, commits.pop().unwrap(), head)
}

/// The row `claim`: runs of many teams are claimed in fair order, and no slower with many that wait than with few.
pub(crate) fn claim(table: &mut Table) {
    runtime().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        for waiting in [TEAMS, WAITING] {
            let file = folder.path().join(format!("{waiting}.db"));
            let db = Db::open(&format!("sqlite:{}", file.display())).await.unwrap();
            let database = Database::fresh().await;
            let postgres = Db::open(&database.address()).await.unwrap();
            for (db, name) in [(db, "SQLite"), (postgres, "PostgreSQL")] {
                let seconds = claims(&db, waiting).await;
                let budget = (waiting == WAITING).then_some((0.01, "< 10 ms"));
                row(table, "claim", format!("a claim, {waiting} runs of {TEAMS} teams wait, {name}"), &seconds, budget);
                db.close().await;
            }
        }
    });
}

/// Queues runs and claims as many as there are teams: each team once. How long each claim took.
async fn claims(db: &Db, waiting: usize) -> Vec<f64> {
    for number in 0..TEAMS {
        let (team, services) = queue::team(db, &format!("team-{number}"), 2).await;
        let mut tx = db.begin().await.unwrap();
        for at in 0..waiting / TEAMS {
            let branch = format!("branch-{at}");
            runs::insert(&mut tx, &queue::new_run(&team, &services[at % 2], &branch), &[]).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
    let (mut seconds, mut teams) = (Vec::new(), std::collections::BTreeSet::new());
    for _ in 0..TEAMS {
        let began = Instant::now();
        let run = runs::claim(db, "bench", usize::MAX, clock::now(), &Hands::default()).await.unwrap().unwrap();
        seconds.push(began.elapsed().as_secs_f64());
        teams.insert(run.team_id.to_string());
    }
    assert_eq!(teams.len(), TEAMS, "each team once");
    seconds
}
