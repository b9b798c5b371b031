//! The palette: Ctrl K or / opens it, what one types is asked of the page `/search`, and its list is put in as it came.
//! `?` shows the keys. Without this, the link to the search is a link.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use leptos::task::spawn_local;
use wasm_bindgen::JsCast;
use web_sys::{Document, Element, Event, HtmlDialogElement, HtmlElement, HtmlInputElement, KeyboardEvent, MouseEvent};

use super::{all, document, later, listen, page_at, window};

/// How long one may pause between letters, in milliseconds.
const PAUSE: i32 = 70;
/// What the browser keeps where the keys without a modifier are turned off.
const OFF: &str = "berth-keys-off";

/// What a dialog is told when it was opened.
const OPENED: &str = "opened";

struct Palette {
    dialog: HtmlDialogElement,
    input: HtmlInputElement,
    hits: Element,
    /// Number of the newest question.
    asked: Cell<u32>,
    /// What is shown is the answer to this.
    shown: RefCell<Option<String>>,
    /// Enter was pressed before the answer came.
    hurried: Cell<bool>,
}

/// Listens for as long as the page lives.
pub(crate) fn start() {
    let Some(document) = document() else { return };
    name_keys(&document);
    let Some(palette) = find(&document).map(Rc::new) else { return };
    listen(&document, "keydown", pressed);
    listen(&document, "click", clicked);
    let on = palette.clone();
    listen(&palette.input, "input", move |_: Event| ask(&on, PAUSE));
    let on = palette.clone();
    listen(&palette.dialog, "keydown", move |event: KeyboardEvent| lead(&on, &event));
    let on = palette.clone();
    listen(&palette.dialog, OPENED, move |_: Event| {
        on.input.select();
        ask(&on, 0);
    });
    single_keys(&document);
}

fn find(document: &Document) -> Option<Palette> {
    Some(Palette {
        dialog: document.get_element_by_id("palette")?.dyn_into().ok()?,
        input: document.get_element_by_id("palette-q")?.dyn_into().ok()?,
        hits: document.get_element_by_id("palette-hits")?,
        asked: Cell::new(0),
        shown: RefCell::new(None),
        hurried: Cell::new(false),
    })
}

/// Apple's keyboards say it otherwise.
fn name_keys(document: &Document) {
    let apple = window().and_then(|window| window.navigator().platform().ok()).is_some_and(|name| name.starts_with("Mac"));
    if apple {
        all(document, ".ctrl").iter().for_each(|key| key.set_text_content(Some("⌘")));
    }
}

/// The box that turns the keys without a modifier off and on.
fn single_keys(document: &Document) {
    let store = || window().and_then(|window| window.local_storage().ok().flatten());
    let Some(ticked) = document.get_element_by_id("keys-on").and_then(|it| it.dyn_into::<HtmlInputElement>().ok()) else { return };
    ticked.set_checked(store().and_then(|store| store.get_item(OFF).ok().flatten()).is_none());
    let on = ticked.clone();
    listen(&ticked, "change", move |_: Event| {
        let Some(store) = store() else { return };
        let _ = if on.checked() { store.remove_item(OFF) } else { store.set_item(OFF, "1") };
    });
}

fn typing(event: &KeyboardEvent) -> bool {
    let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    target.is_some_and(|target| target.closest("input, textarea, select, [contenteditable]").ok().flatten().is_some())
}

fn pressed(event: KeyboardEvent) {
    let Some(document) = document() else { return };
    let command = event.ctrl_key() || event.meta_key();
    let id = if command && !event.alt_key() && !event.shift_key() && event.key().eq_ignore_ascii_case("k") {
        "palette"
    } else {
        let on = document.get_element_by_id("keys-on").and_then(|it| it.dyn_into::<HtmlInputElement>().ok());
        if command || event.alt_key() || typing(&event) || on.is_none_or(|on| !on.checked()) {
            return;
        }
        match event.key().as_str() {
            "/" => "palette",
            "?" => "keys",
            _ => return,
        }
    };
    if open(&document, id) {
        event.prevent_default();
    }
}

fn clicked(event: MouseEvent) {
    let (Some(document), Some(target)) = (document(), event.target().and_then(|target| target.dyn_into::<Element>().ok())) else { return };
    // The space around an open dialog is the dialog itself.
    if let Some(dialog) = target.dyn_ref::<HtmlDialogElement>() {
        dialog.close();
        return;
    }
    let Some(opens) = target.closest("[data-opens]").ok().flatten() else { return };
    let elsewhere = event.ctrl_key() || event.meta_key() || event.shift_key();
    if !elsewhere && open(&document, &opens.get_attribute("data-opens").unwrap_or_default()) {
        event.prevent_default();
    }
}

/// Opens a dialog; one at a time.
fn open(document: &Document, id: &str) -> bool {
    let Some(dialog) = document.get_element_by_id(id).and_then(|it| it.dyn_into::<HtmlDialogElement>().ok()) else { return false };
    for other in all(document, "dialog[open]") {
        if let Ok(other) = other.dyn_into::<HtmlDialogElement>() {
            other.close();
        }
    }
    for menu in all(document, "details.menu[open]") {
        let _ = menu.remove_attribute("open");
    }
    let opened = dialog.show_modal().is_ok();
    if let Ok(event) = Event::new(OPENED) {
        let _ = dialog.dispatch_event(&event);
    }
    opened
}

/// Asks for what fits what was typed; an answer to an older question is not shown.
fn ask(palette: &Rc<Palette>, pause: i32) {
    let number = palette.asked.get() + 1;
    palette.asked.set(number);
    let palette = palette.clone();
    later(pause, move || {
        if palette.asked.get() != number {
            return;
        }
        spawn_local(async move {
            let query = palette.input.value();
            let here = window().and_then(|window| window.location().pathname().ok()).unwrap_or_default();
            let quoted = |text: &str| String::from(js_sys::encode_uri_component(text));
            let Ok(page) = page_at(&format!("/search?q={}&from={}", quoted(&query), quoted(&here))).await else { return };
            if palette.asked.get() == number {
                show(&palette, &page, query);
            }
        });
    });
}

fn show(palette: &Palette, page: &Document, query: String) {
    let Some(list) = page.get_element_by_id("hits") else { return };
    let said = list.get_attribute("data-said");
    let Some(content) = list.first_element_child() else { return };
    palette.hits.replace_children_with_node_1(&content);
    if let Some(status) = palette.dialog.query_selector("[role=status]").ok().flatten() {
        status.set_text_content(said.as_deref());
    }
    *palette.shown.borrow_mut() = Some(query);
    if palette.hurried.take() {
        go(palette);
    }
}

fn links(palette: &Palette) -> Vec<HtmlElement> {
    let Ok(found) = palette.hits.query_selector_all("a") else { return Vec::new() };
    (0..found.length()).filter_map(|at| found.item(at)?.dyn_into().ok()).collect()
}

fn go(palette: &Palette) {
    if let Some(first) = links(palette).first() {
        palette.dialog.close();
        first.click();
    }
}

/// Leads through the list: the arrows move the focus, Enter follows the best, typing goes on in the field.
fn lead(palette: &Palette, event: &KeyboardEvent) {
    let links = links(palette);
    let active = document().and_then(|document| document.active_element());
    let at = links.iter().position(|link| active.as_ref() == Some(link.as_ref()));
    let next = match (event.key().as_str(), at) {
        ("ArrowDown", None) => links.first(),
        ("ArrowDown", Some(at)) => links.get(at + 1).or(links.first()),
        ("ArrowUp", None) => links.last(),
        ("ArrowUp", Some(0)) => Some(palette.input.as_ref()),
        ("ArrowUp", Some(at)) => links.get(at - 1),
        ("Enter", None) => {
            event.prevent_default();
            match palette.shown.borrow().as_deref() == Some(palette.input.value().as_str()) {
                true => go(palette),
                false => palette.hurried.set(true),
            }
            return;
        }
        // A field of a search would only be emptied.
        ("Escape", _) => {
            event.prevent_default();
            palette.dialog.close();
            return;
        }
        (key, Some(_)) if key.chars().count() == 1 && !event.ctrl_key() && !event.meta_key() || key == "Backspace" => {
            let _ = palette.input.focus();
            return;
        }
        _ => return,
    };
    event.prevent_default();
    if let Some(next) = next {
        let _ = next.focus();
    }
}
