//! Questions: closed by Escape and by a click beside them; the button is ready when the name is.

use wasm_bindgen::JsCast;
use web_sys::{Element, Event, HtmlElement, HtmlInputElement, KeyboardEvent};

use super::{all, document, listen, window};

/// Listens on the whole page, so that parts swapped in later are heard too.
pub(crate) fn start() {
    let Some(document) = document() else { return };
    listen(&document, "keydown", |event: KeyboardEvent| {
        if event.key() == "Escape" {
            close(None);
        }
    });
    listen(&document, "click", |event: Event| {
        let inside = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        close(inside.and_then(|target| target.closest("details.confirm, details.menu").ok().flatten()).as_ref());
    });
    listen(&document, "submit", sending);
    if let Some(window) = window() {
        // Come back to with the button of the browser: nothing is under way.
        listen(&window, "pageshow", |_: Event| {
            let Some(document) = super::document() else { return };
            all(&document, "form.sending").iter().for_each(|form| drop(form.class_list().remove_1("sending")));
        });
    }
    listen(&document, "input", |event: Event| {
        let Some(input) = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok()) else { return };
        let Some(asked) = input.closest("[data-confirm-name]").ok().flatten() else { return };
        let right = asked.get_attribute("data-confirm-name").is_some_and(|name| name == input.value().trim());
        let _ = asked.class_list().toggle_with_force("right", right);
    });
}

/// A form that changes something is sent once, and shows that it is under way.
fn sending(event: Event) {
    let Some(form) = event.target().and_then(|target| target.dyn_into::<Element>().ok()) else { return };
    if form.get_attribute("method").is_none_or(|method| method != "post") {
        return;
    }
    if form.class_list().contains("sending") {
        event.prevent_default();
    }
    let _ = form.class_list().add_1("sending");
}

/// Closes every open question but this one.
fn close(but: Option<&Element>) {
    let Some(document) = document() else { return };
    for open in all(&document, "details.confirm[open], details.menu[open]") {
        if Some(&open) != but {
            let held = document.active_element().is_some_and(|active| open.contains(Some(&active)));
            let _ = open.remove_attribute("open");
            let summary = open.query_selector("summary").ok().flatten().and_then(|it| it.dyn_into::<HtmlElement>().ok());
            if let Some(summary) = summary.filter(|_| held) {
                let _ = summary.focus();
            }
        }
    }
}
