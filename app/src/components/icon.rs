//! The mark and a few small line drawings, 16 by 16.

use leptos::prelude::*;

/// A drawing by its name; it only accompanies a word.
pub fn icon(name: &str) -> AnyView {
    let path = match name {
        "home" => "M2.5 3.5h4v4h-4zM9.5 3.5h4v4h-4zM2.5 9.5h4v3h-4zM9.5 9.5h4v3h-4z",
        "activity" => "M1.5 8.5h3l2-5 3 9 2-4h3",
        "people" => {
            "M6 7.5a2.25 2.25 0 1 0 0-4.5 2.25 2.25 0 0 0 0 4.5ZM1.75 13c.3-2.3 2-3.75 4.25-3.75S9.95 10.7 10.25 13M11 3.2a2.2 2.2 0 0 1 0 4.2M12 9.6c1.3.5 2.1 1.7 2.3 3.4"
        }
        "key" => "M10.5 9.5a4 4 0 1 0-3.4-1.9L2 12.7V14h2.5v-1.7h1.7v-1.7h1.5l1-1a4 4 0 0 0 1.8 0ZM11 5.2h.01",
        "me" => "M8 8a2.75 2.75 0 1 0 0-5.5A2.75 2.75 0 0 0 8 8ZM2.75 13.5c.4-2.6 2.5-4 5.25-4s4.85 1.4 5.25 4",
        "hosts" => "M2.5 3h11v4h-11zM2.5 9h11v4h-11zM5 5h.01M5 11h.01",
        "layers" => "M8 2 14 5 8 8 2 5zM2 8l6 3 6-3M2 11l6 3 6-3",
        "steps" => "M1.5 12.5h4v-3h4.5v-3h4.5M11.5 3.5l3 3-3 3",
        "teams" => "M2.5 6.5 8 3l5.5 3.5v6.5h-11zM6.5 13v-3.5h3V13",
        "plus" => "M8 3v10M3 8h10",
        "menu" => "M2 4.5h12M2 8h12M2 11.5h12",
        "out" => "M6.5 2.5h-4v11h4M6.5 8h7M10.5 5l3 3-3 3",
        "search" => "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10ZM10.8 10.8 14 14",
        "code" => "M5.5 4 1.5 8l4 4M10.5 4l4 4-4 4",
        "keys" => "M1.5 4h13v8h-13zM4 6.5h.01M6.7 6.5h.01M9.3 6.5h.01M12 6.5h.01M4.5 9.5h7",
        "open" => "M6.5 3.5h-4v10h10v-4M9 2.5h4.5V7M13.5 2.5 7.5 8.5",
        _ => "",
    };
    view! {
        <svg class="icon" width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
            <path d=path></path>
        </svg>
    }
    .into_any()
}

/// Berth's mark: a ship in its berth.
pub(super) fn mark() -> AnyView {
    view! {
        <svg class="mark" width="24" height="24" viewBox="0 0 24 24" aria-hidden="true">
            <path d="M3 4v10a5 5 0 0 0 5 5h8a5 5 0 0 0 5-5V4"></path>
            <rect x="8" y="5" width="8" height="8" rx="1.5"></rect>
        </svg>
    }
    .into_any()
}
