//! The REST door: limits, sessions, the document. Rights are held in `rights`.

mod document;
mod doors;
mod people;
mod runs;
mod search;
mod services;
mod sessions;
mod streams;
