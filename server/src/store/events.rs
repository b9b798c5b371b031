//! The activity: an event is written in the same transaction as the change it tells of.

use app::model::{Actor, Credential, Event, EventFilter, EventId, Page, PageRequest, ServiceId, TeamId};
use sha2::{Digest, Sha256};

use super::{
    Query, Row, Tx,
    db::{Result, readable},
};
use crate::{args, clock};

/// What happened, as the writer of a change says it.
#[derive(Clone, Debug, Default)]
pub struct NewEvent<'a> {
    /// The team it belongs to; none for the platform's own.
    pub team: Option<&'a TeamId>,
    /// The service it is about.
    pub service: Option<&'a ServiceId>,
    /// `service.created`, `rollout.succeeded` …
    pub action: &'a str,
    /// `service hello`, `release 12 of hello in dev`.
    pub subject: String,
    /// The path of the thing's page.
    pub path: Option<String>,
    /// What else is to be known.
    pub detail: String,
}

/// Writes an event. Its hash covers the row and the hash before it, so that a row changed or removed later shows.
pub async fn insert(tx: &mut Tx, actor: &Actor, event: NewEvent<'_>) -> Result<()> {
    let chain = event.team.map_or("platform", TeamId::as_str);
    tx.lock(&format!("events:{chain}")).await?;
    let before = tx
        .fetch_opt(
            "SELECT hash FROM events WHERE team_id = $1 OR ($1 IS NULL AND team_id IS NULL) ORDER BY id DESC LIMIT 1",
            args![event.team],
        )
        .await?
        .map(|row| row.text("hash"))
        .transpose()?
        .unwrap_or_default();
    let (id, at) = (clock::new_id(), clock::now());
    let origin = actor.peer.clone().or_else(|| matches!(actor.credential, Credential::System).then(|| "berth".to_owned()));
    let row = [&before, &id, chain, &at.to_string(), &actor.name, event.action, &event.subject, &event.detail];
    let hash = hex::encode(Sha256::digest(row.join("\u{1f}")));
    let request = (!actor.request.is_empty()).then_some(actor.request.as_str());
    tx.execute(
        "INSERT INTO events (id, team_id, service_id, at, actor, user_id, action, subject, path, detail, origin, request, hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        args![
            id,
            event.team,
            event.service,
            at,
            &actor.name,
            actor.user.as_ref(),
            event.action,
            event.subject,
            event.path,
            event.detail,
            origin,
            request,
            hash
        ],
    )
    .await?;
    Ok(())
}

fn read(row: &Row) -> Result<Event> {
    Ok(Event {
        id: EventId::from_text(row.text("id")?),
        at: row.time("at")?,
        actor: row.text("actor")?,
        action: row.text("action")?,
        team: row.text_opt("team")?.and_then(|name| name.parse().ok()),
        subject: row.text("subject")?,
        path: row.text_opt("path")?,
        detail: row.text("detail")?,
        origin: row.text_opt("origin")?,
        request: row.text_opt("request")?,
    })
}

/// The events of these teams (and the platform's own where `platform`), newest first.
pub async fn list(q: impl Query, teams: &[TeamId], platform: bool, filter: &EventFilter, page: &PageRequest) -> Result<Page<Event>> {
    let teams = serde_json::to_string(teams).unwrap_or_default();
    let rows = q
        .fetch_all(
            "SELECT e.*, t.name AS team FROM events e LEFT JOIN teams t ON t.id = e.team_id LEFT JOIN services s ON s.id = e.service_id
             WHERE ((e.team_id IS NOT NULL AND $1 LIKE '%\"' || e.team_id || '\"%') OR ($2 AND e.team_id IS NULL))
               AND (CAST($3 AS TEXT) IS NULL OR s.name = $3) AND (CAST($4 AS TEXT) IS NULL OR e.actor = $4)
               AND (CAST($5 AS TEXT) IS NULL OR e.id < $5)
             ORDER BY e.id DESC LIMIT $6",
            args![teams, platform, filter.service.clone(), filter.actor.clone(), page.cursor.clone(), page.size() + 1],
        )
        .await?;
    Ok(paged(readable(&rows, read), page, |event| event.id.as_str().to_owned()))
}

/// Cuts the one row too many that tells whether there is a next page.
pub fn paged<T>(mut items: Vec<T>, page: &PageRequest, cursor: impl Fn(&T) -> String) -> Page<T> {
    let more = items.len() > page.size();
    items.truncate(page.size());
    let next = if more { items.last().map(cursor) } else { None };
    Page { items, next }
}
