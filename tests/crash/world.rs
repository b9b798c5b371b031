//! A Berth as a process of its own, with an engine of its own, and a person's working copy.

use std::{
    cell::Cell,
    convert::Infallible,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::{Value, json};
use server::{
    args,
    store::{Query as _, db::Row},
};
use tempfile::TempDir;

use super::{kill::SIDE_BY_SIDE, leaks};
use crate::support::{berth::within, engine::Engine, images, process::Process};

/// How long everything may take until nothing moves any more.
const CALM: Duration = Duration::from_secs(60);
/// How many times more often than usual what is done every so often is done here.
const HASTE: &str = "40";

/// The two services: `hello` is pushed, `plain` is deployed from images by hand.
pub(super) const HELLO: &str = "/teams/demo/services/hello";
pub(super) const PLAIN: &str = "/teams/demo/services/plain";

/// All that an operation needs.
pub(super) struct World {
    // First, so that it ends first: it would fill again what the engine clears when it goes.
    pub(super) berth: Process,
    pub(super) engine: Engine,
    pub(super) copy: PathBuf,
    /// Makes every text and name another one.
    pub(super) count: u32,
    /// Whether what happens beside Berth itself is armed: a command, or another Berth.
    pub(super) aside: bool,
    number: u8,
    /// How often something was armed.
    armed: Cell<u32>,
    folder: TempDir,
}

impl World {
    /// A fresh one. Worlds side by side differ in their number: it gives each networks of its own.
    pub(super) async fn new(number: u8) -> Self {
        Self::on(number, &[]).await
    }

    /// As [`World::new`], with these settings on top.
    pub(super) async fn on(number: u8, settings: &[(&str, &str)]) -> Self {
        let Ok(world) = Self::over(number, settings, |_| Ok::<_, Infallible>(())).await;
        world.0
    }

    /// As [`World::on`], once something was done to Berth's data folder.
    pub(super) async fn over<T, E>(
        number: u8,
        settings: &[(&str, &str)],
        done: impl FnOnce(&Path) -> Result<T, E>,
    ) -> Result<(Self, T), E> {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::new().await;
        images::busybox_on(&engine.docker()).await;
        for name in ["own", "aside"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let berth = Self::process(&engine, &folder.path().join("own"), number, settings);
        let done = done(berth.folder.path())?;
        let copy = folder.path().join("copy");
        let mut world = Self { engine, berth, copy, count: 0, aside: false, number, armed: Cell::new(0), folder };
        world.berth.start().await;
        world.berth.furnish().await;
        world.furnish().await;
        Ok((world, done))
    }

    fn process(engine: &Engine, points: &Path, number: u8, settings: &[(&str, &str)]) -> Process {
        let (engine, points) = (engine.address(), points.display().to_string());
        let subnets = free_range(number);
        let own = [
            ("BERTH_DOCKER", engine.as_str()),
            ("BERTH_SUBNETS", &subnets),
            ("BERTH_POINTS", &points),
            ("BERTH_HASTE", HASTE),
            ("BERTH_RUN_STEPS", "1"),
            ("BERTH_CACHE_BUDGET", "8"),
            ("BERTH_MIRROR_PRIVATE", "true"),
        ];
        Process::bare(&[own.as_slice(), settings].concat())
    }

    /// Another Berth on the same engine, which was never started.
    pub(super) fn another(&self) -> Process {
        Self::process(&self.engine, &self.folder.path().join("aside"), self.number + SIDE_BY_SIDE, &[])
    }

    fn points(&self) -> PathBuf {
        self.folder.path().join(if self.aside { "aside" } else { "own" })
    }

    /// Runs `berth …` beside Berth to its end; whether it ended well, and what it printed.
    pub(super) fn run(&self, words: &str, input: &str, settings: &[(&str, &str)]) -> (bool, String) {
        use std::io::Write as _;
        let mut command = self.berth.command(words);
        command.env("BERTH_POINTS", self.folder.path().join("aside")).envs(settings.iter().copied());
        let mut child = command.spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    async fn furnish(&mut self) {
        self.berth.post("/teams/demo/services", json!({ "name": "plain", "environments": ["dev"] })).await;
        let db = self.berth.db().await;
        let mut tx = db.begin().await.unwrap();
        // Quickly proven; given up after a while that a busy machine keeps within.
        tx.execute("UPDATE environments SET stabilisation_ms = 100, deadline_ms = 8000", args![]).await.unwrap();
        tx.commit().await.unwrap();
        db.close().await;
        fs::create_dir(&self.copy).unwrap();
        self.git(&["init", "-q", "-b", "main"]);
        let url = format!("http://x:{}@{}/git/demo/hello.git", self.berth.token(), self.berth.console);
        self.git(&["remote", "add", "berth", &url]);
    }

    /// What is to happen at which point from now on.
    pub(super) fn arm(&self, lines: &str) {
        // Numbered, so that what was armed before is not taken for it.
        let numbered = |(number, line): (u32, &str)| {
            if line.split(' ').count() > 2 { format!("{line} {number}\n") } else { format!("{line} 1 {number}\n") }
        };
        self.armed.set(self.armed.get() + 1);
        let lines: String = lines.lines().map(|line| numbered((self.armed.get(), line))).collect();
        fs::write(self.points().join("armed"), lines).unwrap();
    }

    /// Nothing is to happen any more, and what was reached is forgotten.
    pub(super) fn disarm(&self) {
        for name in ["armed", "reached"] {
            let _ = fs::remove_file(self.points().join(name));
        }
    }

    /// The points that were reached since, in their order.
    pub(super) fn reached(&self) -> Vec<String> {
        fs::read_to_string(self.points().join("reached")).unwrap_or_default().lines().map(ToOwned::to_owned).collect()
    }

    /// Moves Berth's clock by so many milliseconds.
    pub(super) fn shift_clock(&self, by: i64) {
        // In one step: a reader never sees half of it.
        let (beside, file) = (self.points().join("clock.new"), self.points().join("clock"));
        fs::write(&beside, by.to_string()).unwrap();
        fs::rename(&beside, &file).unwrap();
    }

    /// Runs `git` in the working copy; what it said, and whether it succeeded.
    pub(super) fn try_git(&self, args: &[&str]) -> (bool, String) {
        let output = Command::new("git")
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"])
            .args(args)
            .current_dir(&self.copy)
            .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_TERMINAL_PROMPT", "0")])
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).trim().to_owned())
    }

    /// Runs `git` in the working copy; it must succeed.
    pub(super) fn git(&self, args: &[&str]) -> String {
        let (good, said) = self.try_git(args);
        assert!(good, "git {args:?}: {said}");
        said
    }

    /// Asks Berth as the administrator; none where no answer comes.
    pub(super) async fn send(&self, method: &str, path: &str, body: Value) -> Option<(u16, Value)> {
        self.berth.try_answer(self.berth.request(method, &format!("/api/v1{path}")).json(&body)).await
    }

    /// The rows of a question to the database.
    pub(super) async fn rows(&self, sql: &str) -> Vec<Row> {
        let db = self.berth.db().await;
        let rows = db.fetch_all(sql, args![]).await.unwrap();
        db.close().await;
        rows
    }

    /// Changes rows beside Berth, as somebody does who is at its database.
    pub(super) async fn write(&self, sql: &str) {
        let db = self.berth.db().await;
        let mut tx = db.begin().await.unwrap();
        tx.execute(sql, vec![]).await.unwrap();
        tx.commit().await.unwrap();
        db.close().await;
    }

    /// One text of the database; empty where there is no row.
    pub(super) async fn text(&self, sql: &str) -> String {
        self.rows(sql).await.first().map(|row| row.text_opt("text").unwrap().unwrap_or_default()).unwrap_or_default()
    }

    /// One number of the database.
    pub(super) async fn number(&self, sql: &str) -> i64 {
        self.rows(sql).await.first().map_or(0, |row| row.int("number").unwrap())
    }

    /// Whether anything is still to be done.
    pub(super) async fn moves(&self) -> bool {
        let open = "SELECT (SELECT COUNT(*) FROM runs WHERE finished_at IS NULL) + (SELECT COUNT(*) FROM rollouts WHERE finished_at IS NULL)
                     + (SELECT COUNT(*) FROM services WHERE deleted_at IS NOT NULL) + (SELECT COUNT(*) FROM ref_changes WHERE handled_at IS NULL)
                     + (SELECT COUNT(*) FROM mirrors WHERE wanted_at IS NOT NULL OR lease_until IS NOT NULL)
                     + (SELECT COUNT(*) FROM forge_statuses WHERE due_at IS NOT NULL)
                     + (SELECT COUNT(*) FROM base_versions WHERE finished_at IS NULL)
                     + (SELECT COUNT(*) FROM caches WHERE removed_at IS NULL AND (dropped_at IS NOT NULL OR step_id IS NOT NULL OR size IS NULL))
                     + (SELECT COUNT(*) FROM base_rolls WHERE run_id IS NULL AND note IS NULL) AS number";
        self.number(open).await > 0
    }

    /// Waits until nothing moves and nothing is left over. The answer: what is left over all the same.
    pub(super) async fn calm(&mut self) -> Vec<String> {
        let began = std::time::Instant::now();
        loop {
            assert!(!self.berth.is_over(), "Berth ended by itself:\n{}", self.end_of_log());
            let left = if self.moves().await { vec!["something still moves".to_owned()] } else { leaks::find(self).await };
            // What is left over is swept within seconds, or never.
            let patience = if left.iter().any(|what| what.contains("moves")) { CALM } else { Duration::from_secs(40) };
            if left.is_empty() || began.elapsed() > patience {
                return left;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until nothing moves; nothing may be left over.
    pub(super) async fn settles(&mut self) {
        let left = self.calm().await;
        assert!(left.is_empty(), "{left:?}:\n{}", self.end_of_log());
    }

    /// Waits until no point was reached for a while: what follows by itself has followed.
    pub(super) async fn rest(&self) {
        let (mut count, mut since) = (self.reached().len(), std::time::Instant::now());
        while since.elapsed() < Duration::from_millis(700) {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let now = self.reached().len();
            if now != count {
                (count, since) = (now, std::time::Instant::now());
            }
        }
    }

    /// Waits for a condition.
    pub(super) async fn until<T>(&self, what: &str, holds: impl AsyncFnMut() -> Option<T>) -> T {
        self.until_within(Duration::from_secs(30), what, holds).await
    }

    /// As [`World::until`], for so long.
    pub(super) async fn until_within<T>(&self, limit: Duration, what: &str, holds: impl AsyncFnMut() -> Option<T>) -> T {
        let waited = tokio::time::timeout(limit, within(limit * 2, what, holds)).await;
        waited.unwrap_or_else(|_| panic!("not within {limit:?}: {what}:\n{}", self.end_of_log()))
    }

    /// The image of a server which answers this.
    pub(super) async fn image(&self, text: &str) -> String {
        images::web_on(&self.engine.docker(), text).await
    }

    /// The last that Berth said.
    pub(super) fn end_of_log(&self) -> String {
        let said = self.berth.said();
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }
}

/// A range for networks that no other engine of this machine has used: routes of networks outlive their engine.
fn free_range(number: u8) -> String {
    let routes = fs::read_to_string("/proc/net/route").unwrap_or_default();
    // The second column is the destination in hexadecimal, the last byte first.
    let taken = |second: u8| routes.lines().filter_map(|line| line.split('\t').nth(1)).any(|to| to.ends_with(&format!("{second:02X}0A")));
    // Each number chooses among its own, so that two at the same moment do not choose the same.
    // So does each process begin elsewhere.
    let begin = std::process::id() % 25 * 4;
    let mut all = (begin..100).chain(0..begin).filter_map(|offset| u8::try_from(100 + offset).ok());
    let second = all.find(|second| second % (2 * SIDE_BY_SIDE) == number && !taken(*second)).expect("a free range");
    format!("10.{second}.0.0/16")
}
