//! What the instances of a target write: the last lines.

use futures::StreamExt;
use leptos::prelude::*;

use super::{path_of, service_tabs};
use crate::{
    caller::{Answer, Caller, Screen},
    components::{empty, head, log_lines},
    error::Result,
    model::{EnvironmentName, ServiceName, TeamName},
    way::Way,
};

/// How many lines are shown.
const LINES: u32 = 500;

/// The last lines.
pub async fn page(caller: &Caller) -> Result<Answer> {
    let t = caller.lang;
    let (team, name): (TeamName, ServiceName) = (caller.param("team")?, caller.param("service")?);
    let environment: EnvironmentName = caller.param("environment")?;
    let actor = caller.actor()?;
    let all = caller.backend.services.overview(actor, &team, &name).await?;
    let lines = caller.backend.releases.logs(actor, &team, &name, &environment, LINES, false).await?;
    let lines: Vec<_> = lines.take(LINES as usize).collect().await;
    let path = path_of(&team, &name);
    let there = format!("{path}/targets/{environment}");
    let environments: Vec<String> = all.targets.iter().map(|target| target.environment.to_string()).collect();
    let content = if lines.is_empty() {
        empty(t.logs_empty(), ())
    } else {
        view! { <div class="log" tabindex="0" role="log" aria-label=t.logs()>{log_lines(&lines)}</div> }.into_any()
    };
    let again = view! { <a class="btn" href=format!("{there}/logs")>{t.look_again()}</a> };
    let body = view! {
        {head(name.to_string(), t.logs_below(&environment), again)}
        {service_tabs(caller, &all.service, &environments, environment.as_str())}
        <section class="card logcard">
            <header><h2>{t.logs()}</h2></header>
            {content}
        </section>
    };
    Ok(Screen::new(format!("{} · {name}", t.logs()), body.into_any())
        .at(Some(&team), format!("/teams/{team}"))
        .crumb(team.to_string(), format!("/teams/{team}"))
        .crumb(name.to_string(), path)
        .crumb(environment.to_string(), there.clone())
        .crumb(t.logs(), format!("{there}/logs"))
        .ways([Way::get(t.way_look(), format!("/teams/{team}/services/{name}/targets/{environment}/logs"))
            .cli(format!("berth logs {team}/{name} --env {environment} --follow"))])
        .into())
}
