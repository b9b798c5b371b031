//! The REST door: rights, limits, sessions, the document.

mod document;
mod doors;
pub(crate) mod matrix;
mod people;
mod search;
mod services;
mod sessions;
mod strange;
mod streams;
