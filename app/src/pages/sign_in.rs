//! A one-time sign-in link. Opening it only asks: a preview of the link, made by a mail or chat program, must not spend it.

use leptos::prelude::*;

use crate::{
    caller::{Answer, Caller, Screen},
    components::{Formed, submit},
    error::Result,
};

/// The question.
pub async fn page(caller: &Caller) -> Result<Answer> {
    let t = caller.lang;
    let form = Formed::new(caller, "sign-in");
    let body = view! {
        <div class="card pad">
            <h1>{t.link_title()}</h1>
            <p class="soft">{t.link_below()}</p>
            <form method="post" class="stack">
                {form.names()}
                {form.trouble(&[])}
                {submit("main wide", t.login_do())}
            </form>
        </div>
    };
    Ok(Screen::bare(t.link_title(), body.into_any()).into())
}

/// Spends the link.
pub async fn form(caller: &Caller) -> Result<Answer> {
    let user = caller.backend.accounts.sign_in_by_link(caller.params.get("token"), caller.peer.as_deref()).await?;
    Ok(Answer::SignedIn(user, "/".into()))
}
