//! "Copy as": what a page shows or does, as a command and as a request. Opens in place, also without JavaScript.

use leptos::prelude::*;

use super::{code_block, icon};
use crate::{locales::Lang, way::Way};

/// The ways of a page, at the Berth of this address.
pub fn ways(t: Lang, url: &str, ways: &[Way]) -> AnyView {
    if ways.is_empty() {
        return ().into_any();
    }
    let each = ways.iter().map(|way| {
        let command = way.command.as_ref().map(|command| code_block(t, command));
        view! {
            <div class="way">
                <p class="small"><b>{way.says.clone()}</b></p>
                {command}
                {code_block(t, &way.curl(url))}
            </div>
        }
    });
    view! {
        <details class="menu ways">
            <summary class="btn small">{icon("code")}{t.copy_as()}</summary>
            <section class="pop" aria-label=t.copy_as()>
                <p class="small soft">{t.copy_as_says()}" "<a href="/tokens">{t.nav_tokens()}</a></p>
                {each.collect_view()}
            </section>
        </details>
    }
    .into_any()
}
