//! How one candidate differs from another.

use leptos::prelude::*;

use super::path_of;
use crate::{
    caller::{Answer, Caller, Screen},
    components::{empty, head, sentence, short_commit, table},
    error::Result,
    locales::Lang,
    model::{Candidate, CommitLine, Comparison, ConfigCompared, FieldChange, PackageChanges, ServiceName, TeamName, VariableChanged},
    way::{Way, named},
};

/// The comparison.
pub async fn page(caller: &Caller) -> Result<Answer> {
    let t = caller.lang;
    let (team, name): (TeamName, ServiceName) = (caller.param("team")?, caller.param("service")?);
    let (before, after): (u64, u64) = (caller.param("number")?, caller.param("other")?);
    let found = caller.backend.candidates.compare(caller.actor()?, &team, &name, before, after).await?;
    let service = path_of(&team, &name);
    let path = format!("{service}/candidates/{before}/compare/{after}");
    let size = t.compare_size(found.before.size >> 20, found.after.size >> 20);
    let body = view! {
        {head(t.compare_title(before, after), size, ())}
        {tests(t, &found)}
        {commits(t, &found)}
        <div class="two even">
            <section class="card">
                <header><h2>{t.compare_packages()}</h2></header>
                {packages(t, found.packages.as_ref())}
            </section>
            <section class="card">
                <header><h2>{t.compare_shape()}</h2></header>
                {if found.shape.is_empty() { empty(t.compare_no_shape(), ()) } else { fields(t, &found.shape) }}
            </section>
        </div>
        {found.config.iter().map(|config| variables(t, config)).collect_view()}
    };
    let way = Way::get(t.way_look(), path.clone()).cli(format!("berth candidates compare {} {before} {after}", named(&team, &name)));
    Ok(Screen::new(format!("{} · {name}", t.compare_title(before, after)), body.into_any())
        .at(Some(&team), format!("/teams/{team}"))
        .crumb(team.to_string(), format!("/teams/{team}"))
        .crumb(name.to_string(), service.clone())
        .crumb(t.candidate_number(after), format!("{service}/candidates/{after}"))
        .crumb(t.compare_title(before, after), path)
        .ways([way])
        .into())
}

/// What the tests of both came to, where reports of both were read.
fn tests(t: Lang, found: &Comparison) -> AnyView {
    let of = |candidate: &Candidate| {
        let tests = candidate.made.as_ref().and_then(|made| made.tests.as_ref());
        tests.map(|tests| t.candidate_tests_are(tests.passed, tests.failed, tests.skipped))
    };
    let Some((before, after)) = of(&found.before).zip(of(&found.after)) else { return ().into_any() };
    view! { <p class="small soft">{t.candidate_tests()}": "{before}" → "{after}</p> }.into_any()
}

fn commits(t: Lang, found: &Comparison) -> AnyView {
    let list = |title: &'static str, commits: &[CommitLine]| {
        let rows = commits.iter().map(|commit| {
            view! {
                <tr>
                    <th scope="row"><code title=commit.id.clone()>{short_commit(&commit.id)}</code></th>
                    <td data-label=t.col_message() class="grow">{commit.title.clone()}</td>
                    <td data-label=t.author() class="small soft">{commit.author.clone()}</td>
                </tr>
            }
        });
        let rows = table(&[t.commit(), t.col_message(), t.author()], rows.collect_view());
        view! { <section class="card"><header><h2>{title}</h2></header>{rows}</section> }.into_any()
    };
    if let Some(why) = &found.commits_unread {
        return view! { <section class="card pad">{sentence(t, why)}</section> }.into_any();
    }
    if found.commits.is_empty() && found.taken_back.is_empty() {
        return view! { <section class="card pad">{t.compare_no_commits()}</section> }.into_any();
    }
    let new = (!found.commits.is_empty()).then(|| list(t.compare_commits(), &found.commits));
    let old = (!found.taken_back.is_empty()).then(|| list(t.compare_taken_back(), &found.taken_back));
    view! { {new}{old} }.into_any()
}

fn packages(t: Lang, changes: Option<&PackageChanges>) -> AnyView {
    let Some(changes) = changes else { return empty(t.compare_packages_unknown(), ()) };
    let change = |field: &str, before: Option<&str>, after: Option<&str>| FieldChange {
        field: field.to_owned(),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
    };
    let mut all = changes.changed.clone();
    all.extend(changes.added.iter().map(|package| change(&package.name, None, Some(&package.version))));
    all.extend(changes.removed.iter().map(|package| change(&package.name, Some(&package.version), None)));
    all.sort_by(|a, b| a.field.cmp(&b.field));
    if all.is_empty() { empty(t.compare_no_packages(), ()) } else { fields(t, &all) }
}

/// How the variables differ in one environment.
fn variables(t: Lang, config: &ConfigCompared) -> AnyView {
    let number = |set: Option<u64>| set.map_or_else(|| t.compare_config_newest().to_owned(), |number| number.to_string());
    let rows = config.changes.iter().map(|variable| {
        let word = match variable.change {
            VariableChanged::Added => t.compare_added(),
            VariableChanged::Removed => t.compare_removed(),
            VariableChanged::Changed => t.compare_changed(),
        };
        let side = |value: &Option<String>, there: bool| match value {
            Some(value) => view! { <code class="wrap">{value.clone()}</code> }.into_any(),
            None if there => view! { <span class="soft">{t.compare_not_shown()}</span> }.into_any(),
            None => "–".into_any(),
        };
        view! {
            <tr>
                <th scope="row"><code>{variable.name.clone()}</code>" "<span class="chip">{word}</span></th>
                <td data-label=t.col_before()>{side(&variable.before, variable.change != VariableChanged::Added)}</td>
                <td data-label=t.col_after()>{side(&variable.after, variable.change != VariableChanged::Removed)}</td>
            </tr>
        }
    });
    let rows = rows.collect_view();
    view! {
        <section class="card">
            <header>
                <h2>{t.compare_config(&config.environment)}</h2>
                <span class="small soft">{t.compare_config_sets(number(config.before), number(config.after))}</span>
            </header>
            {if config.changes.is_empty() {
                empty(t.compare_no_config(), ())
            } else {
                table(&[t.col_field(), t.col_before(), t.col_after()], rows)
            }}
        </section>
    }
    .into_any()
}

fn fields(t: Lang, changes: &[FieldChange]) -> AnyView {
    let side = |value: &Option<String>| match value {
        Some(value) => view! { <code class="wrap">{value.clone()}</code> }.into_any(),
        None => "–".into_any(),
    };
    let rows = changes.iter().map(|change| {
        let word = match (&change.before, &change.after) {
            (None, _) => t.compare_added(),
            (_, None) => t.compare_removed(),
            _ => t.compare_changed(),
        };
        view! {
            <tr>
                <th scope="row">{change.field.clone()}" "<span class="chip">{word}</span></th>
                <td data-label=t.col_before()>{side(&change.before)}</td>
                <td data-label=t.col_after()>{side(&change.after)}</td>
            </tr>
        }
    });
    table(&[t.col_field(), t.col_before(), t.col_after()], rows.collect_view())
}
