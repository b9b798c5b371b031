//! Who may do what, through every door there is, and that nothing else happens.

mod canary;
mod cast;
mod doors;
mod fuzzed;
mod host;
mod images;
mod matrix;
mod mixed;
mod passwords;
mod rest;
mod schema;
mod secrets;
mod sessions;
mod started;
mod state;
mod strange;
mod verbs;
mod world;
