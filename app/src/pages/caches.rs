//! The card of what steps left for those of the next runs, on the settings of their service.

use leptos::prelude::*;

use super::path_of;
use crate::{
    caller::Caller,
    components::{Formed, empty, sentence, when},
    model::{Cache, ServiceName, TeamName},
};

/// The card. `may`: the reader may clear them.
pub(super) fn card(caller: &Caller, team: &TeamName, service: &ServiceName, caches: &[Cache], may: bool) -> AnyView {
    let t = caller.lang;
    let path = path_of(team, service);
    let rows = caches.iter().map(|cache| row(caller, &path, cache)).collect_view();
    let list = if caches.is_empty() { empty(t.caches_empty(), ()) } else { view! { <ul class="plain">{rows}</ul> }.into_any() };
    let any = caches.iter().any(|cache| cache.dropped_at.is_none());
    let clear = (may && any).then(|| {
        let form = Formed::new(caller, "clear-caches");
        view! { <form method="post">{form.names()}<button class="btn">{t.caches_clear()}</button></form> }
    });
    view! {
        <section class="card narrow" id="caches">
            <header><h2>{t.caches()}</h2></header>
            <div class="body stack">
                <p class="soft">{sentence(t, t.caches_below())}</p>
                {list}
                {clear}
            </div>
        </section>
    }
    .into_any()
}

fn row(caller: &Caller, path: &str, cache: &Cache) -> impl IntoView {
    let (t, now) = (caller.lang, caller.now());
    let size = cache.size.filter(|_| cache.dropped_at.is_none()).map(|size| format!("{} · ", t.size(size)));
    let state = match (cache.dropped_at, cache.in_use) {
        (Some(at), _) => view! { {cache.why.map(|why| t.cache_end(why))}", "{when(t, now, at)} }.into_any(),
        (None, true) => t.cache_in_use().into_any(),
        (None, false) => when(t, now, cache.used_at),
    };
    let run = format!("{path}/runs/{}", cache.run);
    view! {
        <li class="spread">
            <span><code>{cache.path.clone()}</code>" "<span class="small faint">{cache.image.clone()}</span></span>
            <span class="small faint">{size}<a href=run>{format!("#{}", cache.run)}</a>" · "{state}</span>
        </li>
    }
}
