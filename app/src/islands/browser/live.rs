//! Live pages: one connection says that something changed; the page is fetched again, and what is marked `data-live` is
//! swapped where it differs. What one reads, types in or has open stays as it is.

use std::{cell::RefCell, rc::Rc};

use leptos::task::spawn_local;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Document, Element, Event, EventSource, HtmlElement, MessageEvent};

use super::{all, document, later, listen, page_at, window};

/// Shortest time between two looks, in milliseconds.
const PAUSE: i32 = 400;

struct Page {
    topics: Vec<String>,
    words: Vec<String>,
    source: Option<EventSource>,
    waiting: bool,
    broken: bool,
}

/// Connects, now and whenever the page is looked at again; a page nobody looks at holds no connection.
pub(crate) fn start(topics: Vec<String>, words: Vec<String>) {
    let Some(document) = document() else { return };
    let page = Rc::new(RefCell::new(Page { topics, words, source: None, waiting: false, broken: false }));
    connect(&page);
    listen(&document, "visibilitychange", move |_: Event| {
        let hidden = super::document().is_some_and(|document| document.hidden());
        if hidden {
            if let Some(source) = page.borrow_mut().source.take() {
                source.close();
            }
        } else if page.borrow().source.is_none() {
            connect(&page);
            look(&page);
        }
    });
}

fn connect(page: &Rc<RefCell<Page>>) {
    let Ok(source) = EventSource::new("/live") else { return };
    let on = page.clone();
    listen(&source, "changed", move |event: MessageEvent| {
        let topic = event.data().as_string().unwrap_or_default();
        if topic == "*" || on.borrow().topics.iter().any(|wanted| topic.starts_with(wanted.as_str())) {
            look(&on);
        }
    });
    let on = page.clone();
    listen(&source, "open", move |_: Event| {
        say(&on.borrow().words, 0);
        // Whatever happened while there was no connection.
        let broken = std::mem::replace(&mut on.borrow_mut().broken, false);
        if broken {
            look(&on);
        }
    });
    let on = page.clone();
    listen(&source, "error", move |_: Event| {
        on.borrow_mut().broken = true;
        say(&on.borrow().words, 1);
    });
    page.borrow_mut().source = Some(source);
}

fn say(words: &[String], which: usize) {
    let Some(spot) = document().and_then(|document| document.get_element_by_id("live")) else { return };
    spot.set_class_name(if which == 0 { "live on" } else { "live off" });
    spot.set_text_content(words.get(which).map(String::as_str));
}

/// Looks again soon; several changes in short order are one look.
fn look(page: &Rc<RefCell<Page>>) {
    if std::mem::replace(&mut page.borrow_mut().waiting, true) {
        return;
    }
    let page = page.clone();
    later(PAUSE, move || {
        page.borrow_mut().waiting = false;
        spawn_local(async {
            if let Ok(fresh) = fetch().await {
                swap(&fresh);
            }
        });
    });
}

async fn fetch() -> Result<Document, JsValue> {
    let address = window().ok_or(JsValue::NULL)?.location().href()?;
    page_at(address.split('#').next().unwrap_or_default()).await
}

fn swap(fresh: &Document) {
    let Some(document) = document() else { return };
    document.set_title(&fresh.title());
    for old in all(&document, "[data-live]") {
        let name = old.get_attribute("data-live").unwrap_or_default();
        let Some(new) = fresh.query_selector(&format!("[data-live=\"{name}\"]")).ok().flatten() else { continue };
        let key = old.get_attribute("data-key");
        // With a key: only another thing takes its place. Without: whatever looks different.
        let same = if key.is_some() { key == new.get_attribute("data-key") } else { alike(&old, &new) };
        if !same && !busy(&document, &old) {
            put(&document, &old, &new);
        }
    }
}

/// Whether two parts show the same, times aside: those tick by themselves.
fn alike(old: &Element, new: &Element) -> bool {
    let plain = |element: &Element| {
        let copy: Element = element.clone_node_with_deep(true).ok()?.dyn_into().ok()?;
        if let Ok(times) = copy.query_selector_all("time, [data-since]") {
            (0..times.length()).filter_map(|at| times.item(at)).for_each(|time| time.set_text_content(None));
        }
        if let Ok(open) = copy.query_selector_all("details[open]") {
            (0..open.length()).filter_map(|at| open.item(at)?.dyn_into::<Element>().ok()).for_each(|open| {
                let _ = open.remove_attribute("open");
            });
        }
        Some(copy.outer_html())
    };
    plain(old) == plain(new)
}

/// Whether somebody is busy in it: typing, or with a question open.
fn busy(document: &Document, part: &Element) -> bool {
    let typing = document
        .active_element()
        .is_some_and(|active| part.contains(Some(&active)) && matches!(active.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT"));
    typing || part.query_selector("details.confirm[open]").ok().flatten().is_some()
}

fn put(document: &Document, old: &Element, new: &Element) {
    let held = document.active_element().filter(|active| old.contains(Some(active))).and_then(|active| handle(&active));
    for open in opened(old) {
        if let Some(details) = new.query_selector(&format!("[id=\"{open}\"]")).ok().flatten() {
            let _ = details.set_attribute("open", "");
        }
    }
    let Ok(new) = document.adopt_node(new) else { return };
    let Ok(new) = new.dyn_into::<Element>() else { return };
    if old.replace_with_with_node_1(&new).is_err() {
        return;
    }
    wake(&new);
    if let Some(again) = held.and_then(|selector| new.query_selector(&selector).ok().flatten()) {
        let options = web_sys::FocusOptions::new();
        options.set_prevent_scroll(true);
        if let Ok(again) = again.dyn_into::<HtmlElement>() {
            let _ = again.focus_with_options(&options);
        }
    }
}

/// How to find what has the focus after the swap.
fn handle(active: &Element) -> Option<String> {
    let quoted = |value: String| value.replace(['\\', '"'], "");
    let id = active.id();
    if !id.is_empty() {
        return Some(format!("[id=\"{}\"]", quoted(id)));
    }
    active.get_attribute("href").map(|href| format!("a[href=\"{}\"]", quoted(href)))
}

fn opened(part: &Element) -> Vec<String> {
    let Ok(found) = part.query_selector_all("details[open][id]") else { return Vec::new() };
    (0..found.length()).filter_map(|at| found.item(at)?.dyn_into::<Element>().ok()).map(|details| details.id()).collect()
}

/// Wakes the islands of a part that came in, the way the boot script does.
fn wake(part: &Element) {
    let Some(window) = window() else { return };
    let Ok(hydrate) = js_sys::Reflect::get(&window, &"__hydrateIsland".into()) else { return };
    let (Ok(hydrate), Ok(islands)) = (hydrate.dyn_into::<js_sys::Function>(), part.query_selector_all("leptos-island")) else { return };
    for island in (0..islands.length()).filter_map(|at| islands.item(at)?.dyn_into::<Element>().ok()) {
        let id = island.get_attribute("data-component").unwrap_or_default();
        let _ = hydrate.call2(&JsValue::NULL, &island, &id.into());
    }
}
