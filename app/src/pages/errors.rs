//! What is shown in place of a page that cannot be.

use leptos::prelude::*;

use crate::{
    caller::{Caller, Screen},
    components::{facts, icon, sentence},
    error::{Error, Kind},
};

/// The page of an error.
pub fn screen(caller: &Caller, error: &Error) -> Screen {
    let t = caller.lang;
    let title = match error.kind {
        // Not a matter of who asks.
        _ if error.code == "cross_origin" => t.error_other(),
        Kind::NotFound => t.error_not_found(),
        Kind::Forbidden => t.error_forbidden(),
        Kind::Unavailable => t.error_unavailable(),
        Kind::TooMany => t.error_too_many(),
        Kind::Internal => t.error_internal(),
        _ => t.error_other(),
    };
    let rows = vec![
        (t.status(), error.kind.status().to_string().into_any()),
        (t.request(), view! { <code class="wrap">{caller.request.clone()}</code> }.into_any()),
    ];
    let search = caller.me.is_some().then(|| view! { <a class="btn" href="/search" data-opens="palette">{icon("search")}{t.search()}</a> });
    let body = view! {
        <div class="card pad stack">
            <h1>{title}</h1>
            <p>{sentence(t, &t.error(error))}</p>
            {facts(rows)}
            <p class="inline"><a class="btn main" href="/">{t.to_the_start()}</a>{search}</p>
        </div>
    };
    let screen = if caller.me.is_some() {
        let body = view! { <div class="narrow">{body}</div> };
        Screen::new(title, body.into_any()).crumb(title, caller.path.clone())
    } else {
        Screen::bare(title, body.into_any())
    };
    screen.status(error.kind.status())
}
