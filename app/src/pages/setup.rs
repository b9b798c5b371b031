//! The first run: makes the first administrator, with the one-time link that `berth serve` printed.

use leptos::prelude::*;

use crate::{
    caller::{Answer, Caller, Screen},
    components::{Field, Formed, submit},
    error::{Error, Result},
    model::NewPerson,
};

/// The form.
pub async fn page(caller: &Caller) -> Result<Answer> {
    if !caller.backend.accounts.needs_first_admin().await? {
        return Err(Error::forbidden("link_spent", "This Berth already has its administrator; the link has done its work. Sign in."));
    }
    let t = caller.lang;
    let form = Formed::new(caller, "create");
    let body = view! {
        <div class="card pad">
            <h1>{t.setup_title()}</h1>
            <p class="soft">{t.setup_below()}</p>
            <form method="post" class="stack">
                {form.names()}
                {form.trouble(&["name", "email", "password"])}
                {Field { fill: "name", first: true, ..Field::text("name", t.your_name()) }.show(&form)}
                {Field { kind: "email", fill: "username", ..Field::text("email", t.email()) }.show(&form)}
                {Field { kind: "password", fill: "new-password", hint: t.password_hint(), ..Field::text("password", t.password()) }.show(&form)}
                {submit("main wide", t.setup_do())}
            </form>
        </div>
    };
    Ok(Screen::bare(t.setup_title(), body.into_any()).into())
}

/// Makes the administrator and signs them in.
pub async fn form(caller: &Caller) -> Result<Answer> {
    let user = caller.backend.accounts.create_first_admin(person(caller), caller.peer.as_deref()).await?;
    Ok(Answer::SignedIn(user, "/welcome".into()))
}

/// The person a form describes, with the secret of the address.
pub(super) fn person(caller: &Caller) -> NewPerson {
    NewPerson {
        token: caller.params.get("token").to_owned(),
        email: caller.form.get("email").to_owned(),
        name: caller.form.get("name").to_owned(),
        password: caller.form.raw("password").unwrap_or_default().to_owned(),
    }
}
