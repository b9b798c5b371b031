//! What a step of a pipeline costs (4): the slope over runs of 1, 5, 10 and 20 stages of one step `true` each, against
//! `docker run --rm IMAGE true` on a network of its own, as a step has one; and how soon a run starts after the push was accepted. On the real engine.

use std::{fs, path::Path, process::Command, time::Instant};

use app::model::{NewToken, RunState, Scope};
use server::{args, store::Query as _};

use crate::{
    filled::runtime,
    method::{Interval, Row, Table, bootstrap, median, said},
    support::{
        berth::{Harbour, service, team, within},
        images::{self, BUSYBOX},
    },
};

/// How many stages the runs have.
const STAGES: [usize; 4] = [1, 5, 10, 20];
/// How often each is run.
const ROUNDS: usize = 5;
/// The network of what is started by hand: on the engine's own, which everybody shares, a container starts sooner.
const NETWORK: &str = "berth-bench-steps";
/// Containers started by hand after each run.
const BY_HAND: usize = 5;

fn git(folder: &Path, words: &[&str]) {
    let identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"];
    let done = Command::new("git").current_dir(folder).args(identity).args(words).output().unwrap();
    assert!(done.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn file(stages: usize) -> String {
    let stage = |n| format!("      - {{ name: s{n}, steps: [{{ name: one, image: \"{BUSYBOX}\", run: [\"true\"] }}] }}\n");
    let stages: String = (0..stages).map(stage).collect();
    format!("version: 1\nservices:\n  hello:\n    stages:\n{stages}")
}

/// The slope of a line through points, by least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let (x, y) = (points.iter().map(|p| p.0).sum::<f64>() / count, points.iter().map(|p| p.1).sum::<f64>() / count);
    points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum::<f64>() / points.iter().map(|p| (p.0 - x).powi(2)).sum::<f64>()
}

/// What `docker` is told; it must do it.
fn docker(words: &[&str]) {
    let done = Command::new("docker").args(words).output().unwrap();
    assert!(done.status.success(), "docker {words:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Seconds of `docker run --rm IMAGE true` on the network.
fn by_hand() -> f64 {
    let began = Instant::now();
    docker(&["run", "--rm", "--network", NETWORK, BUSYBOX, "true"]);
    began.elapsed().as_secs_f64()
}

/// Row 4.
pub(crate) fn run(table: &mut Table) {
    if !Command::new("docker").arg("version").output().is_ok_and(|done| done.status.success()) {
        let what = "a step of a pipeline".into();
        return table.add(Row { number: "4", what, figure: "no container engine here".into(), ..Row::default() });
    }
    let (slopes, hands, starts) = runtime().block_on(measured());
    let ratio: Interval = bootstrap(&slopes.iter().zip(&hands).map(|(ours, hand)| ours / hand).collect::<Vec<_>>());
    table.add(Row {
        number: "4",
        what: "a step of a pipeline, slope over 1 to 20".into(),
        limit: format!("{} (docker run, a network of its own)", said(median(&hands))),
        figure: format!("{}: {ratio} times", said(median(&slopes))),
        budget: "≤ 1.1 times".into(),
        met: Some(ratio.middle <= 1.1),
    });
    let late = starts.iter().copied().fold(0.0, f64::max);
    table.add(Row {
        number: "4",
        what: format!("a run starts after the push was accepted, {} runs", starts.len()),
        limit: String::new(),
        figure: format!("median {}, worst {}", said(median(&starts)), said(late)),
        budget: "< 100 ms".into(),
        met: Some(late < 0.1),
    });
}

/// The slope of each round, what a container by hand took meanwhile, and how long each push waited for its run.
async fn measured() -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    images::busybox_image().await;
    // Where it is there already, something broke off before; it is as good as a new one.
    let _ = Command::new("docker").args(["network", "create", NETWORK]).output();
    let harbour = Harbour::on_engine().await;
    let scopes = vec![Scope::Git, Scope::Read];
    let token = NewToken { name: "bench".into(), scopes, team: None, days: None };
    let token = harbour.berth.backend.tokens.create(&harbour.owner, token).await.unwrap().secret;
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "-q", "-b", "feature"]);
    git(folder.path(), &["remote", "add", "berth", &format!("http://x:{token}@{}/git/demo/hello.git", harbour.berth.console)]);
    fs::write(folder.path().join("Dockerfile"), format!("FROM {BUSYBOX}\n")).unwrap();
    let (mut slopes, mut hands, mut number) = (Vec::new(), Vec::new(), 0);
    for round in 0..=ROUNDS {
        let (mut points, mut alone) = (Vec::new(), Vec::new());
        for stages in STAGES {
            fs::write(folder.path().join("berth.yaml"), file(stages)).unwrap();
            git(folder.path(), &["add", "-A"]);
            git(folder.path(), &["commit", "-q", "--allow-empty", "-m", &format!("{stages} steps, round {round}")]);
            git(folder.path(), &["push", "-q", "-o", "no-wait", "berth", "feature"]);
            number += 1;
            let run = within(std::time::Duration::from_secs(120), "the run ends", async || {
                harbour.berth.backend.runs.show(&harbour.owner, &team(), &service(), number).await.ok().filter(|run| run.state.ended())
            })
            .await;
            assert_eq!(run.state, RunState::Passed, "{:?}", run.failure);
            // From the first stage to the image: what is before and after costs the same however many steps there are.
            let (first, image) = (&run.stages[0], &run.stages[stages]);
            let took = image.started_at.unwrap().0 - first.started_at.unwrap().0;
            points.push((stages as f64, took as f64 / 1e3));
            alone.extend((0..BY_HAND).map(|_| by_hand()));
        }
        // The first round warms up.
        if round > 0 {
            slopes.push(slope(&points));
            hands.push(median(&alone));
        }
    }
    let sql = "SELECT r.started_at - c.created_at AS waited FROM runs r JOIN ref_changes c ON c.new_commit = r.commit_id ORDER BY r.number";
    let rows = harbour.berth.db.fetch_all(sql, args![]).await.unwrap();
    let starts = rows.iter().map(|row| row.int("waited").unwrap() as f64 / 1e3).collect();
    harbour.clear().await;
    docker(&["network", "rm", NETWORK]);
    (slopes, hands, starts)
}
