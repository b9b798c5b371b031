//! Lines of a log: number, time, text. The number is a link to the line.

use leptos::prelude::*;

use crate::{
    islands::ansi,
    model::{LineKind, LogLine},
};

/// The class of a line.
const fn class(kind: LineKind) -> &'static str {
    match kind {
        LineKind::Out => "",
        LineKind::Err => "err",
        LineKind::Command => "cmd",
        LineKind::Note => "say-so",
    }
}

/// Lines as the log shows them. `LogStream` makes the same of those that come later.
pub fn log_lines(lines: &[LogLine]) -> AnyView {
    lines
        .iter()
        .map(|line| {
            let number = line.number;
            let at = line.at.to_string();
            let clock = at.get(11..19).unwrap_or_default().to_owned();
            let text = ansi::pieces(&line.text)
                .into_iter()
                .map(|piece| match piece.class.is_empty() {
                    true => view! { <span>{piece.text}</span> }.into_any(),
                    false => view! { <span class=piece.class>{piece.text}</span> }.into_any(),
                })
                .collect_view();
            view! {
                <div id=format!("L{number}") class=class(line.kind)>
                    <a href=format!("#L{number}")>{number.to_string()}</a>
                    <time datetime=at>{clock}</time>
                    <code>{text}</code>
                </div>
            }
        })
        .collect_view()
        .into_any()
}
