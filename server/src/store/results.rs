//! Rows of `step_tests` and `flaky_tests`: what the tests of steps said.

use app::model::{FlakyTest, RunId, ServiceId, StepId, TeamId, TestCounts, TestReport, Timestamp};

use super::{Query, Row, Tx, db::Result, releases::json, runs::RunRow};
use crate::{args, clock};

/// How many other tries of a commit are looked at.
const TRIES: u32 = 5;

/// A test that gave both results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flipped {
    /// What it is called by within its service.
    pub id: String,
    /// Its suite.
    pub suite: String,
    /// Its name.
    pub name: String,
}

/// What the tests of a step said, to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewResults {
    /// `stage/step`.
    pub step: String,
    /// Whether the run's branch is the default one.
    pub on_default: bool,
    /// Counted.
    pub counts: TestCounts,
    /// How much was read.
    pub bytes: u64,
    /// Digests of the reports.
    pub sources: Vec<String>,
    /// What is shown, as JSON.
    pub report: String,
    /// All of them, packed.
    pub cases: String,
    /// Those that were caught giving both results.
    pub flipped: Vec<Flipped>,
}

/// Writes what the tests of a step said.
pub async fn insert(tx: &mut Tx, run: &RunRow, step: &StepId, new: &NewResults) -> Result<()> {
    tx.execute(
        "INSERT INTO step_tests (step_id, team_id, service_id, run_id, run_number, commit_id, on_default, step, passed, failed, skipped, bytes,
           sources, report, cases)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT (step_id) DO NOTHING",
        args![
            step,
            &run.team_id,
            &run.service_id,
            &run.id,
            run.number,
            &run.commit,
            new.on_default,
            &new.step,
            new.counts.passed,
            new.counts.failed,
            new.counts.skipped,
            new.bytes,
            json(&new.sources),
            &new.report,
            &new.cases
        ],
    )
    .await?;
    for test in &new.flipped {
        tx.execute(
            "INSERT INTO flaky_tests (service_id, id, team_id, suite, name, times, last_run, last_at) VALUES ($1, $2, $3, $4, $5, 1, $6, $7)
             ON CONFLICT (service_id, id) DO UPDATE SET times = flaky_tests.times + 1, last_run = excluded.last_run, last_at = excluded.last_at",
            args![&run.service_id, &test.id, &run.team_id, &test.suite, &test.name, run.number, clock::now()],
        )
        .await?;
    }
    Ok(())
}

/// What a run's steps have said already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SoFar {
    /// Digests of their reports.
    pub sources: Vec<String>,
    /// How many tests.
    pub tests: u64,
    /// How much was read.
    pub bytes: u64,
}

/// What a run's steps have said already.
pub async fn so_far(q: impl Query, run: &RunId) -> Result<SoFar> {
    let rows =
        q.fetch_all("SELECT sources, passed + failed + skipped AS tests, bytes FROM step_tests WHERE run_id = $1", args![run]).await?;
    let mut all = SoFar::default();
    for row in &rows {
        all.sources.extend(row.json::<Vec<String>>("sources").unwrap_or_default());
        all.tests += row.num::<u64>("tests")?;
        all.bytes += row.num::<u64>("bytes")?;
    }
    Ok(all)
}

/// The tests of this step in the newest run of the default branch before run `number`, packed, with that run's number.
pub async fn before(q: impl Query, service: &ServiceId, step: &str, number: u64) -> Result<Option<(u64, String)>> {
    let row = q
        .fetch_opt(
            "SELECT run_number, cases FROM step_tests WHERE service_id = $1 AND step = $2 AND on_default = $3 AND run_number < $4
              ORDER BY run_number DESC LIMIT 1",
            args![service, step, true, number],
        )
        .await?;
    row.map(|row| Ok((row.num("run_number")?, row.text("cases")?))).transpose()
}

/// The tests of this step in other tries of the same commit, packed, newest first.
pub async fn of_commit(q: impl Query, service: &ServiceId, commit: &str, step: &str) -> Result<Vec<String>> {
    let rows = q
        .fetch_all(
            "SELECT cases FROM step_tests WHERE service_id = $1 AND commit_id = $2 AND step = $3 ORDER BY run_number DESC LIMIT $4",
            args![service, commit, step, TRIES],
        )
        .await?;
    rows.iter().map(|row| row.text("cases")).collect()
}

/// What the steps of a run said, in the order in which they ended.
pub async fn of_run(q: impl Query, team: &TeamId, run: &RunId) -> Result<Vec<TestReport>> {
    let sql = "SELECT t.report FROM step_tests t JOIN steps s ON s.id = t.step_id WHERE t.run_id = $2 AND t.team_id = $1 ORDER BY s.finished_at, s.id";
    q.fetch_each(sql, args![team, run], |row| row.json("report")).await
}

fn read_flaky(row: &Row) -> Result<FlakyTest> {
    Ok(FlakyTest {
        id: row.text("id")?,
        suite: row.text("suite")?,
        name: row.text("name")?,
        times: row.num("times")?,
        last_run: row.num("last_run")?,
        last_at: row.time("last_at")?,
        muted_until: row.time_opt("muted_until")?,
        muted_by: row.text_opt("muted_by")?,
    })
}

/// The flaky tests of a service, caught last first; at most 500.
pub async fn flaky(q: impl Query, team: &TeamId, service: &ServiceId) -> Result<Vec<FlakyTest>> {
    let sql = "SELECT * FROM flaky_tests WHERE service_id = $2 AND team_id = $1 ORDER BY last_at DESC, id LIMIT 500";
    q.fetch_each(sql, args![team, service], read_flaky).await
}

/// Mutes a flaky test, or (no time) hears it again. None: there is no such test.
pub async fn mute(
    tx: &mut Tx,
    team: &TeamId,
    service: &ServiceId,
    id: &str,
    until: Option<Timestamp>,
    by: &str,
) -> Result<Option<FlakyTest>> {
    let row = tx
        .fetch_opt(
            "UPDATE flaky_tests SET muted_until = $4, muted_by = $5 WHERE service_id = $2 AND id = $3 AND team_id = $1 RETURNING *",
            args![team, service, id, until, until.map(|_| by)],
        )
        .await?;
    row.as_ref().map(read_flaky).transpose()
}
