//! Lines of a log: number, time, text. The number is a link to the line; a command folds what it wrote.

use std::borrow::Cow;

use leptos::prelude::*;

use crate::{
    islands::ansi,
    locales::Lang,
    model::{LineKind, LogLine},
};

/// The class of a line.
const fn class(kind: LineKind) -> &'static str {
    match kind {
        LineKind::Out => "",
        LineKind::Err => "err",
        LineKind::Command => "cmd",
        LineKind::Note | LineKind::Exit => "say-so",
    }
}

/// Number, time and text; the number leads to `to`, where it leads anywhere.
fn parts(line: &LogLine, to: Option<String>, text: AnyView) -> AnyView {
    let number = match to {
        Some(to) => view! { <a href=to>{line.number.to_string()}</a> }.into_any(),
        None => view! { <span></span> }.into_any(),
    };
    let at = line.at.to_string();
    let clock = at.get(11..19).unwrap_or_default().to_owned();
    view! {
        {number}
        <time datetime=at>{clock}</time>
        <code>{text}</code>
    }
    .into_any()
}

fn coloured(text: &str) -> AnyView {
    ansi::pieces(text)
        .into_iter()
        .map(|piece| match piece.class.is_empty() {
            true => view! { <span>{piece.text}</span> }.into_any(),
            false => view! { <span class=piece.class>{piece.text}</span> }.into_any(),
        })
        .collect_view()
        .into_any()
}

fn row(line: &LogLine, to: &impl Fn(u64) -> String) -> AnyView {
    let parts = parts(line, Some(to(line.number)), coloured(&line.text));
    view! { <div id=format!("L{}", line.number) class=class(line.kind)>{parts}</div> }.into_any()
}

/// Lines as the log shows them: each command with what it wrote folds, and each number leads to where `to` says. `LogStream`
/// makes the same of those that come later.
pub fn log_lines(lines: &[LogLine], to: impl Fn(u64) -> String) -> AnyView {
    let groups = lines.chunk_by(|_, next| next.kind != LineKind::Command);
    groups.map(|lines| group(lines, &to)).collect_view().into_any()
}

/// The last lines of a log, where something else explains them.
pub fn log_tail(lines: &[LogLine]) -> AnyView {
    let rows = lines.iter().map(|line| view! { <div class=class(line.kind)>{parts(line, None, coloured(&line.text))}</div> });
    view! { <div class="log tail">{rows.collect_view()}</div> }.into_any()
}

fn group(lines: &[LogLine], to: &impl Fn(u64) -> String) -> AnyView {
    match lines {
        [first, rest @ ..] if first.kind == LineKind::Command => {
            // What folds is a button, and a button holds no link: its number stands before it.
            let head = parts(first, None, coloured(&first.text));
            view! {
                <a class="at" href=to(first.number)>{first.number.to_string()}</a>
                <details open=true>
                    <summary id=format!("L{}", first.number) class="cmd">{head}</summary>
                    {rest.iter().map(|line| row(line, to)).collect_view()}
                </details>
            }
            .into_any()
        }
        lines => lines.iter().map(|line| row(line, to)).collect_view().into_any(),
    }
}

/// Lines that were looked for: what was found in them is marked, the number leads to the line in its place.
pub fn log_found(lines: &[LogLine], wanted: &str, to: impl Fn(u64) -> String) -> AnyView {
    let rows = lines.iter().map(|line| {
        let parts = parts(line, Some(to(line.number)), marked(&line.text, wanted));
        view! { <div class=class(line.kind)>{parts}</div> }
    });
    rows.collect_view().into_any()
}

/// The field that looks for something in a log: of this step, or of the page's one.
pub fn log_seek(t: Lang, step: Option<&str>, wanted: &str) -> AnyView {
    let step = step.map(|step| view! { <input type="hidden" name="step" value=step.to_owned() /> });
    view! {
        <form class="seek small" action="#log" role="search" aria-label=t.find_in_log()>
            {step}
            <input type="search" name="find" value=wanted.to_owned() placeholder=t.find_in_log() aria-label=t.find_in_log() />
        </form>
    }
    .into_any()
}

/// The box that shows or hides the times of a log's lines. The style sheet does it.
pub fn log_times(t: Lang) -> AnyView {
    view! { <label class="tick small times"><input type="checkbox" checked=true autocomplete="off" />{t.log_times()}</label> }.into_any()
}

/// Whether the text of a line holds what is looked for, whatever the case of its letters. Made for a million lines at a time.
pub fn holds(text: &str, wanted: &str) -> bool {
    let (text, wanted) = (plain(text), wanted.as_bytes());
    let Some(first) = wanted.first() else { return true };
    let begins = |byte: &u8| byte.eq_ignore_ascii_case(first);
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(begins) {
        rest = &rest[at..];
        if rest.get(..wanted.len()).is_some_and(|found| found.eq_ignore_ascii_case(wanted)) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

/// The text without its colours.
fn plain(text: &str) -> Cow<'_, str> {
    if text.contains('\u{1b}') { ansi::pieces(text).into_iter().map(|piece| piece.text).collect() } else { Cow::Borrowed(text) }
}

fn marked(text: &str, wanted: &str) -> AnyView {
    let (text, wanted) = (plain(text), wanted.to_ascii_lowercase());
    // ASCII alone changes its case, so that places in one are places in the other.
    let lower = text.to_ascii_lowercase();
    let (mut done, mut pieces) = (0, Vec::new());
    for (at, found) in lower.match_indices(wanted.as_str()).filter(|(_, found)| !found.is_empty()) {
        pieces.push(text[done..at].to_owned().into_any());
        let found = text[at..at + found.len()].to_owned();
        pieces.push(view! { <mark>{found.clone()}</mark> }.into_any());
        done = at + found.len();
    }
    pieces.push(text[done..].to_owned().into_any());
    pieces.collect_view().into_any()
}

#[cfg(test)]
mod tests {
    use super::holds;

    /// Command lines too: what folds holds no link, so theirs stands before it.
    #[cfg(feature = "ssr")]
    #[test]
    fn every_line_has_a_link_that_opens_at_it() {
        use leptos::prelude::RenderHtml as _;

        use super::log_lines;
        use crate::{
            islands::line_of,
            model::{LineKind, LogLine, Timestamp},
        };

        let line = |number, kind| LogLine { number, at: Timestamp(0), kind, text: "text".into() };
        let lines = [line(8, LineKind::Note), line(30, LineKind::Command), line(31, LineKind::Out), line(32, LineKind::Exit)];
        let html = log_lines(&lines, |number| line_of("s1", number)).to_html().replace("&amp;", "&");
        for (number, from) in [(8, 1), (30, 10), (31, 11), (32, 12)] {
            let link = format!("href=\"?step=s1&from={from}#L{number}\"");
            assert_eq!(html.matches(&link).count(), 1, "{link} in {html}");
            assert_eq!(html.matches(&format!("id=\"L{number}\"")).count(), 1, "{number} in {html}");
        }
        let head = html.split("<summary").nth(1).and_then(|rest| rest.split("</summary>").next()).unwrap_or_default();
        assert!(!head.is_empty() && !head.contains("<a"), "{head}");
    }

    #[test]
    fn what_is_looked_for_is_found_whatever_its_colour_and_case() {
        let cases = [
            ("test prices ... FAILED", "failed", true),
            ("test \u{1b}[31mpri\u{1b}[0mces", "PRICES", true),
            ("aab", "ab", true),
            ("größe", "GRößE", true),
            ("größe", "GRÖSSE", false),
            ("short", "shorter", false),
            ("[31m", "31", true),
            ("\u{1b}[31mred", "31", false),
            ("", "x", false),
            ("anything", "", true),
        ];
        for (text, wanted, held) in cases {
            assert_eq!(holds(text, wanted), held, "{text:?} {wanted:?}");
        }
    }
}
