//! The activity.

use app::model::{Event, ServiceName};
use clap::Args;
use futures::StreamExt as _;

use super::{client, failure::Done, output, session::Session, token::path_part};

/// `berth events`.
#[derive(Args)]
pub(super) struct Events {
    /// About this service
    #[arg(long, value_name = "SERVICE")]
    service: Option<ServiceName>,
    /// By this person
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// How many of the last
    #[arg(long, short = 'n', default_value_t = 30)]
    limit: u32,
    /// Go on as they come
    #[arg(long, short)]
    follow: bool,
}

/// Prints the activity, oldest first, so that the newest stands above the prompt.
pub(super) async fn run(events: Events, session: &Session) -> Done<()> {
    let team = session.team().await?;
    let mut path = format!("/events?team={team}&limit={}", events.limit);
    if let Some(service) = &events.service {
        path.push_str(&format!("&service={service}"));
    }
    if let Some(by) = &events.by {
        path.push_str(&format!("&actor={}", path_part(by)));
    }
    let answer = session.client.get(&path).await?;
    if !events.follow {
        return session.show(answer, |answer| {
            client::rows::<Event>(answer)?.iter().rev().for_each(|event| output::line(&told(event)));
            Ok(())
        });
    }
    let mut last = news(session, client::rows(answer)?, None)?;
    loop {
        let mut changes = session.client.stream(&format!("/events/stream?team={team}")).await?;
        while let Some(Ok(_)) = changes.next().await {
            last = news(session, client::rows(session.client.get(&path).await?)?, last)?;
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
}

/// Prints what is newer than `last`; ids sort by time. Answers with the newest.
fn news(session: &Session, mut events: Vec<Event>, last: Option<app::model::EventId>) -> Done<Option<app::model::EventId>> {
    events.retain(|event| last.as_ref().is_none_or(|last| event.id > *last));
    for event in events.iter().rev() {
        if session.json { output::line(&serde_json::to_string(event).unwrap_or_default()) } else { output::line(&told(event)) }
    }
    Ok(events.into_iter().next().map(|event| event.id).or(last))
}

fn told(event: &Event) -> String {
    let detail = if event.detail.is_empty() { String::new() } else { format!(": {}", event.detail) };
    format!("{}  {}  {}  {}{detail}", event.at, event.actor, event.action, event.subject)
}
