//! A service at a glance: its targets side by side, its last runs, its candidates, how to push.

use leptos::prelude::*;
use serde_json::json;

use super::{done, path_of, service_tabs, team::versions};
use crate::{
    caller::{Answer, Caller, Screen, no_such_form},
    components::{
        Confirm, Formed, at_time, berths, code_block, empty, head, health_tone, health_word, icon, rollout_status, run_status_of, sentence,
        short_commit, short_image, span_of, status, submit, table_of, when,
    },
    error::Result,
    locales::Lang,
    model::{Candidate, Role, RolloutState, RunBrief, RunEvent, RunSchedule, ServiceName, ServiceOverview, Source, Target, TeamName},
    way::{Way, named},
};

/// The overview.
pub async fn page(caller: &Caller) -> Result<Answer> {
    let t = caller.lang;
    let (team, name): (TeamName, ServiceName) = (caller.param("team")?, caller.param("service")?);
    let all = caller.backend.services.overview(caller.actor()?, &team, &name).await?;
    let report = caller.backend.ci.report(caller.actor()?, &team, &name).await?;
    let path = path_of(&team, &name);
    let environments: Vec<String> = all.targets.iter().map(|target| target.environment.to_string()).collect();
    let may = caller.may(&team, Role::Developer);
    let fresh = all.runs.is_empty();
    let body = view! {
        {done(caller)}
        {head(name.to_string(), all.service.description.clone(), ())}
        {service_tabs(caller, &all.service, &environments, "")}
        <div data-live="lights">{super::ci::line(t, &path, &report)}</div>
        {fresh.then(|| push(t, &all, true))}
        <section aria-label=t.targets()>
            <div class="targets">
                {targets(caller, &path, &all, may)}
                {add(caller, &all, may)}
            </div>
        </section>
        <div class="two even">
            <section class="card" data-live="runs">
                <header>
                    <h2>{t.last_runs()}</h2>
                    <a class="small" href=format!("{path}/runs")>{t.all_of_them()}</a>
                </header>
                {runs(caller, &path, &all.runs)}
                {(!all.schedules.is_empty()).then(|| view! { <div class="body">{schedules(t, &all.schedules)}</div> })}
            </section>
            <section class="card" data-live="candidates">
                <header>
                    <h2>{t.candidates()}</h2>
                    <a class="small" href=format!("{path}/candidates")>{t.all_of_them()}</a>
                </header>
                {candidates(caller, &path, &all.candidates)}
            </section>
        </div>
        {(!fresh).then(|| push(t, &all, false))}
    };
    Ok(Screen::new(format!("{name} · {team}"), body.into_any())
        .at(Some(&team), format!("/teams/{team}"))
        .crumb(team.to_string(), format!("/teams/{team}"))
        .crumb(name.to_string(), path)
        .live(&["run:", "rollout:", "target:", "service:"])
        .ways(ways(t, &all))
        .into())
}

/// What can be done with a service, elsewhere.
fn ways(t: Lang, all: &ServiceOverview) -> Vec<Way> {
    let service = named(&all.service.team, &all.service.name);
    let path = format!("/teams/{}/services/{}", all.service.team, all.service.name);
    let mut ways = vec![Way::get(t.way_look(), format!("{path}/overview")).cli(format!("berth service show {service}"))];
    ways.push(Way::get(t.candidates(), format!("{path}/candidates")).cli(format!("berth candidates {service}")));
    if let [.., before, last] = all.targets.as_slice() {
        let promote = Way::send(
            t.promote_to(&last.environment),
            "POST",
            format!("{path}/targets/{}/actions/deploy", last.environment),
            &json!({ "from": before.environment }),
        );
        ways.push(promote.cli(format!("berth promote {service} --to {} --from {}", last.environment, before.environment)));
    }
    if let Some(environment) = all.available.first() {
        let add = Way::send(t.add_environment(), "POST", format!("{path}/targets"), &json!({ "environment": environment }));
        ways.push(add.cli(format!("berth service add-env {service} {environment}")));
    }
    ways
}

fn targets(caller: &Caller, path: &str, all: &ServiceOverview, may: bool) -> AnyView {
    let cards = all.targets.iter().enumerate().map(|(at, target)| {
        let before = at.checked_sub(1).and_then(|before| all.targets.get(before));
        card(caller, path, target, before.filter(|_| may))
    });
    cards.collect_view().into_any()
}

fn card(caller: &Caller, path: &str, target: &Target, before: Option<&Target>) -> AnyView {
    let (t, now) = (caller.lang, caller.now());
    let page = format!("{path}/targets/{}", target.environment);
    let failed = target.rollout.as_ref().filter(|rollout| rollout.state == RolloutState::Failed);
    let why = failed.map(|rollout| {
        let failure = sentence(t, rollout.failure.as_deref().unwrap_or_default());
        view! { <p class="small say bad">{failure}" "<a href=format!("/rollouts/{}", rollout.id)>{t.what_happened()}</a></p> }
    });
    let moving = target.rollout.as_ref().filter(|rollout| !rollout.state.ended()).map(|rollout| {
        view! {
            <p class="small">
                {rollout_status(t, rollout.state)}
                " "
                <a href=format!("/rollouts/{}", rollout.id)>{t.watch()}</a>
            </p>
        }
    });
    let route = target.routes.first().map(|route| {
        view! { <a class="small open" href=route.url.clone()>{icon("open")}{route.host.clone()}</a> }
    });
    let nothing = target.release.is_none() && moving.is_none();
    let nothing = nothing.then(|| view! { <p class="small soft">{t.nothing_deployed()}</p> });
    let promotion = before.and_then(|before| promote(caller, before, target));
    view! {
        <article class="card target" data-live=format!("target-{}", target.environment)>
            <header>
                <h2><a href=page.clone()>{target.environment.to_string()}</a></h2>
                {status(health_tone(target.health), health_word(t, target))}
            </header>
            <div class="body">
                <div class="spread">{versions(t, now, target)}{berths(t, target)}</div>
                {nothing}
                {why}
                {moving}
                {route}
                {promotion}
            </div>
        </article>
    }
    .into_any()
}

/// The question that promotes what runs one environment earlier, where that is something else.
fn promote(caller: &Caller, before: &Target, target: &Target) -> Option<AnyView> {
    let t = caller.lang;
    let candidate = before.release.as_ref()?.candidate?;
    let now = target.release.as_ref().and_then(|release| release.candidate);
    let moving = target.rollout.as_ref().is_some_and(|rollout| !rollout.state.ended());
    if now == Some(candidate) || moving {
        return None;
    }
    let form = Formed::of(caller, "promote", target.environment.as_str());
    let says = match (now, &target.release) {
        (Some(now), _) => t.promote_says(candidate, now, &target.environment),
        (None, Some(release)) => t.promote_says_release(candidate, release.number, &target.environment),
        (None, None) => t.promote_says_first(candidate, &target.environment),
    };
    let open = t.promote_open(candidate);
    let does = t.promote_does(candidate, &target.environment);
    Some(Confirm { open: &open, says: &says, does: &does, name: None, bad: false }.show(t, &form))
}

fn add(caller: &Caller, all: &ServiceOverview, may: bool) -> AnyView {
    let t = caller.lang;
    if all.available.is_empty() || !may {
        return ().into_any();
    }
    let form = Formed::new(caller, "add");
    let options = all.available.iter().map(|name| view! { <option>{name.to_string()}</option> }).collect_view();
    view! {
        <form method="post" class="card dashed target">
            {form.names()}
            {form.trouble(&[])}
            <label for="add-environment">{t.add_environment()}</label>
            <div class="inline">
                <select id="add-environment" name="environment">{options}</select>
                {submit("", t.add())}
            </div>
            <p class="small faint">{t.add_environment_says()}</p>
        </form>
    }
    .into_any()
}

/// Runs as a table.
pub(super) fn runs(caller: &Caller, path: &str, runs: &[RunBrief]) -> AnyView {
    let (t, now) = (caller.lang, caller.now());
    if runs.is_empty() {
        return empty(t.runs_empty(), ());
    }
    let rows = runs
        .iter()
        .map(|run| {
            view! {
                <tr>
                    <th scope="row"><a href=format!("{path}/runs/{}", run.number)>{run.number.to_string()}</a></th>
                    <td data-label=t.col_state()>{run_status_of(t, run.state, run.kept, run.stage.as_deref())}</td>
                    <td data-label=t.col_commit() class="grow">
                        <span class="cut">{run.title.clone()}</span>
                        <span class="small faint"><code>{short_commit(&run.commit)}</code>" "{t.of_ref(&run.branch)}" · "{who(t, run)}{together(t, run)}</span>
                    </td>
                    <td data-label=t.col_when() class="small soft">
                        {when(t, now, run.created_at)}
                        <br />
                        {span_of(t, now, run.started_at, run.finished_at)}
                    </td>
                </tr>
            }
        })
        .collect_view();
    table_of(&[t.col_number(), t.col_state(), t.col_commit(), t.col_when()], rows)
}

/// Who began it; of a schedule that it did.
fn who(t: Lang, run: &RunBrief) -> String {
    match run.event {
        RunEvent::Schedule | RunEvent::Base => t.begun(run.event).to_owned(),
        RunEvent::Push | RunEvent::Tag | RunEvent::PullRequest | RunEvent::Manual | RunEvent::Api => run.by.clone(),
    }
}

/// When a service is run by itself.
pub(super) fn schedules(t: Lang, schedules: &[RunSchedule]) -> AnyView {
    if schedules.is_empty() {
        return ().into_any();
    }
    let row = |schedule: &RunSchedule| {
        view! { <li><code>{t.trigger_schedule(&schedule.cron, &schedule.time_zone)}</code>" · "{t.trigger_next()}" "{at_time(schedule.next)}</li> }
    };
    view! { <ul class="plain small">{schedules.iter().map(row).collect_view()}</ul> }.into_any()
}

/// The services that come to one version with it.
fn together(t: Lang, run: &RunBrief) -> Option<String> {
    let names: Vec<&str> = run.together.iter().map(|name| name.as_str()).collect();
    (!names.is_empty()).then(|| format!(" · {}", t.together_are(names.join(", "))))
}

fn candidates(caller: &Caller, path: &str, candidates: &[Candidate]) -> AnyView {
    let (t, now) = (caller.lang, caller.now());
    if candidates.is_empty() {
        return empty(t.candidates_empty(), ());
    }
    let rows = candidates
        .iter()
        .map(|candidate| {
            let places = candidate.runs_in.iter().map(|name| view! { <span class="chip">{name.to_string()}</span> }).collect_view();
            view! {
                <tr>
                    <th scope="row"><a class="rel" href=format!("{path}/candidates/{}", candidate.number)>"c"{candidate.number.to_string()}</a></th>
                    <td data-label=t.col_commit() class="grow">
                        <span class="cut">{candidate.title.clone()}</span>
                        <span class="small faint">
                            <code title=candidate.image.clone()>{short_image(&candidate.image)}</code>
                            " · "
                            <a href=format!("{path}/runs/{}", candidate.run)>{t.from_run(candidate.run)}</a>
                        </span>
                    </td>
                    <td data-label=t.col_runs_in()><span>{places}</span></td>
                    <td data-label=t.col_when() class="small soft">{when(t, now, candidate.created_at)}</td>
                </tr>
            }
        })
        .collect_view();
    table_of(&[t.col_number(), t.col_commit(), t.col_runs_in(), t.col_when()], rows)
}

fn push(t: Lang, all: &ServiceOverview, open: bool) -> AnyView {
    if let Some(address) = &all.mirrors {
        return view! { <section id="push" class="card pad"><p class="small soft">{t.mirror_push_there()}</p>{code_block(t, address)}</section> }.into_any();
    }
    let commands = format!("git remote add berth {}\ngit push berth main", all.service.clone_url);
    view! {
        <details id="push" class="card fold" open=open>
            <summary><h2>{t.push_title()}</h2><span class="small soft">{t.push_below()}</span></summary>
            <div class="body">
                {code_block(t, &commands)}
                <p class="small soft">{t.push_password()}" "<a href="/tokens">{t.push_token()}</a></p>
            </div>
        </details>
    }
    .into_any()
}

/// Promotes, or adds an environment.
pub async fn form(caller: &Caller) -> Result<Answer> {
    let (team, name): (TeamName, ServiceName) = (caller.param("team")?, caller.param("service")?);
    let actor = caller.actor()?;
    match caller.verb() {
        "promote" => {
            let to = caller.form.get("of").parse()?;
            let all = caller.backend.services.overview(actor, &team, &name).await?;
            let at = all.targets.iter().position(|target| target.environment == to).ok_or_else(crate::caller::no_such_page)?;
            let before = at.checked_sub(1).and_then(|at| all.targets.get(at)).ok_or_else(no_such_form)?;
            let source = Source::From(before.environment.clone());
            let change = caller.backend.releases.deploy(actor, &team, &name, &to, source, false).await?;
            Ok(super::target::after(&path_of(&team, &name), change))
        }
        "add" => {
            let environment = caller.form.get("environment").parse()?;
            caller.backend.services.add_environment(actor, &team, &name, &environment).await?;
            Ok(Answer::Go(format!("{}/targets/{environment}?done=added", path_of(&team, &name))))
        }
        _ => Err(no_such_form()),
    }
}
