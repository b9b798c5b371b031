//! What the board of a team and the overview of a service show of their targets, each kind of row in one query however many
//! there are.

use std::collections::BTreeMap;

use app::model::{EnvironmentId, EnvironmentName, ReleaseBrief, ReleaseId, RolloutBrief, ServiceName, TargetId, TeamId, Timestamp};

use super::{
    Query, Row, Value,
    db::{Result, readable},
    rollouts,
};
use crate::args;

/// Which targets are looked at: those of a team's services from one name to another.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// The team.
    pub team: &'a TeamId,
    /// The first service.
    pub from: &'a ServiceName,
    /// The last service.
    pub to: &'a ServiceName,
}

impl<'a> Look<'a> {
    /// At one service.
    pub const fn at(team: &'a TeamId, service: &'a ServiceName) -> Self {
        Self { team, from: service, to: service }
    }

    /// The values of [`SERVICES`].
    pub(super) fn values(self) -> Vec<Value> {
        args![self.team, self.from, self.to]
    }
}

/// The services looked at, as `s`: along their index, and from there to what belongs to them.
pub(super) const SERVICES: &str = "s.team_id = $1 AND s.name BETWEEN $2 AND $3 AND s.deleted_at IS NULL";

/// A target, with the one of everything that it has at most one of.
#[derive(Clone, Debug)]
pub struct BoardTarget {
    /// Its id.
    pub id: TargetId,
    /// The service.
    pub service: ServiceName,
    /// The environment's id.
    pub environment_id: EnvironmentId,
    /// The environment.
    pub environment: EnvironmentName,
    /// Wanted instances, by process.
    pub replicas: BTreeMap<String, u32>,
    /// The proven release: what serves.
    pub release: Option<BoardRelease>,
    /// The newest release asked for, where it is another one.
    pub wanted: Option<BoardRelease>,
    /// The newest rollout.
    pub rollout: Option<RolloutBrief>,
}

/// A release that a target serves or should.
#[derive(Clone, Debug)]
pub struct BoardRelease {
    /// In one line.
    pub brief: ReleaseBrief,
    /// The number its instances carry.
    pub generation: u64,
    /// Instances of each process.
    pub replicas: BTreeMap<String, u32>,
}

/// The columns of a release joined under this name, as [`read_release`] knows them.
fn release(name: &str) -> String {
    let columns = ["id", "number", "candidate_number", "created_at", "generation", "replicas"];
    columns.map(|column| format!("{name}.{column} AS {name}_{column}")).join(", ")
}

fn read_release(row: &Row, name: &str) -> Result<BoardRelease> {
    let column = |column: &str| format!("{name}_{column}");
    Ok(BoardRelease {
        brief: ReleaseBrief {
            id: ReleaseId::from_text(row.text(&column("id"))?),
            number: row.num(&column("number"))?,
            candidate: row.int_opt(&column("candidate_number"))?.and_then(|number| u64::try_from(number).ok()),
            created_at: row.time(&column("created_at"))?,
        },
        generation: row.num(&column("generation"))?,
        replicas: row.json(&column("replicas"))?,
    })
}

/// What was joined to a row, by its id; none where nothing was. What does not read is set aside without the rest of the row.
fn joined<T>(row: &Row, id: &str, read: impl Fn(&Row) -> Result<T>) -> Result<Option<T>> {
    Ok(row.text_opt(id)?.and_then(|_| readable(std::slice::from_ref(row), read).pop()))
}

/// The targets looked at, in the order of services and environments. One statement and one row for each: a row costs more than
/// its columns.
pub async fn targets(q: impl Query, look: Look<'_>) -> Result<Vec<BoardTarget>> {
    let sql = format!(
        "SELECT g.id AS target, s.name AS service, e.id AS environment_id, e.name AS environment, g.replicas, {}, {}, {}
           FROM services s JOIN targets g ON g.service_id = s.id JOIN environments e ON e.id = g.environment_id
           LEFT JOIN releases p ON p.id = g.release_id
           LEFT JOIN releases w ON w.id = g.wanted_release_id AND g.wanted_release_id IS DISTINCT FROM g.release_id
           LEFT JOIN rollouts o
             ON o.id = (SELECT n.id FROM rollouts n WHERE n.target_id = g.id ORDER BY n.created_at DESC, n.id DESC LIMIT 1)
           LEFT JOIN releases r ON r.id = o.release_id
          WHERE {SERVICES} ORDER BY s.name, e.position, e.name",
        release("p"),
        release("w"),
        rollouts::BRIEF
    );
    Ok(readable(&q.fetch_all(sql, look.values()).await?, |row| {
        Ok(BoardTarget {
            id: TargetId::from_text(row.text("target")?),
            service: row.parsed("service")?,
            environment_id: EnvironmentId::from_text(row.text("environment_id")?),
            environment: row.parsed("environment")?,
            replicas: row.json("replicas")?,
            release: joined(row, "p_id", |row| read_release(row, "p"))?,
            wanted: joined(row, "w_id", |row| read_release(row, "w"))?,
            rollout: joined(row, "id", rollouts::read_brief)?,
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
        "SELECT b.* FROM services s JOIN targets g ON g.service_id = s.id JOIN backends b ON b.target_id = g.id
          WHERE {SERVICES} ORDER BY b.release_number, b.process, b.slot"
    );
    let rows = q.fetch_all(sql, look.values()).await?;
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
