//! A line of marks: the stages of a run, the evidence of a rollout.

use leptos::prelude::*;

use super::Tone;

/// One mark of a line.
pub struct Mark {
    /// How it is.
    pub tone: Tone,
    /// Its name.
    pub name: String,
    /// Its word, its time, its fact.
    pub body: AnyView,
}

/// The line.
pub fn line(label: &str, marks: Vec<Mark>) -> AnyView {
    view! {
        <ol class="line" aria-label=label.to_owned()>
            {marks
                .into_iter()
                .map(|mark| {
                    view! {
                        <li class=mark.tone.class()>
                            <b>{mark.name}</b>
                            <div class="small soft">{mark.body}</div>
                        </li>
                    }
                })
                .collect_view()}
        </ol>
    }
    .into_any()
}
