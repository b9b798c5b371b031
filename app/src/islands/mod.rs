//! All that the browser runs, and nothing else. Each island is small help on top of a page that works without it; what it
//! does in the browser stands beside it in `browser`.

// The macro makes types for the properties, and these carry no words.
#![allow(missing_docs)]

pub mod ansi;

#[cfg(feature = "hydrate")]
mod browser;

use leptos::prelude::*;

/// How many lines stand before the one that a link leads to: one sees where one is.
const BEFORE: u64 = 20;

/// Where a line of a step's log is: on the page that begins a few lines before it, wherever the log has got to meanwhile.
pub fn line_of(step: &str, number: u64) -> String {
    format!("?step={step}&from={}#L{number}", number.saturating_sub(BEFORE).max(1))
}

/// Keeps relative times and running durations true.
#[island]
pub fn Clock() -> impl IntoView {
    #[cfg(feature = "hydrate")]
    browser::clock::start();
    view! { <span hidden=true></span> }
}

/// Makes the copy buttons copy.
#[island]
pub fn Copy() -> impl IntoView {
    #[cfg(feature = "hydrate")]
    browser::copy::start();
    view! { <span hidden=true></span> }
}

/// Closes an open question on Escape and on a click beside it, and says while one types whether the name is right.
#[island]
pub fn Confirm() -> impl IntoView {
    #[cfg(feature = "hydrate")]
    browser::confirm::start();
    view! { <span hidden=true></span> }
}

/// Opens the palette and the keys, fills the palette while one types, and leads through it by keys.
#[island]
pub fn Palette() -> impl IntoView {
    #[cfg(feature = "hydrate")]
    browser::palette::start();
    view! { <span hidden=true></span> }
}

/// Looks again when something on the page has changed, and swaps what is marked `data-live`. `words` are what it says
/// while connected and while not.
#[island]
pub fn Live(topics: Vec<String>, words: Vec<String>) -> impl IntoView {
    #[cfg(feature = "hydrate")]
    browser::live::start(topics, words);
    #[cfg(not(feature = "hydrate"))]
    drop((topics, words));
    view! { <span id="live" class="live" role="status"></span> }
}

/// Appends the lines of a step's log as they come. `next` is the first line not shown yet; `words` are what it says while
/// it follows and when it is at the end.
#[island]
pub fn LogStream(step: String, next: u64, words: Vec<String>) -> impl IntoView {
    #[cfg(feature = "hydrate")]
    browser::log::start(&step, next, &words);
    #[cfg(not(feature = "hydrate"))]
    drop((step, next, words));
    view! { <span class="tail" role="status"></span> }
}

/// Checks the text of a file while one types it, and leads from what is wrong to its place. `gone` is what it says where the
/// check does not get through.
#[island]
pub fn Editor(gone: String) -> impl IntoView {
    #[cfg(feature = "hydrate")]
    browser::editor::start(gone);
    #[cfg(not(feature = "hydrate"))]
    drop(gone);
    view! { <span class="small faint" id="editor-says" role="status"></span> }
}

/// Called by the boot script before it wakes the islands.
#[cfg(feature = "hydrate")]
#[leptos::wasm_bindgen::prelude::wasm_bindgen(wasm_bindgen = leptos::wasm_bindgen)]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_islands();
}
