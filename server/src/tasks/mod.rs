//! Background loops. They take no input: the database is the message, a wake-up only makes them quicker.

pub mod caches;
pub mod deletions;
pub mod engine;
pub mod keep;
pub mod mirrors;
pub mod retention;
pub mod rollouts;
pub mod statuses;
pub mod sweep;
