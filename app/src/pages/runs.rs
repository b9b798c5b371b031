//! Every run of a service, and one more by hand.

use leptos::prelude::*;
use serde_json::json;

use super::{page_of, path_of, service_tabs};
use crate::{
    caller::{Answer, Caller, Screen, no_such_form},
    components::{Field, Formed, head, pager, submit},
    error::Result,
    model::{Role, ServiceName, StartRun, TeamName},
    way::Way,
};

/// The list.
pub async fn page(caller: &Caller) -> Result<Answer> {
    let t = caller.lang;
    let (team, name): (TeamName, ServiceName) = (caller.param("team")?, caller.param("service")?);
    let actor = caller.actor()?;
    let all = caller.backend.services.overview(actor, &team, &name).await?;
    let runs = caller.backend.runs.list(actor, &team, &name, &page_of(caller)).await?;
    let path = path_of(&team, &name);
    let environments: Vec<String> = all.targets.iter().map(|target| target.environment.to_string()).collect();
    let may = caller.may(&team, Role::Developer);
    let body = view! {
        {head(name.to_string(), all.service.description.clone(), ())}
        {service_tabs(caller, &all.service, &environments, "runs")}
        <section class="card" data-live="runs">{super::service::runs(caller, &path, &runs.items)}</section>
        {may.then(|| start(caller))}
        {pager(t, &format!("{path}/runs"), runs.next.as_deref())}
    };
    Ok(Screen::new(format!("{} · {name}", t.tab_runs()), body.into_any())
        .at(Some(&team), format!("/teams/{team}"))
        .crumb(team.to_string(), format!("/teams/{team}"))
        .crumb(name.to_string(), path.clone())
        .crumb(t.tab_runs(), format!("{path}/runs"))
        .live(&["run:"])
        .ways([
            Way::get(t.way_look(), format!("/teams/{team}/services/{name}/runs")).cli(format!("berth runs list {team}/{name}")),
            Way::send(t.start_run(), "POST", format!("/teams/{team}/services/{name}/runs"), &json!({ "branch": "main" }))
                .cli(format!("berth runs start {team}/{name} --branch main")),
        ])
        .into())
}

/// The form that runs a branch.
fn start(caller: &Caller) -> AnyView {
    let (t, form) = (caller.lang, Formed::new(caller, "start"));
    view! {
        <section class="card narrow">
            <header><h2>{t.start_run()}</h2></header>
            <div class="body">
                <p class="soft">{t.start_run_below()}</p>
                <form method="post" class="stack">
                    {form.names()}
                    {form.trouble(&["branch"])}
                    {Field { required: false, hint: t.start_run_hint(), ..Field::text("branch", t.start_run_branch()) }.show(&form)}
                    {submit("", t.start_run_does())}
                </form>
            </div>
        </section>
    }
    .into_any()
}

/// Runs a branch.
pub async fn form(caller: &Caller) -> Result<Answer> {
    let (team, name): (TeamName, ServiceName) = (caller.param("team")?, caller.param("service")?);
    if caller.verb() != "start" {
        return Err(no_such_form());
    }
    let branch = Some(caller.form.get("branch").to_owned()).filter(|branch| !branch.is_empty());
    let run = caller.backend.runs.start(caller.actor()?, &team, &name, StartRun { branch }).await?;
    Ok(Answer::Go(format!("{}/runs/{}", path_of(&team, &name), run.number)))
}
