//! One base image: its versions, who stands on it, what its next version is built from.

use leptos::prelude::*;
use serde_json::json;

use super::{
    bases::{dockerfile, size, state},
    done,
};
use crate::{
    backend::BaseSource,
    caller::{Answer, Caller, Screen, no_such_form},
    components::{Confirm, Formed, Tone, code_block, empty, head, run_status, say, sentence, short_image, submit, table, table_of, when},
    error::Result,
    locales::Lang,
    model::{BaseName, BaseRoll, BaseShown, BaseUser, BaseVersion},
    way::Way,
};

/// The base.
pub async fn page(caller: &Caller) -> Result<Answer> {
    let t = caller.lang;
    let name: BaseName = caller.param("base")?;
    let asked = caller.query.get("version").parse().ok();
    let shown = caller.backend.bases.show(caller.actor()?, &name, asked).await?;
    let path = format!("/platform/bases/{name}");
    let made_of = if shown.base.from_dockerfile { t.base_of_dockerfile() } else { t.base_of_files() };
    let below = view! { {shown.base.description.clone()}" "<span class="faint">{made_of}</span> };
    let failure = shown.base.newest.as_ref().and_then(|newest| newest.failure.as_ref());
    let tone = if shown.base.newest.as_ref().is_some_and(|newest| newest.state.ended()) { Tone::Bad } else { Tone::Warn };
    let failure = failure.map(|failure| say(tone, sentence(t, failure)));
    let rolls = (!shown.rolls.is_empty()).then(|| rolls(t, &shown.rolls, shown.rolled));
    let side = caller.is_admin().then(|| rebuild(caller, &shown));
    let body = view! {
        {done(caller)}
        <div data-live="head">{head(view! { <code>{shown.base.reference.clone()}</code> }, below, cancel(caller, &shown))}</div>
        <div data-live="why">{failure}</div>
        <div class="two">
            <div class="stack">
                <section class="card" data-live="versions">
                    <header><h2>{t.base_versions()}</h2></header>
                    {versions(caller, &path, &shown.versions)}
                </section>
                <section class="card" data-live="users">
                    <header><h2>{t.base_used_by()}</h2></header>
                    {users(t, &shown.users, shown.base.users)}
                    {rolls}
                </section>
                {log(t, &shown)}
            </div>
            {side}
        </div>
    };
    Ok(Screen::new(t.base_title(&name), body.into_any())
        .at(None, "/platform/bases")
        .crumb(t.nav_bases(), "/platform/bases")
        .crumb(name.to_string(), path.clone())
        .live(&["base:"])
        .ways(ways(caller, &path, &name))
        .into())
}

fn ways(caller: &Caller, path: &str, name: &BaseName) -> Vec<Way> {
    let t = caller.lang;
    let mut ways = vec![Way::get(t.way_look(), path).cli(format!("berth base show {name}"))];
    if caller.is_admin() {
        let send = Way::send(t.base_rebuild_do(), "POST", format!("{path}/actions/rebuild"), &json!({ "roll": true }));
        ways.push(send.cli(format!("berth base rebuild {name} --roll")));
        let stop = Way::act(t.base_cancel_does(), "POST", format!("{path}/actions/cancel"));
        ways.push(stop.cli(format!("berth base cancel {name}")));
    }
    ways
}

/// What stops the version that is under way, where one is.
fn cancel(caller: &Caller, shown: &BaseShown) -> AnyView {
    let t = caller.lang;
    match shown.base.newest.as_ref().filter(|newest| caller.is_admin() && !newest.state.ended()) {
        None => ().into_any(),
        Some(newest) if newest.cancelling => view! { <span class="soft small">{t.is_cancelling()}</span> }.into_any(),
        Some(_) => {
            let ask = Confirm { open: t.cancel_run(), says: t.base_cancel_says(), does: t.base_cancel_does(), name: None, bad: true };
            ask.show(t, &Formed::new(caller, "cancel"))
        }
    }
}

fn versions(caller: &Caller, path: &str, versions: &[BaseVersion]) -> AnyView {
    let (t, now) = (caller.lang, caller.now());
    let rows = versions.iter().map(|version| {
        let image = version.image.as_ref().map(|image| view! { <code class="small faint" title=image.clone()>{short_image(image)}</code> });
        let took = version.build_ms.map(|ms| t.took(std::time::Duration::from_millis(ms)));
        view! {
            <tr>
                <th scope="row"><a href=format!("{path}?version={}#log", version.number)>{version.number.to_string()}</a></th>
                <td data-label=t.col_state()>{state(t, version)}</td>
                <td data-label=t.candidate_size()>{size(Some(version))}</td>
                <td data-label=t.candidate_built()>{took.unwrap_or_else(|| "–".to_owned())}</td>
                <td data-label=t.base_age() class="small soft">{when(t, now, version.created_at)}<span class="block">{version.created_by.clone()}</span></td>
                <td data-label=t.candidate_image()>{image}</td>
            </tr>
        }
    });
    let columns = [t.base_version(), t.col_state(), t.candidate_size(), t.candidate_built(), t.base_age(), t.candidate_image()];
    table(&columns, rows.collect_view())
}

fn users(t: Lang, users: &[BaseUser], all: u64) -> AnyView {
    if users.is_empty() {
        return empty(t.base_unused(), ());
    }
    let rows = users.iter().map(|user| {
        let service = format!("/teams/{}/services/{}", user.team, user.service);
        let pinned = user.pinned.then(|| view! { " "<span class="chip" title=t.base_pinned_says()>{t.base_pinned()}</span> });
        view! {
            <tr>
                <th scope="row"><a href=service.clone()>{format!("{}/{}", user.team, user.service)}</a></th>
                <td data-label=t.base_version()>{user.version.to_string()}</td>
                <td data-label=t.base_written()><code>{user.written.clone()}</code>{pinned}</td>
                <td data-label=t.candidates()><a href=format!("{service}/candidates/{}", user.candidate)>"c"{user.candidate.to_string()}</a></td>
            </tr>
        }
    });
    let table = table(&[t.col_service(), t.base_version(), t.base_written(), t.candidates()], rows.collect_view());
    view! { {table}{not_all(t, users.len(), all)} }.into_any()
}

/// Says so where a table has only the first of its rows.
fn not_all(t: Lang, shown: usize, all: u64) -> AnyView {
    (all > shown as u64).then(|| view! { <p class="pad small soft">{t.base_not_all(shown, all)}</p> }).into_any()
}

fn rolls(t: Lang, rolls: &[BaseRoll], all: u64) -> AnyView {
    let version = rolls.first().map_or(0, |roll| roll.version);
    let rows = rolls.iter().map(|roll| {
        let service = format!("/teams/{}/services/{}", roll.team, roll.service);
        let run = match (roll.run, roll.state, &roll.note) {
            (Some(run), Some(state), _) => {
                view! { <a href=format!("{service}/runs/{run}")>{t.run_number(run)}</a>" "{run_status(t, state, None)} }.into_any()
            }
            (_, _, Some(note)) => sentence(t, note),
            _ => t.base_roll_waits().into_any(),
        };
        view! {
            <tr>
                <th scope="row"><a href=service.clone()>{format!("{}/{}", roll.team, roll.service)}</a></th>
                <td data-label=t.run()><span>{run}</span></td>
            </tr>
        }
    });
    let table = table_of(&[t.col_service(), t.run()], rows.collect_view());
    view! { <h3 class="pad">{t.base_rolled(version)}</h3>{table}{not_all(t, rolls.len(), all)} }.into_any()
}

/// What was said while a version was built. What a build prints is text, whatever it holds.
fn log(t: Lang, shown: &BaseShown) -> AnyView {
    let Some(of) = shown.log_of.filter(|_| !shown.log.is_empty()) else { return ().into_any() };
    let text: String = shown.log.chars().filter(|c| !c.is_control() || *c == '\n' || *c == '\t').collect();
    view! {
        <section class="card" id="log" data-live="log">
            <header><h2>{t.base_log(of)}</h2></header>
            <div class="block"><pre tabindex="0"><code>{text}</code></pre></div>
        </section>
    }
    .into_any()
}

fn rebuild(caller: &Caller, shown: &BaseShown) -> AnyView {
    let t = caller.lang;
    let Some(text) = &shown.dockerfile else {
        let command = format!("berth base rebuild {} --root-file-system FILE --roll", shown.base.name);
        return view! {
            <section class="card pad stack">
                <h2>{t.base_rebuild()}</h2>
                <p class="small soft">{t.base_rebuild_files()}</p>
                {code_block(t, &command)}
            </section>
        }
        .into_any();
    };
    let form = Formed::new(caller, "rebuild");
    let roll = form.ticked("roll", "yes", false);
    view! {
        <form method="post" class="card pad stack">
            <h2>{t.base_rebuild()}</h2>
            <p class="small soft">{t.base_rebuild_below()}</p>
            {form.names()}
            {form.trouble(&["dockerfile"])}
            {dockerfile(t, &form, text)}
            <label class="tick">
                <input type="checkbox" name="roll" value="yes" checked=roll />
                <span><b>{t.base_roll()}</b>" "<span class="small soft">{t.base_roll_says()}</span></span>
            </label>
            {submit("main", t.base_rebuild_do())}
        </form>
    }
    .into_any()
}

/// Asks for a new version, or for the one under way to be cancelled.
pub async fn form(caller: &Caller) -> Result<Answer> {
    let (name, actor): (BaseName, _) = (caller.param("base")?, caller.actor()?);
    let done = match caller.verb() {
        "rebuild" => {
            let text = caller.form.raw("dockerfile").map(|text| BaseSource::Dockerfile(text.to_owned()));
            caller.backend.bases.rebuild(actor, &name, text, caller.form.has("roll")).await?;
            "created"
        }
        "cancel" => {
            caller.backend.bases.cancel(actor, &name).await?;
            "cancelling"
        }
        _ => return Err(no_such_form()),
    };
    Ok(Answer::Go(format!("/platform/bases/{name}?done={done}")))
}
