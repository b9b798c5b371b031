//! The palette and the keys: dialogs that `Palette` opens. What the palette shows is the page `/search`, fetched as one types.

use leptos::prelude::*;

use super::icon;
use crate::locales::Lang;

/// The way to the search: a link, which opens the palette where scripts run.
pub(super) fn find(t: Lang, class: &'static str) -> AnyView {
    view! {
        <a class=class href="/search" data-opens="palette">
            {icon("search")}<span>{t.search()}</span><kbd aria-hidden="true"><span class="ctrl">"Ctrl"</span>" K"</kbd>
        </a>
    }
    .into_any()
}

/// The palette, closed.
pub(super) fn palette(t: Lang) -> AnyView {
    view! {
        <dialog id="palette" class="palette" aria-label=t.search()>
            <form action="/search" role="search">
                {icon("search")}
                <label class="sr" for="palette-q">{t.search_what()}</label>
                <input id="palette-q" name="q" type="search" placeholder=t.search_what() autocomplete="off" autocapitalize="none" spellcheck="false" />
            </form>
            <div id="palette-hits" class="hits"></div>
            <p class="sr" role="status"></p>
            <p class="small faint foot" aria-hidden="true">
                <span><kbd>"↑"</kbd>" "<kbd>"↓"</kbd>" "{t.key_choose()}</span>
                <span><kbd>"↵"</kbd>" "{t.key_go()}</span>
                <span><kbd>"Esc"</kbd>" "{t.key_close()}</span>
            </p>
        </dialog>
    }
    .into_any()
}

/// The keys, closed. Those without a modifier can be turned off: who speaks to a computer says them by accident.
pub(super) fn keys(t: Lang) -> AnyView {
    let row = |keys: &'static [&'static str], says: &'static str| {
        let keys = keys.iter().map(|key| {
            let class = if *key == "Ctrl" { "ctrl" } else { "" };
            view! { <kbd class=class>{*key}</kbd>" " }
        });
        view! { <div><dt>{keys.collect_view()}</dt><dd>{says}</dd></div> }
    };
    view! {
        <dialog id="keys" class="keys" aria-labelledby="keys-title">
            <h2 id="keys-title">{t.keys()}</h2>
            <dl class="facts">
                {row(&["Ctrl", "K"], t.search())}
                {row(&["/"], t.search())}
                {row(&["?"], t.keys())}
                {row(&["↑", "↓", "↵"], t.key_choose())}
                {row(&["Esc"], t.key_close())}
            </dl>
            <label class="tick small"><input type="checkbox" id="keys-on" checked=true />{t.keys_single()}</label>
            <form method="dialog"><button class="btn">{t.key_close()}</button></form>
        </dialog>
    }
    .into_any()
}
