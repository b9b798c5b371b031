//! Rows of the catalogue of base images: bases, their versions, who stands on them, what a new version set off.

use app::model::{
    BASES, Base, BaseName, BaseRoll, BaseState, BaseUser, BaseVersion, CandidateId, RepositoryId, RunId, RunState, ServiceId, Timestamp,
};

use super::{
    Query, Row, Tx,
    db::{Result, Value, readable},
    events::Of,
};
use crate::{args, clock};

/// How many versions a base shows.
const SHOWN: u32 = 20;
/// How many versions keep their images whoever stands on them.
pub const KEPT: u32 = 3;

/// A base.
#[derive(Clone, Debug)]
pub struct BaseRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: BaseName,
    /// What it is for.
    pub description: String,
    /// What its next version is built from; none: a root file system.
    pub dockerfile: Option<String>,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}

/// A version to be built.
#[derive(Clone, Debug)]
pub struct OpenVersion {
    /// Its id: also the name of its root file system's file, and of its network.
    pub id: String,
    /// The base's id.
    pub base_id: String,
    /// The base's name.
    pub name: BaseName,
    /// Its number.
    pub number: u64,
    /// What it is built from; none: its root file system.
    pub dockerfile: Option<String>,
    /// Whether the services that use the base are run once it is there.
    pub rolls: bool,
}

/// A version that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct NewVersion<'a> {
    /// Its id.
    pub id: &'a str,
    /// What it is built from; none: a root file system.
    pub dockerfile: Option<&'a str>,
    /// Whether the services that use the base are run once it is there.
    pub rolls: bool,
    /// The Berth that builds it.
    pub holder: &'a str,
    /// Who asks.
    pub by: &'a str,
}

/// A service that a version is to run.
#[derive(Clone, Debug)]
pub struct Roll {
    /// The version's id.
    pub version: String,
    /// Its number.
    pub number: u64,
    /// The base's name.
    pub name: BaseName,
    /// The service.
    pub service: ServiceId,
    /// The repository it is built from.
    pub repository: RepositoryId,
}

fn read(row: &Row) -> Result<BaseRow> {
    Ok(BaseRow {
        id: row.text("id")?,
        name: row.parsed("name")?,
        description: row.text("description")?,
        dockerfile: row.text_opt("dockerfile")?,
        created_by: row.text("created_by")?,
        created_at: row.time("created_at")?,
    })
}

fn read_version(row: &Row, name: &BaseName) -> Result<BaseVersion> {
    let (number, began, ended) = (row.num("number")?, row.time_opt("started_at")?, row.time_opt("finished_at")?);
    Ok(BaseVersion {
        number,
        reference: reference(name, Some(number)),
        state: row.named("state", BaseState::from_name)?,
        image: row.text_opt("image")?,
        size: row.int_opt("size")?.and_then(|size| u64::try_from(size).ok()),
        failure: row.text_opt("failure")?,
        rolls: row.bool("rolls")?,
        cancelling: row.time_opt("cancel_asked_at")?.is_some() && ended.is_none(),
        created_by: row.text("created_by")?,
        created_at: row.time("created_at")?,
        build_ms: began.zip(ended).map(|(began, ended)| u64::try_from(ended.since(began).as_millis()).unwrap_or(u64::MAX)),
        gone_at: row.time_opt("gone_at")?,
    })
}

/// What a base is called in Dockerfiles and recipes: one version of it, or the newest.
pub fn reference(name: &BaseName, number: Option<u64>) -> String {
    number.map_or_else(|| format!("{BASES}{name}"), |number| format!("{BASES}{name}:{number}"))
}

/// Whether a reference is to one version for good, and does not move on with the base.
fn pinned(written: &str) -> bool {
    written.rsplit_once(':').is_some_and(|(_, tag)| tag != "latest")
}

/// Writes a base without versions.
pub async fn insert(tx: &mut Tx, base: &BaseRow) -> Result<()> {
    let values = args![&base.id, &base.name, &base.description, base.dockerfile.clone(), &base.created_by, base.created_at];
    let sql = "INSERT INTO bases (id, name, description, dockerfile, created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6)";
    tx.execute(sql, values).await?;
    Ok(())
}

/// Asks for the next version of a base; says its number. What it is built from, the next ones are too. None: one is under way.
pub async fn next_version(tx: &mut Tx, base: &str, new: NewVersion<'_>) -> Result<Option<u64>> {
    let sql = "UPDATE bases SET next_version = next_version + 1, dockerfile = $1 WHERE id = $2
                  AND NOT EXISTS (SELECT 1 FROM base_versions v WHERE v.base_id = $2 AND v.finished_at IS NULL)
               RETURNING next_version - 1 AS number";
    let Some(row) = tx.fetch_opt(sql, args![new.dockerfile, base]).await? else { return Ok(None) };
    let number: u64 = row.num("number")?;
    tx.execute(
        "INSERT INTO base_versions (id, base_id, number, state, dockerfile, rolls, holder, created_by, created_at)
         VALUES ($1, $2, $3, 'queued', $4, $5, $6, $7, $8)",
        args![new.id, base, number, new.dockerfile, new.rolls, new.holder, new.by, clock::now()],
    )
    .await?;
    Ok(Some(number))
}

/// A version that was asked to be cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancelling {
    /// Its id.
    pub id: String,
    /// Its number.
    pub number: u64,
    /// Whether that ended it: nobody builds it yet.
    pub ended: bool,
}

/// Asks for the version of a base that is under way to be cancelled: one that waits ends at once, one that is built is ended by who
/// builds it. None: none is under way.
pub async fn ask_cancel(tx: &mut Tx, base: &str) -> Result<Option<Cancelling>> {
    let sql = "UPDATE base_versions SET cancel_asked_at = COALESCE(cancel_asked_at, $1), failure = NULL,
                 state = CASE WHEN state = 'queued' THEN 'cancelled' ELSE state END,
                 finished_at = CASE WHEN state = 'queued' THEN $1 ELSE finished_at END
                WHERE base_id = $2 AND finished_at IS NULL RETURNING id, number, finished_at";
    let row = tx.fetch_opt(sql, args![clock::now(), base]).await?;
    let read = |row: Row| Ok(Cancelling { id: row.text("id")?, number: row.num("number")?, ended: row.int_opt("finished_at")?.is_some() });
    row.map(read).transpose()
}

/// Whether a version is still to be built: nobody ended it, and nobody asked for that.
pub async fn goes_on(q: impl Query, version: &str) -> Result<bool> {
    let sql = "SELECT 1 AS one FROM base_versions WHERE id = $1 AND finished_at IS NULL AND cancel_asked_at IS NULL";
    Ok(q.fetch_opt(sql, args![version]).await?.is_some())
}

/// The build of a version was stopped because somebody asked for that. False: somebody else ended it.
pub async fn cancelled(tx: &mut Tx, version: &str, now: Timestamp) -> Result<bool> {
    let sql = "UPDATE base_versions SET state = 'cancelled', failure = NULL, finished_at = $1 WHERE id = $2 AND finished_at IS NULL";
    Ok(tx.execute(sql, args![now, version]).await? == 1)
}

/// The base of this name.
pub async fn by_name(q: impl Query, name: &BaseName) -> Result<Option<BaseRow>> {
    q.fetch_opt("SELECT * FROM bases WHERE name = $1", args![name]).await?.as_ref().map(read).transpose()
}

/// All bases, by name.
pub async fn all(q: impl Query) -> Result<Vec<BaseRow>> {
    Ok(readable(&q.fetch_all("SELECT * FROM bases ORDER BY name", args![]).await?, read))
}

/// The newest versions of a base, newest first.
pub async fn versions(q: impl Query, base: &BaseRow) -> Result<Vec<BaseVersion>> {
    let sql = "SELECT number, state, image, size, failure, rolls, cancel_asked_at, created_by, created_at, started_at, finished_at, gone_at
                 FROM base_versions WHERE base_id = $1 ORDER BY number DESC LIMIT $2";
    Ok(readable(&q.fetch_all(sql, args![&base.id, SHOWN]).await?, |row| read_version(row, &base.name)))
}

/// A base as listings show it.
pub fn shown(base: &BaseRow, versions: &[BaseVersion], users: u64) -> Base {
    Base {
        name: base.name.clone(),
        reference: reference(&base.name, None),
        description: base.description.clone(),
        from_dockerfile: base.dockerfile.is_some(),
        current: versions.iter().find(|version| version.state == BaseState::Ready && version.gone_at.is_none()).cloned(),
        newest: versions.first().cloned(),
        users,
        created_by: base.created_by.clone(),
        created_at: base.created_at,
    }
}

/// What was said while a version was built.
pub async fn log(q: impl Query, base: &BaseRow, number: u64) -> Result<Option<String>> {
    let row = q.fetch_opt("SELECT log FROM base_versions WHERE base_id = $1 AND number = $2", args![&base.id, number]).await?;
    row.map(|row| row.text("log")).transpose()
}

/// The condition that a service is of these teams; its values follow those there are.
fn of_teams(of: &Of<'_>, service: &str, values: &mut Vec<Value>) -> String {
    let Of::Teams(teams) = of else { return String::new() };
    let places: Vec<String> = teams
        .iter()
        .map(|team| {
            values.push(team.into());
            format!("${}", values.len())
        })
        .collect();
    // No team has no name.
    let places = if places.is_empty() { "''".to_owned() } else { places.join(", ") };
    format!(" AND {service} IN (SELECT id FROM services WHERE team_id IN ({places}))")
}

/// So many of the services whose newest candidates stand on a base, by name.
pub async fn users(q: impl Query, base: &str, of: &Of<'_>, most: usize) -> Result<Vec<BaseUser>> {
    let mut values = args![base, most];
    // First which, then what of them: thousands may stand on one base.
    let sql = format!(
        "SELECT t.name AS team, s.name AS service, c.number AS candidate, u.number AS version, u.name AS written
           FROM (SELECT b.candidate_id, b.service_id, b.name, v.number FROM base_versions v
                   JOIN candidate_bases b ON b.version_id = v.id AND b.newest = TRUE WHERE v.base_id = $1{} LIMIT $2) u
           JOIN candidates c ON c.id = u.candidate_id JOIN services s ON s.id = u.service_id JOIN teams t ON t.id = s.team_id
          WHERE s.deleted_at IS NULL ORDER BY t.name, s.name, u.number DESC",
        of_teams(of, "b.service_id", &mut values)
    );
    let read = |row: &Row| {
        let written = row.text("written")?;
        Ok(BaseUser {
            team: row.parsed("team")?,
            service: row.parsed("service")?,
            candidate: row.num("candidate")?,
            version: row.num("version")?,
            pinned: pinned(&written),
            written,
        })
    };
    Ok(readable(&q.fetch_all(&sql, values).await?, read))
}

/// How many [`users`] a base has in all.
pub async fn user_count(q: impl Query, base: &str, of: &Of<'_>) -> Result<u64> {
    let mut values = args![base];
    // `newest = TRUE`, here and wherever it is asked: SQLite takes a bare `newest` for no part of its index, and walks along every
    // candidate that ever stood on the base.
    let sql = format!(
        "SELECT COUNT(*) AS users FROM base_versions v JOIN candidate_bases b ON b.version_id = v.id AND b.newest = TRUE WHERE v.base_id = $1{}",
        of_teams(of, "b.service_id", &mut values)
    );
    q.fetch_opt(&sql, values).await?.map_or(Ok(0), |row| row.num("users"))
}

/// The newest version of a base that was to set something off.
const ROLLING: &str =
    "SELECT w.id FROM base_versions w WHERE w.base_id = $1 AND w.rolls AND w.state = 'ready' ORDER BY w.number DESC LIMIT 1";

/// How many [`rolls`] a base has in all.
pub async fn roll_count(q: impl Query, base: &str, of: &Of<'_>) -> Result<u64> {
    let mut values = args![base];
    let of = of_teams(of, "o.service_id", &mut values);
    let sql = format!("SELECT COUNT(*) AS rolls FROM base_rolls o WHERE o.version_id = ({ROLLING}){of}");
    q.fetch_opt(&sql, values).await?.map_or(Ok(0), |row| row.num("rolls"))
}

/// So many of what the newest version that was to do so set off, by name; first what did not become a run.
pub async fn rolls(q: impl Query, base: &str, of: &Of<'_>, most: usize) -> Result<Vec<BaseRoll>> {
    let mut values = args![base, most];
    let sql = format!(
        "SELECT t.name AS team, s.name AS service, v.number AS version, r.number AS run, r.state, o.note
           FROM (SELECT o.version_id, o.service_id, o.run_id, o.note FROM base_rolls o
                  WHERE o.version_id = ({ROLLING}){}
                  ORDER BY CASE WHEN o.note IS NULL THEN 1 ELSE 0 END, o.service_id LIMIT $2) o
           JOIN base_versions v ON v.id = o.version_id JOIN services s ON s.id = o.service_id
           JOIN teams t ON t.id = s.team_id LEFT JOIN runs r ON r.id = o.run_id
          ORDER BY t.name, s.name",
        of_teams(of, "o.service_id", &mut values)
    );
    let read = |row: &Row| {
        Ok(BaseRoll {
            version: row.num("version")?,
            team: row.parsed("team")?,
            service: row.parsed("service")?,
            run: row.int_opt("run")?.and_then(|run| u64::try_from(run).ok()),
            state: row.text_opt("state")?.as_deref().and_then(RunState::from_name),
            note: row.text_opt("note")?,
        })
    };
    Ok(readable(&q.fetch_all(&sql, values).await?, read))
}

/// The versions that are to be built by this Berth, the oldest first.
pub async fn open(q: impl Query, holder: &str) -> Result<Vec<OpenVersion>> {
    let sql = "SELECT v.id, v.base_id, b.name, v.number, v.dockerfile, v.rolls FROM base_versions v JOIN bases b ON b.id = v.base_id
                WHERE v.finished_at IS NULL AND v.holder = $1 ORDER BY v.created_at, v.id";
    let read = |row: &Row| {
        Ok(OpenVersion {
            id: row.text("id")?,
            base_id: row.text("base_id")?,
            name: row.parsed("name")?,
            number: row.num("number")?,
            dockerfile: row.text_opt("dockerfile")?,
            rolls: row.bool("rolls")?,
        })
    };
    Ok(readable(&q.fetch_all(sql, args![holder]).await?, read))
}

/// The ids of all versions that are to be built, by whomever.
pub async fn under_way(q: impl Query) -> Result<Vec<RunId>> {
    let rows = q.fetch_all("SELECT id FROM base_versions WHERE finished_at IS NULL", args![]).await?;
    rows.iter().map(|row| row.text("id").map(RunId::from_text)).collect()
}

/// Gives up the versions that another Berth was to build and did not for so long.
pub async fn abandon(tx: &mut Tx, holder: &str, before: Timestamp, (failure, now): (&str, Timestamp)) -> Result<u64> {
    let sql = "UPDATE base_versions SET state = 'failed', failure = $1, finished_at = $2
                WHERE finished_at IS NULL AND holder <> $3 AND created_at < $4";
    tx.execute(sql, args![failure, now, holder, before]).await
}

/// A version is built from now on; or it waits, for this. False: it is not to be built any more.
pub async fn begin(tx: &mut Tx, version: &str, waits: Option<&str>, now: Timestamp) -> Result<bool> {
    let state = if waits.is_some() { BaseState::Queued } else { BaseState::Building };
    let sql = "UPDATE base_versions SET state = $1, failure = $2, started_at = $3
                WHERE id = $4 AND finished_at IS NULL AND cancel_asked_at IS NULL";
    Ok(tx.execute(sql, args![state.name(), waits, now, version]).await? == 1)
}

/// Keeps what was said so far while a version is built.
pub async fn keep_log(tx: &mut Tx, version: &str, log: &str) -> Result<()> {
    tx.execute("UPDATE base_versions SET log = $1 WHERE id = $2 AND finished_at IS NULL", args![log, version]).await?;
    Ok(())
}

/// The image of a version is there; the services that follow the base are to be run where that was asked for. False: somebody
/// else ended it.
pub async fn ready(tx: &mut Tx, version: &OpenVersion, image: &str, size: u64, now: Timestamp) -> Result<bool> {
    let sql = "UPDATE base_versions SET state = 'ready', failure = NULL, image = $1, size = $2, finished_at = $3
                WHERE id = $4 AND finished_at IS NULL";
    if tx.execute(sql, args![image, size, now, &version.id]).await? == 0 {
        return Ok(false);
    }
    if version.rolls {
        let sql =
            "SELECT DISTINCT b.service_id, b.name FROM base_versions v JOIN candidate_bases b ON b.version_id = v.id AND b.newest = TRUE
                     JOIN services s ON s.id = b.service_id WHERE v.base_id = $1 AND s.deleted_at IS NULL";
        for row in tx.fetch_all(sql, args![&version.base_id]).await?.iter().filter(|row| !row.text("name").is_ok_and(|name| pinned(&name)))
        {
            let sql = "INSERT INTO base_rolls (version_id, service_id) VALUES ($1, $2) ON CONFLICT (version_id, service_id) DO NOTHING";
            tx.execute(sql, args![&version.id, row.text("service_id")?]).await?;
        }
    }
    Ok(true)
}

/// A version could not be built. False: somebody else ended it.
pub async fn failed(tx: &mut Tx, version: &str, failure: &str, now: Timestamp) -> Result<bool> {
    let sql = "UPDATE base_versions SET state = 'failed', failure = $1, finished_at = $2 WHERE id = $3 AND finished_at IS NULL";
    Ok(tx.execute(sql, args![failure, now, version]).await? == 1)
}

/// The services that are still to be run, those of the oldest version first.
pub async fn to_roll(q: impl Query) -> Result<Vec<Roll>> {
    let sql = "SELECT o.version_id, v.number, b.name, o.service_id, s.repository_id FROM base_rolls o
                 JOIN base_versions v ON v.id = o.version_id JOIN bases b ON b.id = v.base_id
                 JOIN services s ON s.id = o.service_id AND s.deleted_at IS NULL
                WHERE o.run_id IS NULL AND o.note IS NULL ORDER BY o.version_id, o.service_id LIMIT 200";
    let read = |row: &Row| {
        Ok(Roll {
            version: row.text("version_id")?,
            number: row.num("number")?,
            name: row.parsed("name")?,
            service: ServiceId::from_text(row.text("service_id")?),
            repository: RepositoryId::from_text(row.text("repository_id")?),
        })
    };
    Ok(readable(&q.fetch_all(sql, args![]).await?, read))
}

/// Whether a service is still to be run for a version. Held until the transaction ends.
pub async fn rolls_still(tx: &mut Tx, version: &str, service: &ServiceId) -> Result<bool> {
    // Written, so that nobody else does the same in between.
    let sql = "UPDATE base_rolls SET note = NULL WHERE version_id = $1 AND service_id = $2 AND run_id IS NULL AND note IS NULL";
    Ok(tx.execute(sql, args![version, service]).await? == 1)
}

/// A service was run for a version.
pub async fn rolled(tx: &mut Tx, version: &str, service: &ServiceId, run: &RunId) -> Result<()> {
    let sql = "UPDATE base_rolls SET run_id = $1 WHERE version_id = $2 AND service_id = $3 AND run_id IS NULL AND note IS NULL";
    tx.execute(sql, args![run, version, service]).await?;
    Ok(())
}

/// A service is not run for a version, for this reason.
pub async fn not_rolled(tx: &mut Tx, version: &str, service: &ServiceId, note: &str) -> Result<()> {
    let sql = "UPDATE base_rolls SET note = $1 WHERE version_id = $2 AND service_id = $3 AND run_id IS NULL";
    tx.execute(sql, args![note, version, service]).await?;
    Ok(())
}

/// Writes down on which bases of the catalogue a new candidate stands: `bases` are what was written and the images' ids.
pub async fn stands_on(tx: &mut Tx, service: &ServiceId, candidate: &CandidateId, bases: &[app::model::BaseImage]) -> Result<()> {
    tx.execute("UPDATE candidate_bases SET newest = FALSE WHERE service_id = $1 AND newest = TRUE", args![service]).await?;
    for base in bases {
        tx.execute(
            "INSERT INTO candidate_bases (candidate_id, version_id, service_id, name, newest)
             SELECT $1, v.id, $2, $3, TRUE FROM base_versions v WHERE v.image = $4
             ON CONFLICT (candidate_id, version_id) DO NOTHING",
            args![candidate, service, &base.name, &base.id],
        )
        .await?;
    }
    Ok(())
}

/// Gives up the images of a base's versions that are not among its newest and that no candidate stands on whose image is
/// there; says how many.
pub async fn let_go(tx: &mut Tx, base: &str, now: Timestamp) -> Result<u64> {
    let sql = "UPDATE base_versions SET gone_at = $1 WHERE base_id = $2 AND state = 'ready' AND gone_at IS NULL
                  AND number NOT IN (SELECT v.number FROM base_versions v WHERE v.base_id = $2 AND v.state = 'ready'
                                      ORDER BY v.number DESC LIMIT $3)
                  AND NOT EXISTS (SELECT 1 FROM candidate_bases b JOIN candidates c ON c.id = b.candidate_id
                                   WHERE b.version_id = base_versions.id AND c.gone_at IS NULL)";
    tx.execute(sql, args![now, base, KEPT]).await
}

/// Whether the image of a version is to be there.
pub async fn is_there(q: impl Query, image: &str) -> Result<bool> {
    let sql = "SELECT 1 AS one FROM base_versions WHERE image = $1 AND state = 'ready' AND gone_at IS NULL";
    Ok(q.fetch_opt(sql, args![image]).await?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_with_a_version_stays_there() {
        for (written, stays) in [("base/debian", false), ("base/debian:latest", false), ("base/debian:3", true)] {
            assert_eq!(pinned(written), stays, "{written}");
        }
        let name: BaseName = "debian".parse().unwrap();
        assert_eq!((reference(&name, None), reference(&name, Some(3))), ("base/debian".to_owned(), "base/debian:3".to_owned()));
    }
}
