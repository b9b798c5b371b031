//! Small parts that every screen is made of.

use leptos::prelude::*;

use super::Tone;
use crate::locales::Lang;

/// The head of a page: its title, one line below, its buttons.
pub fn head(title: impl IntoView, below: impl IntoView, buttons: impl IntoView) -> AnyView {
    let (title, below, buttons) = (title.into_any(), below.into_any(), buttons.into_any());
    view! {
        <div class="head">
            <div>
                <h1>{title}</h1>
                <div class="soft">{below}</div>
            </div>
            <div class="acts">{buttons}</div>
        </div>
    }
    .into_any()
}

/// The sentence that explains, on top.
pub fn say(tone: Tone, body: impl IntoView) -> AnyView {
    let body = body.into_any();
    view! { <div class=format!("say {}", tone.class())>{body}</div> }.into_any()
}

/// What was just done.
pub fn note(body: impl Into<String>) -> AnyView {
    view! { <p class="say ok" role="status">{body.into()}</p> }.into_any()
}

/// An empty state: what belongs here, and the one thing that fills it.
pub fn empty(sentence: &str, how: impl IntoView) -> AnyView {
    let how = how.into_any();
    view! {
        <div class="empty">
            <p>{sentence.to_owned()}</p>
            {how}
        </div>
    }
    .into_any()
}

/// A sentence of Berth's, as it is stored, in the language of the reader; what stands between back-ticks is code.
pub fn sentence(t: Lang, text: &str) -> AnyView {
    t.stored(text)
        .split('`')
        .enumerate()
        .map(|(at, part)| {
            let part = part.to_owned();
            if at % 2 == 1 { view! { <code>{part}</code> }.into_any() } else { part.into_any() }
        })
        .collect_view()
        .into_any()
}

/// A secret that was just made. It is not stored as it stands, so this is the only time it can be shown.
pub fn once(t: Lang, said: &str, secret: &str) -> AnyView {
    view! {
        <section class="say ok" role="status">
            <b>{said.to_owned()}</b>
            " "
            {t.shown_once()}
            {code_block(t, secret)}
        </section>
    }
    .into_any()
}

/// A table with the heads of its columns; an empty one stands above buttons.
pub fn table(columns: &[&str], rows: impl IntoView) -> AnyView {
    tabled("", columns, rows.into_any())
}

/// A table whose columns speak for themselves: their heads are only read out.
pub fn table_of(columns: &[&str], rows: impl IntoView) -> AnyView {
    tabled("sr", columns, rows.into_any())
}

fn tabled(class: &'static str, columns: &[&str], rows: AnyView) -> AnyView {
    let columns = columns.iter().map(|column| match *column {
        "" => view! { <td></td> }.into_any(),
        column => view! { <th scope="col">{column.to_owned()}</th> }.into_any(),
    });
    view! {
        <table class="rows">
            <thead class=class><tr>{columns.collect_view()}</tr></thead>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}

/// Names and values.
pub fn facts(rows: Vec<(&str, AnyView)>) -> AnyView {
    let rows = rows
        .into_iter()
        .map(|(name, value)| {
            let name = name.to_owned();
            view! { <div><dt>{name}</dt><dd>{value}</dd></div> }
        })
        .collect_view();
    view! { <dl class="facts">{rows}</dl> }.into_any()
}

/// A button that copies a text. Shown only where it can work.
pub fn copy(t: Lang, text: &str) -> AnyView {
    view! {
        <button type="button" class="copy" data-copy=text.to_owned() data-copied=t.copied()>{t.copy()}</button>
    }
    .into_any()
}

/// A button that copies what is in a field now. Shown only where it can work.
pub fn copy_of(word: &'static str, copied: &'static str, field: &'static str) -> AnyView {
    view! {
        <button type="button" class="btn small js-only" data-copy="" data-copy-of=field data-copied=copied>{word}</button>
    }
    .into_any()
}

/// Commands to type, with a button that copies them.
pub fn code_block(t: Lang, text: &str) -> AnyView {
    view! {
        <div class="block">
            <pre tabindex="0"><code>{text.to_owned()}</code></pre>
            {copy(t, text)}
        </div>
    }
    .into_any()
}

/// The pages of a thing side by side: word, path, whether it is this one.
pub fn tabs(label: &str, tabs: Vec<(String, String, bool)>) -> AnyView {
    let tabs =
        tabs.into_iter().map(|(word, path, here)| view! { <a href=path aria-current=here.then_some("page")>{word}</a> }).collect_view();
    view! { <nav class="tabs" aria-label=label.to_owned()>{tabs}</nav> }.into_any()
}

/// The link to the next page of a listing.
pub fn pager(t: Lang, path: &str, next: Option<&str>) -> AnyView {
    leading(t.older(), path, next)
}

/// The way to the next page of a listing that goes by name; nothing on the last.
pub fn following(t: Lang, path: &str, next: Option<&str>) -> AnyView {
    leading(t.further(), path, next)
}

fn leading(word: &'static str, path: &str, next: Option<&str>) -> AnyView {
    match next {
        Some(next) => {
            let join = if path.contains('?') { '&' } else { '?' };
            let next: String = percent_encoding::utf8_percent_encode(next, percent_encoding::NON_ALPHANUMERIC).collect();
            view! { <p class="pager"><a class="btn" href=format!("{path}{join}cursor={next}")>{word}</a></p> }.into_any()
        }
        None => ().into_any(),
    }
}

/// The first letters of a commit, as people say it.
pub fn short_commit(commit: &str) -> String {
    commit.chars().take(7).collect()
}

/// The first letters of an image's id.
pub fn short_image(image: &str) -> String {
    image.strip_prefix("sha256:").unwrap_or(image).chars().take(12).collect()
}
