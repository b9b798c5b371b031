//! Server-sent events: a thing shown again whenever it changes, and streams as they come.

use std::{convert::Infallible, future::Future, time::Duration};

use app::{
    backend::{Changed, Live},
    error::Result,
};
use axum::response::{
    IntoResponse, Response,
    sse::{Event, KeepAlive, Sse},
};
use futures::{Stream, StreamExt as _};
use serde::Serialize;
use tokio::time::{Instant, sleep, timeout_at};

use super::standing::Ends;

/// A stream ends after this long: what its listener may see since then is shown to one that comes back.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// Without a wake-up things are looked at this often: a wake-up may get lost.
const LAZY: Duration = Duration::from_secs(20);
/// Many changes at once are shown as one.
const GATHER: Duration = Duration::from_millis(80);

fn event<T: Serialize>(name: &str, value: &T) -> Event {
    Event::default().event(name).json_data(value).unwrap_or_else(|_| Event::default().comment("unreadable"))
}

/// A stream of events that ends when Berth stops, when its listener may not listen any more, and after a while by itself.
pub(super) fn answer(stream: impl Stream<Item = Event> + Send + 'static, ends: Ends) -> Response {
    let ended = async move {
        tokio::select! {
            _ = ends.reached() => {}
            () = sleep(LONGEST) => {}
        }
    };
    let events = stream.map(Ok::<_, Infallible>).take_until(Box::pin(ended));
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15));
    // Proxies in between must not gather.
    ([("x-accel-buffering", "no")], Sse::new(events).keep_alive(keep_alive)).into_response()
}

/// Items as they come; ends with an event `end` where the stream ends by itself.
pub fn items<T: Serialize + Send + 'static>(name: &'static str, items: Live<T>, ends: Ends) -> Response {
    let events = items.map(move |item| event(name, &item));
    answer(events.chain(futures::stream::iter([Event::default().event("end").data("")])), ends)
}

/// Items as they come, each with an id that a browser sends back when it reconnects.
pub fn numbered<T: Serialize + Send + 'static>(
    name: &'static str,
    items: Live<T>,
    number: impl Fn(&T) -> u64 + Send + 'static,
    ends: Ends,
) -> Response {
    let events = items.map(move |item| event(name, &item).id(number(&item).to_string()));
    answer(events.chain(futures::stream::iter([Event::default().event("end").data("")])), ends)
}

/// A thing, shown first as it is and again whenever it has changed, until it has ended. `concerns` says which changes are
/// worth a look.
pub fn thing<T, L, F>(
    name: &'static str,
    mut changes: Live<Changed>,
    concerns: impl Fn(&Changed) -> bool + Send + Sync + 'static,
    look: L,
    ended: impl Fn(&T) -> bool + Send + 'static,
    ends: Ends,
) -> Response
where
    T: Serialize + PartialEq + Send + 'static,
    L: Fn() -> F + Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let events = async_stream::stream! {
        let mut shown: Option<T> = None;
        // What cannot be seen any more (deleted, or the right is gone) ends the stream.
        while let Ok(now) = look().await {
            let over = ended(&now);
            if shown.as_ref() != Some(&now) {
                yield event(name, &now);
                shown = Some(now);
            }
            if over {
                yield Event::default().event("end").data("");
                return;
            }
            wait(&mut changes, &concerns).await;
        }
    };
    answer(events, ends)
}

/// Waits for a change that concerns, or until it is time to look anyway; then lets others gather.
async fn wait(changes: &mut Live<Changed>, concerns: &(impl Fn(&Changed) -> bool + Sync)) {
    let deadline = Instant::now() + LAZY;
    loop {
        match timeout_at(deadline, changes.next()).await {
            Ok(Some(changed)) if changed.topic == "lost" || concerns(&changed) => return sleep(GATHER).await,
            Ok(Some(_)) => {}
            Ok(None) => return sleep(LAZY).await,
            Err(_) => return,
        }
    }
}
