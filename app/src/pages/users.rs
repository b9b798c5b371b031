//! Everybody, for administrators.

use leptos::prelude::*;

use super::{done, page_of};
use crate::{
    caller::{Answer, Caller, Screen, no_such_form},
    components::{Confirm, Formed, Tone, head, pager, status, submit, table, when},
    error::Result,
    model::{Person, PlatformRole, UserId},
    way::Way,
};

/// The table.
pub async fn page(caller: &Caller) -> Result<Answer> {
    let t = caller.lang;
    let people = caller.backend.accounts.people(caller.actor()?, &page_of(caller)).await?;
    let rows = people.items.iter().map(|person| row(caller, person)).collect_view();
    let body = view! {
        {done(caller)}
        {head(t.nav_everybody(), t.users_below(), ())}
        <section class="card" aria-label=t.nav_everybody()>
            {table(&[t.name(), t.nav_teams(), t.col_state(), t.col_since(), ""], rows)}
        </section>
        {pager(t, "/platform/people", people.next.as_deref())}
    };
    Ok(Screen::new(t.nav_everybody(), body.into_any())
        .at(None, "/platform/people")
        .crumb(t.nav_platform(), "/platform/hosts")
        .crumb(t.nav_everybody(), "/platform/people")
        .ways([Way::get(t.way_look(), "/people")])
        .into())
}

fn row(caller: &Caller, person: &Person) -> AnyView {
    let t = caller.lang;
    let own = caller.me.as_ref().is_some_and(|me| me.id == person.id);
    let teams =
        person.teams.iter().map(|team| view! { <a class="chip" href=format!("/teams/{team}")>{team.to_string()}</a> }).collect_view();
    let state = match (person.suspended_at, person.platform) {
        (Some(_), _) => status(Tone::Bad, t.suspended()),
        (None, PlatformRole::Admin) => status(Tone::Ok, t.admin()),
        (None, PlatformRole::None) => status(Tone::Ok, t.active()),
    };
    let action = if own {
        view! { <span class="chip">{t.you()}</span> }.into_any()
    } else if person.suspended_at.is_some() {
        let form = Formed::of(caller, "restore", person.id.as_str());
        view! { <form method="post">{form.names()}{form.trouble(&[])}{submit("small", t.restore())}</form> }.into_any()
    } else {
        let form = Formed::of(caller, "suspend", person.id.as_str());
        let says = t.suspend_says(&person.name);
        Confirm { open: t.suspend(), says: &says, does: t.suspend_does(), name: None, bad: true }.show(t, &form)
    };
    view! {
        <tr>
            <th scope="row">{person.name.clone()}<span class="small faint block">{person.email.clone()}</span></th>
            <td data-label=t.nav_teams()>{teams}</td>
            <td data-label=t.col_state()>{state}</td>
            <td data-label=t.col_since() class="small soft">{when(t, caller.now(), person.created_at)}</td>
            <td class="acts">{action}</td>
        </tr>
    }
    .into_any()
}

/// Suspends, or lets back in.
pub async fn form(caller: &Caller) -> Result<Answer> {
    let suspended = match caller.verb() {
        "suspend" => true,
        "restore" => false,
        _ => return Err(no_such_form()),
    };
    caller.backend.accounts.suspend(caller.actor()?, &UserId::from_text(caller.form.get("of")), suspended).await?;
    Ok(Answer::Go("/platform/people?done=saved".into()))
}
