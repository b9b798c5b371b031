//! What the board of a team and the overview of a service show of their targets, each kind of row in one query however many
//! there are.

use std::collections::BTreeMap;

use app::model::{ReleaseBrief, ReleaseId, ServiceName, TargetId, TeamId, Timestamp};

use super::{
    Query, Value,
    db::{Result, readable},
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
        "SELECT r.target_id, r.id, r.number, r.candidate_number, r.created_at, r.generation, r.replicas
           FROM services s JOIN targets g ON g.service_id = s.id JOIN releases r ON r.id IN (g.release_id, g.wanted_release_id)
          WHERE {SERVICES} ORDER BY r.number"
    );
    let rows = q.fetch_all(sql, look.values()).await?;
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
