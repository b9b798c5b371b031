//! A log as it is written: lines are appended as text nodes, and the log keeps its end in sight while one is at its end.

use std::{cell::Cell, rc::Rc};

use web_sys::{Document, Element, Event, EventSource, MessageEvent};

use super::{document, listen, window};
use crate::{
    islands::ansi,
    model::{LineKind, LogLine},
};

/// How close to the end one must be for it to be kept in sight, in pixels.
const NEAR: i32 = 48;
/// How many lines of a log the server shows at once.
const PAGE: u64 = 1_000;
/// How many lines are on the page at most: the oldest go as new ones come, and are read by going back.
const MOST: u64 = 10_000;

/// Starts following a step's log from line `next` on.
pub(crate) fn start(step: &str, next: u64, words: &[String]) {
    let Some(document) = document() else { return };
    let Some(log) = document.get_element_by_id(&format!("log-{step}")) else { return };
    let Ok(source) = EventSource::new(&format!("/steps/{step}/log?from={next}")) else { return };
    let tail = log.parent_element().and_then(|card| card.query_selector(".tail").ok().flatten());
    let say = {
        let words = words.to_vec();
        move |which: usize| {
            if let Some(tail) = &tail {
                tail.set_text_content(words.get(which).map(String::as_str));
            }
        }
    };
    say(0);
    if window().and_then(|window| window.location().hash().ok()).is_none_or(|hash| hash.is_empty()) {
        log.set_scroll_top(log.scroll_height());
    }
    let wanted = Rc::new(Cell::new(next));
    let on = log.clone();
    listen(&source, "lines", move |event: MessageEvent| {
        let text = event.data().as_string().unwrap_or_default();
        let Ok(lines) = serde_json::from_str::<Vec<LogLine>>(&text) else { return };
        append(&document, &on, &lines, &wanted);
    });
    let ended = source.clone();
    listen(&source, "end", move |_: Event| {
        ended.close();
        say(1);
    });
}

fn append(document: &Document, log: &Element, lines: &[LogLine], wanted: &Cell<u64>) {
    let at_end = log.scroll_height() - log.scroll_top() - log.client_height() < NEAR;
    for line in lines {
        // The connection may be made anew, and then begins where it began the first time.
        if line.number >= wanted.get() && row(document, log, line).is_some() {
            wanted.set(line.number + 1);
        }
    }
    if let Some(oldest) = wanted.get().checked_sub(MOST + 1) {
        drop_before(log, oldest);
    }
    if at_end {
        log.set_scroll_top(log.scroll_height());
    }
}

/// Removes the lines before this number, and commands of which nothing is left.
fn drop_before(log: &Element, oldest: u64) {
    let old =
        |row: &Element| row.id().strip_prefix('L').and_then(|number| number.parse::<u64>().ok()).is_some_and(|number| number < oldest);
    while let Some(first) = log.first_element_child() {
        let row = if first.tag_name() == "DETAILS" {
            first.first_element_child().and_then(|summary| summary.next_element_sibling())
        } else {
            Some(first.clone())
        };
        match row {
            Some(row) if old(&row) => row.remove(),
            // A command whose lines all went, unless it is the one that writes now.
            None if first.next_element_sibling().is_some() => first.remove(),
            _ => break,
        }
    }
}

/// Where a line is found whatever comes after it, as the server's own links say: this page, as long as it holds the line.
fn address(log: &Element, number: u64) -> String {
    let first = log.get_attribute("data-first").and_then(|first| first.parse().ok()).unwrap_or(1);
    let from = if number < first + PAGE { first } else { number.saturating_sub(20).max(1) };
    format!("?step={}&from={from}#L{number}", log.id().trim_start_matches("log-"))
}

/// One line, the same as `components::log_lines` makes it: a command begins a part that folds, the rest goes into the last.
fn row(document: &Document, log: &Element, line: &LogLine) -> Option<()> {
    let command = line.kind == LineKind::Command;
    let row = document.create_element(if command { "summary" } else { "div" }).ok()?;
    row.set_id(&format!("L{}", line.number));
    row.set_class_name(match line.kind {
        LineKind::Out => "",
        LineKind::Err => "err",
        LineKind::Command => "cmd",
        LineKind::Note => "say-so",
    });
    let number = document.create_element(if command { "span" } else { "a" }).ok()?;
    if !command {
        number.set_attribute("href", &address(log, line.number)).ok()?;
    }
    number.set_text_content(Some(&line.number.to_string()));
    let time = document.create_element("time").ok()?;
    let at = line.at.to_string();
    time.set_attribute("datetime", &at).ok()?;
    time.set_text_content(at.get(11..19));
    let code = document.create_element("code").ok()?;
    for piece in ansi::pieces(&line.text) {
        let span = document.create_element("span").ok()?;
        span.set_class_name(&piece.class);
        span.set_text_content(Some(&piece.text));
        code.append_child(&span).ok()?;
    }
    for part in [&number, &time, &code] {
        row.append_child(part).ok()?;
    }
    let last = log.last_element_child().filter(|last| last.tag_name() == "DETAILS");
    let part = match (command, last) {
        (true, _) => {
            let part = document.create_element("details").ok()?;
            part.set_attribute("open", "").ok()?;
            log.append_child(&part).ok()?;
            part
        }
        (false, Some(part)) => part,
        (false, None) => log.clone(),
    };
    part.append_child(&row).ok()?;
    Some(())
}
