//! The activity: an event is written in the same transaction as the change it tells of.

use std::borrow::Cow;

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

/// Whose events are asked for.
#[derive(Clone, Debug)]
pub enum Of<'a> {
    /// Of every team, and the platform's own.
    Everything,
    /// Of these teams.
    Teams(Cow<'a, [TeamId]>),
}

impl From<[TeamId; 1]> for Of<'_> {
    fn from(team: [TeamId; 1]) -> Self {
        Self::Teams(team.to_vec().into())
    }
}

/// Beyond this many teams one filtered look at all events is cheaper than one look a team.
const TEAMS_APART: usize = 50;

/// One look along an index, newest first; `$1` is the cursor, `$2` the size, `$3` the actor, `$4` the service.
fn look(condition: &str, service: bool) -> String {
    let service = if service { "AND e.service_id IN (SELECT id FROM services WHERE name = $4)" } else { "AND $4 = ''" };
    format!(
        "SELECT e.* FROM events e WHERE {condition} AND ($1 = '' OR e.id < $1) AND ($3 = '' OR e.actor = $3) {service} ORDER BY e.id DESC LIMIT $2"
    )
}

/// Events, newest first. Each team is looked at along its own index, so that a busy one does not slow another.
pub async fn list(q: impl Query, of: &Of<'_>, filter: &EventFilter, page: &PageRequest) -> Result<Page<Event>> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut values = args![text(&page.cursor), page.size() + 1, text(&filter.actor), text(&filter.service)];
    let service = filter.service.as_ref().is_some_and(|service| !service.is_empty());
    let looks = match of {
        Of::Everything => look("1 = 1", service),
        Of::Teams(teams) if teams.is_empty() => return Ok(Page { items: Vec::new(), next: None }),
        Of::Teams(teams) => {
            values.extend(teams.iter().map(crate::store::Value::from));
            let places: Vec<String> = (5..5 + teams.len()).map(|n| format!("${n}")).collect();
            if teams.len() > TEAMS_APART {
                look(&format!("e.team_id IN ({})", places.join(", ")), service)
            } else {
                let each = |place: &String| format!("SELECT * FROM ({}) one", look(&format!("e.team_id = {place}"), service));
                places.iter().map(each).collect::<Vec<_>>().join(" UNION ALL ")
            }
        }
    };
    let sql = format!("SELECT v.*, t.name AS team FROM ({looks}) v LEFT JOIN teams t ON t.id = v.team_id ORDER BY v.id DESC LIMIT $2");
    Ok(paged(readable(&q.fetch_all(sql, values).await?, read), page, |event| event.id.as_str().to_owned()))
}

/// Cuts the one row too many that tells whether there is a next page.
pub fn paged<T>(mut items: Vec<T>, page: &PageRequest, cursor: impl Fn(&T) -> String) -> Page<T> {
    let more = items.len() > page.size();
    items.truncate(page.size());
    let next = if more { items.last().map(cursor) } else { None };
    Page { items, next }
}
