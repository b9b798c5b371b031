//! The card of a repository that lives elsewhere, on the settings of its services.

use leptos::prelude::*;

use crate::{
    caller::Caller,
    components::{Confirm, Field, Formed, Tone, code_block, facts, once, run_status_of, say, sentence, short_commit, submit, when},
    model::{Forge, ForgeStatus, Mirror, MirrorChange, MirrorState, NewHook, NewMirror},
};

/// The card; where the repository is pushed to, what has it mirror another. `may`: the reader may change it. `made`: a secret that was just made.
pub(super) fn card(caller: &Caller, mirror: Option<&Mirror>, may: bool, made: Option<&NewHook>) -> AnyView {
    let t = caller.lang;
    let Some(mirror) = mirror else { return if may { adds(caller) } else { ().into_any() } };
    let failure = mirror.failure.as_ref().filter(|_| mirror.state != MirrorState::UpToDate);
    view! {
        <section class="card narrow" id="mirror">
            <header><h2>{t.mirror()}</h2></header>
            <div class="body">
                <p class="soft">{t.mirror_below()}</p>
                {made.map(|made| once(t, &t.mirror_hook_made(&made.url), &made.secret))}
                {failure.map(|failure| say(Tone::Bad, sentence(t, failure)))}
                {facts(rows(caller, mirror))}
                {told(caller, &mirror.told)}
                {may.then(|| acts(caller, mirror))}
            </div>
        </section>
    }
    .into_any()
}

fn adds(caller: &Caller) -> AnyView {
    let t = caller.lang;
    let form = Formed::new(caller, "mirror-add");
    let address = form.value("mirror", "");
    let token =
        Field { kind: "password", fill: "off", required: false, hint: t.mirror_token_hint(), ..Field::text("token", t.mirror_token()) };
    view! {
        <section class="card narrow" id="mirror">
            <header><h2>{t.mirror_add()}</h2></header>
            <div class="body">
                <p class="soft">{t.mirror_add_below()}</p>
                <form method="post" class="stack">
                    {form.names()}
                    {form.trouble(&["mirror", "token"])}
                    {Field { value: &address, ..Field::text("mirror", t.mirror_address()) }.show(&form)}
                    {token.show(&form)}
                    {submit("", t.mirror_add_do())}
                </form>
            </div>
        </section>
    }
    .into_any()
}

/// The repository elsewhere that a form names, where it names one.
pub(super) fn named(caller: &Caller) -> Option<NewMirror> {
    let given = |name| Some(caller.form.get(name)).filter(|text| !text.is_empty()).map(str::to_owned);
    let address = given("mirror")?;
    Some(NewMirror { address, token: given("token"), forge: None, forge_url: None })
}

fn rows(caller: &Caller, mirror: &Mirror) -> Vec<(&'static str, AnyView)> {
    let (t, now) = (caller.lang, caller.now());
    let mut rows = vec![(t.mirror_address(), code_block(t, &mirror.address)), (t.mirror_state(), t.mirror_is(mirror).into_any())];
    if let Some(since) = mirror.failing_since {
        rows.push((t.mirror_since(), when(t, now, since)));
    }
    let every = t.mirror_every(mirror.every_seconds);
    rows.push(match mirror.fetched_at {
        Some(at) => (t.mirror_fetched(), view! { {when(t, now, at)}", "{every} }.into_any()),
        None => (t.mirror_fetched(), every.into_any()),
    });
    rows.push((t.mirror_token(), if mirror.has_token { t.mirror_token_kept() } else { t.mirror_token_none() }.into_any()));
    if let Some(key) = &mirror.deploy_key {
        rows.push((t.mirror_key(), view! { {code_block(t, key)}<p class="small soft">{t.mirror_key_below()}</p> }.into_any()));
        let keys = mirror.host_keys.join("\n");
        let seen = if keys.is_empty() { t.mirror_host_key_none().into_any() } else { code_block(t, &keys) };
        rows.push((t.mirror_host_key(), seen));
    }
    let none = (!mirror.has_hook_secret).then(|| view! { <p class="small soft">{t.mirror_hook_none()}</p> });
    rows.push((t.mirror_hook(), view! { {code_block(t, &mirror.hook_url)}{none} }.into_any()));
    rows
}

/// What the forge was told.
fn told(caller: &Caller, told: &[ForgeStatus]) -> AnyView {
    let (t, now) = (caller.lang, caller.now());
    let row = |status: &ForgeStatus| {
        let how = match (status.told_at, &status.failure) {
            (Some(at), _) => view! { {t.mirror_told()}" "{when(t, now, at)} }.into_any(),
            (None, Some(failure)) => sentence(t, failure).into_any(),
            (None, None) => t.mirror_untold().into_any(),
        };
        let name = status.service.to_string();
        view! {
            <li>
                {run_status_of(t, status.state, false, None)}" "<code>{short_commit(&status.commit)}</code>" "{name}" "
                <span class="small soft">{how}</span>
            </li>
        }
    };
    let all = match told {
        [] => view! { <p class="small soft">{t.mirror_nothing_told()}</p> }.into_any(),
        told => view! { <ul class="plain">{told.iter().map(row).collect_view()}</ul> }.into_any(),
    };
    view! { <h3>{t.mirror_statuses()}</h3>{all} }.into_any()
}

fn acts(caller: &Caller, mirror: &Mirror) -> AnyView {
    let t = caller.lang;
    let form = Formed::new(caller, "mirror");
    let ticked = form.ticked("statuses", "yes", mirror.statuses);
    let forges = Forge::ALL.into_iter().map(|forge| {
        let name = forge.name();
        view! { <option value=name selected=mirror.forge == forge>{name}</option> }
    });
    let forges = forges.collect_view();
    let token =
        Field { kind: "password", fill: "off", required: false, hint: t.mirror_token_hint(), ..Field::text("token", t.mirror_token()) };
    let (fetch, hook, forget) =
        (Formed::new(caller, "mirror-fetch"), Formed::new(caller, "mirror-hook"), Formed::new(caller, "mirror-forget"));
    let makes = if mirror.has_hook_secret { t.mirror_hook_new() } else { t.mirror_hook_make() };
    let forgets = (!mirror.host_keys.is_empty()).then(|| {
        let says = t.mirror_forget_key();
        Confirm { open: says, says, does: says, name: None, bad: true }.show(t, &forget)
    });
    view! {
        <form method="post" class="stack">
            {form.names()}
            {form.trouble(&["token"])}
            {token.show(&form)}
            <div class="field">
                <label for="mirror-forge">{t.mirror_forge()}</label>
                <select id="mirror-forge" name="forge">{forges}</select>
            </div>
            <label class="tick">
                <input type="checkbox" name="statuses" value="yes" checked=ticked />
                <span>{t.mirror_statuses_tell()}</span>
            </label>
            {submit("", t.mirror_keep())}
        </form>
        <form method="post">{fetch.names()}{submit("", t.mirror_fetch())}</form>
        <form method="post">{hook.names()}{submit("", makes)}</form>
        {forgets}
    }
    .into_any()
}

/// What the form asks to be changed.
pub(super) fn change(caller: &Caller) -> MirrorChange {
    let form = &caller.form;
    let token = Some(form.get("token")).filter(|token| !token.is_empty()).map(str::to_owned);
    let statuses = Some(form.get("statuses") == "yes");
    MirrorChange { token, statuses, forge: Forge::from_name(form.get("forge")), ..MirrorChange::default() }
}
