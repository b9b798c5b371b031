//! Relative times tick.

use wasm_bindgen::{JsCast, closure::Closure};

use super::{all, document, lang, window};
use crate::model::Timestamp;

/// Starts ticking: durations each second, times with them.
pub(crate) fn start() {
    let Some(window) = window() else { return };
    let closure = Closure::<dyn FnMut()>::new(tick);
    let _ = window.set_interval_with_callback_and_timeout_and_arguments_0(closure.as_ref().unchecked_ref(), 1_000);
    closure.forget();
}

#[allow(clippy::cast_possible_truncation)]
fn tick() {
    let Some(document) = document().filter(|document| !document.hidden()) else { return };
    let (t, now) = (lang(), Timestamp(js_sys::Date::now() as i64));
    for element in all(&document, "time[data-ago], time[data-age], [data-since]") {
        let text = if let Some(since) = element.get_attribute("data-since") {
            since.parse().ok().map(|since| t.took(now.since(Timestamp(since))))
        } else {
            let at = element.get_attribute("datetime").and_then(|at| Timestamp::parse(&at));
            at.map(|at| if element.has_attribute("data-ago") { t.ago(now, at) } else { t.age(now, at) })
        };
        if let Some(text) = text.filter(|text| element.text_content().as_ref() != Some(text)) {
            element.set_text_content(Some(&text));
        }
    }
}
