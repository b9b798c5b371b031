//! Every run of a service, and one more by hand.

use leptos::prelude::*;
use serde_json::json;

use super::{page_of, path_of, service_tabs};
use crate::{
    caller::{Answer, Caller, Screen, no_such_form},
    components::{Field, Formed, empty, head, pager, run_word, sentence, submit},
    error::Result,
    locales::Lang,
    model::{PageRequest, Role, RunFilter, RunInput, RunState, ServiceName, StartRun, TeamName, Triggers},
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
    let triggers = triggers(caller, &team, &name).await?;
    let body = view! {
        {head(name.to_string(), all.service.description.clone(), ())}
        {service_tabs(caller, &all.service, &environments, "runs")}
        {narrowing(t, &filter)}
        <section class="card" data-live="runs" aria-label=t.tab_runs()>{list}</section>
        {pager(t, &address(&path, &filter), runs.next.as_deref())}
        {may.then(|| start(caller, &triggers))}
        {others(t, &triggers)}
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
            Way::get(t.triggers(), format!("/teams/{team}/services/{name}/triggers")).cli(format!("berth service triggers {team}/{name}")),
        ])
        .into())
}

/// What the address asks for; a state that there is not narrows nothing.
fn asked(caller: &Caller) -> RunFilter {
    if asks_for_inputs(caller) {
        return RunFilter::default();
    }
    let given = |name: &str| Some(caller.query.get(name).to_owned()).filter(|value| !value.is_empty());
    RunFilter { state: RunState::from_name(caller.query.get("state")), branch: given("branch"), by: given("by"), text: given("text") }
}

/// Whether the address comes from the form that starts a run: its branch says whose inputs to show, and narrows nothing.
fn asks_for_inputs(caller: &Caller) -> bool {
    caller.query.get("do") == "start"
}

/// The branch in the form that starts a run.
fn branch_to_start(caller: &Caller) -> &str {
    match (caller.verb() == "start", asks_for_inputs(caller)) {
        (true, _) => caller.form.get("branch"),
        (false, true) => caller.query.get("branch"),
        (false, false) => "",
    }
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

/// What a run takes of the branch that is asked for: by the form that was sent, else by the address.
async fn triggers(caller: &Caller, team: &TeamName, name: &ServiceName) -> Result<Triggers> {
    let (actor, runs) = (caller.actor()?, &caller.backend.runs);
    match runs.triggers(actor, team, name, Some(branch_to_start(caller)).filter(|branch| !branch.is_empty())).await {
        // The form says what is wrong with the branch.
        Err(error) if error.code == "unknown_branch" => runs.triggers(actor, team, name, None).await,
        triggers => triggers,
    }
}

/// The form that runs a branch, with a field for each input of its file.
fn start(caller: &Caller, triggers: &Triggers) -> AnyView {
    let (t, form) = (caller.lang, Formed::new(caller, "start"));
    let names: Vec<String> = triggers.inputs.iter().map(|input| field_of(&input.name)).collect();
    let shown: Vec<&str> = names.iter().map(String::as_str).chain(["branch"]).collect();
    let fields = triggers.inputs.iter().map(|input| field(t, &form, input)).collect_view();
    let about = (!triggers.inputs.is_empty()).then(|| view! { <p class="small soft">{t.start_run_inputs(&triggers.branch)}</p> });
    let asked = branch_to_start(caller).to_owned();
    view! {
        <section class="card narrow">
            <header><h2>{t.start_run()}</h2></header>
            <div class="body">
                <p class="soft">{t.start_run_below()}</p>
                <form method="post" class="stack">
                    {form.names()}
                    {form.trouble(&shown)}
                    {Field { required: false, hint: t.start_run_hint(), value: &asked, ..Field::text("branch", t.start_run_branch()) }.show(&form)}
                    {about}
                    {fields}
                    <div class="inline">
                        {submit("", t.start_run_does())}
                        <button class="btn" formmethod="get" formnovalidate=true>{t.start_run_fields()}</button>
                    </div>
                </form>
            </div>
        </section>
    }
    .into_any()
}

/// What the fields of inputs begin with; the rest is the input's name.
const FIELDS: &str = "inputs.";

/// The field of an input in the form.
fn field_of(name: &str) -> String {
    format!("{FIELDS}{name}")
}

/// A line of text, or a list to choose from.
fn field(t: Lang, form: &Formed<'_>, input: &RunInput) -> AnyView {
    let name = field_of(&input.name);
    let default = input.default.as_ref().filter(|_| input.options.is_empty()).map(|default| t.start_run_default(default));
    let said: Vec<&str> =
        [input.description.as_str(), default.as_deref().unwrap_or_default()].into_iter().filter(|text| !text.is_empty()).collect();
    let hint = said.join(" ");
    if input.options.is_empty() {
        return Field { required: input.required, hint: &hint, ..Field::text(&name, &input.name) }.show(form);
    }
    let chosen = form.value(&name, input.default.as_deref().unwrap_or_default());
    let none = (input.default.is_none() && !input.required).then(|| view! { <option value="">{t.start_run_chosen()}</option> });
    let options = input.options.iter().map(|option| {
        let here = *option == chosen;
        view! { <option value=option.clone() selected=here>{option.clone()}</option> }
    });
    let (id, hint_id) = (format!("start-{name}"), format!("start-{name}-hint"));
    let said = (!hint.is_empty()).then(|| view! { <span class="hint" id=hint_id.clone()>{hint.clone()}</span> });
    view! {
        <div class="field">
            <label for=id.clone()>{input.name.clone()}</label>
            <select id=id name=name.clone() required=input.required aria-describedby=(!hint.is_empty()).then(|| hint_id.clone())>
                {none}{options.collect_view()}
            </select>
            {said}
            {form.error(&name).map(|error| view! { <span class="error" role="alert">{error}</span> })}
        </div>
    }
    .into_any()
}

/// What else makes it run.
fn others(t: Lang, triggers: &Triggers) -> AnyView {
    let tags =
        (!triggers.tags.is_empty()).then(|| view! { <p class="small">{t.trigger_tags()}" "<code>{triggers.tags.join(", ")}</code></p> });
    let none =
        (triggers.tags.is_empty() && triggers.schedules.is_empty()).then(|| view! { <p class="small faint">{t.triggers_none()}</p> });
    view! {
        <section class="card narrow" id="triggers">
            <header><h2>{t.triggers()}</h2></header>
            <div class="body">
                <p class="soft">{sentence(t, t.triggers_below())}</p>
                {tags}
                {super::service::schedules(t, &triggers.schedules)}
                {none}
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
    // What the form was not made for is left to the one who checks it.
    let given = caller.form.0.iter().filter_map(|(field, value)| Some((field.strip_prefix(FIELDS)?.to_owned(), value.clone())));
    let start = StartRun { inputs: given.collect(), branch, by_hand: true };
    let run = caller.backend.runs.start(caller.actor()?, &team, &name, start).await?;
    Ok(Answer::Go(format!("{}/runs/{}", path_of(&team, &name), run.number)))
}
