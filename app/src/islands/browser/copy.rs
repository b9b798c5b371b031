//! Copy buttons. They are hidden until this runs: without it they could do nothing.

use wasm_bindgen::JsCast;
use web_sys::{Element, Event, HtmlTextAreaElement};

use super::{document, later, listen, window};

/// Shows the buttons and listens for them, now and later ones.
pub(crate) fn start() {
    let Some(document) = document() else { return };
    if let Some(root) = document.document_element() {
        let _ = root.class_list().add_1("js");
    }
    listen(&document, "click", |event: Event| {
        let button = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        let Some(button) = button.and_then(|target| target.closest("[data-copy]").ok().flatten()) else { return };
        copy(&button);
    });
}

/// What a button copies: what it says itself, or what is in a field now.
fn text(button: &Element) -> Option<String> {
    let Some(of) = button.get_attribute("data-copy-of") else { return button.get_attribute("data-copy") };
    let field = document()?.get_element_by_id(&of)?.dyn_into::<HtmlTextAreaElement>().ok()?;
    Some(field.value())
}

fn copy(button: &Element) {
    let (Some(window), Some(text)) = (window(), text(button)) else { return };
    // Absent where the page came over plain HTTP from another machine.
    let clipboard = js_sys::Reflect::get(&window.navigator(), &"clipboard".into());
    if clipboard.is_ok_and(|it| it.is_undefined()) {
        return;
    }
    let _ = window.navigator().clipboard().write_text(&text);
    let before = button.text_content();
    button.set_text_content(button.get_attribute("data-copied").as_deref());
    let button = button.clone();
    later(1_600, move || button.set_text_content(before.as_deref()));
}
