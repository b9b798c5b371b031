//! Oneself: language, password, sessions.

use leptos::prelude::*;

use super::{done, own_path};
use crate::{
    caller::{Answer, Caller, Screen, no_such_form},
    components::{Confirm, Field, Formed, facts, head, submit},
    error::Result,
    locales::Lang,
    way::Way,
};

/// The page.
pub async fn page(caller: &Caller) -> Result<Answer> {
    let (t, me) = (caller.lang, caller.me()?);
    let language = Formed::new(caller, "language");
    let password = Formed::new(caller, "password");
    let everywhere = Formed::new(caller, "everywhere");
    let chosen = me.language.clone().unwrap_or_default();
    let options = Lang::ALL
        .into_iter()
        .map(|lang| view! { <option value=lang.code() lang=lang.code() selected=chosen == lang.code()>{lang.own_name()}</option> })
        .collect_view();
    let teams = me.teams.iter().map(|mine| {
        view! { <li><a href=format!("/teams/{}", mine.name)>{mine.name.to_string()}</a>" "<span class="faint">{t.role(mine.role)}</span></li> }
    });
    let teams = teams.collect_view();
    let rows = vec![
        (t.email(), me.email.clone().into_any()),
        (t.nav_teams(), view! { <ul class="plain">{teams}</ul> }.into_any()),
        (t.on_platform(), if caller.is_admin() { t.admin().into_any() } else { t.no_role().into_any() }),
    ];
    let body = view! {
        {done(caller)}
        {head(me.name.clone(), me.email.clone(), ())}
        <div class="two even">
            <section class="card">
                <header><h2>{t.about_you()}</h2></header>
                <div class="body">{facts(rows)}</div>
            </section>
            <form method="post" class="card pad stack">
                <h2>{t.language()}</h2>
                {language.names()}
                {language.trouble(&[])}
                <div class="field">
                    <label for="language">{t.language_of_console()}</label>
                    <select id="language" name="language"><option value="">{t.language_of_browser()}</option>{options}</select>
                </div>
                {submit("", t.save())}
            </form>
            <form method="post" class="card pad stack">
                <h2>{t.password()}</h2>
                {password.names()}
                {password.trouble(&["old", "new"])}
                <input type="hidden" name="username" value=me.email.clone() autocomplete="username" />
                {Field { kind: "password", fill: "current-password", ..Field::text("old", t.password_old()) }.show(&password)}
                {Field { kind: "password", fill: "new-password", hint: t.password_hint(), ..Field::text("new", t.password_new()) }.show(&password)}
                {submit("", t.password_change())}
            </form>
            <section class="card pad stack">
                <h2>{t.sessions()}</h2>
                <p class="soft">{t.everywhere_below()}</p>
                {Confirm { open: t.everywhere(), says: t.everywhere_says(), does: t.everywhere(), name: None, bad: true }.show(t, &everywhere)}
            </section>
        </div>
    };
    Ok(Screen::new(me.name.clone(), body.into_any())
        .at(None, "/me")
        .crumb(me.name.clone(), "/me")
        .ways([Way::get(t.way_look(), "/me").cli("berth whoami"), Way::act(t.everywhere(), "POST", "/me/actions/sign-out-everywhere")])
        .into())
}

/// Sets the language, changes the password, signs out everywhere.
pub async fn form(caller: &Caller) -> Result<Answer> {
    let (actor, accounts, form) = (caller.actor()?, &caller.backend.accounts, &caller.form);
    match caller.verb() {
        "language" => {
            let language = Lang::from_code(form.get("language")).map(Lang::code);
            accounts.set_language(actor, language).await?;
            let back = own_path(form.get("back")).map_or_else(|| "/me?done=saved".to_owned(), str::to_owned);
            Ok(Answer::Go(back))
        }
        "password" => {
            let (old, new) = (form.raw("old").unwrap_or_default(), form.raw("new").unwrap_or_default());
            accounts.change_password(actor, old, new).await?;
            // Every other session ended; this one begins anew.
            match &actor.user {
                Some(user) => Ok(Answer::SignedIn(user.clone(), "/me?done=password".into())),
                None => Ok(Answer::Go("/login".into())),
            }
        }
        "everywhere" => {
            accounts.sign_out_everywhere(actor).await?;
            Ok(Answer::SignedOut("/login".into()))
        }
        _ => Err(no_such_form()),
    }
}

/// Signs out of this browser.
pub async fn leave(_caller: &Caller) -> Result<Answer> {
    Ok(Answer::SignedOut("/login".into()))
}
