//! The activity: an event is written in the same transaction as the change it tells of.

use std::borrow::Cow;

use app::model::{Actor, Credential, Event, EventFilter, EventId, Page, PageRequest, ServiceId, TeamId};
use sha2::{Digest, Sha256};

use super::{
    Query, Row, Tx, Value,
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
    let newest = |of| format!("SELECT hash FROM events WHERE team_id {of} ORDER BY id DESC LIMIT 1");
    let before = match event.team {
        Some(team) => tx.fetch_opt(newest("= $1"), args![team]).await?,
        None => tx.fetch_opt(newest("IS NULL"), args![]).await?,
    };
    let before = before.map(|row| row.text("hash")).transpose()?.unwrap_or_default();
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
const APART: usize = 50;
/// Comes after every id: the cursor of the first page.
const NEWEST: &str = "g";

/// Events, newest first. Each team, or each service of the name asked for, is looked at along its own index, so that a busy
/// one does not slow another.
pub async fn list(q: impl Query + Copy, of: &Of<'_>, filter: &EventFilter, page: &PageRequest) -> Result<Page<Event>> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let mut values = args![given(&page.cursor).unwrap_or_else(|| NEWEST.to_owned()), page.size() + 1];
    let actor = given(&filter.actor).map(|actor| values.push(actor.into())).map_or("", |()| "AND e.actor = $3");
    let look = |condition: &str| format!("SELECT e.* FROM events e WHERE {condition} AND e.id < $1 {actor} ORDER BY e.id DESC LIMIT $2");
    let along = match (given(&filter.service), of) {
        (Some(service), of) => Some(("service_id", named(q, &service, of).await?)),
        (None, Of::Teams(teams)) => Some(("team_id", teams.iter().map(Value::from).collect())),
        (None, Of::Everything) => None,
    };
    let looks = match along {
        None => look("1 = 1"),
        Some((_, ids)) if ids.is_empty() => return Ok(Page { items: Vec::new(), next: None }),
        Some((column, ids)) => {
            let places: Vec<String> = (values.len() + 1..).take(ids.len()).map(|n| format!("${n}")).collect();
            values.extend(ids);
            if places.len() > APART {
                look(&format!("e.{column} IN ({})", places.join(", ")))
            } else {
                let each = |place: &String| format!("SELECT * FROM ({}) one", look(&format!("e.{column} = {place}")));
                places.iter().map(each).collect::<Vec<_>>().join(" UNION ALL ")
            }
        }
    };
    let sql = format!("SELECT v.*, t.name AS team FROM ({looks}) v LEFT JOIN teams t ON t.id = v.team_id ORDER BY v.id DESC LIMIT $2");
    Ok(paged(readable(&q.fetch_all(sql, values).await?, read), page, |event| event.id.as_str().to_owned()))
}

/// The services of this name, among those whose events may be seen.
async fn named(q: impl Query, service: &str, of: &Of<'_>) -> Result<Vec<Value>> {
    let rows = q.fetch_all("SELECT id, team_id FROM services WHERE name = $1", args![service]).await?;
    let rows = readable(&rows, |row| Ok((row.text("id")?, TeamId::from_text(row.text("team_id")?))));
    let seen = |team: &TeamId| match of {
        Of::Everything => true,
        Of::Teams(teams) => teams.contains(team),
    };
    Ok(rows.into_iter().filter(|(_, team)| seen(team)).map(|(id, _)| id.into()).collect())
}

/// Cuts the one row too many that tells whether there is a next page.
pub fn paged<T>(mut items: Vec<T>, page: &PageRequest, cursor: impl Fn(&T) -> String) -> Page<T> {
    let more = items.len() > page.size();
    items.truncate(page.size());
    let next = if more { items.last().map(cursor) } else { None };
    Page { items, next }
}
