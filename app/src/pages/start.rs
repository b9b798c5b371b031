//! `/`: wherever one belongs.

use leptos::prelude::*;

use crate::{
    caller::{Answer, Caller, Screen},
    components::sentence,
    error::Result,
};

/// The team's home, signing in, or how to begin.
pub async fn page(caller: &Caller) -> Result<Answer> {
    if let Ok(me) = caller.me() {
        return Ok(Answer::Go(match me.teams.first() {
            Some(team) => format!("/teams/{}", team.name),
            None => "/welcome".into(),
        }));
    }
    if !caller.backend.accounts.needs_first_admin().await? {
        return Ok(Answer::Go("/login".into()));
    }
    let t = caller.lang;
    let body = view! {
        <div class="card pad">
            <h1>{t.first_title()}</h1>
            <p class="soft">{sentence(t, t.first_how())}</p>
            <div class="block"><pre tabindex="0"><code>{format!("{}/setup/…", caller.url)}</code></pre></div>
            <p class="small faint">{t.first_where()}</p>
        </div>
    };
    Ok(Screen::bare(t.first_title(), body.into_any()).into())
}
