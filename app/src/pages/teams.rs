//! Every team one may see.

use leptos::prelude::*;

use crate::{
    caller::{Answer, Caller, Screen},
    components::{empty, head, icon, table, when},
    error::Result,
    way::Way,
};

/// The list.
pub async fn page(caller: &Caller) -> Result<Answer> {
    let (t, now) = (caller.lang, caller.now());
    let teams = caller.backend.teams.list(caller.actor()?).await?;
    let none = teams.is_empty();
    let rows = teams
        .into_iter()
        .map(|team| {
            view! {
                <tr>
                    <th scope="row"><a href=format!("/teams/{}", team.name)>{team.name.to_string()}</a></th>
                    <td data-label=t.col_services()>{team.services.to_string()}</td>
                    <td data-label=t.col_members()>{team.members.to_string()}</td>
                    <td data-label=t.col_since()>{when(t, now, team.created_at)}</td>
                </tr>
            }
        })
        .collect_view();
    let content = if none {
        empty(t.teams_empty(), view! { <a class="btn main" href="/teams/new">{t.new_team()}</a> })
    } else {
        table(&[t.team(), t.col_services(), t.col_members(), t.col_since()], rows)
    };
    let button = (!none).then(|| view! { <a class="btn main" href="/teams/new">{icon("plus")}{t.new_team()}</a> });
    let body = view! {
        {head(t.nav_teams(), t.teams_below(), button)}
        <section class="card">{content}</section>
    };
    Ok(Screen::new(t.nav_teams(), body.into_any())
        .at(None, "/teams")
        .crumb(t.nav_teams(), "/teams")
        .ways([Way::get(t.way_look(), "/teams").cli("berth team list")])
        .into())
}
