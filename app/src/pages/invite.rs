//! Taking up an invitation.

use leptos::prelude::*;

use super::setup::person;
use crate::{
    caller::{Answer, Caller, Screen},
    components::{Field, Formed, submit},
    error::Result,
    model::NewPerson,
};

/// Who invites to what; the form for somebody new, one button for somebody known.
pub async fn page(caller: &Caller) -> Result<Answer> {
    let (team, invitation) = caller.backend.accounts.invitation(caller.params.get("token")).await?;
    let t = caller.lang;
    let form = Formed::new(caller, "join");
    let title = t.invited_to(&team);
    let known = caller.me.as_ref().is_some_and(|me| me.email == invitation.email);
    let fields = match known {
        true => ().into_any(),
        false => view! {
            {Field { fill: "name", first: true, ..Field::text("name", t.your_name()) }.show(&form)}
            {Field { kind: "password", fill: "new-password", hint: t.password_hint(), ..Field::text("password", t.password()) }.show(&form)}
        }
        .into_any(),
    };
    let body = view! {
        <div class="card pad">
            <h1>{title.clone()}</h1>
            <p class="soft">{t.invited_by(&invitation.by, t.role(invitation.role), &invitation.email)}</p>
            <form method="post" class="stack">
                {form.names()}
                {form.trouble(&["name", "password"])}
                <input type="hidden" name="email" value=invitation.email.clone() autocomplete="username" />
                {fields}
                {submit("main wide", t.invited_do())}
            </form>
        </div>
    };
    Ok(Screen::bare(title, body.into_any()).into())
}

/// Joins the team.
pub async fn form(caller: &Caller) -> Result<Answer> {
    let (team, invitation) = caller.backend.accounts.invitation(caller.params.get("token")).await?;
    let person = NewPerson { email: invitation.email, ..person(caller) };
    let user = caller.backend.accounts.accept_invitation(person, caller.peer.as_deref()).await?;
    Ok(Answer::SignedIn(user, format!("/teams/{team}")))
}
