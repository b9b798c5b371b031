//! The text of a `berth.yaml` as it is typed: checked after a pause by the form it stands in, and what the page answers is put
//! beside it. A place that is named is gone to.

use std::{cell::Cell, rc::Rc};

use leptos::task::spawn_local;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Document, Element, Event, HtmlTextAreaElement};

use super::{document, later, listen, page_after, window};

/// How long one may pause while typing, in milliseconds.
const PAUSE: i32 = 400;

/// Listens for as long as the page lives.
pub(crate) fn start(gone: String) {
    let Some(document) = document() else { return };
    let Some(text) = text(&document) else { return };
    // Number of the newest text: what is answered to an older one is not shown.
    let typed = Rc::new(Cell::new(0_u32));
    listen(&text, "input", move |_: Event| {
        let (number, gone) = (typed.get() + 1, gone.clone());
        typed.set(number);
        let typed = typed.clone();
        later(PAUSE, move || {
            if typed.get() == number {
                spawn_local(async move {
                    let answer = ask().await;
                    if typed.get() == number {
                        show(answer, &gone);
                    }
                });
            }
        });
    });
    listen(&document, "click", to_place);
}

fn text(document: &Document) -> Option<HtmlTextAreaElement> {
    document.query_selector("[data-check] textarea").ok()??.dyn_into().ok()
}

async fn ask() -> Result<Document, JsValue> {
    let document = document().ok_or(JsValue::NULL)?;
    let text = text(&document).ok_or(JsValue::NULL)?.value();
    let address = window().ok_or(JsValue::NULL)?.location().pathname()?;
    page_after(&address, &[("do", "check"), ("text", &text)]).await
}

/// Puts what the page says of the text in the place of what it said before.
fn show(answer: Result<Document, JsValue>, gone: &str) {
    let Some(document) = document() else { return };
    let part = |of: &Document| of.get_element_by_id("checked");
    let new = answer.ok().and_then(|page| part(&page)).and_then(|new| document.adopt_node(&new).ok()?.dyn_into::<Element>().ok());
    if let Some(says) = document.get_element_by_id("editor-says") {
        says.set_text_content(new.is_none().then_some(gone));
    }
    if let Some((old, new)) = part(&document).zip(new) {
        let _ = old.replace_with_with_node_1(&new);
    }
}

/// Goes to the line and column that a link names: the cursor is put there, and comes into sight.
fn to_place(event: Event) {
    let link = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    let Some(link) = link.and_then(|target| target.closest("[data-line]").ok().flatten()) else { return };
    let number = |name: &str| link.get_attribute(name).and_then(|value| value.parse::<usize>().ok()).unwrap_or(1).max(1);
    let Some(text) = document().as_ref().and_then(text) else { return };
    let value = text.value();
    let before: usize = value.split_inclusive('\n').take(number("data-line") - 1).map(|line| line.encode_utf16().count()).sum();
    let column: usize = value
        .lines()
        .nth(number("data-line") - 1)
        .map_or(0, |line| line.chars().take(number("data-column") - 1).map(char::len_utf16).sum());
    let at = u32::try_from(before + column).unwrap_or(u32::MAX);
    event.prevent_default();
    let _ = text.focus();
    let _ = text.set_selection_range(at, at);
    // The text is as high as its lines: the line is brought into sight by its part of the height.
    let lines = value.lines().count().max(1);
    let top = text.get_bounding_client_rect().top() + text.get_bounding_client_rect().height() * number("data-line") as f64 / lines as f64;
    if let Some(window) = window() {
        let height = window.inner_height().ok().and_then(|height| height.as_f64()).unwrap_or(600.0);
        if top < 80.0 || top > height - 80.0 {
            window.scroll_by_with_x_and_y(0.0, top - height / 2.0);
        }
    }
}
