//! What the instances of a target write: the last lines.

use futures::StreamExt;
use leptos::prelude::*;

use super::{path_of, service_tabs};
use crate::{
    caller::{Answer, Caller, Screen},
    components::{empty, head, holds, log_found, log_lines, log_seek},
    error::Result,
    locales::Lang,
    model::{EnvironmentName, ServiceName, TeamName},
    way::Way,
};

/// How many lines are shown.
const LINES: u32 = 500;
/// How many are looked through.
const LOOK_AT: u32 = 5_000;

fn log(t: Lang, lines: AnyView) -> AnyView {
    view! { <div class="log" tabindex="0" role="log" aria-label=t.logs()>{lines}</div> }.into_any()
}

/// The last lines.
pub async fn page(caller: &Caller) -> Result<Answer> {
    let t = caller.lang;
    let (team, name): (TeamName, ServiceName) = (caller.param("team")?, caller.param("service")?);
    let environment: EnvironmentName = caller.param("environment")?;
    let actor = caller.actor()?;
    let all = caller.backend.services.overview(actor, &team, &name).await?;
    let wanted = caller.query.get("find");
    let tail = if wanted.is_empty() { LINES } else { LOOK_AT };
    let lines = caller.backend.releases.logs(actor, &team, &name, &environment, tail, false).await?;
    let lines = lines.take(tail as usize).filter(|line| std::future::ready(wanted.is_empty() || holds(&line.text, wanted)));
    let lines: Vec<_> = lines.collect().await;
    let path = path_of(&team, &name);
    let there = format!("{path}/targets/{environment}");
    let environments: Vec<String> = all.targets.iter().map(|target| target.environment.to_string()).collect();
    let content = match (lines.is_empty(), wanted.is_empty()) {
        (true, true) => empty(t.logs_empty(), ()),
        (true, false) => empty(&t.found_nothing(wanted), view! { <a class="btn" href=format!("{there}/logs")>{t.whole_log()}</a> }),
        (false, true) => log(t, log_lines(&lines, "")),
        (false, false) => log(t, log_found(&lines, wanted, |number| format!("{there}/logs#L{number}"))),
    };
    let again = view! { <a class="btn" href=format!("{there}/logs")>{t.look_again()}</a> };
    let body = view! {
        {head(name.to_string(), t.logs_below(&environment), again)}
        {service_tabs(caller, &all.service, &environments, environment.as_str())}
        <section class="card logcard" id="log">
            <header><h2>{t.logs()}</h2>{log_seek(t, None, wanted)}<span class="end small faint">"UTC"</span></header>
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
