//! The variables of a target.

use std::collections::BTreeMap;

use leptos::prelude::*;

use super::{There, look_or_do, preview};
use crate::{
    caller::Fields,
    components::{Formed, empty, typed, when},
    error::{Error, Result},
    locales::Lang,
    model::{ConfigChange, ConfigSet, Role},
};

/// The variables, each to be changed or removed, and room for new ones.
pub(super) fn card(there: &There<'_>) -> AnyView {
    let t = there.caller.lang;
    let made = there.config.as_ref().filter(|set| set.number > 0).map(|set| {
        view! { <span class="small soft">{t.config_number(set.number)}" · "{set.by.clone()}" · "{when(t, there.caller.now(), set.created_at)}</span> }
    });
    let content = match &there.config {
        None => empty(&t.config_hidden(t.role(Role::Developer)), ()),
        Some(set) if there.may => form(there, set),
        Some(set) => read_only(t, &set.variables),
    };
    view! {
        <section class="card" id="config">
            <header><h2>{t.config()}</h2>{made}</header>
            {content}
        </section>
    }
    .into_any()
}

fn read_only(t: Lang, variables: &BTreeMap<String, String>) -> AnyView {
    if variables.is_empty() {
        return empty(t.config_empty(), ());
    }
    let rows = variables.iter().map(|(name, value)| {
        view! { <tr><th scope="row"><code>{name.clone()}</code></th><td class="grow"><code class="wrap">{value.clone()}</code></td></tr> }
    });
    view! { <table class="rows"><tbody>{rows.collect_view()}</tbody></table> }.into_any()
}

fn form(there: &There<'_>, set: &ConfigSet) -> AnyView {
    let t = there.caller.lang;
    let form = Formed::new(there.caller, "config");
    let rows = set
        .variables
        .iter()
        .map(|(name, old)| {
            let value = form.value(&format!("value.{name}"), old);
            let out = form.ticked("unset", name, false);
            let id = format!("config-{name}");
            // A line break would be lost in a one-line field.
            let field = if old.contains('\n') {
                view! { <textarea id=id.clone() name=format!("value.{name}") rows="3" spellcheck="false">{typed(&value)}</textarea> }
                    .into_any()
            } else {
                view! { <input id=id.clone() name=format!("value.{name}") value=value autocomplete="off" spellcheck="false" /> }.into_any()
            };
            view! {
                <div class="variable">
                    <label for=id><code>{name.clone()}</code></label>
                    {field}
                    <label class="tick small"><input type="checkbox" name="unset" value=name.clone() checked=out />{t.remove()}</label>
                </div>
            }
        })
        .collect_view();
    let intro = set.variables.is_empty().then(|| view! { <p class="soft">{t.config_empty()}</p> });
    let error = form.error("new").or_else(|| form.error("set")).or_else(|| form.error("variables"));
    let wrong = error.is_some();
    view! {
        <form method="post" class="body stack">
            <input type="hidden" name="base" value=set.number.to_string() />
            {form.trouble(&["new", "set", "variables"])}
            {preview(there, "config")}
            {intro}
            {rows}
            <div class="field">
                <label for="config-new">{t.config_new()}</label>
                <textarea id="config-new" name="new" rows="3" spellcheck="false" placeholder="NAME=value" aria-describedby=if wrong { "config-hint config-error" } else { "config-hint" } aria-invalid=wrong.then_some("true") autofocus=wrong>
                    {typed(&form.value("new", ""))}
                </textarea>
                <span class="hint" id="config-hint">{t.config_hint()}</span>
                {error.map(|error| view! { <span class="error" id="config-error" role="alert">{error}</span> })}
            </div>
            {look_or_do(there, "config", t.config_save())}
        </form>
    }
    .into_any()
}

/// The change a form asks for, and the number of the set it was made from.
pub(super) fn change(form: &Fields) -> Result<(ConfigChange, Option<u64>)> {
    let unset: Vec<String> = form.all("unset").map(str::to_owned).collect();
    // Browsers send line ends as CR LF.
    let unix = |text: &str| text.replace("\r\n", "\n");
    let kept = form.0.iter().filter_map(|(name, value)| Some((name.strip_prefix("value.")?.to_owned(), unix(value))));
    let mut set: BTreeMap<String, String> = kept.filter(|(name, _)| !unset.contains(name)).collect();
    for line in form.raw("new").unwrap_or_default().lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, value) = line.split_once('=').ok_or_else(|| {
            Error::invalid("invalid_variable", format!("The line `{line}` has no `=`. Write one NAME=value on each line.")).at("new")
        })?;
        set.insert(name.trim().trim_start_matches("export ").trim().to_owned(), value.trim().to_owned());
    }
    Ok((ConfigChange { set, unset }, form.get("base").parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_becomes_a_change() {
        let form = Fields(
            [("base", "4"), ("value.A", "1"), ("value.B", "x\r\ny"), ("unset", "A"), ("new", "C=3\n# no\nexport D = a=b ")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
        );
        let (change, base) = change(&form).unwrap();
        assert_eq!(base, Some(4));
        assert_eq!(change.unset, ["A"]);
        let set: Vec<_> = change.set.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(set, [("B", "x\ny"), ("C", "3"), ("D", "a=b")]);
        let broken = Fields(vec![("new".into(), "NOTHING".into())]);
        assert_eq!(super::change(&broken).unwrap_err().field.as_deref(), Some("new"));
    }
}
