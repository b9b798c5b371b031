//! Background loops. They take no input: the database is the message, a wake-up only makes them quicker.

pub mod deletions;
pub mod engine;
pub mod keep;
pub mod rollouts;
pub mod sweep;

use std::time::Duration;

/// Without a wake-up every loop looks again after this long: what a crash or another Berth left is found, and an idle
/// Berth stays idle.
pub const LAZY: Duration = Duration::from_secs(60);
