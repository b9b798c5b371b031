//! “Are you really doing CI?”: three lights with what they rest on, the measures of delivery, the flaky tests.

use leptos::prelude::*;
use serde_json::json;

use super::{done, path_of, service_tabs};
use crate::{
    caller::{Answer, Caller, Screen, no_such_form},
    components::{Field, Formed, Tone, code_block, empty, head, say, sentence, status, submit, table, table_of, when},
    error::Result,
    locales::Lang,
    model::{Answered, CiReport, FlakyTest, Light, Measure, Measured, Mute, Question, Role, ServiceName, TeamName},
    way::{Way, named},
};

/// The page.
pub async fn page(caller: &Caller) -> Result<Answer> {
    let t = caller.lang;
    let (team, name): (TeamName, ServiceName) = (caller.param("team")?, caller.param("service")?);
    let (actor, backend) = (caller.actor()?, &caller.backend);
    let all = backend.services.overview(actor, &team, &name).await?;
    let report = backend.ci.report(actor, &team, &name).await?;
    let flaky = backend.ci.flaky(actor, &team, &name).await?;
    let path = path_of(&team, &name);
    let environments: Vec<String> = all.targets.iter().map(|target| target.environment.to_string()).collect();
    let answers = report.answers.iter().map(|answer| card(caller, &path, answer)).collect_view();
    let body = view! {
        {done(caller)}
        {head(t.ci_title(), t.ci_below(report.days, &report.branch), ())}
        {service_tabs(caller, &all.service, &environments, "ci")}
        <div class="targets" data-live="lights">{answers}</div>
        <section class="card" data-live="measures">
            <header>
                <h2>{t.ci_delivery()}</h2>
                <span class="small soft">{report.environment.clone().map(|name| t.in_environment(name))}</span>
            </header>
            {measures(t, &report)}
        </section>
        <section class="card" data-live="flaky">
            <header><h2>{t.flaky_tests()}</h2><span class="small soft">{t.flaky_below()}</span></header>
            {flaky_tests(caller, &path, &flaky, caller.may(&team, Role::Developer))}
        </section>
        {settings(caller, &report)}
    };
    Ok(Screen::new(format!("{} · {name}", t.tab_ci()), body.into_any())
        .at(Some(&team), format!("/teams/{team}"))
        .crumb(team.to_string(), format!("/teams/{team}"))
        .crumb(name.to_string(), path.clone())
        .crumb(t.tab_ci(), format!("{path}/ci"))
        .live(&["run:", "rollout:", "service:"])
        .ways(ways(t, &report))
        .into())
}

fn ways(t: Lang, report: &CiReport) -> Vec<Way> {
    let service = named(&report.team, &report.service);
    let path = format!("/teams/{}/services/{}", report.team, report.service);
    let guard = if report.guards_red { "off" } else { "on" };
    vec![
        Way::get(t.way_look(), format!("{path}/ci")).cli(format!("berth ci {service}")),
        Way::get(t.ci_week(), format!("/teams/{}/ci", report.team)).cli(format!("berth ci --digest --team {}", report.team)),
        Way::get(t.flaky_tests(), format!("{path}/flaky-tests")).cli(format!("berth flaky list {service}")),
        Way::send(t.ci_guard(), "PUT", format!("{path}/ci/guard"), &json!({ "guards_red": !report.guards_red }))
            .cli(format!("berth ci {service} --guard-red {guard}")),
    ]
}

/// The tone of a light.
pub(super) const fn tone(light: Light) -> Tone {
    match light {
        Light::Green => Tone::Ok,
        Light::Amber => Tone::Warn,
        Light::Red => Tone::Bad,
        Light::Grey => Tone::Idle,
    }
}

fn word(t: Lang, light: Light) -> &'static str {
    match light {
        Light::Green => t.light_green(),
        Light::Amber => t.light_amber(),
        Light::Red => t.light_red(),
        Light::Grey => t.light_grey(),
    }
}

fn asks(t: Lang, question: Question) -> &'static str {
    match question {
        Question::Integrates => t.ci_integrates(),
        Question::Validates => t.ci_validates(),
        Question::Fixes => t.ci_fixes(),
    }
}

/// The lights in a line, for the service's page.
pub(super) fn line(t: Lang, path: &str, report: &CiReport) -> AnyView {
    let lights = report
        .answers
        .iter()
        .map(|answer| {
            let says = format!("{}: {}", asks(t, answer.question), word(t, answer.light));
            view! { <a class="small" href=format!("{path}/ci")>{status(tone(answer.light), says)}</a>" " }
        })
        .collect_view();
    view! { <p class="lights" aria-label=t.ci_title()>{lights}</p> }.into_any()
}

fn card(caller: &Caller, path: &str, answer: &Answered) -> AnyView {
    let (t, now) = (caller.lang, caller.now());
    let facts = answer
        .evidence
        .iter()
        .map(|fact| {
            let at = fact.at.map(|at| view! { " "<span class="faint">{when(t, now, at)}</span> });
            let says = sentence(t, &fact.says);
            let says = match fact.run {
                Some(run) => view! { <a href=format!("{path}/runs/{run}")>{says}</a> }.into_any(),
                None => says,
            };
            view! { <li class="small">{says}{at}</li> }
        })
        .collect_view();
    view! {
        <article class="card target">
            <header><h2>{asks(t, answer.question)}</h2>{status(tone(answer.light), word(t, answer.light))}</header>
            <div class="body"><p>{sentence(t, &answer.why)}</p><ul>{facts}</ul></div>
        </article>
    }
    .into_any()
}

fn measures(t: Lang, report: &CiReport) -> AnyView {
    if report.environment.is_none() {
        return empty(t.ci_no_environment(), ());
    }
    let rows = report
        .measures
        .iter()
        .map(|one| {
            view! {
                <tr>
                    <th scope="row">{called(t, one.measure)}</th>
                    <td data-label=t.ci_value()><b>{value(t, one)}</b></td>
                    <td data-label=t.ci_definition() class="small soft grow">{sentence(t, &one.definition)}" DORA "{one.year.to_string()}</td>
                </tr>
            }
        })
        .collect_view();
    table(&[t.ci_measure(), t.ci_value(), t.ci_definition()], rows)
}

fn called(t: Lang, measure: Measure) -> &'static str {
    match measure {
        Measure::DeploymentFrequency => t.dora_frequency(),
        Measure::ChangeLeadTime => t.dora_lead(),
        Measure::ChangeFailRate => t.dora_failed(),
        Measure::FailedDeploymentRecoveryTime => t.dora_recovery(),
        Measure::ReworkRate => t.dora_rework(),
    }
}

fn value(t: Lang, one: &Measured) -> String {
    match (one.value, one.unit.as_str()) {
        (None, _) => "–".to_owned(),
        (Some(value), "per_week") => t.per_week(format!("{value:.1}")),
        (Some(value), "share") => format!("{:.0}%", value * 100.0),
        (Some(value), _) => t.took(std::time::Duration::from_secs_f64((value / 1_000.0).clamp(0.0, 1e9))),
    }
}

fn flaky_tests(caller: &Caller, path: &str, tests: &[FlakyTest], may: bool) -> AnyView {
    let (t, now) = (caller.lang, caller.now());
    if tests.is_empty() {
        return empty(t.flaky_empty(), ());
    }
    let rows = tests
        .iter()
        .map(|test| {
            let muted = test.muted_until.filter(|until| *until > now).map(|until| t.test_muted(until.to_string().get(..10).unwrap_or_default()));
            view! {
                <tr>
                    <th scope="row" class="grow"><span class="wrap"><span class="faint">{test.suite.clone()}" › "</span>{test.name.clone()}</span></th>
                    <td data-label=t.flaky_times() class="small">{test.times.to_string()}</td>
                    <td data-label=t.run() class="small"><a href=format!("{path}/runs/{}", test.last_run)>{test.last_run.to_string()}</a>" "{when(t, now, test.last_at)}</td>
                    <td>{muted.map(|muted| view! { <span class="chip">{muted}</span>" " })}{may.then(|| mute(caller, test))}</td>
                </tr>
            }
        })
        .collect_view();
    table_of(&[t.name(), t.flaky_times(), t.run(), ""], rows)
}

fn mute(caller: &Caller, test: &FlakyTest) -> AnyView {
    let t = caller.lang;
    let form = Formed::of(caller, "mute", test.id.as_str());
    let field = Field { kind: "date", required: false, hint: t.mute_hint(), ..Field::text("until", t.mute_until()) };
    view! {
        <form method="post" class="inline">{form.names()}{form.trouble(&["until"])}{field.show(&form)}{submit("", t.change())}</form>
    }
    .into_any()
}

fn settings(caller: &Caller, report: &CiReport) -> AnyView {
    let t = caller.lang;
    let badge = format!("{}{}/badge.svg", caller.url, path_of(&report.team, &report.service));
    let guard = Formed::new(caller, if report.guards_red { "unguard" } else { "guard" });
    let guard_word = if report.guards_red { t.ci_unguard() } else { t.ci_guard() };
    let open = Formed::new(caller, if report.public_badges { "hide-badges" } else { "badges" });
    let open_word = if report.public_badges { t.badges_close() } else { t.badges_open() };
    let guards = if caller.may(&report.team, Role::Developer) {
        view! { <form method="post">{guard.names()}{guard.trouble(&[])}{submit("", guard_word)}</form> }.into_any()
    } else {
        say(Tone::Idle, t.needs_role(t.role(Role::Developer)))
    };
    let opens = if caller.may(&report.team, Role::Owner) {
        view! { <form method="post">{open.names()}{open.trouble(&[])}{submit("", open_word)}</form> }.into_any()
    } else {
        say(Tone::Idle, t.needs_role(t.role(Role::Owner)))
    };
    let guard_says = if report.guards_red { t.ci_guards() } else { t.ci_guards_not() };
    let badge_says = if report.public_badges { t.badges_are_open() } else { t.badges_are_closed() };
    view! {
        <section class="card narrow">
            <header><h2>{t.ci_guard_title()}</h2></header>
            <div class="body"><p class="soft">{sentence(t, guard_says)}</p>{guards}</div>
        </section>
        <section class="card narrow">
            <header><h2>{t.badge()}</h2></header>
            <div class="body">
                <p><img src=format!("{}/badge.svg", path_of(&report.team, &report.service)) alt=t.ci_title() width="100" height="20" /></p>
                {code_block(t, &format!("![CI]({badge})"))}
                <p class="soft">{badge_says}</p>
                {opens}
            </div>
        </section>
    }
    .into_any()
}

/// Mutes a test, guards the default branch, opens the badges.
pub async fn form(caller: &Caller) -> Result<Answer> {
    let (team, name): (TeamName, ServiceName) = (caller.param("team")?, caller.param("service")?);
    let (actor, ci) = (caller.actor()?, &caller.backend.ci);
    match caller.verb() {
        "mute" => {
            let until = Some(caller.form.get("until")).filter(|day| !day.is_empty()).map(str::to_owned);
            ci.mute(actor, &team, &name, caller.form.get("of"), Mute { until }).await?;
        }
        "guard" => ci.guard_red(actor, &team, &name, true).await?,
        "unguard" => ci.guard_red(actor, &team, &name, false).await?,
        // Of the team, yet asked for on the page of a service: of one that is not there nothing is done.
        "badges" | "hide-badges" => {
            caller.backend.services.overview(actor, &team, &name).await?;
            ci.open_badges(actor, &team, caller.verb() == "badges").await?;
        }
        _ => return Err(no_such_form()),
    }
    Ok(Answer::Go(format!("{}/ci?done=saved", path_of(&team, &name))))
}
