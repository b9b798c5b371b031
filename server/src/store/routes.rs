//! Rows of `routes`: which host name and path leads to which target.

use app::model::{RouteId, ServiceId, TargetId, TeamId, Timestamp};

use super::{
    Query, Row, Tx,
    board::{Look, SERVICES},
    db::{Result, readable, unreadable},
};
use crate::args;

/// A route as the edge needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeRoute {
    /// The host name in its normal form.
    pub host: String,
    /// The path it starts with, `/` for all.
    pub path: String,
    /// The target it leads to.
    pub target: TargetId,
}

/// Every route of every team, in a fixed order. For the edge alone.
pub async fn all_for_edge(q: impl Query) -> Result<Vec<EdgeRoute>> {
    q.fetch_each("SELECT host, path, target_id FROM routes ORDER BY host, path", args![], read_for_edge).await
}

/// The routes of a target, in a fixed order. For the edge alone.
pub async fn of_target_for_edge(q: impl Query, target: &TargetId) -> Result<Vec<EdgeRoute>> {
    let sql = "SELECT host, path, target_id FROM routes WHERE target_id = $1 ORDER BY host, path";
    Ok(readable(&q.fetch_all(sql, args![target]).await?, read_for_edge))
}

fn read_for_edge(row: &Row) -> Result<EdgeRoute> {
    let path = row.text("path")?;
    // No request can be written that asks for any other.
    if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(unreadable("path", format!("`{path}` is no path")));
    }
    Ok(EdgeRoute { host: row.text("host")?, path, target: TargetId::from_text(row.text("target_id")?) })
}

/// A route as its team sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteRow {
    /// Its id.
    pub id: RouteId,
    /// The target it leads to.
    pub target: TargetId,
    /// The host name in its normal form.
    pub host: String,
    /// The path it starts with.
    pub path: String,
    /// Whether it was made with the target.
    pub default: bool,
}

/// The routes of the targets looked at: the default first.
pub async fn of_targets(q: impl Query, look: Look<'_>) -> Result<Vec<RouteRow>> {
    let rows = q
        .fetch_all(
            format!(
                "SELECT r.* FROM services s JOIN targets g ON g.service_id = s.id JOIN routes r ON r.target_id = g.id
                  WHERE {SERVICES} ORDER BY r.is_default DESC, r.host, r.path"
            ),
            look.values(),
        )
        .await?;
    Ok(readable(&rows, |row| {
        Ok(RouteRow {
            id: RouteId::from_text(row.text("id")?),
            target: TargetId::from_text(row.text("target_id")?),
            host: row.text("host")?,
            path: row.text("path")?,
            default: row.bool("is_default")?,
        })
    }))
}

/// Leads a host name and path to a target. Refused as taken where it leads elsewhere, whoever's that is.
pub async fn insert(tx: &mut Tx, team: &TeamId, route: &RouteRow, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO routes (id, team_id, target_id, host, path, is_default, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        args![&route.id, team, &route.target, &route.host, &route.path, route.default, now],
    )
    .await?;
    Ok(())
}

/// Takes a route back.
pub async fn remove(tx: &mut Tx, team: &TeamId, id: &RouteId) -> Result<()> {
    tx.execute("DELETE FROM routes WHERE id = $1 AND team_id = $2", args![id, team]).await?;
    Ok(())
}

/// Takes every route of a service back.
pub async fn remove_of_service(tx: &mut Tx, service: &ServiceId) -> Result<u64> {
    tx.execute("DELETE FROM routes WHERE target_id IN (SELECT id FROM targets WHERE service_id = $1)", args![service]).await
}
