//! The whole document around a screen: head, rail, way here, foot.

use leptos::prelude::*;

use super::{
    icon,
    icon::mark,
    palette::{find, keys, palette},
    ways,
};
use crate::{
    caller::{Caller, Frame, Screen},
    islands::{Clock, Confirm, Copy, Live, Palette},
};

/// A screen as a complete HTML document.
pub fn document(caller: &Caller, screen: Screen) -> String {
    let t = caller.lang;
    // Of two teams, the pages of the same name are told apart by their tabs too.
    let team = screen.place.team.iter().filter(|team| screen.title.split(" · ").all(|part| part != team.as_str()));
    let title = team.fold(screen.title.clone(), |title, team| format!("{title} · {team}")) + " · Berth";
    let assets = caller.assets.clone();
    let islands = assets.bundle.is_some();
    let bundle = assets.bundle.map(|(script, wasm)| view! { <meta name="berth-bundle" content=script data-wasm=wasm /> });
    let boot = islands.then(|| view! { <script type="module" src=assets.boot></script> });
    let body = match screen.frame {
        Frame::Rail => framed(caller, screen),
        Frame::Bare => bare(caller, screen),
    };
    let html = view! {
        <html lang=t.code()>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <meta name="robots" content="noindex" />
                <title>{title}</title>
                <link rel="stylesheet" href=assets.css />
                <link rel="icon" href=assets.icon type="image/svg+xml" />
                {bundle}
                {boot}
            </head>
            <body>{body}</body>
        </html>
    };
    format!("<!DOCTYPE html>{}", html.to_html())
}

fn bare(caller: &Caller, screen: Screen) -> AnyView {
    let t = caller.lang;
    let other = t.other();
    view! {
        <div class="bare">
            <header>
                <a class="brand" href="/">{mark()}"Berth"</a>
            </header>
            <main id="main">{screen.body}</main>
            <footer class="small faint">
                <span>{t.motto()}</span>
                <a href=format!("{}?lang={}", caller.path, other.code()) hreflang=other.code() lang=other.code()>{other.own_name()}</a>
            </footer>
        </div>
        <Clock />
        <Copy />
    }
    .into_any()
}

fn framed(caller: &Caller, screen: Screen) -> AnyView {
    let t = caller.lang;
    let live = (!screen.live.is_empty()).then(|| {
        let topics = screen.live.iter().map(|topic| (*topic).to_owned()).collect::<Vec<_>>();
        let words = vec![t.live().to_owned(), t.reconnecting().to_owned()];
        view! { <Live topics=topics words=words /> }
    });
    let last = screen.crumbs.len().saturating_sub(1);
    let crumbs = screen.crumbs.iter().enumerate().map(|(at, (word, path))| {
        let word = word.clone();
        if at == last {
            view! { <li aria-current="page">{word}</li> }.into_any()
        } else {
            view! { <li><a href=path.clone()>{word}</a></li> }.into_any()
        }
    });
    let crumbs = crumbs.collect_view();
    let ways = ways(t, &caller.url, &screen.ways);
    view! {
        <a class="skip" href="#main">{t.skip()}</a>
        <div class="frame">
            <header class="rail">
                <a class="brand" href="/">{mark()}"Berth"</a>
                {find(t, "find")}
                {rail(caller, &screen)}
            </header>
            <header class="bar">
                <a class="brand" href="/">{mark()}"Berth"</a>
                {find(t, "find small")}
                <details class="menu">
                    <summary>{icon("menu")}{t.menu()}</summary>
                    <div class="sheet">{rail(caller, &screen)}</div>
                </details>
            </header>
            <div class="page">
                <div class="top">
                    <nav aria-label=t.way_here()><ol class="crumbs">{crumbs}</ol></nav>
                    {live}
                    {ways}
                </div>
                <main id="main">{screen.body}</main>
            </div>
        </div>
        {palette(t)}
        {keys(t)}
        <Clock />
        <Copy />
        <Confirm />
        <Palette />
    }
    .into_any()
}

/// The navigation: the team, oneself, the platform.
fn rail(caller: &Caller, screen: &Screen) -> AnyView {
    let t = caller.lang;
    let Some(me) = &caller.me else { return ().into_any() };
    let entry = |path: String, drawing: &str, word: String| {
        let here = (path == screen.place.entry).then_some("page");
        view! { <a href=path aria-current=here>{icon(drawing)}<span>{word}</span></a> }.into_any()
    };
    let team = screen.place.team.clone().or_else(|| me.teams.first().map(|mine| mine.name.clone()));
    let others: Vec<_> = me.teams.iter().map(|mine| mine.name.clone()).filter(|name| Some(name) != team.as_ref()).take(8).collect();
    let of_team = team.map(|team| {
        let path = format!("/teams/{team}");
        view! {
            <nav aria-label=t.team_named(&team)>
                <h2>{team.to_string()}</h2>
                {entry(path.clone(), "home", t.nav_home().to_owned())}
                {entry(format!("{path}/activity"), "activity", t.nav_activity().to_owned())}
                {entry(format!("{path}/people"), "people", t.nav_people().to_owned())}
            </nav>
        }
    });
    let teams = view! {
        <nav aria-label=t.nav_teams()>
            <h2>{t.nav_teams()}</h2>
            {others.into_iter().map(|name| entry(format!("/teams/{name}"), "teams", name.to_string())).collect_view()}
            {caller.is_admin().then(|| entry("/teams".into(), "teams", t.nav_all_teams().to_owned()))}
            {entry("/teams/new".into(), "plus", t.nav_new_team().to_owned())}
        </nav>
    };
    let platform = caller.is_admin().then(|| {
        view! {
            <nav aria-label=t.nav_platform()>
                <h2>{t.nav_platform()}</h2>
                {entry("/platform/hosts".into(), "hosts", t.nav_hosts().to_owned())}
                {entry("/platform/environments".into(), "steps", t.nav_environments().to_owned())}
                {entry("/platform/bases".into(), "layers", t.nav_bases().to_owned())}
                {entry("/platform/people".into(), "people", t.nav_everybody().to_owned())}
                {entry("/activity".into(), "activity", t.nav_everything().to_owned())}
            </nav>
        }
    });
    let bases = (!caller.is_admin()).then(|| {
        let entry = entry("/platform/bases".into(), "layers", t.nav_bases().to_owned());
        view! { <nav aria-label=t.nav_platform()><h2>{t.nav_platform()}</h2>{entry}</nav> }
    });
    let other = t.other();
    view! {
        {of_team}
        {teams}
        {platform}
        {bases}
        <nav class="own" aria-label=t.nav_you()>
            {entry("/tokens".into(), "key", t.nav_tokens().to_owned())}
            {entry("/me".into(), "me", me.name.clone())}
            <form method="post" action="/me">
                <input type="hidden" name="do" value="language" />
                <input type="hidden" name="back" value=caller.path.clone() />
                <button name="language" value=other.code() lang=other.code()>{other.own_name()}</button>
            </form>
            <button type="button" class="js-only" data-opens="keys">{icon("keys")}<span>{t.keys()}</span><kbd aria-hidden="true">"?"</kbd></button>
            <form method="post" action="/logout">
                <button>{t.sign_out()}</button>
            </form>
        </nav>
    }
    .into_any()
}
