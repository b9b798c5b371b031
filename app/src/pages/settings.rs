//! A service's settings: what it is, where it is built from, and the end of it.

use leptos::prelude::*;
use serde_json::json;

use super::{caches, done, mirror, path_of, service_tabs};
use crate::{
    caller::{Answer, Caller, Screen, no_such_form},
    components::{Confirm, Field, Formed, Tone, code_block, empty, facts, head, say, sentence, submit, when},
    error::{Error, Result},
    locales::Lang,
    model::{Move, NewHook, PushPolicy, Role, ServiceName, StepSecret, TeamName},
    way::Way,
};

/// The settings.
pub async fn page(caller: &Caller) -> Result<Answer> {
    shown(caller, None).await
}

/// The settings, with a secret that was just made for hooks.
async fn shown(caller: &Caller, made: Option<NewHook>) -> Result<Answer> {
    let t = caller.lang;
    let (team, name): (TeamName, ServiceName) = (caller.param("team")?, caller.param("service")?);
    let all = caller.backend.services.overview(caller.actor()?, &team, &name).await?;
    let secrets = match caller.may(&team, Role::Developer) {
        true => Some(caller.backend.services.secrets(caller.actor()?, &team, &name).await?),
        false => None,
    };
    let policy = caller.backend.services.push_policy(caller.actor()?, &team, &name).await?;
    let mirror = caller.backend.mirrors.show(caller.actor()?, &team, &name).await?;
    let kept = caller.backend.services.caches(caller.actor()?, &team, &name).await?;
    let service = &all.service;
    let path = path_of(&team, &name);
    let environments: Vec<String> = all.targets.iter().map(|target| target.environment.to_string()).collect();
    let mut rows =
        vec![(t.repository(), service.repository.to_string().into_any()), (t.col_since(), when(t, caller.now(), service.created_at))];
    if mirror.is_none() {
        rows.insert(1, (t.clone_address(), code_block(t, &service.clone_url)));
    }
    let shared = !all.beside.is_empty();
    if shared {
        rows.push((t.built_beside(), beside(&team, &all.beside)));
    }
    let end = if caller.may(&team, Role::Owner) {
        let form = Formed::new(caller, "delete");
        let places = environments.join(", ");
        let says = if shared { t.delete_service_says_shared(&name, places) } else { t.delete_service_says(&name, places) };
        let open = t.delete_service(&name);
        Confirm { open: &open, says: &says, does: t.delete_service_does(), name: Some(name.as_str()), bad: true }.show(t, &form)
    } else {
        say(Tone::Idle, t.needs_role(t.role(Role::Owner)))
    };
    let elsewhere =
        if caller.may(&team, Role::Developer) { move_form(caller) } else { say(Tone::Idle, t.needs_role(t.role(Role::Developer))) };
    let below = if shared { t.delete_below_shared() } else { t.delete_below() };
    let body = view! {
        {done(caller)}
        {head(name.to_string(), service.description.clone(), ())}
        {service_tabs(caller, service, &environments, "settings")}
        <section class="card narrow">
            <header><h2>{t.about()}</h2></header>
            <div class="body">{facts(rows)}</div>
        </section>
        {mirror::card(caller, mirror.as_ref(), caller.may(&team, Role::Developer), made.as_ref())}
        <section class="card narrow">
            <header><h2>{t.move_title()}</h2></header>
            <div class="body"><p class="soft">{t.move_below()}</p>{elsewhere}</div>
        </section>
        {pushes_card(caller, &team, policy)}
        {secrets_card(caller, secrets.as_deref())}
        {caches::card(caller, &team, &name, &kept, caller.may(&team, Role::Developer))}
        <section class="card narrow danger-zone">
            <header><h2>{t.delete_title()}</h2></header>
            <div class="body"><p class="soft">{below}</p>{end}</div>
        </section>
    };
    Ok(Screen::new(format!("{} · {name}", t.tab_settings()), body.into_any())
        .at(Some(&team), format!("/teams/{team}"))
        .crumb(team.to_string(), format!("/teams/{team}"))
        .crumb(name.to_string(), path.clone())
        .crumb(t.tab_settings(), format!("{path}/settings"))
        .ways([
            Way::get(t.way_look(), format!("/teams/{team}/services/{name}")).cli(format!("berth service show {team}/{name}")),
            Way::send(t.move_does(), "POST", format!("/teams/{team}/services/{name}/actions/move"), &json!({ "repository": "shop" }))
                .cli(format!("berth service move {team}/{name} --repository shop")),
            Way::get(t.mirror(), format!("/teams/{team}/services/{name}/mirror")).cli(format!("berth mirror show {team}/{name}")),
            Way::send(
                t.mirror_add_do(),
                "POST",
                format!("/teams/{team}/services/{name}/mirror"),
                &json!({ "address": "https://github.com/acme/orders" }),
            )
            .cli(format!("berth mirror add {team}/{name} --address https://github.com/acme/orders")),
            Way::send(t.mirror_keep(), "PATCH", format!("/teams/{team}/services/{name}/mirror"), &json!({ "every_seconds": 300 }))
                .cli(format!("berth mirror set {team}/{name} --every 300")),
            Way::act(t.mirror_fetch(), "POST", format!("/teams/{team}/services/{name}/mirror/actions/fetch"))
                .cli(format!("berth mirror fetch {team}/{name}")),
            Way::act(t.mirror_hook_make(), "POST", format!("/teams/{team}/services/{name}/mirror/actions/new-hook"))
                .cli(format!("berth mirror hook {team}/{name}")),
            Way::send(t.pushes(), "PUT", format!("/teams/{team}/services/{name}/push-policy"), &json!(policy))
                .cli(format!("berth service pushes {team}/{name} --cancel-running on")),
            Way::send(t.secret_keep(), "PUT", format!("/teams/{team}/services/{name}/secrets/NAME"), &json!({ "value": "…" }))
                .cli(format!("berth secret set {team}/{name} NAME")),
            Way::act(t.secret_forget(), "DELETE", format!("/teams/{team}/services/{name}/secrets/NAME"))
                .cli(format!("berth secret unset {team}/{name} NAME")),
            Way::get(t.caches(), format!("/teams/{team}/services/{name}/caches")).cli(format!("berth cache list {team}/{name}")),
            Way::act(t.caches_clear(), "DELETE", format!("/teams/{team}/services/{name}/caches"))
                .cli(format!("berth cache clear {team}/{name}")),
            Way::act(t.delete_service_does(), "DELETE", format!("/teams/{team}/services/{name}?confirm={name}"))
                .cli(format!("berth service delete {team}/{name}")),
        ])
        .into())
}

/// The services built from the same repository.
fn beside(team: &TeamName, names: &[ServiceName]) -> AnyView {
    let links = names.iter().map(|name| view! { <a href=path_of(team, name)>{name.to_string()}</a>" " });
    links.collect_view().into_any()
}

fn move_form(caller: &Caller) -> AnyView {
    let (t, form) = (caller.lang, Formed::new(caller, "move"));
    let ticked = form.ticked("create", "yes", false);
    view! {
        <form method="post" class="stack">
            {form.names()}
            {form.trouble(&["repository"])}
            {Field::text("repository", t.repository()).show(&form)}
            <label class="tick">
                <input type="checkbox" name="create" value="yes" checked=ticked />
                <span>{t.move_create()}</span>
            </label>
            {submit("", t.move_does())}
        </form>
    }
    .into_any()
}

/// What newer pushes do to the runs before them.
fn pushes_card(caller: &Caller, team: &TeamName, policy: PushPolicy) -> AnyView {
    let (t, form) = (caller.lang, Formed::new(caller, "pushes"));
    let may = caller.may(team, Role::Developer);
    let tick = |name: &'static str, on: bool, says: &'static str| {
        let ticked = form.ticked(name, "yes", on);
        view! {
            <label class="tick">
                <input type="checkbox" name=name value="yes" checked=ticked disabled=!may />
                <span>{says}</span>
            </label>
        }
    };
    view! {
        <section class="card narrow" id="pushes">
            <header><h2>{t.pushes()}</h2></header>
            <div class="body">
                <p class="soft">{t.pushes_below()}</p>
                <form method="post" class="stack">
                    {form.names()}
                    {form.trouble(&[])}
                    {tick("default_branch", policy.default_branch, t.pushes_default())}
                    {tick("running", policy.running, t.pushes_running())}
                    {may.then(|| submit("", t.pushes_keep()))}
                </form>
            </div>
        </section>
    }
    .into_any()
}

/// The secrets that steps are given by name: their names, and a field for one more. None: not for this reader.
fn secrets_card(caller: &Caller, secrets: Option<&[StepSecret]>) -> AnyView {
    let t = caller.lang;
    let Some(secrets) = secrets else { return ().into_any() };
    let rows = secrets
        .iter()
        .map(|secret| {
            let form = Formed::of(caller, "forget-secret", secret.name.clone());
            view! {
                <li class="spread">
                    <span><code>{secret.name.clone()}</code>" "<span class="small faint">{secret.by.clone()}" · "{when(t, caller.now(), secret.changed_at)}</span></span>
                    <form method="post">{form.names()}<button class="btn small" aria-label=t.secret_forget_this(&secret.name)>{t.secret_forget()}</button></form>
                </li>
            }
        })
        .collect_view();
    let list = if secrets.is_empty() { empty(t.secrets_empty(), ()) } else { view! { <ul class="plain">{rows}</ul> }.into_any() };
    let form = Formed::new(caller, "secret");
    view! {
        <section class="card narrow" id="secrets">
            <header><h2>{t.secrets()}</h2></header>
            <div class="body">
                <p class="soft">{sentence(t, t.secrets_below())}</p>
                {list}
                <form method="post" class="stack">
                    {form.names()}
                    {form.trouble(&["name", "value"])}
                    {Field { hint: t.secret_name_hint(), ..Field::text("name", t.secret_name()) }.show(&form)}
                    {sealed(t, &form)}
                    {submit("", t.secret_keep())}
                </form>
            </div>
        </section>
    }
    .into_any()
}

/// The field of a secret: keys have several lines. What is typed there is hidden, and never sent back.
fn sealed(t: Lang, form: &Formed<'_>) -> AnyView {
    let error = form.error("value");
    let described = if error.is_some() { "secret-value-hint secret-value-error" } else { "secret-value-hint" };
    view! {
        <div class="field">
            <label for="secret-value">{t.secret_value()}</label>
            <textarea
                id="secret-value"
                name="value"
                class="sealed"
                rows="2"
                required=true
                autocomplete="off"
                autocapitalize="none"
                spellcheck="false"
                aria-describedby=described
                aria-invalid=error.as_ref().map(|_| "true")
                autofocus=error.is_some()
            ></textarea>
            <span class="hint" id="secret-value-hint">{t.secret_value_hint()}</span>
            {error.map(|error| view! { <span class="error" id="secret-value-error" role="alert">{error}</span> })}
        </div>
    }
    .into_any()
}

/// Keeps or forgets a secret, moves the service, or deletes it.
pub async fn form(caller: &Caller) -> Result<Answer> {
    let (team, name): (TeamName, ServiceName) = (caller.param("team")?, caller.param("service")?);
    let (actor, services) = (caller.actor()?, &caller.backend.services);
    match caller.verb() {
        "move" => {
            let repository = caller.form.get("repository").parse().map_err(|error: Error| error.at("repository"))?;
            let create = caller.form.get("create") == "yes";
            services.move_to(actor, &team, &name, Move { repository, create }).await?;
            Ok(Answer::Go(format!("{}/settings?done=moved", path_of(&team, &name))))
        }
        "secret" => {
            // As it was typed: a space at its end may be part of it. Browsers end its lines with two characters.
            let value = caller.form.raw("value").unwrap_or_default().replace("\r\n", "\n");
            services.set_secret(actor, &team, &name, caller.form.get("name"), &value).await?;
            Ok(Answer::Go(format!("{}/settings?done=saved#secrets", path_of(&team, &name))))
        }
        "pushes" => {
            let ticked = |name| caller.form.get(name) == "yes";
            let policy = PushPolicy { default_branch: ticked("default_branch"), running: ticked("running") };
            services.set_push_policy(actor, &team, &name, policy).await?;
            Ok(Answer::Go(format!("{}/settings?done=saved#pushes", path_of(&team, &name))))
        }
        "mirror-add" => {
            // Without an address it is refused, at its field.
            let new = mirror::named(caller).unwrap_or_default();
            caller.backend.mirrors.add(actor, &team, &name, new).await?;
            Ok(Answer::Go(format!("{}/settings?done=fetching#mirror", path_of(&team, &name))))
        }
        "mirror" => {
            caller.backend.mirrors.change(actor, &team, &name, mirror::change(caller)).await?;
            Ok(Answer::Go(format!("{}/settings?done=saved#mirror", path_of(&team, &name))))
        }
        "mirror-fetch" => {
            caller.backend.mirrors.fetch(actor, &team, &name).await?;
            Ok(Answer::Go(format!("{}/settings?done=fetching#mirror", path_of(&team, &name))))
        }
        "mirror-forget" => {
            caller.backend.mirrors.forget_host_keys(actor, &team, &name).await?;
            Ok(Answer::Go(format!("{}/settings?done=saved#mirror", path_of(&team, &name))))
        }
        "mirror-hook" => {
            let made = caller.backend.mirrors.new_hook(actor, &team, &name).await?;
            shown(&caller.without_form(), Some(made)).await
        }
        "forget-secret" => {
            services.unset_secret(actor, &team, &name, caller.form.get("of")).await?;
            Ok(Answer::Go(format!("{}/settings?done=saved#secrets", path_of(&team, &name))))
        }
        "clear-caches" => {
            services.clear_caches(actor, &team, &name).await?;
            Ok(Answer::Go(format!("{}/settings?done=saved#caches", path_of(&team, &name))))
        }
        "delete" => {
            let confirm = caller.form.get("confirm");
            services.delete(actor, &team, &name, confirm).await.map_err(|error| error.at("confirm"))?;
            Ok(Answer::Go(format!("/teams/{team}?done=deleted")))
        }
        _ => Err(no_such_form()),
    }
}
