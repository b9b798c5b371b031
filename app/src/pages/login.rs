//! Signing in.

use leptos::prelude::*;

use super::own_path;
use crate::{
    caller::{Answer, Caller, Screen},
    components::{Field, Formed, submit},
    error::Result,
};

/// The form.
pub async fn page(caller: &Caller) -> Result<Answer> {
    if caller.me.is_some() {
        return Ok(Answer::Go("/".into()));
    }
    if caller.backend.accounts.needs_first_admin().await? {
        return Ok(Answer::Go("/".into()));
    }
    let t = caller.lang;
    let form = Formed::new(caller, "login");
    let to = form.value("to", caller.query.get("to"));
    let body = view! {
        <div class="card pad">
            <h1>{t.login_title()}</h1>
            <form method="post" class="stack">
                {form.names()}
                <input type="hidden" name="to" value=to />
                {form.trouble(&["email"])}
                {Field { kind: "email", fill: "username", first: true, ..Field::text("email", t.email()) }.show(&form)}
                {Field { kind: "password", fill: "current-password", ..Field::text("password", t.password()) }.show(&form)}
                {submit("main wide", t.login_do())}
            </form>
        </div>
        <p class="small soft center">{t.login_help()}</p>
    };
    Ok(Screen::bare(t.login_title(), body.into_any()).into())
}

/// Signs in.
pub async fn form(caller: &Caller) -> Result<Answer> {
    let password = caller.form.raw("password").unwrap_or_default();
    let user = caller.backend.accounts.sign_in(caller.form.get("email"), password, caller.peer.as_deref()).await?;
    Ok(Answer::SignedIn(user, own_path(caller.form.get("to")).unwrap_or("/").to_owned()))
}
