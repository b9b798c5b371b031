//! Deploying, promoting, scaling.

use std::collections::BTreeMap;

use leptos::prelude::*;

use super::{There, look_or_do, preview};
use crate::{
    caller::Fields,
    components::{Field, Formed},
    error::{Error, Result},
    model::Source,
};

/// The form that deploys a candidate, what runs elsewhere, or an image from outside.
pub(super) fn deploy(there: &There<'_>) -> AnyView {
    let t = there.caller.lang;
    let form = Formed::new(there.caller, "deploy");
    let at = there.all.targets.iter().position(|target| target.environment == there.environment).unwrap_or(0);
    let before = at.checked_sub(1).and_then(|at| there.all.targets.get(at)).filter(|before| before.release.is_some());
    let newest = there.all.candidates.first().map(|candidate| format!("candidate:{}", candidate.number)).unwrap_or_default();
    let usual = before.map_or(newest, |before| format!("from:{}", before.environment));
    let chosen = form.value("source", &usual);
    let promote = before.map(|before| {
        let value = format!("from:{}", before.environment);
        view! { <option value=value.clone() selected=chosen == value>{t.what_runs_in(&before.environment)}</option> }
    });
    let candidates = there.all.candidates.iter().map(|candidate| {
        let value = format!("candidate:{}", candidate.number);
        let word = format!("c{} · {}", candidate.number, candidate.title);
        view! { <option value=value.clone() selected=chosen == value>{word}</option> }
    });
    let candidates = candidates.collect_view();
    view! {
        <form method="post" class="card pad stack" id="deploy">
            <h2>{t.deploy()}</h2>
            {form.trouble(&["image"])}
            {preview(there, "deploy")}
            <div class="field">
                <label for="deploy-source">{t.what()}</label>
                <select id="deploy-source" name="source">
                    {promote}
                    {candidates}
                    <option value="image" selected=chosen == "image">{t.an_image()}</option>
                </select>
            </div>
            {Field { required: false, hint: t.image_hint(), ..Field::text("image", t.image()) }.show(&form)}
            {look_or_do(there, "deploy", t.deploy())}
        </form>
    }
    .into_any()
}

/// What the form says to deploy.
pub(super) fn source(form: &Fields) -> Result<Source> {
    let source = form.get("source");
    if let Some(number) = source.strip_prefix("candidate:").and_then(|number| number.parse().ok()) {
        return Ok(Source::Candidate(number));
    }
    if let Some(number) = source.strip_prefix("release:").and_then(|number| number.parse().ok()) {
        return Ok(Source::Release(number));
    }
    if let Some(environment) = source.strip_prefix("from:") {
        return Ok(Source::From(environment.parse()?));
    }
    let image = form.get("image");
    if image.is_empty() {
        return Err(Error::invalid("invalid_image", "Name the image to deploy, or choose a candidate above.").at("image"));
    }
    Ok(Source::Image(image.to_owned()))
}

/// The form that scales: a figure for each process.
pub(super) fn scale(there: &There<'_>) -> AnyView {
    let t = there.caller.lang;
    let form = Formed::new(there.caller, "scale");
    let rows = there
        .replicas()
        .into_iter()
        .map(|(process, count)| {
            let name = format!("replicas.{process}");
            let (id, value) = (format!("scale-{process}"), form.value(&name, &count.to_string()));
            view! {
                <div class="field short">
                    <label for=id.clone()>{process}</label>
                    <input id=id type="number" name=name value=value min="0" max="100" inputmode="numeric" />
                </div>
            }
        })
        .collect_view();
    view! {
        <form method="post" class="card pad stack" id="scale">
            <h2>{t.scale()}</h2>
            {form.trouble(&[])}
            {preview(there, "scale")}
            <div class="inline">{rows}</div>
            <p class="hint">{t.scale_hint()}</p>
            {look_or_do(there, "scale", t.scale())}
        </form>
    }
    .into_any()
}

/// The figures of the form.
pub(super) fn replicas(form: &Fields) -> Result<BTreeMap<String, u32>> {
    let figures = form.0.iter().filter_map(|(name, value)| Some((name.strip_prefix("replicas.")?, value)));
    figures
        .map(|(process, value)| {
            let count = value.trim().parse::<u32>().ok().filter(|count| *count <= 100);
            let count = count.ok_or_else(|| Error::invalid("invalid_replicas", "A process has 0 to 100 instances."))?;
            Ok((process.to_owned(), count))
        })
        .collect()
}
