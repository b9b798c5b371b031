//! Every run of a service.

use leptos::prelude::*;

use super::{page_of, path_of, service_tabs};
use crate::{
    caller::{Answer, Caller, Screen},
    components::{head, pager},
    error::Result,
    model::{ServiceName, TeamName},
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
    let body = view! {
        {head(name.to_string(), all.service.description.clone(), ())}
        {service_tabs(caller, &all.service, &environments, "runs")}
        <section class="card" data-live="runs">{super::service::runs(caller, &path, &runs.items)}</section>
        {pager(t, &format!("{path}/runs"), runs.next.as_deref())}
    };
    Ok(Screen::new(format!("{} · {name}", t.tab_runs()), body.into_any())
        .at(Some(&team), format!("/teams/{team}"))
        .crumb(team.to_string(), format!("/teams/{team}"))
        .crumb(name.to_string(), path.clone())
        .crumb(t.tab_runs(), format!("{path}/runs"))
        .live(&["run:"])
        .ways([Way::get(t.way_look(), format!("/teams/{team}/services/{name}/runs")).cli(format!("berth runs list {team}/{name}"))])
        .into())
}
