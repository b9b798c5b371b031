//! What a run said and left: its tests, those that failed first, and its files.

use leptos::prelude::*;

use crate::{
    caller::Caller,
    components::{Tone, sentence, short_commit, status, table_of},
    error::Result,
    locales::Lang,
    model::{Artifact, Run, TestCase, TestChange, TestReport},
};

/// How many failures stand open.
const OPEN: usize = 3;

/// The cards; nothing where there is nothing to say yet.
pub(super) async fn cards(caller: &Caller, run: &Run) -> Result<AnyView> {
    let (t, actor, ci) = (caller.lang, caller.actor()?, &caller.backend.ci);
    let report = ci.tests(actor, &run.team, &run.service, run.number).await?;
    let files = ci.artifacts(actor, &run.team, &run.service, run.number).await?;
    let body = view! { {tests(t, &report)}{artifacts(t, run, &files)} };
    Ok(body.into_any())
}

/// What the tests said.
fn tests(t: Lang, report: &TestReport) -> AnyView {
    let counts = &report.counts;
    if counts.executed() + counts.skipped == 0 {
        let nothing = report.nothing.as_deref().map(|nothing| {
            view! { <section class="card pad small" aria-label=t.tests()><b>{t.tests()}</b>" · "<span class="soft">{sentence(t, nothing)}</span></section> }
        });
        return nothing.into_any();
    }
    let tone = if counts.failed > 0 { Tone::Bad } else { Tone::Ok };
    let word = if counts.failed > 0 { t.tests_failed(counts.failed) } else { t.tests_passed(counts.passed) };
    let rest = (counts.failed > 0).then(|| format!(" · {}", t.tests_passed(counts.passed)));
    let skipped = (counts.skipped > 0).then(|| format!(" · {}", t.tests_skipped(counts.skipped)));
    let took = format!(" · {}", t.took(std::time::Duration::from_millis(counts.took_ms)));
    let against = report.compared_with.map(|run| {
        view! { <p class="pad small soft">{t.tests_against(run, counts.new, counts.still, counts.fixed, counts.added)}</p> }
    });
    let failing = report.failing.iter().enumerate().map(|(at, case)| failed(t, case, at < OPEN)).collect_view();
    let body = view! {
        {against}
        {failing}
        {listed(t, t.tests_fixed(), &report.fixed)}
        {listed(t, t.tests_added(), &report.added)}
        {listed(t, t.tests_slowest(), &report.slowest)}
    };
    let says = view! { <span class="small soft">{status(tone, word)}{rest}{skipped}{took}</span> };
    card(t.tests(), says, body)
}

fn card(title: &'static str, says: impl IntoView, body: impl IntoView) -> AnyView {
    let (says, body) = (says.into_any(), body.into_any());
    view! { <section class="card" aria-label=title><header><h2>{title}</h2>{says}</header>{body}</section> }.into_any()
}

fn named(case: &TestCase) -> AnyView {
    let suite = (!case.suite.is_empty()).then(|| view! { <span class="faint">{case.suite.clone()}" › "</span> });
    view! { <span class="wrap">{suite}{case.name.clone()}</span> }.into_any()
}

/// A failure with what it says and the first lines of its output.
fn failed(t: Lang, case: &TestCase, open: bool) -> AnyView {
    let marks = [
        (case.change == Some(TestChange::New)).then(|| t.test_new().to_owned()),
        case.flaky.then(|| t.test_flaky().to_owned()),
        case.muted_until.map(|until| t.test_muted(until.to_string().get(..10).unwrap_or_default())),
    ];
    let marks = marks.into_iter().flatten().map(|mark| view! { " "<span class="chip">{mark}</span> }).collect_view();
    let tone = if case.muted_until.is_some() { Tone::Idle } else { Tone::Bad };
    let message = case.message.clone().map(|message| view! { <p class="wrap">{message}</p> });
    let output = (!case.output.is_empty()).then(|| view! { <pre class="log plain" tabindex="0">{case.output.join("\n")}</pre> });
    view! {
        <details class="fold pad" open=open && case.muted_until.is_none()>
            <summary>{status(tone, t.run_failed())}" "{named(case)}{marks}</summary>
            <p class="small faint">{case.step.clone()}" · "{t.took(std::time::Duration::from_millis(case.took_ms))}" · "<code>{case.id.clone()}</code></p>
            {message}
            {output}
        </details>
    }
    .into_any()
}

fn listed(t: Lang, title: &'static str, cases: &[TestCase]) -> AnyView {
    if cases.is_empty() {
        return ().into_any();
    }
    let rows = cases
        .iter()
        .map(|case| {
            let took = t.took(std::time::Duration::from_millis(case.took_ms));
            view! { <tr><th scope="row" class="grow">{named(case)}</th><td data-label=t.took_word() class="small soft">{took}</td></tr> }
        })
        .collect_view();
    view! {
        <details class="fold pad">
            <summary>{format!("{title} ({})", cases.len())}</summary>
            {table_of(&[title, t.took_word()], rows)}
        </details>
    }
    .into_any()
}

/// The files it left.
fn artifacts(t: Lang, run: &Run, files: &[Artifact]) -> AnyView {
    if files.is_empty() {
        return ().into_any();
    }
    let base = format!("/api/v1/teams/{}/services/{}/runs/{}/artifacts", run.team, run.service, run.number);
    let rows = files
        .iter()
        .map(|file| {
            view! {
                <tr>
                    <th scope="row" class="grow"><a class="wrap" href=format!("{base}/{}", file.id) download="">{file.path.clone()}</a></th>
                    <td data-label=t.size_word() class="small soft">{t.size(file.size)}</td>
                    <td data-label=t.step_word() class="small soft">{file.step.clone()}</td>
                    <td data-label="SHA-256" class="small faint"><code title=file.sha256.clone()>{short_commit(&file.sha256)}</code></td>
                </tr>
            }
        })
        .collect_view();
    let table = table_of(&[t.file_word(), t.size_word(), t.step_word(), "SHA-256"], rows);
    view! {
        <section class="card" aria-label=t.files()>
            <header><h2>{t.files()}</h2><span class="small soft">{t.files_below()}</span></header>
            {table}
        </section>
    }
    .into_any()
}
