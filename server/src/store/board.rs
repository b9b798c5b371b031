//! What the board of a team and the overview of a service show, each kind of row in one query however many targets there
//! are.

use std::collections::BTreeMap;

use app::model::{
    Candidate, CandidateId, EnvironmentName, ReleaseBrief, ReleaseId, RunBrief, RunState, ServiceId, ServiceName, TargetId, TeamId,
    Timestamp,
};

use super::{
    Query, Row,
    db::{Result, readable},
};
use crate::args;

/// Which targets are looked at: a team's, or those of one service of it.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// The team.
    pub team: &'a TeamId,
    /// The one service; none: all.
    pub service: Option<&'a ServiceId>,
}

/// The targets looked at, as `g`.
const LOOKED_AT: &str = "g.team_id = $1 AND (CAST($2 AS TEXT) IS NULL OR g.service_id = $2)";

/// A release that a target serves or should.
#[derive(Clone, Debug)]
pub struct BoardRelease {
    /// The target.
    pub target: TargetId,
    /// In one line.
    pub brief: ReleaseBrief,
    /// The number its instances carry.
    pub generation: u64,
    /// Instances of each process.
    pub replicas: BTreeMap<String, u32>,
}

/// The releases that the targets serve or should.
pub async fn releases(q: impl Query, look: Look<'_>) -> Result<Vec<BoardRelease>> {
    let sql = format!(
        "SELECT r.* FROM targets g JOIN releases r ON r.id IN (g.release_id, g.wanted_release_id) WHERE {LOOKED_AT} ORDER BY r.number"
    );
    let rows = q.fetch_all(sql, args![look.team, look.service]).await?;
    Ok(readable(&rows, |row| {
        Ok(BoardRelease {
            target: TargetId::from_text(row.text("target_id")?),
            brief: ReleaseBrief {
                id: ReleaseId::from_text(row.text("id")?),
                number: row.num("number")?,
                candidate: row.int_opt("candidate_number")?.and_then(|number| u64::try_from(number).ok()),
                created_at: row.time("created_at")?,
            },
            generation: row.num("generation")?,
            replicas: row.json("replicas")?,
        })
    }))
}

/// An instance that is or was served by the edge.
#[derive(Clone, Debug)]
pub struct BoardBackend {
    /// The target.
    pub target: TargetId,
    /// The number it carries: its release's generation.
    pub generation: u64,
    /// Its process.
    pub process: String,
    /// Its slot.
    pub slot: u32,
    /// Since when it is served.
    pub since: Timestamp,
    /// Since when it drains.
    pub draining_since: Option<Timestamp>,
}

/// The instances of the targets.
pub async fn backends(q: impl Query, look: Look<'_>) -> Result<Vec<BoardBackend>> {
    let sql = format!(
        "SELECT b.* FROM targets g JOIN backends b ON b.target_id = g.id WHERE {LOOKED_AT} ORDER BY b.release_number, b.process, b.slot"
    );
    let rows = q.fetch_all(sql, args![look.team, look.service]).await?;
    Ok(readable(&rows, |row| {
        Ok(BoardBackend {
            target: TargetId::from_text(row.text("target_id")?),
            generation: row.num("release_number")?,
            process: row.text("process")?,
            slot: row.num("slot")?,
            since: row.time("since")?,
            draining_since: row.time_opt("draining_since")?,
        })
    }))
}

fn read_run(row: &Row) -> Result<RunBrief> {
    Ok(RunBrief {
        number: row.num("number")?,
        state: row.named("state", RunState::from_name)?,
        commit: row.text("commit_id")?,
        title: row.text("title")?,
        branch: row.text("branch")?,
        by: row.text("pushed_by")?,
        stage: row.text_opt("stage")?,
        created_at: row.time("created_at")?,
        started_at: row.time_opt("started_at")?,
        finished_at: row.time_opt("finished_at")?,
    })
}

/// The newest run of each service of a team.
pub async fn newest_runs(q: impl Query, team: &TeamId) -> Result<Vec<(ServiceName, RunBrief)>> {
    let rows = q
        .fetch_all(
            "SELECT s.name AS service, r.* FROM services s JOIN runs r ON r.service_id = s.id
                AND r.number = (SELECT MAX(x.number) FROM runs x WHERE x.service_id = s.id)
              WHERE s.team_id = $1 AND s.deleted_at IS NULL",
            args![team],
        )
        .await?;
    Ok(readable(&rows, |row| Ok((row.parsed("service")?, read_run(row)?))))
}

/// The last runs of a service, newest first.
pub async fn last_runs(q: impl Query, service: &ServiceId, limit: u32) -> Result<Vec<RunBrief>> {
    let rows = q.fetch_all("SELECT * FROM runs WHERE service_id = $1 ORDER BY number DESC LIMIT $2", args![service, limit]).await?;
    Ok(readable(&rows, read_run))
}

/// The last candidates of a service, newest first; where they run is the caller's to add.
pub async fn last_candidates(q: impl Query, service: &ServiceId, limit: u32) -> Result<Vec<Candidate>> {
    let rows = q.fetch_all("SELECT * FROM candidates WHERE service_id = $1 ORDER BY number DESC LIMIT $2", args![service, limit]).await?;
    Ok(readable(&rows, |row| {
        Ok(Candidate {
            id: CandidateId::from_text(row.text("id")?),
            number: row.num("number")?,
            image: row.text("image")?,
            commit: row.text("commit_id")?,
            title: row.text("title")?,
            branch: row.text("branch")?,
            run: row.num("run_number")?,
            shape: row.json("shape")?,
            size: row.num("size")?,
            created_at: row.time("created_at")?,
            runs_in: Vec::<EnvironmentName>::new(),
        })
    }))
}
