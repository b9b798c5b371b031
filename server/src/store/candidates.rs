//! Rows of `candidates`.

use app::model::{Candidate, CandidateId, EnvironmentName, Page, PageRequest, RunId, ServiceId, Shape, TeamId};

use super::{
    Query, Row, Tx,
    db::{Result, readable, unreadable},
    events::paged,
    releases::json,
};
use crate::{args, clock};

/// What a candidate is made of.
#[derive(Clone, Debug)]
pub struct NewCandidate<'a> {
    /// The team.
    pub team: &'a TeamId,
    /// The service.
    pub service: &'a ServiceId,
    /// The image's id.
    pub image: &'a str,
    /// The image's size in bytes.
    pub size: u64,
    /// The commit.
    pub commit: &'a str,
    /// The first line of its message.
    pub title: &'a str,
    /// The branch.
    pub branch: &'a str,
    /// The run that made it.
    pub run: &'a RunId,
    /// That run's number.
    pub run_number: u64,
    /// Its shape.
    pub shape: &'a Shape,
}

fn read(row: &Row) -> Result<Candidate> {
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
        runs_in: Vec::new(),
    })
}

/// Writes the next candidate of a service.
pub async fn insert(tx: &mut Tx, new: &NewCandidate<'_>) -> Result<Candidate> {
    let number: u64 = tx
        .fetch_opt(
            "UPDATE services SET next_candidate = next_candidate + 1 WHERE id = $1 AND team_id = $2 RETURNING next_candidate - 1 AS number",
            args![new.service, new.team],
        )
        .await?
        .ok_or_else(|| unreadable("service_id", "the service is gone"))?
        .num("number")?;
    let candidate = Candidate {
        id: CandidateId::from_text(clock::new_id()),
        number,
        image: new.image.to_owned(),
        commit: new.commit.to_owned(),
        title: new.title.to_owned(),
        branch: new.branch.to_owned(),
        run: new.run_number,
        shape: new.shape.clone(),
        size: new.size,
        created_at: clock::now(),
        runs_in: Vec::new(),
    };
    tx.execute(
        "INSERT INTO candidates (id, team_id, service_id, number, image, size, commit_id, title, branch, run_id, run_number, shape, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        args![
            &candidate.id,
            new.team,
            new.service,
            number,
            new.image,
            new.size,
            new.commit,
            new.title,
            new.branch,
            new.run,
            new.run_number,
            json(new.shape),
            candidate.created_at,
        ],
    )
    .await?;
    Ok(candidate)
}

/// The candidate of this number of a service.
pub async fn by_number(q: impl Query, service: &ServiceId, number: u64) -> Result<Option<Candidate>> {
    let row = q.fetch_opt("SELECT * FROM candidates WHERE service_id = $1 AND number = $2", args![service, number]).await?;
    row.as_ref().map(read).transpose()
}

/// The candidates of a service, newest first, each with the environments it runs in now.
pub async fn list(q: impl Query + Copy, service: &ServiceId, page: &PageRequest) -> Result<Page<Candidate>> {
    let before: Option<i64> = page.cursor.as_deref().and_then(|cursor| cursor.parse().ok());
    let rows = q
        .fetch_all(
            "SELECT * FROM candidates WHERE service_id = $1 AND number < $2 ORDER BY number DESC LIMIT $3",
            args![service, before.unwrap_or(i64::MAX), page.size() + 1],
        )
        .await?;
    let mut candidates = readable(&rows, read);
    for (id, environment) in serving(q, service).await? {
        if let Some(candidate) = candidates.iter_mut().find(|candidate| candidate.id == id) {
            candidate.runs_in.push(environment);
        }
    }
    Ok(paged(candidates, page, |candidate| candidate.number.to_string()))
}

/// Which candidate serves in which environment, in the order of the environments.
async fn serving(q: impl Query, service: &ServiceId) -> Result<Vec<(CandidateId, EnvironmentName)>> {
    let rows = q
        .fetch_all(
            "SELECT r.candidate_id, e.name FROM targets t JOIN releases r ON r.id = t.release_id JOIN environments e ON e.id = t.environment_id
              WHERE t.service_id = $1 AND r.candidate_id IS NOT NULL ORDER BY e.position",
            args![service],
        )
        .await?;
    Ok(readable(&rows, |row| Ok((CandidateId::from_text(row.text("candidate_id")?), row.parsed("name")?))))
}

/// The images that go with a service: its candidates', where nothing of another service is made from them.
pub async fn images_of(q: impl Query, service: &ServiceId) -> Result<Vec<String>> {
    let rows = q
        .fetch_all(
            "SELECT DISTINCT c.image FROM candidates c WHERE c.service_id = $1
               AND NOT EXISTS (SELECT 1 FROM candidates o WHERE o.image = c.image AND o.service_id <> $1)
               AND NOT EXISTS (SELECT 1 FROM releases r JOIN targets t ON t.id = r.target_id
                                WHERE r.image = c.image AND t.service_id <> $1)",
            args![service],
        )
        .await?;
    rows.iter().map(|row| row.text("image")).collect()
}

/// Whether anything is made from this image: a candidate or a release.
pub async fn is_named(q: impl Query, image: &str) -> Result<bool> {
    let sql =
        "SELECT 1 AS one WHERE EXISTS (SELECT 1 FROM candidates WHERE image = $1) OR EXISTS (SELECT 1 FROM releases WHERE image = $1)";
    Ok(q.fetch_opt(sql, args![image]).await?.is_some())
}
