//! Rows of runs, stages and steps: queued with the push that makes them necessary, claimed under a lease, changed only by
//! the one whose fence is the newest. They only move forward.

use std::collections::BTreeMap;

use app::{
    model::{
        CandidateId, Page, PageRequest, RepositoryId, Run, RunBrief, RunEvent, RunFilter, RunId, RunState, ServiceId, ServiceName, Stage,
        StageId, StageKind, Step, StepId, TeamId, TeamName, Timestamp, tag_of,
    },
    said,
};

use super::{
    Db, Query, Row, StoreError, Tx, Value,
    board::{Look, SERVICES},
    db::{Result, readable, unreadable},
    events::paged,
    files, forge_statuses, groups, leases, rollouts, search, selection,
    together::{self, CARRIES},
};
use crate::{
    args,
    claim::{Hands, LEASE},
    clock,
};

/// A run to be queued, or written down as ended where nothing is to be run.
#[derive(Clone, Debug)]
pub struct NewRun<'a> {
    /// The team.
    pub team: &'a TeamId,
    /// The service.
    pub service: &'a ServiceId,
    /// Queued, or the state it ends in at once.
    pub state: RunState,
    /// Why it ended at once.
    pub failure: Option<&'a str>,
    /// The commit.
    pub commit: &'a str,
    /// The first line of its message.
    pub title: &'a str,
    /// Its author.
    pub author: &'a str,
    /// The branch.
    pub branch: &'a str,
    /// Who pushed.
    pub pushed_by: &'a str,
    /// Why it runs.
    pub reason: &'a str,
    /// The resolved pipeline, as JSON.
    pub pipeline: &'a str,
    /// Where the commit is; none: in the repository of its service.
    pub repository: Option<&'a RepositoryId>,
    /// The push it is made for: the id of its change of a ref.
    pub push: Option<&'a str>,
    /// What the push comes to for the service, in a few words.
    pub plan: &'a str,
    /// The candidate that is kept, where nothing is to be run.
    pub kept: Option<&'a CandidateId>,
    /// The group it belongs to, and how many of that may be under way at once.
    pub group: Option<(&'a str, u32)>,
    /// What made it begin.
    pub event: RunEvent,
    /// What its steps are given, as JSON.
    pub inputs: &'a str,
    /// How far its commit is trusted.
    pub trust: Trust<'a>,
}

/// How far a commit is trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trust<'a> {
    /// Who may push has put it there.
    #[default]
    Trusted,
    /// Anybody may have: its run gets no secrets, and waits until somebody has read the commit.
    Held,
    /// … and this one has.
    Approved(&'a str),
}

/// A stage to be written with its run, or with a new attempt.
#[derive(Clone, Debug)]
pub struct NewStage {
    /// Its place, from 0.
    pub position: u32,
    /// Its name.
    pub name: String,
    /// What it does.
    pub kind: StageKind,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// Names and images of its steps.
    pub steps: Vec<(String, String)>,
    /// Names and images of what runs beside them.
    pub sidecars: Vec<(String, String)>,
    /// Names of the steps that are not wanted, and why.
    pub skipped: Vec<(String, String)>,
}

impl NewStage {
    fn why_not(&self, step: &str) -> Option<&str> {
        self.skipped.iter().find(|(name, _)| name == step).map(|(_, why)| why.as_str())
    }

    /// Whether none of its steps is wanted.
    fn is_skipped(&self) -> bool {
        !self.skipped.is_empty() && self.steps.iter().all(|(name, _)| self.why_not(name).is_some())
    }
}

/// A run as the one who carries it out needs it.
#[derive(Clone, Debug)]
pub struct RunRow {
    /// Its id.
    pub id: RunId,
    /// The team's id.
    pub team_id: TeamId,
    /// The team.
    pub team: TeamName,
    /// The service's id.
    pub service_id: ServiceId,
    /// The service.
    pub service: ServiceName,
    /// The repository.
    pub repository_id: RepositoryId,
    /// The branch whose candidates are deployed by themselves.
    pub default_branch: String,
    /// Its number within the service.
    pub number: u64,
    /// How it is.
    pub state: RunState,
    /// The commit.
    pub commit: String,
    /// The first line of its message.
    pub title: String,
    /// Its author.
    pub author: String,
    /// The branch.
    pub branch: String,
    /// Who pushed.
    pub pushed_by: String,
    /// The resolved pipeline, as JSON of `server::pipelines`.
    pub pipeline: String,
    /// What made it begin.
    pub event: RunEvent,
    /// What its steps are given as environment variables.
    pub inputs: BTreeMap<String, String>,
    /// When cancelling was asked for.
    pub cancel_asked_at: Option<Timestamp>,
    /// The fence of the claim.
    pub fence: i64,
    /// When it was queued.
    pub created_at: Timestamp,
    /// The first of those that come to one version with it, itself perhaps; none: it stands alone.
    pub lead: Option<RunId>,
    /// The run that it goes on from, if one.
    pub goes_on: Option<RunId>,
    /// Until when its files are kept; none: they are not.
    pub files_until: Option<Timestamp>,
    /// Whether anybody may have made its commit: it gets no secrets.
    pub untrusted: bool,
    /// Who has read its commit, where somebody must.
    pub approved_by: Option<String>,
}

/// A stage of a run with the ids of its steps, for the one who carries it out.
#[derive(Clone, Debug)]
pub struct StageRow {
    /// Its id.
    pub id: StageId,
    /// Its place.
    pub position: u32,
    /// Its name.
    pub name: String,
    /// What it does.
    pub kind: StageKind,
    /// How it is.
    pub state: RunState,
    /// Which attempt.
    pub attempt: u32,
    /// Its steps in order: id, name, state.
    pub steps: Vec<(StepId, String, RunState)>,
    /// What runs beside them, in order.
    pub sidecars: Vec<(StepId, String, RunState)>,
}

const ROW: &str = "SELECT r.*, t.name AS team, s.name AS service, p.id AS of_repository, p.default_branch
  FROM runs r JOIN teams t ON t.id = r.team_id JOIN services s ON s.id = r.service_id
  JOIN repositories p ON p.id = COALESCE(r.repository_id, s.repository_id)";

fn read(row: &Row) -> Result<RunRow> {
    Ok(RunRow {
        id: RunId::from_text(row.text("id")?),
        team_id: TeamId::from_text(row.text("team_id")?),
        team: row.parsed("team")?,
        service_id: ServiceId::from_text(row.text("service_id")?),
        service: row.parsed("service")?,
        repository_id: RepositoryId::from_text(row.text("of_repository")?),
        default_branch: row.text("default_branch")?,
        number: row.num("number")?,
        state: row.named("state", RunState::from_name)?,
        commit: row.text("commit_id")?,
        title: row.text("title")?,
        author: row.text("author")?,
        branch: row.text("branch")?,
        pushed_by: row.text("pushed_by")?,
        pipeline: row.text("pipeline")?,
        event: row.named("event", RunEvent::from_name)?,
        inputs: row.json("inputs")?,
        cancel_asked_at: row.time_opt("cancel_asked_at")?,
        fence: row.int("fence")?,
        created_at: row.time("created_at")?,
        lead: row.text_opt("lead_id")?.map(RunId::from_text),
        goes_on: row.text_opt("goes_on")?.map(RunId::from_text),
        files_until: row.time_opt("files_until")?,
        untrusted: row.bool("untrusted")?,
        approved_by: row.text_opt("approved_by")?,
    })
}

/// The runs of which something holds, as those who carry them out need them.
pub(super) async fn rows(q: impl Query, which: &str, args: Vec<Value>) -> Result<Vec<RunRow>> {
    q.fetch_all(format!("{ROW} WHERE {which}"), args).await?.iter().map(read).collect()
}

fn kind_name(kind: StageKind) -> &'static str {
    match kind {
        StageKind::Steps => "steps",
        StageKind::Image => "image",
    }
}

fn kind_of(name: &str) -> Option<StageKind> {
    [StageKind::Steps, StageKind::Image].into_iter().find(|kind| kind_name(*kind) == name)
}

/// Writes the next run of a service with its stages.
pub async fn insert(tx: &mut Tx, new: &NewRun<'_>, stages: &[NewStage]) -> Result<(RunId, u64)> {
    let number: u64 = tx
        .fetch_opt(
            "UPDATE services SET next_run = next_run + 1 WHERE id = $1 AND team_id = $2 RETURNING next_run - 1 AS number",
            args![new.service, new.team],
        )
        .await?
        .ok_or_else(|| unreadable("service_id", "the service is gone"))?
        .num("number")?;
    let (id, now) = (RunId::from_text(clock::new_id()), clock::now());
    let finished = new.state.ended().then_some(now);
    tx.execute(
        "INSERT INTO runs (id, team_id, service_id, number, state, commit_id, title, author, branch, pushed_by, reason, pipeline, failure,
           created_at, finished_at, push_id, plan, kept, candidate_id, repository_id, concurrency, concurrency_limit, event, inputs, untrusted, held, approved_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
           NULLIF($20, (SELECT s.repository_id FROM services s WHERE s.id = $3)), $21, $22, $23, $24, $25, $26, $27)",
        args![
            &id,
            new.team,
            new.service,
            number,
            new.state.name(),
            new.commit,
            new.title,
            new.author,
            new.branch,
            new.pushed_by,
            new.reason,
            new.pipeline,
            new.failure,
            now,
            finished,
            new.push,
            new.plan,
            new.kept.is_some(),
            new.kept,
            new.repository,
            new.group.map(|(name, _)| name),
            new.group.map_or(1, |(_, limit)| limit),
            new.event.name(),
            new.inputs,
            new.trust != Trust::Trusted,
            new.trust == Trust::Held && new.state == RunState::Queued,
            if let Trust::Approved(by) = new.trust { Some(by) } else { None },
        ],
    )
    .await?;
    let state = if new.state.ended() { RunState::Skipped } else { RunState::Queued };
    for stage in stages {
        insert_stage(tx, new.team, &id, stage, state).await?;
    }
    forge_statuses::note(tx, id.as_str()).await?;
    Ok((id, number))
}

/// Writes a stage and its steps.
pub async fn insert_stage(tx: &mut Tx, team: &TeamId, run: &RunId, stage: &NewStage, state: RunState) -> Result<StageRow> {
    let id = StageId::from_text(clock::new_id());
    let state = if stage.is_skipped() { RunState::Skipped } else { state };
    tx.execute(
        "INSERT INTO stages (id, run_id, position, name, kind, state, attempt) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        args![&id, run, stage.position, &stage.name, kind_name(stage.kind), state.name(), stage.attempt],
    )
    .await?;
    let (mut steps, mut sidecars) = (Vec::new(), Vec::new());
    let rows = stage.steps.iter().map(|row| (row, false)).chain(stage.sidecars.iter().map(|row| (row, true)));
    for (position, ((name, image), sidecar)) in rows.enumerate() {
        let step = StepId::from_text(clock::new_id());
        let why = stage.why_not(name).filter(|_| !sidecar);
        let (state, ended) = if why.is_some() { (RunState::Skipped, Some(clock::now())) } else { (state, None) };
        tx.execute(
            "INSERT INTO steps (id, team_id, run_id, stage_id, position, name, image, state, sidecar, failure, finished_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            args![&step, team, run, &id, position, name, image, state.name(), sidecar, why, ended],
        )
        .await?;
        let list = if sidecar { &mut sidecars } else { &mut steps };
        list.push((step, name.clone(), state));
    }
    Ok(StageRow {
        id,
        position: stage.position,
        name: stage.name.clone(),
        kind: stage.kind,
        state,
        attempt: stage.attempt,
        steps,
        sidecars,
    })
}

/// Ends the queued runs of a service and branch that pushes, or the same proposed change, made, because a newer one, `by` its
/// number, takes their place. Answers with them.
pub async fn supersede(tx: &mut Tx, team: &TeamId, service: &ServiceId, branch: &str, by: u64) -> Result<Vec<RunId>> {
    let rows = tx
        .fetch_all(
            "UPDATE runs SET state = 'superseded', finished_at = $1, failure = $5, superseded_by = $6
              WHERE team_id = $2 AND service_id = $3 AND branch = $4 AND event IN ('push', 'pull_request') AND state = 'queued' AND finished_at IS NULL
                AND number < $6
             RETURNING id",
            args![clock::now(), team, service, branch, said::superseded(by), by],
        )
        .await?;
    let runs: Vec<RunId> = rows.iter().map(|row| row.text("id").map(RunId::from_text)).collect::<Result<_>>()?;
    for run in &runs {
        skip_rest(tx, run).await?;
    }
    forge_statuses::note_all(tx, &runs).await?;
    Ok(runs)
}

/// Asks for the runs of a service and branch that pushes made and that are under way to be stopped, because a newer one, `by` its number, takes
/// their place. Answers with them.
pub async fn cut_short(tx: &mut Tx, team: &TeamId, service: &ServiceId, branch: &str, by: u64) -> Result<Vec<RunId>> {
    let rows = tx
        .fetch_all(
            "UPDATE runs SET cancel_asked_at = COALESCE(cancel_asked_at, $1), superseded_by = $5
              WHERE team_id = $2 AND service_id = $3 AND branch = $4 AND event IN ('push', 'pull_request') AND state = 'running' AND finished_at IS NULL
                AND number < $5
             RETURNING id",
            args![clock::now(), team, service, branch, by],
        )
        .await?;
    rows.iter().map(|row| row.text("id").map(RunId::from_text)).collect()
}

/// The number of the run that takes the place of this one, where one does.
pub async fn superseded_by(q: impl Query, run: &RunId) -> Result<Option<i64>> {
    let row = q.fetch_opt("SELECT superseded_by FROM runs WHERE id = $1", args![run]).await?;
    row.map_or(Ok(None), |row| row.int_opt("superseded_by"))
}

/// Claims the next run, if one waits and this holder has fewer than `limit` under way: a queued one with none before it on
/// its branch and room in its group, or one whose holder went silent; never one that it has in its own hands. Teams with less
/// under way come first. One that does not read is ended on the way: nobody could carry it out, and it would hold up all others.
pub async fn claim(db: &Db, holder: &str, limit: usize, now: Timestamp, hands: &Hands) -> Result<Option<RunRow>> {
    loop {
        match claim_next(db, holder, limit, now, hands).await? {
            Claimed::Run(run) => return Ok(Some(*run)),
            Claimed::Nothing => return Ok(None),
            Claimed::Unreadable => {}
        }
    }
}

/// What a claim came to.
enum Claimed {
    Run(Box<RunRow>),
    Nothing,
    /// The next one did not read, and was ended.
    Unreadable,
}

async fn claim_next(db: &Db, holder: &str, limit: usize, now: Timestamp, hands: &Hands) -> Result<Claimed> {
    let mut tx = db.begin().await?;
    tx.lock("claim:runs").await?;
    let own = hands.full_of();
    let held = tx
        .fetch_opt(
            "SELECT COUNT(*) AS n FROM runs WHERE finished_at IS NULL AND state = 'running' AND holder = $1 AND lease_until >= $2",
            args![holder, now],
        )
        .await?
        .map_or(Ok(0), |row| row.num::<usize>("n"))?;
    if held.max(own.len()) >= limit {
        return Ok(Claimed::Nothing);
    }
    let Some(id) = next(&mut tx, now, &own).await? else { return Ok(Claimed::Nothing) };
    tx.execute(
        "UPDATE runs SET state = 'running', holder = $1, fence = fence + 1, lease_until = $2, started_at = COALESCE(started_at, $3), waits = NULL
          WHERE id = $4",
        args![holder, now.plus(LEASE), now, &id],
    )
    .await?;
    let row = tx.fetch_opt(format!("{ROW} WHERE r.id = $1"), args![&id]).await?;
    let claimed = match row.as_ref().map_or_else(|| Err(unreadable("repository_id", "it leads nowhere")), read) {
        Ok(run) => {
            together::follow(&mut tx, &run, now).await?;
            forge_statuses::note(&mut tx, run.id.as_str()).await?;
            Claimed::Run(Box::new(run))
        }
        Err(StoreError::Unreadable { column, cause }) => {
            tracing::warn!(run = id, column, cause, "a run does not read and is ended");
            give_up(&mut tx, &RunId::from_text(id), &column).await?;
            Claimed::Unreadable
        }
        Err(error) => return Err(error),
    };
    tx.commit().await?;
    Ok(claimed)
}

/// Ends a run of which something does not read, and what was to come to one version with it. Whoever holds it loses it.
pub async fn give_up(tx: &mut Tx, run: &RunId, column: &str) -> Result<()> {
    let rows = tx
        .fetch_all(
            "UPDATE runs SET state = 'errored', failure = $1, finished_at = $2, lease_until = NULL, waits = NULL, fence = fence + 1
              WHERE (id = $3 OR lead_id = $3) AND finished_at IS NULL RETURNING id",
            args![said::unreadable_run(column), clock::now(), run],
        )
        .await?;
    for row in &rows {
        skip_rest(tx, &RunId::from_text(row.text("id")?)).await?;
    }
    Ok(())
}

/// The run that is given next: one whose holder went silent; else of the team with the least under way the oldest that nothing
/// before it on its branch and no full group holds up. What is read grows with the teams that wait, not with what waits.
async fn next(tx: &mut Tx, now: Timestamp, own: &[String]) -> Result<Option<String>> {
    let sql = format!(
        "SELECT r.id FROM runs r WHERE r.state = 'running' AND r.finished_at IS NULL AND (r.lease_until IS NULL OR r.lease_until < $1)
            AND {CARRIES}{}
          ORDER BY (SELECT COUNT(*) FROM runs u WHERE u.team_id = r.team_id AND u.state = 'running' AND u.finished_at IS NULL),
            r.created_at, r.id
          LIMIT 1",
        leases::but(own, 2)
    );
    let mut args = args![now];
    args.extend(own.iter().map(Value::from));
    if let Some(row) = tx.fetch_opt(sql, args).await? {
        return row.text("id").map(Some);
    }
    let (carries, full, each_full) = (CARRIES.replace("r.", "q."), groups::FULL, groups::FULL.replace("q.", "m."));
    let sql = format!(
        "WITH RECURSIVE waiting (team_id) AS (
           SELECT MIN(team_id) FROM runs WHERE state = 'queued' AND finished_at IS NULL
           UNION ALL
           SELECT (SELECT MIN(q.team_id) FROM runs q WHERE q.state = 'queued' AND q.finished_at IS NULL AND q.team_id > w.team_id)
             FROM waiting w WHERE w.team_id IS NOT NULL)
         SELECT r.id FROM waiting w
           JOIN runs r ON r.id = (SELECT q.id FROM runs q WHERE q.team_id = w.team_id AND q.state = 'queued' AND q.finished_at IS NULL AND q.held = FALSE
                  AND NOT EXISTS (SELECT 1 FROM runs o WHERE o.service_id = q.service_id AND o.branch = q.branch
                        AND o.finished_at IS NULL AND (o.state = 'running' OR (o.state = 'queued' AND o.number < q.number)))
                  AND {carries} AND NOT EXISTS (SELECT 1 FROM runs m JOIN runs o ON o.service_id = m.service_id AND o.branch = m.branch
                      WHERE m.lead_id = q.id AND o.finished_at IS NULL AND (o.state = 'running' OR (o.state = 'queued' AND o.number < m.number)))
                  AND (q.lead_id IS NOT NULL OR q.concurrency IS NULL OR NOT EXISTS ({full}))
                  AND NOT EXISTS (SELECT 1 FROM runs m WHERE m.lead_id = q.id AND m.concurrency IS NOT NULL AND EXISTS ({each_full}))
                ORDER BY q.created_at, q.id LIMIT 1)
          ORDER BY (SELECT COUNT(*) FROM runs u WHERE u.team_id = w.team_id AND u.state = 'running' AND u.finished_at IS NULL),
            r.created_at, r.id
          LIMIT 1"
    );
    tx.fetch_opt(sql, args![]).await?.map(|row| row.text("id")).transpose()
}

/// Lets go of what a former life of this holder held, so that it need not wait for the lease to run out.
pub async fn release_held_by(db: &Db, holder: &str) -> Result<u64> {
    let mut tx = db.begin().await?;
    let count = tx
        .execute("UPDATE runs SET lease_until = 0 WHERE holder = $1 AND state = 'running' AND finished_at IS NULL", args![holder])
        .await?;
    tx.commit().await?;
    Ok(count)
}

/// Lets go of a claim, so that the run is taken up again at once.
pub async fn let_go(db: &Db, run: &RunId, fence: i64) -> Result<()> {
    let mut tx = db.begin().await?;
    tx.execute("UPDATE runs SET lease_until = 0 WHERE id = $1 AND fence = $2 AND state = 'running'", args![run, fence]).await?;
    tx.commit().await
}

/// Renews a claim. None: it is somebody else's now, stop. Otherwise whether cancelling was asked for.
pub async fn renew(db: &Db, run: &RunId, fence: i64) -> Result<Option<bool>> {
    let mut tx = db.begin().await?;
    let row = tx
        .fetch_opt(
            "UPDATE runs SET lease_until = $1 WHERE id = $2 AND fence = $3 AND state = 'running' RETURNING cancel_asked_at",
            args![clock::now().plus(LEASE), run, fence],
        )
        .await?;
    let asked = row.map(|row| Ok::<_, super::StoreError>(row.time_opt("cancel_asked_at")?.is_some())).transpose()?;
    tx.commit().await?;
    Ok(asked)
}

/// As [`renew`], but only looks.
pub async fn standing(q: impl Query, run: &RunId, fence: i64) -> Result<Option<bool>> {
    let sql = "SELECT cancel_asked_at FROM runs WHERE id = $1 AND fence = $2 AND state = 'running'";
    let row = q.fetch_opt(sql, args![run, fence]).await?;
    row.map(|row| Ok(row.time_opt("cancel_asked_at")?.is_some())).transpose()
}

/// Writes down what a run under way waits for, and nothing else of it.
pub async fn say(tx: &mut Tx, run: &RunId, fence: i64, waits: Option<&str>) -> Result<()> {
    let sql = "UPDATE runs SET waits = $1 WHERE id = $2 AND fence = $3 AND state = 'running'";
    tx.execute(sql, args![waits, run, fence]).await?;
    Ok(())
}

/// Whether the claim of this fence is still good; the guard of every change below.
async fn held(tx: &mut Tx, run: &RunId, fence: i64) -> Result<bool> {
    let sql = "UPDATE runs SET fence = fence WHERE id = $1 AND fence = $2 AND state = 'running'";
    Ok(tx.execute(sql, args![run, fence]).await? == 1)
}

/// Begins a stage. False: the claim is lost.
pub async fn begin_stage(tx: &mut Tx, run: &RunId, fence: i64, stage: &StageRow) -> Result<bool> {
    if !held(tx, run, fence).await? {
        return Ok(false);
    }
    let now = clock::now();
    tx.execute("UPDATE runs SET stage = $1 WHERE id = $2", args![&stage.name, run]).await?;
    tx.execute("UPDATE stages SET state = 'running', started_at = $1 WHERE id = $2 AND state = 'queued'", args![now, &stage.id]).await?;
    tx.execute("UPDATE steps SET state = 'running', started_at = $1 WHERE stage_id = $2 AND state = 'queued'", args![now, &stage.id])
        .await?;
    Ok(true)
}

/// Has a step of a stage that begins wait: there is no room for it yet. Part of the stage's beginning.
pub async fn hold_back(tx: &mut Tx, step: &StepId) -> Result<()> {
    tx.execute("UPDATE steps SET state = 'queued', started_at = NULL WHERE id = $1 AND state = 'running'", args![step]).await?;
    Ok(())
}

/// Begins a step that waited. False: the claim is lost.
pub async fn begin_step(tx: &mut Tx, run: &RunId, fence: i64, step: &StepId) -> Result<bool> {
    if !held(tx, run, fence).await? {
        return Ok(false);
    }
    let sql = "UPDATE steps SET state = 'running', started_at = $1 WHERE id = $2 AND state = 'queued'";
    tx.execute(sql, args![clock::now(), step]).await?;
    Ok(true)
}

/// Ends a step. False: the claim is lost.
pub async fn end_step(
    tx: &mut Tx,
    run: &RunId,
    fence: i64,
    step: &StepId,
    state: RunState,
    exit_code: Option<i64>,
    failure: Option<&str>,
) -> Result<bool> {
    if !held(tx, run, fence).await? {
        return Ok(false);
    }
    tx.execute(
        "UPDATE steps SET state = $1, exit_code = $2, failure = $3, finished_at = $4 WHERE id = $5 AND finished_at IS NULL",
        args![state.name(), exit_code, failure, clock::now(), step],
    )
    .await?;
    Ok(true)
}

/// Ends a stage; whatever of its steps is still open ends the same way. False: the claim is lost.
pub async fn end_stage(tx: &mut Tx, run: &RunId, fence: i64, stage: &StageId, state: RunState) -> Result<bool> {
    if !held(tx, run, fence).await? {
        return Ok(false);
    }
    let now = clock::now();
    let ends = "SET state = $1, finished_at = $2 WHERE finished_at IS NULL AND";
    tx.execute(format!("UPDATE stages {ends} id = $3"), args![state.name(), now, stage]).await?;
    tx.execute(format!("UPDATE steps {ends} stage_id = $3"), args![state.name(), now, stage]).await?;
    Ok(true)
}

/// Ends a stage that failed, and begins what is run after a failure: each a row of its own, by name and image. What is still
/// open of the stage stays so until [`end_stage`]. None: the claim is lost.
pub async fn begin_after(
    tx: &mut Tx,
    run: &RunRow,
    stage: &StageRow,
    state: RunState,
    steps: &[(&str, &str)],
) -> Result<Option<Vec<StepId>>> {
    if !held(tx, &run.id, run.fence).await? {
        return Ok(None);
    }
    let (now, first) = (clock::now(), stage.steps.len() + stage.sidecars.len());
    let sql = "UPDATE stages SET state = $1, finished_at = $2 WHERE finished_at IS NULL AND id = $3";
    tx.execute(sql, args![state.name(), now, &stage.id]).await?;
    let mut begun = Vec::new();
    for (position, (name, image)) in (first..).zip(steps) {
        let step = StepId::from_text(clock::new_id());
        tx.execute(
            "INSERT INTO steps (id, team_id, run_id, stage_id, position, name, image, state, on_failure, started_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, 'running', TRUE, $8)",
            args![&step, &run.team_id, &run.id, &stage.id, position, *name, *image, now],
        )
        .await?;
        begun.push(step);
    }
    Ok(Some(begun))
}

/// Ends a run; stages not reached are skipped. False: the claim is lost, nothing was written.
pub async fn finish(
    tx: &mut Tx,
    run: &RunId,
    fence: i64,
    state: RunState,
    failure: Option<&str>,
    candidate: Option<&CandidateId>,
) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE runs SET state = $1, failure = $2, candidate_id = $3, finished_at = $4, lease_until = NULL, waits = NULL
              WHERE id = $5 AND fence = $6 AND state = 'running'",
            args![state.name(), failure, candidate, clock::now(), run, fence],
        )
        .await?;
    if changed == 1 {
        skip_rest(tx, run).await?;
        forge_statuses::note(tx, run.as_str()).await?;
    }
    Ok(changed == 1)
}

/// Ends what a run that ended still had to do.
pub(super) async fn skip_rest(tx: &mut Tx, run: &RunId) -> Result<()> {
    for table in ["stages", "steps"] {
        let sql = format!("UPDATE {table} SET state = 'skipped' WHERE run_id = $1 AND state = 'queued'");
        tx.execute(sql, args![run]).await?;
        let sql = format!("UPDATE {table} SET state = 'cancelled', finished_at = $2 WHERE run_id = $1 AND state = 'running'");
        tx.execute(sql, args![run, clock::now()]).await?;
    }
    Ok(())
}

/// What a holder finds when it takes a run up.
#[derive(Debug)]
pub enum TakenUp {
    /// These stages are still to do, in order; empty where one was interrupted too often.
    ToDo(Vec<StageRow>),
    /// This stage had ended the run already; only the run's own end was not written.
    Ended(StageRow),
}

/// Marks what a vanished holder left under way as lost and writes the next attempt of it. Answers with what is to be done;
/// none where the claim is lost. `again` says whether a stage may be tried a further time.
pub async fn take_up(tx: &mut Tx, run: &RunRow, again: impl Fn(&StageRow) -> bool) -> Result<Option<TakenUp>> {
    if !held(tx, &run.id, run.fence).await? {
        return Ok(None);
    }
    let mut to_do = Vec::new();
    let stages = stages_of(&mut *tx, &run.id).await?;
    let newest: BTreeMap<_, _> = stages.iter().map(|stage| (stage.position, stage.attempt)).collect();
    for stage in stages {
        match stage.state {
            // What is not wanted in this run is done.
            RunState::Passed | RunState::Skipped => {}
            state if state.ended() && newest.get(&stage.position) == Some(&stage.attempt) => return Ok(Some(TakenUp::Ended(stage))),
            RunState::Queued => to_do.push(stage),
            RunState::Running => {
                end_stage(tx, &run.id, run.fence, &stage.id, RunState::Lost).await?;
                if !again(&stage) {
                    return Ok(Some(TakenUp::ToDo(Vec::new())));
                }
                let (steps, sidecars, skipped) = steps_with_images(&mut *tx, &stage.id).await?;
                let StageRow { id, position, name, kind, attempt, .. } = stage;
                let next = NewStage { position, name, kind, attempt: attempt + 1, steps, sidecars, skipped };
                let mut next = insert_stage(tx, &run.team_id, &run.id, &next, RunState::Queued).await?;
                let taken = files::take_again(tx, &id, &next.id).await?;
                for step in next.steps.iter_mut().filter(|step| taken.contains(&step.1)) {
                    step.2 = RunState::Passed;
                }
                to_do.push(next);
            }
            _ => {}
        }
    }
    to_do.sort_by_key(|stage| (stage.position, stage.attempt));
    Ok(Some(TakenUp::ToDo(to_do)))
}

/// Writes down how often a step was tried. Part of its end.
pub async fn set_tries(tx: &mut Tx, step: &StepId, tries: u32) -> Result<()> {
    tx.execute("UPDATE steps SET tries = $1 WHERE id = $2", args![tries, step]).await?;
    Ok(())
}

/// What a stage that did not pass came to: the step that decided, with its failure, and whether it is none but ran beside.
pub async fn why(q: impl Query, stage: &StageRow) -> Result<Option<(String, String, bool)>> {
    let rows = q
        .fetch_all(
            "SELECT name, failure, sidecar FROM steps WHERE stage_id = $1 AND failure IS NOT NULL AND state <> 'skipped' AND on_failure = FALSE
              ORDER BY CASE WHEN state = $2 THEN 0 ELSE 1 END, position LIMIT 1",
            args![stage.id.as_str(), stage.state.name()],
        )
        .await?;
    rows.first().map(|row| Ok((row.text("name")?, row.text("failure")?, row.bool("sidecar")?))).transpose()
}

type Named = Vec<(String, String)>;

/// Names and images of the steps of a stage, and of what runs beside them; and which are not wanted, and why.
async fn steps_with_images(q: impl Query, stage: &StageId) -> Result<(Named, Named, Named)> {
    let sql = "SELECT name, image, state, failure, sidecar FROM steps WHERE stage_id = $1 AND on_failure = FALSE ORDER BY position";
    let rows = q.fetch_all(sql, args![stage]).await?;
    let (mut steps, mut sidecars, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
    for row in &rows {
        if row.text("state")? == RunState::Skipped.name()
            && let Some(why) = row.text_opt("failure")?
        {
            skipped.push((row.text("name")?, why));
        }
        let list = if row.bool("sidecar")? { &mut sidecars } else { &mut steps };
        list.push((row.text("name")?, row.text("image")?));
    }
    Ok((steps, sidecars, skipped))
}

const STAGES: &str = "SELECT * FROM stages WHERE run_id = $1 ORDER BY position, attempt";
const STEPS: &str = "SELECT id, stage_id, name, state, sidecar FROM steps WHERE run_id = $1 AND on_failure = FALSE ORDER BY position";

/// The stages of a run with all their attempts, in order.
pub async fn stages(q: impl Query + Copy, run: &RunId) -> Result<Vec<StageRow>> {
    read_stages(&q.fetch_all(STAGES, args![run]).await?, &q.fetch_all(STEPS, args![run]).await?)
}

async fn stages_of(tx: &mut Tx, run: &RunId) -> Result<Vec<StageRow>> {
    let stages = tx.fetch_all(STAGES, args![run]).await?;
    read_stages(&stages, &tx.fetch_all(STEPS, args![run]).await?)
}

fn read_stages(stages: &[Row], steps: &[Row]) -> Result<Vec<StageRow>> {
    stages
        .iter()
        .map(|row| {
            let id = row.text("id")?;
            let (mut mine, mut sidecars) = (Vec::new(), Vec::new());
            for step in steps {
                if step.text("stage_id")? == id {
                    let list = if step.bool("sidecar")? { &mut sidecars } else { &mut mine };
                    list.push((StepId::from_text(step.text("id")?), step.text("name")?, step.named("state", RunState::from_name)?));
                }
            }
            Ok(StageRow {
                id: StageId::from_text(id),
                position: row.num("position")?,
                name: row.text("name")?,
                kind: row.named("kind", kind_of)?,
                state: row.named("state", RunState::from_name)?,
                attempt: row.num("attempt")?,
                steps: mine,
                sidecars,
            })
        })
        .collect()
}

/// Asks for a run to be cancelled, and with it for those that were to come to the same version. A queued one ends at once.
/// None: there is no such run; false: it has ended already. The id is that of the run whose holder is to know.
pub async fn ask_cancel(tx: &mut Tx, team: &TeamId, service: &ServiceId, number: u64) -> Result<Option<(RunId, bool)>> {
    let now = clock::now();
    let row = tx
        .fetch_opt("SELECT id, lead_id FROM runs WHERE team_id = $1 AND service_id = $2 AND number = $3", args![team, service, number])
        .await?;
    let Some(row) = row else { return Ok(None) };
    let lead = row.text_opt("lead_id")?;
    let id = RunId::from_text(row.text("id")?);
    let queued = tx
        .execute(
            "UPDATE runs SET state = 'cancelled', cancel_asked_at = $1, finished_at = $1 WHERE id = $2 AND state = 'queued'",
            args![now, &id],
        )
        .await?;
    if queued == 1 {
        skip_rest(tx, &id).await?;
        forge_statuses::note(tx, id.as_str()).await?;
        if let Some(lead) = &lead {
            together::end_queued(tx, lead, RunState::Cancelled, None).await?;
        }
    }
    let which = if lead.is_some() { "lead_id" } else { "id" };
    let id = lead.map_or(id, RunId::from_text);
    let sql = format!("UPDATE runs SET cancel_asked_at = COALESCE(cancel_asked_at, $1) WHERE {which} = $2 AND state = 'running'");
    let running = tx.execute(sql, args![now, &id]).await?;
    Ok(Some((id, queued + running > 0)))
}

/// Lets a run go on that waits for somebody to have read its commit. `by` has read `commit`: of another one that says nothing.
/// Answers with its id; none where it waits for that no more.
pub async fn approve(tx: &mut Tx, service: &ServiceId, number: u64, commit: &str, by: &str) -> Result<Option<RunId>> {
    let sql = "UPDATE runs SET held = FALSE, approved_by = $4
                WHERE service_id = $1 AND number = $2 AND commit_id = $3 AND held = TRUE AND state = 'queued' RETURNING id";
    let row = tx.fetch_opt(sql, args![service, number, commit, by]).await?;
    row.map(|row| row.text("id").map(RunId::from_text)).transpose()
}

/// Whether every stage of a run passed, or was not wanted: of one that ends in no image only its own end is left to be written.
pub async fn is_whole(q: impl Query, run: &RunId) -> Result<bool> {
    let sql = "SELECT g.id FROM stages g WHERE g.run_id = $1 AND g.state NOT IN ('passed', 'skipped')
                 AND g.attempt = (SELECT MAX(o.attempt) FROM stages o WHERE o.run_id = $1 AND o.position = g.position) LIMIT 1";
    Ok(q.fetch_opt(sql, args![run]).await?.is_none())
}

/// Which of these are not under way: their leftovers may go. A release command is found under the id of its rollout.
pub async fn not_under_way(q: impl Query, runs: &[RunId]) -> Result<Vec<RunId>> {
    let rows = q
        .fetch_all(
            "SELECT id FROM runs WHERE state = 'running' AND finished_at IS NULL
             UNION ALL SELECT id FROM rollouts WHERE state = 'running' AND finished_at IS NULL",
            args![],
        )
        .await?;
    let open: Vec<String> = rows.iter().map(|row| row.text("id")).collect::<Result<_>>()?;
    Ok(runs.iter().filter(|run| !open.iter().any(|id| id == run.as_str())).cloned().collect())
}

/// One run as the one who carries it out needs it.
pub async fn row(q: impl Query, run: &RunId) -> Result<Option<RunRow>> {
    q.fetch_opt(format!("{ROW} WHERE r.id = $1"), args![run]).await?.as_ref().map(read).transpose()
}

/// The run of this number of a service.
pub async fn by_number(q: impl Query, team: &TeamId, service: &ServiceId, number: u64) -> Result<Option<RunRow>> {
    let row =
        q.fetch_opt(format!("{ROW} WHERE r.team_id = $1 AND r.service_id = $2 AND r.number = $3"), args![team, service, number]).await?;
    row.as_ref().map(read).transpose()
}

/// The last run of a branch before this number that passed: its number, id and commit.
pub async fn last_passed(q: impl Query, service: &ServiceId, branch: &str, before: u64) -> Result<Option<(u64, RunId, String)>> {
    let sql = "SELECT number, id, commit_id FROM runs WHERE service_id = $1 AND branch = $2 AND number < $3 AND state = 'passed'
                ORDER BY number DESC LIMIT 1";
    let row = q.fetch_opt(sql, args![service, branch, before]).await?;
    row.map(|row| Ok((row.num("number")?, RunId::from_text(row.text("id")?), row.text("commit_id")?))).transpose()
}

/// The columns of a run in one line, joined as `r`: not its pipeline, which is long.
const BRIEF: &str = "r.service_id, r.lead_id, r.number, r.state, r.commit_id, r.title, r.branch, r.pushed_by, r.stage, r.kept,
     r.event, r.held, r.created_at, r.started_at, r.finished_at";

fn read_brief(row: &Row) -> Result<RunBrief> {
    let branch = row.text("branch")?;
    Ok(RunBrief {
        event: row.named("event", RunEvent::from_name)?,
        tag: tag_of(&branch).map(str::to_owned),
        number: row.num("number")?,
        state: row.named("state", RunState::from_name)?,
        commit: row.text("commit_id")?,
        title: row.text("title")?,
        branch,
        by: row.text("pushed_by")?,
        stage: row.text_opt("stage")?,
        kept: row.bool("kept")?,
        held: row.bool("held")? && row.text("state")? == RunState::Queued.name(),
        together: Vec::new(),
        created_at: row.time("created_at")?,
        started_at: row.time_opt("started_at")?,
        finished_at: row.time_opt("finished_at")?,
    })
}

/// The runs of a service, newest first.
pub async fn list(
    q: impl Query + Copy,
    team: &TeamId,
    service: &ServiceId,
    filter: &RunFilter,
    page: &PageRequest,
) -> Result<Page<RunBrief>> {
    let before: Option<i64> = page.cursor.as_deref().and_then(|cursor| cursor.parse().ok());
    let mut values = args![team, service, before.unwrap_or(i64::MAX), page.size() + 1];
    let fits = fits(filter, &mut values);
    let rows = q
        .fetch_all(
            format!(
                "SELECT {BRIEF} FROM runs r WHERE r.team_id = $1 AND r.service_id = $2 AND r.number < $3{fits}
                  ORDER BY r.number DESC LIMIT $4"
            ),
            values,
        )
        .await?;
    let leads: Vec<String> = rows.iter().filter_map(|row| row.text_opt("lead_id").ok().flatten()).collect();
    let names = together::names(q, &leads).await?;
    let read = |row: &Row| {
        let together = row.text_opt("lead_id")?.and_then(|lead| names.get(&lead).cloned()).unwrap_or_default();
        Ok(RunBrief { together, ..read_brief(row)? })
    };
    Ok(paged(readable(&rows, read), page, |run| run.number.to_string()))
}

/// The conditions of a filter on a run `r`; what it is held against goes to `values`.
fn fits(filter: &RunFilter, values: &mut Vec<Value>) -> String {
    let mut sql = String::new();
    let given = |text: &Option<String>| text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let equal =
        [("state", filter.state.map(|state| state.name().to_owned())), ("branch", given(&filter.branch)), ("pushed_by", given(&filter.by))];
    for (column, value) in equal {
        if let Some(value) = value {
            values.push(value.into());
            sql.push_str(&format!(" AND r.{column} = ${}", values.len()));
        }
    }
    if let Some(text) = given(&filter.text) {
        values.extend([
            search::pattern(&text, false).into(),
            text.to_ascii_lowercase().into(),
            format!("{}g", text.to_ascii_lowercase()).into(),
        ]);
        let n = values.len();
        // As a range: a commit's hash begins like this in every collation.
        sql.push_str(&format!(
            " AND (LOWER(r.title) LIKE LOWER(${}) ESCAPE '\\' OR r.commit_id >= ${} AND r.commit_id < ${n})",
            n - 2,
            n - 1
        ));
    }
    sql
}

/// The newest run of every service looked at, in one query.
pub async fn newest_of_services(q: impl Query, look: Look<'_>) -> Result<Vec<(ServiceId, RunBrief)>> {
    let rows = q
        .fetch_all(
            format!("SELECT {BRIEF} FROM services s JOIN runs r ON r.service_id = s.id AND r.number = s.next_run - 1 WHERE {SERVICES}"),
            look.values(),
        )
        .await?;
    Ok(readable(&rows, |row| Ok((ServiceId::from_text(row.text("service_id")?), read_brief(row)?))))
}

/// A run as its page shows it.
pub async fn show(q: impl Query + Copy, team: &TeamId, service: &ServiceId, number: u64) -> Result<Option<Run>> {
    let row = q
        .fetch_opt(
            "SELECT r.*, t.name AS team, s.name AS service, c.number AS candidate_number,
                (SELECT l.waits FROM runs l WHERE l.id = r.lead_id) AS lead_waits,
                (SELECT g.number FROM runs g WHERE g.id = r.goes_on) AS goes_on_number,
                (SELECT MIN(o.number) FROM runs o WHERE o.service_id = r.service_id AND o.branch = r.branch AND o.number < r.number
                   AND o.finished_at IS NULL) AS before
               FROM runs r JOIN teams t ON t.id = r.team_id JOIN services s ON s.id = r.service_id
               LEFT JOIN candidates c ON c.id = r.candidate_id
              WHERE r.team_id = $1 AND r.service_id = $2 AND r.number = $3",
            args![team, service, number],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let id = RunId::from_text(row.text("id")?);
    let stages = shown_stages(q, &id).await?;
    let brief = read_brief(&row)?;
    let lead = row.text_opt("lead_id")?;
    let together = match &lead {
        Some(lead) => together::siblings(q, lead).await?,
        None => Vec::new(),
    };
    let waits = match (brief.state, row.int_opt("before")?, &lead) {
        (RunState::Queued, ..) if brief.held => Some(said::waits_approval(brief.commit.get(..8).unwrap_or_default())),
        (RunState::Queued, Some(number), _) => Some(said::waits_run(number, &brief.branch)),
        (RunState::Queued, None, Some(lead)) => Some(together::waits(q, team, lead, &brief.branch).await?),
        (RunState::Queued, None, None) => Some(groups::full(q, team, &id).await?.unwrap_or_else(said::waits_place)),
        // What the engine keeps them waiting for is written down with the lead.
        _ => row.text_opt("waits")?.or(row.text_opt("lead_waits")?),
    };
    let rollouts = match row.text_opt("candidate_id")? {
        // A kept candidate was rolled out by the run that made it.
        Some(candidate) if !brief.kept => rollouts_of(q, &candidate).await?,
        _ => Vec::new(),
    };
    let push = match row.text_opt("push_id")? {
        Some(push) => selection::of_push(q, team, &push).await?.into_iter().map(|of| of.shown).collect(),
        None => Vec::new(),
    };
    Ok(Some(Run {
        team: row.parsed("team")?,
        service: row.parsed("service")?,
        number: brief.number,
        state: brief.state,
        commit: brief.commit,
        title: brief.title,
        author: row.text("author")?,
        branch: brief.branch,
        event: brief.event,
        tag: brief.tag,
        inputs: row.json("inputs")?,
        by: brief.by,
        reason: row.text("reason")?,
        waits,
        failure: row.text_opt("failure")?,
        superseded_by: row.int_opt("superseded_by")?.and_then(|number| u64::try_from(number).ok()),
        stages,
        candidate: row.int_opt("candidate_number")?.and_then(|number| u64::try_from(number).ok()),
        image: None,
        since_good: None,
        rollouts,
        kept: brief.kept,
        held: brief.held,
        untrusted: row.bool("untrusted")?,
        approved_by: row.text_opt("approved_by")?,
        push,
        together,
        goes_on: row.int_opt("goes_on_number")?.and_then(|number| u64::try_from(number).ok()),
        files_until: row.time_opt("files_until")?,
        again: Vec::new(),
        cancelling: row.time_opt("cancel_asked_at")?.is_some() && !brief.state.ended(),
        created_at: brief.created_at,
        started_at: brief.started_at,
        finished_at: brief.finished_at,
    }))
}

/// The first rollout of a candidate in each environment that the run itself asked for.
async fn rollouts_of(q: impl Query, candidate: &str) -> Result<Vec<app::model::RolloutBrief>> {
    let rows = q
        .fetch_all(
            "SELECT o.*, r.candidate_number FROM rollouts o JOIN releases r ON r.id = o.release_id
              WHERE r.candidate_id = $1 AND r.reason LIKE 'candidate % of run %' ORDER BY o.created_at",
            args![candidate],
        )
        .await?;
    Ok(readable(&rows, rollouts::read_brief))
}

async fn shown_stages(q: impl Query + Copy, run: &RunId) -> Result<Vec<Stage>> {
    let stages = q.fetch_all("SELECT * FROM stages WHERE run_id = $1 ORDER BY position, attempt", args![run]).await?;
    let steps = q.fetch_all("SELECT * FROM steps WHERE run_id = $1 ORDER BY position", args![run]).await?;
    let steps = readable(&steps, |row| Ok((row.text("stage_id")?, read_step(row)?)));
    Ok(readable(&stages, |row| {
        let id = row.text("id")?;
        Ok(Stage {
            name: row.text("name")?,
            kind: row.named("kind", kind_of)?,
            state: row.named("state", RunState::from_name)?,
            attempt: row.num("attempt")?,
            steps: steps.iter().filter(|(stage, _)| *stage == id).map(|(_, step)| step.clone()).collect(),
            started_at: row.time_opt("started_at")?,
            finished_at: row.time_opt("finished_at")?,
        })
    }))
}

fn read_step(row: &Row) -> Result<Step> {
    Ok(Step {
        id: StepId::from_text(row.text("id")?),
        name: row.text("name")?,
        image: row.text("image")?,
        state: row.named("state", RunState::from_name)?,
        exit_code: row.int_opt("exit_code")?,
        failure: row.text_opt("failure")?,
        lines: row.num("lines")?,
        tries: row.num("tries")?,
        sidecar: row.bool("sidecar")?,
        on_failure: row.bool("on_failure")?,
        taken_from: row.int_opt("taken_from")?.and_then(|number| u64::try_from(number).ok()),
        started_at: row.time_opt("started_at")?,
        finished_at: row.time_opt("finished_at")?,
    })
}
