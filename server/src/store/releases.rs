//! Rows of releases and config sets: immutable, numbered within their target.

use std::collections::BTreeMap;

use app::model::{CandidateId, ConfigSetId, Page, PageRequest, ReleaseId, Shape, TargetId, TeamId, Timestamp};

use super::{
    Query, Row, Tx, Value,
    db::{Result, readable},
    events::paged,
};
use crate::{args, clock};

/// A release as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseRow {
    /// Its id.
    pub id: ReleaseId,
    /// The team.
    pub team_id: TeamId,
    /// The target.
    pub target_id: TargetId,
    /// Its number within the target.
    pub number: u64,
    /// The number of the release that last changed image, config or shape. Instances carry this number, so that a
    /// release that only scales keeps the ones that are there.
    pub generation: u64,
    /// The image's id or, until its rollout resolved it, a reference.
    pub image: String,
    /// The candidate it runs.
    pub candidate_id: Option<CandidateId>,
    /// The candidate's number.
    pub candidate_number: Option<u64>,
    /// Its config set.
    pub config_set_id: ConfigSetId,
    /// The config set's number.
    pub config_number: u64,
    /// Instances by process.
    pub replicas: BTreeMap<String, u32>,
    /// Its processes.
    pub shape: Shape,
    /// Who made it.
    pub created_by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub created_at: Timestamp,
}

/// What a new release is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The image's id or a reference.
    pub image: String,
    /// The candidate it runs: id and number.
    pub candidate: Option<(CandidateId, u64)>,
    /// The config set: id and number.
    pub config: (ConfigSetId, u64),
    /// Instances by process.
    pub replicas: BTreeMap<String, u32>,
    /// Its processes.
    pub shape: Shape,
}

impl ReleaseRow {
    /// What it is made of.
    pub fn content(&self) -> Content {
        Content {
            image: self.image.clone(),
            candidate: self.candidate_id.clone().zip(self.candidate_number),
            config: (self.config_set_id.clone(), self.config_number),
            replicas: self.replicas.clone(),
            shape: self.shape.clone(),
        }
    }
}

fn read(row: &Row) -> Result<ReleaseRow> {
    Ok(ReleaseRow {
        id: ReleaseId::from_text(row.text("id")?),
        team_id: TeamId::from_text(row.text("team_id")?),
        target_id: TargetId::from_text(row.text("target_id")?),
        number: row.num("number")?,
        generation: row.num("generation")?,
        image: row.text("image")?,
        candidate_id: row.text_opt("candidate_id")?.map(CandidateId::from_text),
        candidate_number: row.int_opt("candidate_number")?.and_then(|number| u64::try_from(number).ok()),
        config_set_id: ConfigSetId::from_text(row.text("config_set_id")?),
        config_number: row.num("config_number")?,
        replicas: row.json("replicas")?,
        shape: row.json("shape")?,
        created_by: row.text("created_by")?,
        reason: row.text("reason")?,
        created_at: row.time("created_at")?,
    })
}

/// Writes the next release of a target and makes it the wanted one. `before` is the wanted one until now.
pub async fn insert(
    tx: &mut Tx,
    team: &TeamId,
    target: &TargetId,
    content: &Content,
    before: Option<&ReleaseRow>,
    by: &str,
    reason: &str,
) -> Result<ReleaseRow> {
    let number: u64 = tx
        .fetch_opt(
            "UPDATE targets SET next_release = next_release + 1 WHERE id = $1 AND team_id = $2 RETURNING next_release - 1 AS number",
            args![target, team],
        )
        .await?
        .ok_or(sqlx::Error::RowNotFound)?
        .num("number")?;
    let same =
        before.filter(|before| before.image == content.image && before.config_set_id == content.config.0 && before.shape == content.shape);
    let release = ReleaseRow {
        id: ReleaseId::from_text(clock::new_id()),
        team_id: team.clone(),
        target_id: target.clone(),
        number,
        generation: same.map_or(number, |before| before.generation),
        image: content.image.clone(),
        candidate_id: content.candidate.as_ref().map(|(id, _)| id.clone()),
        candidate_number: content.candidate.as_ref().map(|(_, number)| *number),
        config_set_id: content.config.0.clone(),
        config_number: content.config.1,
        replicas: content.replicas.clone(),
        shape: content.shape.clone(),
        created_by: by.to_owned(),
        reason: reason.to_owned(),
        created_at: clock::now(),
    };
    tx.execute(
        "INSERT INTO releases (id, team_id, target_id, number, generation, image, candidate_id, candidate_number, config_set_id,
           config_number, replicas, shape, created_by, reason, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        args![
            &release.id,
            team,
            target,
            release.number,
            release.generation,
            &release.image,
            release.candidate_id.as_ref(),
            release.candidate_number.and_then(|number| i64::try_from(number).ok()),
            &release.config_set_id,
            release.config_number,
            json(&release.replicas),
            json(&release.shape),
            by,
            reason,
            release.created_at,
        ],
    )
    .await?;
    tx.execute(
        "UPDATE targets SET wanted_release_id = $1, replicas = $2 WHERE id = $3 AND team_id = $4",
        args![&release.id, json(&release.replicas), target, team],
    )
    .await?;
    Ok(release)
}

/// JSON of a value that always has one.
pub(crate) fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// One release of a team.
pub async fn by_id(q: impl Query, team: &TeamId, id: &ReleaseId) -> Result<Option<ReleaseRow>> {
    q.fetch_opt("SELECT * FROM releases WHERE id = $1 AND team_id = $2", args![id, team]).await?.as_ref().map(read).transpose()
}

/// One release of a target by its number.
pub async fn by_number(q: impl Query, target: &TargetId, number: u64) -> Result<Option<ReleaseRow>> {
    q.fetch_opt("SELECT * FROM releases WHERE target_id = $1 AND number = $2", args![target, number]).await?.as_ref().map(read).transpose()
}

/// The releases of a target, newest first.
pub async fn list(q: impl Query, target: &TargetId, page: &PageRequest) -> Result<Page<ReleaseRow>> {
    let before = page.cursor.as_deref().and_then(|cursor| cursor.parse::<i64>().ok());
    let rows = q
        .fetch_all(
            "SELECT * FROM releases WHERE target_id = $1 AND number < $2 ORDER BY number DESC LIMIT $3",
            args![target, before.unwrap_or(i64::MAX), page.size() + 1],
        )
        .await?;
    Ok(paged(readable(&rows, read), page, |release| release.number.to_string()))
}

const SERVING: &str =
    "SELECT r.*, t.id AS serving_target FROM targets t JOIN releases r ON r.id = t.release_id JOIN services s ON s.id = t.service_id
 WHERE s.deleted_at IS NULL";

/// What targets serve.
#[derive(Debug, Default)]
pub struct Serving {
    /// Their releases, where they serve one.
    pub releases: Vec<ReleaseRow>,
    /// The targets whose release does not read: what runs of them is left alone. As if they served none, it would look like
    /// something nobody asked for.
    pub unreadable: Vec<TargetId>,
    /// The last target that was looked at.
    pub last: Option<TargetId>,
}

impl Serving {
    fn of(rows: &[Row]) -> Result<Self> {
        let mut serving = Self::default();
        for row in rows {
            let target = TargetId::from_text(row.text("serving_target")?);
            match read(row) {
                Ok(release) => serving.releases.push(release),
                Err(error) => {
                    tracing::warn!(%target, %error, "the release it serves does not read; what runs is left alone");
                    serving.unreadable.push(target.clone());
                }
            }
            serving.last = Some(target);
        }
        Ok(serving)
    }
}

/// The releases that these targets serve: what the keeper compares with the engines.
pub async fn serving(q: impl Query, targets: &[TargetId]) -> Result<Serving> {
    if targets.is_empty() {
        return Ok(Serving::default());
    }
    let places: Vec<String> = (1..=targets.len()).map(|n| format!("${n}")).collect();
    let sql = format!("{SERVING} AND t.id IN ({})", places.join(", "));
    Serving::of(&q.fetch_all(sql, targets.iter().map(Value::from).collect()).await?)
}

/// As [`serving`], of every target of the platform: at most `limit` of those after this one.
pub async fn serving_after(q: impl Query, target: &TargetId, limit: usize) -> Result<Serving> {
    let sql = format!("{SERVING} AND t.id > $1 ORDER BY t.id LIMIT $2");
    Serving::of(&q.fetch_all(sql, args![target, limit]).await?)
}

/// Replaces the reference an outside image was asked for by with the id it meant.
pub async fn resolve_image(tx: &mut Tx, release: &ReleaseId, image: &str) -> Result<()> {
    tx.execute("UPDATE releases SET image = $1 WHERE id = $2", args![image, release]).await?;
    Ok(())
}

/// A config set as it is stored: its variables sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigSetRow {
    /// Its id.
    pub id: ConfigSetId,
    /// Its number within the target.
    pub number: u64,
    /// Sealed JSON.
    pub variables: String,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}

fn read_config(row: &Row) -> Result<ConfigSetRow> {
    Ok(ConfigSetRow {
        id: ConfigSetId::from_text(row.text("id")?),
        number: row.num("number")?,
        variables: row.text("variables")?,
        created_by: row.text("created_by")?,
        created_at: row.time("created_at")?,
    })
}

/// Writes the next config set of a target and makes it the newest. `id` is chosen by the caller: the variables are sealed
/// to it.
pub async fn insert_config(tx: &mut Tx, team: &TeamId, target: &TargetId, id: &ConfigSetId, sealed: &str, by: &str) -> Result<u64> {
    let number: u64 = tx
        .fetch_opt(
            "UPDATE targets SET next_config = next_config + 1, config_set_id = $1 WHERE id = $2 AND team_id = $3
             RETURNING next_config - 1 AS number",
            args![id, target, team],
        )
        .await?
        .ok_or(sqlx::Error::RowNotFound)?
        .num("number")?;
    tx.execute(
        "INSERT INTO config_sets (id, team_id, target_id, number, variables, created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        args![id, team, target, number, sealed, by, clock::now()],
    )
    .await?;
    Ok(number)
}

/// A config set of a team by its id.
pub async fn config_by_id(q: impl Query, team: &TeamId, id: &ConfigSetId) -> Result<Option<ConfigSetRow>> {
    q.fetch_opt("SELECT * FROM config_sets WHERE id = $1 AND team_id = $2", args![id, team]).await?.as_ref().map(read_config).transpose()
}

/// The config set that a candidate ran with last in a target: of the newest release of it that was proven.
pub async fn config_ran_with(q: impl Query, target: &TargetId, candidate: &CandidateId) -> Result<Option<ConfigSetRow>> {
    q.fetch_opt(
        "SELECT c.* FROM releases r JOIN config_sets c ON c.id = r.config_set_id
          WHERE r.target_id = $1 AND r.candidate_id = $2
            AND EXISTS (SELECT 1 FROM rollouts o WHERE o.release_id = r.id AND o.state = 'succeeded')
          ORDER BY r.number DESC LIMIT 1",
        args![target, candidate],
    )
    .await?
    .as_ref()
    .map(read_config)
    .transpose()
}

/// A config set of a target by its number.
pub async fn config_by_number(q: impl Query, target: &TargetId, number: u64) -> Result<Option<ConfigSetRow>> {
    q.fetch_opt("SELECT * FROM config_sets WHERE target_id = $1 AND number = $2", args![target, number])
        .await?
        .as_ref()
        .map(read_config)
        .transpose()
}

/// The config sets of a target, newest first.
pub async fn config_list(q: impl Query, target: &TargetId, page: &PageRequest) -> Result<Page<ConfigSetRow>> {
    let before = page.cursor.as_deref().and_then(|cursor| cursor.parse::<i64>().ok());
    let rows = q
        .fetch_all(
            "SELECT * FROM config_sets WHERE target_id = $1 AND number < $2 ORDER BY number DESC LIMIT $3",
            args![target, before.unwrap_or(i64::MAX), page.size() + 1],
        )
        .await?;
    Ok(paged(readable(&rows, read_config), page, |set| set.number.to_string()))
}

/// Makes a release the one its target serves: it is proven.
pub async fn serve(tx: &mut Tx, release: &ReleaseRow) -> Result<()> {
    tx.execute(
        "UPDATE targets SET release_id = $1 WHERE id = $2 AND team_id = $3",
        args![&release.id, &release.target_id, &release.team_id],
    )
    .await?;
    Ok(())
}

/// Gives up a release that was not reached: what serves is wanted again, unless something newer is.
pub async fn give_up(tx: &mut Tx, release: &ReleaseRow) -> Result<()> {
    tx.execute(
        "UPDATE targets SET wanted_release_id = release_id,
           replicas = COALESCE((SELECT r.replicas FROM releases r WHERE r.id = targets.release_id), replicas)
         WHERE id = $1 AND team_id = $2 AND wanted_release_id = $3",
        args![&release.target_id, &release.team_id, &release.id],
    )
    .await?;
    Ok(())
}
