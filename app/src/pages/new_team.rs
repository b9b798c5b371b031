//! A new team.

use leptos::prelude::*;
use serde_json::json;

use crate::{
    caller::{Answer, Caller, Screen},
    components::{Field, Formed, head, submit},
    error::Result,
    way::Way,
};

/// The form.
pub async fn page(caller: &Caller) -> Result<Answer> {
    let t = caller.lang;
    let form = Formed::new(caller, "create");
    let body = view! {
        {head(t.new_team(), t.new_team_below(), ())}
        <form method="post" class="card pad stack narrow">
            {form.names()}
            {form.trouble(&["name"])}
            {Field { hint: t.name_hint(), ..Field::text("name", t.name()) }.show(&form)}
            {submit("main", t.new_team_do())}
        </form>
    };
    Ok(Screen::new(t.new_team(), body.into_any())
        .at(None, "/teams/new")
        .crumb(t.nav_teams(), "/teams")
        .crumb(t.new_team(), "/teams/new")
        .ways([Way::send(t.new_team_do(), "POST", "/teams", &json!({ "name": "shop" })).cli("berth team create shop")])
        .into())
}

/// Creates the team with oneself as its owner.
pub async fn form(caller: &Caller) -> Result<Answer> {
    let team = caller.backend.teams.create(caller.actor()?, &caller.form.get("name").parse()?).await?;
    Ok(Answer::Go(format!("/teams/{}", team.name)))
}
