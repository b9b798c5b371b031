//! The two doors: HTML and REST; and Git over HTTP.

pub mod assets;
