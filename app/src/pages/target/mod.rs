//! A service in an environment: what runs, and everything that changes it. Each change can be previewed.

mod config;
mod deploy;
mod releases;
mod routes;

use std::collections::BTreeMap;

use leptos::prelude::*;
use serde_json::json;

use super::{done, page_of, path_of, service_tabs, team::versions};
use crate::{
    caller::{Answer, Caller, Screen, no_such_form},
    components::{
        Tone, berths, empty, head, health_tone, health_word, icon, instance_tone, instance_word, rollout_status, say, sentence, status,
        table_of, when,
    },
    error::{Kind, Result},
    model::{Change, ConfigSet, EnvironmentName, Page, Release, Role, RouteId, ServiceName, ServiceOverview, Target, TeamName},
    way::{Way, named},
};

/// What a target's page is about, loaded once.
struct There<'a> {
    caller: &'a Caller,
    team: TeamName,
    name: ServiceName,
    environment: EnvironmentName,
    all: ServiceOverview,
    target: Target,
    /// Its variables; none where one may not read them.
    config: Option<ConfigSet>,
    releases: Page<Release>,
    /// Whether one may change things.
    may: bool,
    /// The plan of the change that was previewed.
    plan: Option<Change>,
}

impl There<'_> {
    fn path(&self) -> String {
        format!("{}/targets/{}", path_of(&self.team, &self.name), self.environment)
    }

    /// Wanted instances of each process, by name.
    fn replicas(&self) -> BTreeMap<String, u32> {
        let newest = self.releases.items.first().map(|release| release.replicas.clone()).unwrap_or_default();
        if newest.is_empty() { BTreeMap::from([("web".to_owned(), self.target.replicas)]) } else { newest }
    }
}

async fn load<'a>(caller: &'a Caller, plan: Option<Change>) -> Result<There<'a>> {
    let (team, name): (TeamName, ServiceName) = (caller.param("team")?, caller.param("service")?);
    let environment: EnvironmentName = caller.param("environment")?;
    let (actor, backend) = (caller.actor()?, &caller.backend);
    let page = page_of(caller);
    let (all, target, config, releases) = futures::try_join!(
        backend.services.overview(actor, &team, &name),
        backend.services.target(actor, &team, &name, &environment),
        async { readable(backend.releases.config(actor, &team, &name, &environment, None).await) },
        backend.releases.releases(actor, &team, &name, &environment, &page),
    )?;
    let may = caller.may(&team, Role::Developer);
    Ok(There { caller, team, name, environment, all, target, config, releases, may, plan })
}

/// None for what one may not read: the rest of the page is theirs.
fn readable<T>(read: Result<T>) -> Result<Option<T>> {
    match read {
        Err(error) if error.kind == Kind::Forbidden => Ok(None),
        other => other.map(Some),
    }
}

/// The page.
pub async fn page(caller: &Caller) -> Result<Answer> {
    show(caller, None).await
}

async fn show(caller: &Caller, plan: Option<Change>) -> Result<Answer> {
    let there = load(caller, plan).await?;
    let t = caller.lang;
    let (path, service) = (there.path(), path_of(&there.team, &there.name));
    let environments: Vec<String> = there.all.targets.iter().map(|target| target.environment.to_string()).collect();
    let open = there.target.routes.first().map(|route| view! { <a class="btn" href=route.url.clone()>{icon("open")}{t.open_it()}</a> });
    let logs = view! { <a class="btn" href=format!("{path}/logs")>{t.logs()}</a> };
    let changes = if there.may {
        view! { {deploy::deploy(&there)}{deploy::scale(&there)} }.into_any()
    } else {
        say(Tone::Idle, t.needs_role(t.role(Role::Developer)))
    };
    let body = view! {
        {done(caller)}
        {head(there.name.to_string(), there.all.service.description.clone(), view! { {logs}{open} })}
        {service_tabs(caller, &there.all.service, &environments, there.environment.as_str())}
        {state(&there)}
        <div class="two">
            <div class="stack">{config::card(&there)}{releases::card(&there)}</div>
            <div class="stack">{changes}{routes::card(&there)}</div>
        </div>
    };
    Ok(Screen::new(t.target_title(&there.name, &there.environment), body.into_any())
        .at(Some(&there.team), format!("/teams/{}", there.team))
        .crumb(there.team.to_string(), format!("/teams/{}", there.team))
        .crumb(there.name.to_string(), service)
        .crumb(there.environment.to_string(), path)
        .live(&["rollout:", "target:"])
        .ways(ways(&there))
        .into())
}

/// What can be done with a target, elsewhere.
fn ways(there: &There<'_>) -> Vec<Way> {
    let (t, env) = (there.caller.lang, &there.environment);
    let service = named(&there.team, &there.name);
    let path = format!("/teams/{}/services/{}/targets/{env}", there.team, there.name);
    let candidate = there.all.candidates.first().map_or(1, |candidate| candidate.number);
    let replicas = there.replicas();
    let counts: Vec<String> = replicas.iter().map(|(process, count)| format!("{process}={count}")).collect();
    vec![
        Way::get(t.way_look(), path.clone()).cli(format!("berth status {service}")),
        Way::send(t.deploy(), "POST", format!("{path}/actions/deploy"), &json!({ "candidate": candidate }))
            .cli(format!("berth deploy {service} --env {env} --candidate {candidate}")),
        Way::send(t.scale(), "POST", format!("{path}/actions/scale"), &json!({ "replicas": replicas }))
            .cli(format!("berth scale {} --service {service} --env {env}", counts.join(" "))),
        Way::send(t.config_save(), "PATCH", format!("{path}/config"), &json!({ "set": { "NAME": "value" } }))
            .cli(format!("berth config set NAME=value --service {service} --env {env}")),
        Way::send(t.add_route(), "POST", format!("{path}/routes"), &json!({ "host": "shop.example.org" }))
            .cli(format!("berth route add shop.example.org --service {service} --env {env}")),
    ]
}

/// How it is: status, release, berths, and each instance.
fn state(there: &There<'_>) -> AnyView {
    let (t, now, target) = (there.caller.lang, there.caller.now(), &there.target);
    let rollout = target.rollout.as_ref().map(|rollout| {
        view! {
            <a class="spread" href=format!("/rollouts/{}", rollout.id)>
                <span class="small soft">{t.last_rollout()}</span>
                {rollout_status(t, rollout.state)}
                <span class="rel">"v"{rollout.to.to_string()}</span>
                <span class="small faint">{when(t, now, rollout.created_at)}</span>
            </a>
        }
    });
    let why = target.rollout.as_ref().and_then(|rollout| rollout.failure.clone()).map(|failure| say(Tone::Bad, sentence(t, &failure)));
    let instances = target
        .instances
        .iter()
        .map(|instance| {
            view! {
                <tr>
                    <th scope="row">{instance.process.clone()}" "{(instance.slot + 1).to_string()}</th>
                    <td data-label=t.release()><span class="rel">"v"{instance.release.to_string()}</span></td>
                    <td data-label=t.col_state()>{status(instance_tone(instance.state), instance_word(t, instance.state))}</td>
                    <td data-label=t.col_since() class="small soft">{instance.since.map(|at| when(t, now, at))}</td>
                </tr>
            }
        })
        .collect_view();
    let table = if target.instances.is_empty() {
        empty(t.instances_empty(), ())
    } else {
        table_of(&[t.instance(), t.release(), t.col_state(), t.col_since()], instances)
    };
    view! {
        <section class="card" data-live="state" aria-label=t.what_runs()>
            <header class="state">
                <h2>{there.environment.to_string()}</h2>
                {status(health_tone(target.health), health_word(t, target))}
                {versions(t, now, target)}
                {berths(t, target)}
                <span class="end">{rollout}</span>
            </header>
            {why}
            {table}
        </section>
    }
    .into_any()
}

/// Where to look after a change: its rollout, else `there` with what happened.
pub(super) fn after(there: &str, change: Change) -> Answer {
    match (change.rollout, change.release) {
        (Some(rollout), _) => Answer::Go(format!("/rollouts/{rollout}")),
        (None, Some(_)) => Answer::Go(format!("{there}?done=saved")),
        (None, None) => Answer::Go(format!("{there}?done=nothing")),
    }
}

/// A plan in sentences, as a preview shows it.
fn preview(there: &There<'_>, verb: &str) -> AnyView {
    let t = there.caller.lang;
    let Some(plan) = there.plan.as_ref().filter(|_| there.caller.verb() == format!("{verb}-plan")) else { return ().into_any() };
    let sentences = plan.plan.iter().map(|step| view! { <li><span>{sentence(t, step)}</span></li> }).collect_view();
    let content = if plan.plan.is_empty() { t.done_nothing().into_any() } else { view! { <ol class="steps">{sentences}</ol> }.into_any() };
    view! { <div class="say move" role="status" id="plan"><b>{t.would_happen()}</b>{content}</div> }.into_any()
}

/// Two buttons: look first, or do it.
fn look_or_do(there: &There<'_>, verb: &'static str, word: &str) -> AnyView {
    let t = there.caller.lang;
    view! {
        <div class="inline">
            <button class="btn main" name="do" value=verb>{word.to_owned()}</button>
            <button class="btn" name="do" value=format!("{verb}-plan")>{t.preview()}</button>
        </div>
    }
    .into_any()
}

/// Every form of the page. With `-plan` behind its verb, a form only shows what would happen.
pub async fn form(caller: &Caller) -> Result<Answer> {
    let (team, name): (TeamName, ServiceName) = (caller.param("team")?, caller.param("service")?);
    let environment: EnvironmentName = caller.param("environment")?;
    let (actor, backend, form) = (caller.actor()?, &caller.backend, &caller.form);
    let there = format!("{}/targets/{environment}", path_of(&team, &name));
    let verb = caller.verb();
    let (verb, dry) = verb.strip_suffix("-plan").map_or((verb, false), |verb| (verb, true));
    let change = match verb {
        "deploy" => backend.releases.deploy(actor, &team, &name, &environment, deploy::source(form)?, dry).await?,
        "scale" => backend.releases.scale(actor, &team, &name, &environment, deploy::replicas(form)?, dry).await?,
        "config" => {
            let (change, base) = config::change(form)?;
            backend.releases.change_config(actor, &team, &name, &environment, change, base, dry).await?
        }
        "add-route" => {
            backend.services.add_route(actor, &team, &name, &environment, form.get("host"), routes::path(form)).await?;
            return Ok(Answer::Go(format!("{there}?done=added")));
        }
        "remove-route" => {
            backend.services.remove_route(actor, &team, &name, &RouteId::from_text(form.get("of"))).await?;
            return Ok(Answer::Go(format!("{there}?done=removed")));
        }
        _ => return Err(no_such_form()),
    };
    if dry { show(caller, Some(change)).await } else { Ok(after(&there, change)) }
}
