//! Parts of pages: inert HTML. Whatever comes from a person or a program is put in as text, never as markup.

mod document;
mod form;
mod icon;
mod line;
mod log;
mod palette;
mod parts;
mod status;
mod time;
mod ways;

pub use document::document;
pub use form::{Confirm, Field, Formed, submit, typed};
pub use icon::icon;
pub use line::{Mark, line};
pub use log::{holds, log_found, log_lines, log_seek, log_tail, log_times};
pub use parts::{
    code_block, copy, copy_of, empty, facts, following, head, note, once, pager, say, sentence, short_commit, short_image, table, table_of,
    tabs,
};
pub use status::{
    Tone, berths, health_tone, health_word, instance_tone, instance_word, rollout_status, rollout_tone, rollout_word, run_status,
    run_status_of, run_tone, run_word, status,
};
pub use time::{at_time, span_of, when, when_short};
pub use ways::ways;
