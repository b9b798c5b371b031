//! What the lights and the measures of a service rest on, as far back as they look.

use app::model::{EnvironmentName, RepositoryId, RolloutState, RunState, ServiceId, ServiceName, TargetId, TeamId, Timestamp};

use super::{
    Query, Row, Tx,
    db::{Result, readable},
};
use crate::args;

/// How many runs, pushes and deployments are looked at.
const MOST: u32 = 2_000;

/// A service as far as the lights go.
#[derive(Clone, Debug)]
pub struct Looked {
    /// Its repository.
    pub repository: RepositoryId,
    /// The branch that is looked at.
    pub branch: String,
    /// Whether pushes onto it while it is red must mend it.
    pub guards_red: bool,
    /// Whether everybody may see the badges of its team.
    pub public_badges: bool,
}

/// A service as far as the lights go.
pub async fn of_service(q: impl Query, team: &TeamId, service: &ServiceId) -> Result<Option<Looked>> {
    let row = q
        .fetch_opt(
            "SELECT s.repository_id, p.default_branch, s.guards_red, t.public_badges FROM services s JOIN teams t ON t.id = s.team_id
               JOIN repositories p ON p.id = s.repository_id WHERE s.id = $2 AND s.team_id = $1",
            args![team, service],
        )
        .await?;
    row.as_ref().map(looked).transpose()
}

fn looked(row: &Row) -> Result<Looked> {
    Ok(Looked {
        repository: RepositoryId::from_text(row.text("repository_id")?),
        branch: row.text("default_branch")?,
        guards_red: row.bool("guards_red")?,
        public_badges: row.bool("public_badges")?,
    })
}

/// What happened last as far as lights go: as long as it is the same, so is what they rest on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newest {
    /// The repository.
    pub repository: String,
    /// When the last of the branch's newest runs ended.
    pub run_ended: Option<Timestamp>,
    /// How many of them have ended.
    pub runs: u64,
    /// The last push.
    pub change: Option<String>,
}

/// How many of a branch's newest runs are looked at for whether one ended.
const NEWEST: u32 = 50;

/// So many of a team's services, by name, each with what happened last as far as lights go.
pub async fn newest_of_team(q: impl Query, team: &TeamId, most: u32) -> Result<Vec<(ServiceId, ServiceName, Looked, Newest)>> {
    let last = |what: &str| {
        format!(
            "(SELECT {what}(n.finished_at) FROM (SELECT r.finished_at FROM runs r WHERE r.service_id = s.id AND r.branch = p.default_branch
                                                  ORDER BY r.number DESC LIMIT $2) n)"
        )
    };
    let sql = format!(
        "SELECT s.id, s.name, s.repository_id, p.default_branch, s.guards_red, t.public_badges, {} AS ended, {} AS runs,
                (SELECT c.id FROM ref_changes c WHERE c.repository_id = s.repository_id ORDER BY c.created_at DESC, c.id DESC LIMIT 1) AS pushed
           FROM services s JOIN teams t ON t.id = s.team_id JOIN repositories p ON p.id = s.repository_id
          WHERE s.team_id = $1 AND s.deleted_at IS NULL ORDER BY s.name LIMIT $3",
        last("MAX"),
        last("COUNT")
    );
    let read = |row: &Row| {
        let newest = Newest {
            repository: row.text("repository_id")?,
            run_ended: row.time_opt("ended")?,
            runs: row.num("runs")?,
            change: row.text_opt("pushed")?,
        };
        Ok((ServiceId::from_text(row.text("id")?), row.parsed("name")?, looked(row)?, newest))
    };
    Ok(readable(&q.fetch_all(&sql, args![team, NEWEST, most]).await?, read))
}

/// What happened last as far as lights go.
pub async fn newest(q: impl Query + Copy, repository: &RepositoryId, service: &ServiceId, branch: &str) -> Result<Newest> {
    let sql = "SELECT MAX(n.finished_at) AS ended, COUNT(n.finished_at) AS runs
                 FROM (SELECT finished_at FROM runs WHERE service_id = $1 AND branch = $2 ORDER BY number DESC LIMIT $3) n";
    let ended = q.fetch_opt(sql, args![service, branch, NEWEST]).await?;
    let sql = "SELECT id FROM ref_changes WHERE repository_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1";
    let change = q.fetch_opt(sql, args![repository]).await?;
    Ok(Newest {
        repository: repository.to_string(),
        run_ended: ended.as_ref().map(|row| row.time_opt("ended")).transpose()?.flatten(),
        runs: ended.as_ref().map_or(Ok(0), |row| row.num("runs"))?,
        change: change.map(|row| row.text("id")).transpose()?,
    })
}

/// Pushes to branches of a repository since then: who, when, to which ref.
pub async fn pushes(q: impl Query, repository: &RepositoryId, since: Timestamp) -> Result<Vec<(String, Timestamp, String)>> {
    let sql = "SELECT pushed_by, created_at, ref FROM ref_changes WHERE repository_id = $1 AND created_at >= $2 AND new_commit IS NOT NULL
                ORDER BY created_at DESC LIMIT $3";
    q.fetch_each(sql, args![repository, since, MOST], |row| Ok((row.text("pushed_by")?, row.time("created_at")?, row.text("ref")?))).await
}

/// When a ref was pushed first, since it was made last.
pub async fn begun(q: impl Query, repository: &RepositoryId, reference: &str) -> Result<Option<Timestamp>> {
    let sql = "SELECT created_at FROM ref_changes WHERE repository_id = $1 AND ref = $2 AND old_commit IS NULL ORDER BY id DESC LIMIT 1";
    q.fetch_opt(sql, args![repository, reference]).await?.map(|row| row.time("created_at")).transpose()
}

/// A run of a branch that has ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Its number.
    pub number: u64,
    /// How it ended.
    pub state: RunState,
    /// When its push was accepted.
    pub pushed_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Whether steps were carried out.
    pub steps: bool,
    /// Whether it made a candidate.
    pub candidate: bool,
    /// How many tests it carried out.
    pub tests: u64,
}

/// The last runs of a branch that have ended since then, oldest first; a run with nothing to do is none.
pub async fn runs(q: impl Query, service: &ServiceId, branch: &str, since: Timestamp) -> Result<Vec<Ended>> {
    let rows = q
        .fetch_all(
            "SELECT r.number, r.state, r.created_at, r.finished_at, r.candidate_id,
                EXISTS (SELECT 1 FROM stages g WHERE g.run_id = r.id AND g.kind = 'steps' AND g.state = 'passed') AS steps,
                CAST((SELECT COALESCE(SUM(t.passed + t.failed), 0) FROM step_tests t WHERE t.run_id = r.id) AS BIGINT) AS tests
               FROM runs r WHERE r.service_id = $1 AND r.branch = $2 AND r.finished_at IS NOT NULL
                AND (r.state = 'skipped' AND r.candidate_id IS NULL OR EXISTS (SELECT 1 FROM stages g WHERE g.run_id = r.id))
              ORDER BY r.number DESC LIMIT $3",
            args![service, branch, MOST],
        )
        .await?;
    let mut runs = Vec::new();
    // Numbers are given as runs are made: what comes after one that is too old is older.
    for row in &rows {
        let pushed_at = row.time("created_at")?;
        if pushed_at < since {
            break;
        }
        runs.push(Ended {
            number: row.num("number")?,
            state: row.named("state", RunState::from_name)?,
            pushed_at,
            ended_at: row.time("finished_at")?,
            steps: row.bool("steps")?,
            candidate: row.text_opt("candidate_id")?.is_some(),
            tests: row.num("tests")?,
        });
    }
    runs.reverse();
    Ok(runs)
}

/// The last run of a branch that says whether it is good: its number, and whether it is. None: nothing has said so.
pub async fn verdict(q: impl Query, service: &ServiceId, branch: &str) -> Result<Option<(u64, bool)>> {
    let sql = "SELECT number, state FROM runs WHERE service_id = $1 AND branch = $2 AND kept = FALSE AND state IN ('passed', 'failed', 'timed_out')
                ORDER BY number DESC LIMIT 1";
    let row = q.fetch_opt(sql, args![service, branch]).await?;
    row.map(|row| Ok((row.num("number")?, row.text("state")? == "passed"))).transpose()
}

/// The last environment a service is in, with its target.
pub async fn last_environment(q: impl Query, service: &ServiceId) -> Result<Option<(TargetId, EnvironmentName)>> {
    let sql = "SELECT g.id, e.name FROM targets g JOIN environments e ON e.id = g.environment_id WHERE g.service_id = $1
                ORDER BY e.position DESC LIMIT 1";
    let row = q.fetch_opt(sql, args![service]).await?;
    row.map(|row| Ok((TargetId::from_text(row.text("id")?), row.parsed("name")?))).transpose()
}

/// A rollout that brought another image and has ended.
#[derive(Clone, Debug)]
pub struct Deployed {
    /// When it ended.
    pub at: Timestamp,
    /// Whether it was proven.
    pub good: bool,
    /// Why the release was made.
    pub reason: String,
    /// When the change was pushed, where it brought a candidate.
    pub pushed_at: Option<Timestamp>,
}

/// The rollouts of a target since then that brought another image and have ended, in that order.
pub async fn deployments(q: impl Query, target: &TargetId, since: Timestamp) -> Result<Vec<Deployed>> {
    let sql = "SELECT o.finished_at, o.state, r.reason, u.created_at AS pushed_at
                 FROM rollouts o JOIN releases r ON r.id = o.release_id LEFT JOIN releases f ON f.id = o.from_release_id
                 LEFT JOIN candidates c ON c.id = r.candidate_id LEFT JOIN runs u ON u.id = c.run_id
                WHERE o.target_id = $1 AND o.created_at >= $2 AND o.state IN ('succeeded', 'failed') AND (f.id IS NULL OR f.image <> r.image)
                ORDER BY o.finished_at LIMIT $3";
    q.fetch_each(sql, args![target, since, MOST], |row| {
        Ok(Deployed {
            at: row.time("finished_at")?,
            good: row.named("state", RolloutState::from_name)? == RolloutState::Succeeded,
            reason: row.text("reason")?,
            pushed_at: row.time_opt("pushed_at")?,
        })
    })
    .await
}

/// Sets whether pushes onto a red default branch must mend it.
pub async fn guard(tx: &mut Tx, team: &TeamId, service: &ServiceId, guards: bool) -> Result<()> {
    tx.execute("UPDATE services SET guards_red = $3 WHERE id = $2 AND team_id = $1", args![team, service, guards]).await?;
    Ok(())
}

/// Sets whether everybody may see the badges of a team.
pub async fn open_badges(tx: &mut Tx, team: &TeamId, open: bool) -> Result<()> {
    tx.execute("UPDATE teams SET public_badges = $2 WHERE id = $1", args![team, open]).await?;
    Ok(())
}

/// Whether everybody may see the badges of a team.
pub async fn badges_open(q: impl Query, team: &TeamId) -> Result<bool> {
    let row = q.fetch_opt("SELECT public_badges FROM teams WHERE id = $1", args![team]).await?;
    row.map_or(Ok(false), |row| row.bool("public_badges"))
}
