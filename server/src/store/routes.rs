//! Rows of `routes`: which host name and path leads to which target.

use app::model::TargetId;

use super::{
    Query, Row,
    db::{Result, readable},
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
    let rows = q.fetch_all("SELECT host, path, target_id FROM routes ORDER BY host, path", args![]).await?;
    Ok(readable(&rows, read_for_edge))
}

fn read_for_edge(row: &Row) -> Result<EdgeRoute> {
    Ok(EdgeRoute { host: row.text("host")?, path: row.text("path")?, target: TargetId::from_text(row.text("target_id")?) })
}
