//! Times: relative, with the exact one on hover; durations as people say them.

use leptos::prelude::*;

use crate::{locales::Lang, model::Timestamp};

fn exact(at: Timestamp) -> String {
    let text = at.to_string();
    // 2026-11-22T17:24:05.123Z -> 2026-11-22 17:24:05 UTC
    format!("{} {} UTC", text.get(..10).unwrap_or_default(), text.get(11..19).unwrap_or_default())
}

/// How long ago something was: "4 min ago".
pub fn when(t: Lang, now: Timestamp, at: Timestamp) -> AnyView {
    view! { <time datetime=at.to_string() title=exact(at) data-ago="">{t.ago(now, at)}</time> }.into_any()
}

/// The time itself, for what is to come.
pub fn at_time(at: Timestamp) -> AnyView {
    view! { <time datetime=at.to_string()>{exact(at)}</time> }.into_any()
}

/// How old something is: "4 min".
pub fn when_short(t: Lang, now: Timestamp, at: Timestamp) -> AnyView {
    view! { <time datetime=at.to_string() title=exact(at) data-age="">{t.age(now, at)}</time> }.into_any()
}

/// How long something took, or (not ended) takes so far.
pub fn span_of(t: Lang, now: Timestamp, started: Option<Timestamp>, finished: Option<Timestamp>) -> AnyView {
    match (started, finished) {
        (Some(started), Some(finished)) => view! { <span class="took">{t.took(finished.since(started))}</span> }.into_any(),
        (Some(started), None) => {
            view! { <span class="took" data-since=started.0.to_string()>{t.took(now.since(started))}</span> }.into_any()
        }
        _ => ().into_any(),
    }
}
