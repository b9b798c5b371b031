//! Rows of `candidates`.

use std::collections::BTreeSet;

use app::model::{Candidate, CandidateId, EnvironmentName, KeptImage, Made, Page, PageRequest, RunId, ServiceId, Shape, TeamId, Timestamp};

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
    /// How its image was made: with it goes a signed statement.
    pub made: Option<&'a Made>,
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
        // What does not read was written down all the same: it counts as signed.
        made: row.text_opt("made")?.map(|text| serde_json::from_str(&text).unwrap_or_default()),
        held: row.bool("held")?,
        gone_at: row.time_opt("gone_at")?,
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
        made: new.made.cloned(),
        held: false,
        gone_at: None,
    };
    tx.execute(
        "INSERT INTO candidates (id, team_id, service_id, number, image, size, commit_id, title, branch, run_id, run_number, shape, created_at,
           made)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
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
            new.made.map(json),
        ],
    )
    .await?;
    Ok(candidate)
}

/// Lets the next candidates of these services have one number: the highest of those that are next. They are given in the order
/// of their names, in which a push takes the numbers of its runs too.
pub async fn align(tx: &mut Tx, services: &[&ServiceId]) -> Result<()> {
    let mut highest = 0_u64;
    for service in services {
        // Written, so that nobody takes a number in between.
        let sql = "UPDATE services SET next_candidate = next_candidate WHERE id = $1 RETURNING next_candidate";
        if let Some(row) = tx.fetch_opt(sql, args![*service]).await? {
            highest = highest.max(row.num("next_candidate")?);
        }
    }
    for service in services {
        tx.execute("UPDATE services SET next_candidate = $1 WHERE id = $2", args![highest, *service]).await?;
    }
    Ok(())
}

/// The candidate of this number of a service.
pub async fn by_number(q: impl Query, service: &ServiceId, number: u64) -> Result<Option<Candidate>> {
    let row = q.fetch_opt("SELECT * FROM candidates WHERE service_id = $1 AND number = $2", args![service, number]).await?;
    row.as_ref().map(read).transpose()
}

/// The candidate of this id, of a team.
pub async fn by_id(q: impl Query, team: &TeamId, id: &CandidateId) -> Result<Option<Candidate>> {
    q.fetch_opt("SELECT * FROM candidates WHERE id = $1 AND team_id = $2", args![id, team]).await?.as_ref().map(read).transpose()
}

/// The candidate of a service before this one.
pub async fn before(q: impl Query, service: &ServiceId, number: u64) -> Result<Option<Candidate>> {
    let sql = "SELECT * FROM candidates WHERE service_id = $1 AND number < $2 ORDER BY number DESC LIMIT 1";
    q.fetch_opt(sql, args![service, number]).await?.as_ref().map(read).transpose()
}

/// Where a candidate serves, in the order of the environments: the environment, the release's number, and since when.
pub async fn places(q: impl Query, service: &ServiceId, candidate: &CandidateId) -> Result<Vec<(EnvironmentName, u64, Timestamp)>> {
    let rows = q
        .fetch_all(
            "SELECT e.name, r.number, r.created_at FROM targets t JOIN releases r ON r.id = t.release_id
               JOIN environments e ON e.id = t.environment_id WHERE t.service_id = $1 AND r.candidate_id = $2 ORDER BY e.position",
            args![service, candidate],
        )
        .await?;
    Ok(readable(&rows, |row| Ok((row.parsed("name")?, row.num("number")?, row.time("created_at")?))))
}

/// Asks to keep a candidate's image, or takes that back. False: there is no such candidate, or its image is given up.
pub async fn hold(tx: &mut Tx, service: &ServiceId, number: u64, held: bool) -> Result<bool> {
    let sql = "UPDATE candidates SET held = $1 WHERE service_id = $2 AND number = $3 AND gone_at IS NULL";
    Ok(tx.execute(sql, args![held, service, number]).await? == 1)
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

/// The services with candidates from before this moment whose images are there.
pub async fn services_with_old(q: impl Query, before: Timestamp) -> Result<Vec<ServiceId>> {
    // By an expression, so that SQLite looks for what is old and does not walk along the services.
    let sql = "SELECT DISTINCT service_id || '' AS service_id FROM candidates WHERE gone_at IS NULL AND created_at < $1";
    let rows = q.fetch_all(sql, args![before]).await?;
    rows.iter().map(|row| row.text("service_id").map(ServiceId::from_text)).collect()
}

/// The candidates of a service whose images are there. One that does not read is an error of the whole: left out, it would
/// look as if fewer were there.
pub async fn there(q: impl Query, service: &ServiceId) -> Result<Vec<KeptImage>> {
    // No more of each than is needed: every service with something old is asked for, again and again.
    let sql = "SELECT id, number, image, created_at, held FROM candidates WHERE service_id = $1 AND gone_at IS NULL ORDER BY number DESC";
    let read = |row: &Row| {
        Ok(KeptImage {
            id: CandidateId::from_text(row.text("id")?),
            number: row.num("number")?,
            image: row.text("image")?,
            created_at: row.time("created_at")?,
            held: row.bool("held")?,
        })
    };
    q.fetch_all(sql, args![service]).await?.iter().map(read).collect()
}

/// The images that the service itself needs: what its targets run, want, are moving from or to, or had within their last
/// releases.
pub async fn needed(q: impl Query, service: &ServiceId, releases: usize) -> Result<BTreeSet<String>> {
    let sql = "SELECT r.image FROM targets t JOIN releases r ON r.target_id = t.id
                WHERE t.service_id = $1 AND (r.number >= t.next_release - $2 OR r.id = t.release_id OR r.id = t.wanted_release_id)
               UNION SELECT r.image FROM rollouts o JOIN releases r ON r.id IN (o.release_id, o.from_release_id)
                WHERE o.service_id = $1 AND o.finished_at IS NULL";
    q.fetch_all(sql, args![service, releases]).await?.iter().map(|row| row.text("image")).collect()
}

/// The images of the service's candidates that another service has too: of all targets and candidates there are, so only asked
/// where images would go.
pub async fn shared(q: impl Query, service: &ServiceId) -> Result<BTreeSet<String>> {
    let sql = "SELECT c.image FROM candidates c WHERE c.service_id = $1 AND c.gone_at IS NULL
                  AND (EXISTS (SELECT 1 FROM releases r JOIN targets t ON t.id = r.target_id WHERE r.image = c.image AND t.service_id <> $1)
                    OR EXISTS (SELECT 1 FROM candidates o WHERE o.image = c.image AND o.service_id <> $1 AND o.gone_at IS NULL))";
    q.fetch_all(sql, args![service]).await?.iter().map(|row| row.text("image")).collect()
}

/// Gives a candidate's image up: from now on it is not deployed any more.
pub async fn give_up(tx: &mut Tx, id: &CandidateId, now: Timestamp) -> Result<()> {
    tx.execute("UPDATE candidates SET gone_at = $1 WHERE id = $2 AND gone_at IS NULL", args![now, id]).await?;
    Ok(())
}

/// A candidate whose image was given up and may still be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Going {
    /// Which one.
    pub id: CandidateId,
    /// The team.
    pub team: TeamId,
    /// The image.
    pub image: String,
    /// When it was given up.
    pub gone_at: Timestamp,
}

/// So many of them, in the order in which they were given up, that come after this one.
pub async fn going(q: impl Query, after: Option<&Going>, most: usize) -> Result<Vec<Going>> {
    let sql = "SELECT id, team_id, image, gone_at FROM candidates
                WHERE gone_at IS NOT NULL AND removed_at IS NULL AND gone_at >= $1 AND (gone_at > $1 OR id > $2)
                ORDER BY gone_at, id LIMIT $3";
    let (since, id) = after.map_or((Timestamp(0), ""), |after| (after.gone_at, after.id.as_str()));
    let read = |row: &Row| {
        Ok(Going {
            id: CandidateId::from_text(row.text("id")?),
            team: TeamId::from_text(row.text("team_id")?),
            image: row.text("image")?,
            gone_at: row.time("gone_at")?,
        })
    };
    q.fetch_all(sql, args![since, id, most]).await?.iter().map(read).collect()
}

/// Notes that the engine has not the image of a candidate any more.
pub async fn removed(tx: &mut Tx, id: &CandidateId, now: Timestamp) -> Result<()> {
    tx.execute("UPDATE candidates SET removed_at = $1 WHERE id = $2 AND gone_at IS NOT NULL", args![now, id]).await?;
    Ok(())
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
