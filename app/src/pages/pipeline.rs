//! The page that writes a `berth.yaml`: the text, what is wrong with it or what it asks for, and what a push of it would run.
//! Nothing is stored here.

use leptos::prelude::*;
use serde_json::json;

use super::{path_of, service_tabs};
use crate::{
    caller::{Answer, Caller, Screen, no_such_form},
    components::{Formed, Tone, code_block, copy_of, head, say, sentence, short_commit, status, table_of, typed},
    error::Result,
    islands::Editor,
    locales::Lang,
    model::{DraftElsewhere, DraftProblem, PipelineCheck, PipelineDraft, PipelineFile, ServiceName, TeamName},
    way::Way,
};

/// How many numbers stand beside the text: more than a file may well have, and hidden beyond its end.
const NUMBERS: usize = 1_500;
/// The id of the text.
const TEXT: &str = "pipeline-text";

/// The page.
pub async fn page(caller: &Caller) -> Result<Answer> {
    let t = caller.lang;
    let (team, name): (TeamName, ServiceName) = (caller.param("team")?, caller.param("service")?);
    let (actor, backend) = (caller.actor()?, &caller.backend);
    let all = backend.services.overview(actor, &team, &name).await?;
    let file = backend.pipelines.file(actor, &team, &name).await?;
    let form = Formed::new(caller, "check");
    let text = if form.sent() { sent(caller) } else { file.text.clone().unwrap_or_else(|| template(&name)) };
    let found = backend.pipelines.check(actor, &team, &name, PipelineDraft { text: text.clone() }).await;
    // A text that is too long is told of on the form, which then has the error already.
    let found = match found {
        Err(error) if caller.problem.is_none() => return Err(error),
        found => found.unwrap_or_default(),
    };
    let path = path_of(&team, &name);
    let environments: Vec<String> = all.targets.iter().map(|target| target.environment.to_string()).collect();
    let body = view! {
        {head(name.to_string(), all.service.description.clone(), ())}
        {service_tabs(caller, &all.service, &environments, "pipeline")}
        <div class="two wide">
            {editor(t, &form, &file, &text)}
            <div class="stack" id="checked">{checked(t, &file, &found, &text)}</div>
        </div>
        {afterwards(caller, &file)}
    };
    let service = format!("{path}/pipeline");
    Ok(Screen::new(t.pipeline_of(&name), body.into_any())
        .at(Some(&team), format!("/teams/{team}"))
        .crumb(team.to_string(), format!("/teams/{team}"))
        .crumb(name.to_string(), path)
        .crumb(t.tab_pipeline(), service.clone())
        .ways([
            Way::get(t.way_look(), service.clone()),
            Way::send(t.way_pipeline_check(), "POST", format!("{service}/actions/check"), &json!({ "text": "version: 1\n" }))
                .cli("berth lint --plan"),
        ])
        .into())
}

/// Checks: the page again, with what was typed.
pub async fn form(caller: &Caller) -> Result<Answer> {
    if caller.verb() != "check" {
        return Err(no_such_form());
    }
    if caller.problem.is_none() {
        let (team, name): (TeamName, ServiceName) = (caller.param("team")?, caller.param("service")?);
        caller.backend.pipelines.check(caller.actor()?, &team, &name, PipelineDraft { text: sent(caller) }).await?;
    }
    page(caller).await
}

/// The text that was sent; browsers end its lines with two characters.
fn sent(caller: &Caller) -> String {
    caller.form.raw("text").unwrap_or_default().replace("\r\n", "\n")
}

/// What a file begins with where there is none: one stage, the image, one process.
fn template(name: &ServiceName) -> String {
    format!(
        "version: 1
services:
  {name}:
    stages: # in order; a failing one stops the run
      - name: fast
        timeout: 10m
        steps: # side by side, each in a container of its own
          - name: unit
            image: \"debian:12\"
            run: [\"./test.sh\"]
            # junit: \"reports/*.xml\" # the tests are shown with the run
    image:
      dockerfile: Dockerfile
    processes:
      web:
        port: 8080
        health: {{ path: /, interval: 1s }}
"
    )
}

fn editor(t: Lang, form: &Formed<'_>, file: &PipelineFile, text: &str) -> AnyView {
    let from = match (form.sent(), &file.commit) {
        (true, _) => t.pipeline_draft(&file.branch).into_any(),
        (false, Some(commit)) if file.text.is_some() => {
            view! { {t.pipeline_at_head(&file.branch)}" "<code>{short_commit(commit)}</code> }.into_any()
        }
        _ => t.pipeline_template(&file.branch).into_any(),
    };
    let numbers = (1..=NUMBERS).map(|n| format!("{n}\n")).collect::<String>();
    let rows = (text.lines().count() + 1).clamp(18, 400);
    let error = form.error("text").map(|error| view! { <p class="error pad" role="alert">{error}</p> });
    view! {
        <form method="post" class="card editor" data-check>
            <header>
                <h2>"berth.yaml"</h2>
                <span class="small soft">{from}</span>
                <span class="end">{copy_of(t.pipeline_copy(), t.copied(), TEXT)}</span>
            </header>
            {form.names()}
            {form.trouble(&["text"])}
            {error}
            <div class="code">
                <div class="numbers" aria-hidden="true">{numbers}</div>
                <textarea id=TEXT name="text" rows=rows spellcheck="false" autocapitalize="none" autocomplete="off" wrap="off" aria-label=t.pipeline_text()>
                    {typed(text)}
                </textarea>
            </div>
            <footer>
                <button class="btn main">{t.pipeline_check()}</button>
                <a class="btn" href="pipeline">{t.pipeline_again()}</a>
                <Editor gone=t.pipeline_gone().to_owned() />
            </footer>
        </form>
    }
    .into_any()
}

/// What is wrong with the text; else what it asks for and what a push of it would come to.
fn checked(t: Lang, file: &PipelineFile, found: &PipelineCheck, text: &str) -> AnyView {
    if !found.problems.is_empty() {
        let lines: Vec<&str> = text.lines().collect();
        let all = found.problems.iter().map(|problem| trouble(t, problem, &lines)).collect_view();
        return view! {
            <section class="card" aria-labelledby="problems">
                <header class="state"><h2 id="problems"><span role="status">{status(Tone::Bad, t.pipeline_problems(found.problems.len()))}</span></h2></header>
                <ol class="problems">{all}</ol>
            </section>
        }
        .into_any();
    }
    view! {
        <section class="card">
            <header class="state"><h2><span role="status">{status(Tone::Ok, t.pipeline_good())}</span></h2></header>
            <div class="body stack">{warnings(t, file, found)}<h3 class="small soft">{t.pipeline_asks()}</h3>{plan(t, &found.plan)}</div>
        </section>
        <section class="card">
            <header><h2>{t.pipeline_push(&file.branch)}</h2></header>
            {pushed(t, found)}
        </section>
    }
    .into_any()
}

fn trouble(t: Lang, problem: &DraftProblem, lines: &[&str]) -> AnyView {
    let line = lines.get(problem.line.saturating_sub(1)).map(|line| line.trim().to_owned()).filter(|line| !line.is_empty());
    view! {
        <li>
            <a href=format!("#{TEXT}") data-line=problem.line.to_string() data-column=problem.column.to_string()>{t.pipeline_place(problem.line, problem.column)}</a>
            <p>{sentence(t, &problem.sentence)}</p>
            {line.map(|line| view! { <code class="cut small">{line}</code> })}
        </li>
    }
    .into_any()
}

/// What is missing for the file, each with what adds it.
fn warnings(t: Lang, file: &PipelineFile, found: &PipelineCheck) -> AnyView {
    let elsewhere = found.elsewhere.iter().map(|one| {
        let DraftElsewhere { name, repository } = one;
        let (says, does) = match repository {
            Some(there) => (t.pipeline_elsewhere(name, there), format!("berth service move {name} --repository {}", file.repository)),
            None => (t.pipeline_none_yet(name), format!("berth service create {name} --repository {}", file.repository)),
        };
        say(Tone::Warn, view! { <p>{says}</p>{code_block(t, &does)} })
    });
    let missing = found.missing.iter().map(|path| say(Tone::Warn, t.pipeline_no_dockerfile(path, &file.branch)));
    elsewhere.chain(missing).collect_view().into_any()
}

/// The plan by service: its lines begin with the service they are about.
fn plan(t: Lang, lines: &[String]) -> AnyView {
    let of = |line: &String| line.split_once(": ").map_or("", |(name, _)| name).to_owned();
    let services = lines.chunk_by(|a, b| of(a) == of(b)).map(|lines| {
        let name = lines.first().map(of).unwrap_or_default();
        let says = lines.iter().map(|line| {
            let says = line.split_once(": ").map_or(line.as_str(), |(_, says)| says).to_owned();
            view! { <li>{t.stored(&says)}</li> }
        });
        view! { <div><b>{name}</b><ul class="bullets">{says.collect_view()}</ul></div> }
    });
    services.collect_view().into_any()
}

fn pushed(t: Lang, found: &PipelineCheck) -> AnyView {
    let rows = found.push.iter().map(|run| {
        let (tone, word) = if run.runs { (Tone::Ok, t.pipeline_would_run()) } else { (Tone::Idle, t.pipeline_would_not()) };
        view! {
            <tr>
                <th scope="row">{run.service.to_string()}<div class="small soft">{sentence(t, &run.plan)}</div></th>
                <td data-label=t.col_state()>{status(tone, word)}</td>
            </tr>
        }
    });
    table_of(&[t.col_service(), t.col_state()], rows.collect_view())
}

/// How it gets into the repository, and where to look things up.
fn afterwards(caller: &Caller, file: &PipelineFile) -> AnyView {
    let t = caller.lang;
    let commands =
        format!("berth lint --plan\ngit add berth.yaml\ngit commit -m \"Describe the pipeline\"\ngit push berth {}", file.branch);
    let schema = format!("{}/schema/berth.v1.json", caller.url);
    view! {
        <div class="two even">
            <section class="card">
                <header><h2>{t.pipeline_commit()}</h2></header>
                <div class="body stack"><p class="small soft">{t.pipeline_commit_below()}</p>{code_block(t, &commands)}</div>
            </section>
            <section class="card">
                <header><h2>{t.pipeline_learn()}</h2></header>
                <div class="body stack">
                    <p><a href="/schema">{t.pipeline_reference()}</a>" · "<a href=schema.clone()>{t.pipeline_schema()}</a></p>
                    <p class="small soft">{t.pipeline_schema_below()}</p>
                    {code_block(t, &format!("# yaml-language-server: $schema={schema}"))}
                </div>
            </section>
        </div>
    }
    .into_any()
}
