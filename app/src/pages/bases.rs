//! The catalogue of base images. Everybody may see it, administrators make what is in it.

use leptos::prelude::*;
use serde_json::json;

use super::done;
use crate::{
    backend::BaseSource,
    caller::{Answer, Caller, Screen, no_such_form},
    components::{Field, Formed, Tone, code_block, empty, head, status, submit, table, typed, when},
    error::Result,
    locales::Lang,
    model::{Base, BaseName, BaseState, BaseVersion},
    way::Way,
};

/// What the form begins with.
const TEMPLATE: &str = "FROM debian:12-slim\nRUN apt-get update && apt-get install -y --no-install-recommends ca-certificates\n";

/// The table and the form.
pub async fn page(caller: &Caller) -> Result<Answer> {
    let t = caller.lang;
    let bases = caller.backend.bases.list(caller.actor()?).await?;
    let commands = "berth base create debian --dockerfile Dockerfile";
    let list = match bases.is_empty() {
        true => empty(t.bases_empty(), caller.is_admin().then(|| code_block(t, commands))),
        false => all(caller, &bases),
    };
    let side = caller.is_admin().then(|| new(caller));
    let body = view! {
        {done(caller)}
        {head(t.nav_bases(), t.bases_below(), ())}
        <div class="two">
            <section class="card" aria-label=t.nav_bases() data-live="bases">{list}</section>
            {side}
        </div>
    };
    let mut ways = vec![Way::get(t.way_look(), "/platform/bases").cli("berth base list")];
    if caller.is_admin() {
        let body = json!({ "name": "debian", "description": "", "dockerfile": "FROM debian:12-slim\n" });
        ways.push(Way::send(t.base_new(), "POST", "/platform/bases", &body).cli("berth base create debian --dockerfile Dockerfile"));
    }
    Ok(Screen::new(t.nav_bases(), body.into_any())
        .at(None, "/platform/bases")
        .crumb(t.nav_bases(), "/platform/bases")
        .live(&["base:"])
        .ways(ways)
        .into())
}

/// How a version is, with its shape.
pub(super) fn state(t: Lang, version: &BaseVersion) -> AnyView {
    match version.state {
        BaseState::Queued => status(Tone::Move, t.base_queued()),
        BaseState::Building => status(Tone::Move, t.base_building()),
        BaseState::Ready if version.gone_at.is_some() => status(Tone::Idle, t.base_gone()),
        BaseState::Ready => status(Tone::Ok, t.base_ready()),
        BaseState::Failed => status(Tone::Bad, t.base_failed()),
        BaseState::Cancelled => status(Tone::Idle, t.base_cancelled()),
    }
}

/// A size as people say it.
pub(super) fn size(version: Option<&BaseVersion>) -> String {
    version.and_then(|version| version.size).map_or_else(|| "–".to_owned(), |size| format!("{} MiB", size >> 20))
}

fn all(caller: &Caller, bases: &[Base]) -> AnyView {
    let (t, now) = (caller.lang, caller.now());
    let rows = bases.iter().map(|base| {
        let current = base.current.as_ref();
        let version = current.map_or_else(|| "–".to_owned(), |version| version.number.to_string());
        let newest = base.newest.as_ref();
        let moving = newest.filter(|newest| current.is_none_or(|current| current.number != newest.number)).map(|newest| state(t, newest));
        view! {
            <tr>
                <th scope="row">
                    <a href=format!("/platform/bases/{}", base.name)><code>{base.reference.clone()}</code></a>
                    <span class="small soft block">{base.description.clone()}</span>
                </th>
                <td data-label=t.base_version()><span>{version}" "{moving}</span></td>
                <td data-label=t.candidate_size()>{size(current)}</td>
                <td data-label=t.base_age() class="small soft">{current.map_or_else(|| "–".into_any(), |version| when(t, now, version.created_at))}</td>
                <td data-label=t.base_users()>{base.users.to_string()}</td>
            </tr>
        }
    });
    table(&[t.name(), t.base_version(), t.candidate_size(), t.base_age(), t.base_users()], rows.collect_view())
}

/// The field of a Dockerfile.
pub(super) fn dockerfile(t: Lang, form: &Formed<'_>, text: &str) -> AnyView {
    let error = form.error("dockerfile").map(|error| view! { <span class="error" role="alert">{error}</span> });
    let text = form.value("dockerfile", text);
    view! {
        <div class="field">
            <label for="dockerfile">{t.base_dockerfile()}</label>
            <textarea id="dockerfile" name="dockerfile" rows="8" spellcheck="false" autocapitalize="none" autocomplete="off" required>
                {typed(&text)}
            </textarea>
            <span class="hint">{t.base_dockerfile_hint()}</span>
            {error}
        </div>
    }
    .into_any()
}

fn new(caller: &Caller) -> AnyView {
    let t = caller.lang;
    let form = Formed::new(caller, "create");
    view! {
        <div class="stack">
            <form method="post" class="card pad stack">
                <h2>{t.base_new()}</h2>
                {form.names()}
                {form.trouble(&["name", "description", "dockerfile"])}
                {Field { hint: t.base_name_hint(), ..Field::text("name", t.name()) }.show(&form)}
                {Field { required: false, ..Field::text("description", t.base_description()) }.show(&form)}
                {dockerfile(t, &form, TEMPLATE)}
                {submit("main", t.base_new_do())}
            </form>
            <section class="card pad stack">
                <h2>{t.base_from_files()}</h2>
                <p class="small soft">{t.base_from_files_below()}</p>
                {code_block(t, "tar -C rootfs --exclude=./dev/* -czf debian.tar.gz .\nberth base create debian --root-file-system debian.tar.gz")}
            </section>
        </div>
    }
    .into_any()
}

/// Makes one.
pub async fn form(caller: &Caller) -> Result<Answer> {
    if caller.verb() != "create" {
        return Err(no_such_form());
    }
    let form = &caller.form;
    let name: BaseName = form.get("name").parse()?;
    let source = BaseSource::Dockerfile(form.raw("dockerfile").unwrap_or_default().to_owned());
    caller.backend.bases.create(caller.actor()?, &name, form.get("description"), source).await?;
    Ok(Answer::Go(format!("/platform/bases/{name}?done=created")))
}
