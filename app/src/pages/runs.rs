//! Every run of a service, and one more by hand.

use leptos::prelude::*;
use serde_json::json;

use super::{page_of, path_of, service_tabs};
use crate::{
    caller::{Answer, Caller, Screen, no_such_form},
    components::{Field, Formed, empty, head, pager, run_word, submit},
    error::Result,
    locales::Lang,
    model::{PageRequest, Role, RunFilter, RunState, ServiceName, StartRun, TeamName},
    way::Way,
};

/// The list.
pub async fn page(caller: &Caller) -> Result<Answer> {
    let t = caller.lang;
    let (team, name): (TeamName, ServiceName) = (caller.param("team")?, caller.param("service")?);
    let actor = caller.actor()?;
    let all = caller.backend.services.overview(actor, &team, &name).await?;
    let filter = asked(caller);
    let runs = caller.backend.runs.list(actor, &team, &name, &filter, &page_of(caller)).await?;
    let path = path_of(&team, &name);
    let narrowed = filter != RunFilter::default();
    let list = match runs.items.is_empty() && narrowed {
        true => nothing_fits(t, &path, &filter, &fitting_without(caller, &team, &name, &filter).await?),
        false => super::service::runs(caller, &path, &runs.items),
    };
    let environments: Vec<String> = all.targets.iter().map(|target| target.environment.to_string()).collect();
    let may = caller.may(&team, Role::Developer);
    let body = view! {
        {head(name.to_string(), all.service.description.clone(), ())}
        {service_tabs(caller, &all.service, &environments, "runs")}
        {narrowing(t, &filter)}
        <section class="card" data-live="runs" aria-label=t.tab_runs()>{list}</section>
        {pager(t, &address(&path, &filter), runs.next.as_deref())}
        {may.then(|| start(caller))}
    };
    Ok(Screen::new(format!("{} · {name}", t.tab_runs()), body.into_any())
        .at(Some(&team), format!("/teams/{team}"))
        .crumb(team.to_string(), format!("/teams/{team}"))
        .crumb(name.to_string(), path.clone())
        .crumb(t.tab_runs(), format!("{path}/runs"))
        .live(&["run:"])
        .ways([
            Way::get(t.way_look(), address(&path, &filter)).cli(command(&format!("{team}/{name}"), &filter)),
            Way::send(t.start_run(), "POST", format!("/teams/{team}/services/{name}/runs"), &json!({ "branch": "main" }))
                .cli(format!("berth runs start {team}/{name} --branch main")),
        ])
        .into())
}

/// What the address asks for; a state that there is not narrows nothing.
fn asked(caller: &Caller) -> RunFilter {
    let given = |name: &str| Some(caller.query.get(name).to_owned()).filter(|value| !value.is_empty());
    RunFilter { state: RunState::from_name(caller.query.get("state")), branch: given("branch"), by: given("by"), text: given("text") }
}

/// What narrows the list: names of the address, and values.
fn narrows(filter: &RunFilter) -> Vec<(&'static str, String)> {
    let state = filter.state.map(|state| state.name().to_owned());
    let all = [("state", state), ("branch", filter.branch.clone()), ("by", filter.by.clone()), ("text", filter.text.clone())];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// The address of the list with this filter.
fn address(path: &str, filter: &RunFilter) -> String {
    let encode = |value: &str| percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string();
    let pairs: Vec<String> = narrows(filter).iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    if pairs.is_empty() { format!("{path}/runs") } else { format!("{path}/runs?{}", pairs.join("&")) }
}

/// The command that lists the same.
fn command(service: &str, filter: &RunFilter) -> String {
    let plain = |value: &str| value.chars().all(|c| c.is_alphanumeric() || "-_./@".contains(c));
    let word = |value: &str| if plain(value) { value.to_owned() } else { format!("'{}'", value.replace('\'', r"'\''")) };
    let options: String = narrows(filter).iter().map(|(name, value)| format!(" --{name} {}", word(value))).collect();
    format!("berth runs list {service}{options}")
}

/// The same filter without one of its parts.
fn without(filter: &RunFilter, part: &str) -> RunFilter {
    let mut less = filter.clone();
    match part {
        "state" => less.state = None,
        "branch" => less.branch = None,
        "by" => less.by = None,
        _ => less.text = None,
    }
    less
}

/// The parts of a filter that nothing fits, without which something would.
async fn fitting_without(caller: &Caller, team: &TeamName, name: &ServiceName, filter: &RunFilter) -> Result<Vec<(&'static str, String)>> {
    let one = PageRequest { cursor: None, limit: Some(1) };
    let mut parts = Vec::new();
    for (part, value) in narrows(filter) {
        let found = caller.backend.runs.list(caller.actor()?, team, name, &without(filter, part), &one).await?;
        if !found.items.is_empty() {
            parts.push((part, value));
        }
    }
    Ok(parts)
}

/// That nothing fits, and which part of the filter to leave out.
fn nothing_fits(t: Lang, path: &str, filter: &RunFilter, parts: &[(&'static str, String)]) -> AnyView {
    let drops = parts.iter().map(|(part, value)| {
        let word = if *part == "state" { filter.state.map_or("", |state| run_word(t, state)).to_owned() } else { value.clone() };
        view! { <a class="btn" href=address(path, &without(filter, part))>{t.runs_drop(word)}</a> }
    });
    let some = (!parts.is_empty()).then(|| view! { <span class="soft">{t.runs_without()}</span> });
    let how = view! { <div class="inline middle">{some}{drops.collect_view()}<a class="btn" href=format!("{path}/runs")>{t.show_all()}</a></div> };
    empty(t.runs_no_match(), how)
}

/// The form that narrows the list: its address can be kept and sent around.
fn narrowing(t: Lang, filter: &RunFilter) -> AnyView {
    let states = RunState::ALL.into_iter().map(|state| {
        view! { <option value=state.name() selected=filter.state == Some(state)>{run_word(t, state)}</option> }
    });
    let field = |id: &'static str, name: &'static str, label: &'static str, value: &Option<String>| {
        view! {
            <div class="field">
                <label for=id>{label}</label>
                <input id=id name=name value=value.clone() autocapitalize="none" spellcheck="false" autocomplete="off" />
            </div>
        }
    };
    let all = (*filter != RunFilter::default()).then(|| view! { <a class="btn" href="runs">{t.show_all()}</a> });
    view! {
        <form class="filter" method="get">
            <div class="field">
                <label for="f-state">{t.col_state()}</label>
                <select id="f-state" name="state"><option value="">{t.any_state()}</option>{states.collect_view()}</select>
            </div>
            {field("f-branch", "branch", t.runs_branch(), &filter.branch)}
            {field("f-by", "by", t.runs_by(), &filter.by)}
            {field("f-text", "text", t.runs_text(), &filter.text)}
            <button class="btn">{t.filter()}</button>
            {all}
        </form>
    }
    .into_any()
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
