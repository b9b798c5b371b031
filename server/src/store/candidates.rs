//! Rows of candidates: what passed every stage, numbered within its service.

use app::model::{Candidate, CandidateId, Page, PageRequest, RunId, ServiceId, TeamId};

use super::{
    Query, Row, Tx,
    db::{Result, readable},
    events::paged,
    releases::json,
};
use crate::args;

/// The environments a candidate runs in now, as one text: names in order, separated by commas.
const RUNS_IN: &str =
    "(SELECT MIN(e.name) FROM targets g JOIN releases r ON r.id = g.release_id JOIN environments e ON e.id = g.environment_id
     WHERE r.candidate_id = c.id AND e.position = ";

fn select() -> String {
    // Up to eight environments, by position: the same text on both databases, which have different string aggregates.
    let places: Vec<String> = (0..8).map(|position| format!("{RUNS_IN}{position}) AS place_{position}")).collect();
    format!("SELECT c.*, {} FROM candidates c", places.join(", "))
}

fn read(row: &Row) -> Result<Candidate> {
    let mut runs_in = Vec::new();
    for position in 0..8 {
        if let Some(name) = row.text_opt(&format!("place_{position}"))? {
            runs_in.extend(name.parse().ok());
        }
    }
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
        runs_in,
    })
}

/// Takes the next number of a service's candidates.
pub async fn next_number(tx: &mut Tx, service: &ServiceId) -> Result<u64> {
    tx.fetch_opt(
        "UPDATE services SET next_candidate = next_candidate + 1 WHERE id = $1 RETURNING next_candidate - 1 AS number",
        args![service],
    )
    .await?
    .ok_or(sqlx::Error::RowNotFound)?
    .num("number")
}

/// Writes a candidate.
pub async fn insert(tx: &mut Tx, team: &TeamId, service: &ServiceId, run: &RunId, candidate: &Candidate) -> Result<()> {
    tx.execute(
        "INSERT INTO candidates (id, team_id, service_id, number, image, size, commit_id, title, branch, run_id, run_number, shape, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        args![
            &candidate.id,
            team,
            service,
            candidate.number,
            &candidate.image,
            candidate.size,
            &candidate.commit,
            &candidate.title,
            &candidate.branch,
            run,
            candidate.run,
            json(&candidate.shape),
            candidate.created_at,
        ],
    )
    .await?;
    Ok(())
}

/// A candidate of a service by its number.
pub async fn by_number(q: impl Query, service: &ServiceId, number: u64) -> Result<Option<Candidate>> {
    q.fetch_opt(format!("{} WHERE c.service_id = $1 AND c.number = $2", select()), args![service, number])
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

/// The candidates of a service, newest first.
pub async fn list(q: impl Query, service: &ServiceId, page: &PageRequest) -> Result<Page<Candidate>> {
    let before = page.cursor.as_deref().and_then(|cursor| cursor.parse::<i64>().ok());
    let rows = q
        .fetch_all(
            format!("{} WHERE c.service_id = $1 AND c.number < $2 ORDER BY c.number DESC LIMIT $3", select()),
            args![service, before.unwrap_or(i64::MAX), page.size() + 1],
        )
        .await?;
    Ok(paged(readable(&rows, read), page, |candidate| candidate.number.to_string()))
}
