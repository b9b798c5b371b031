//! The console in Chromium, against a Berth that runs for real on the platform in memory.

mod copying;
mod driver;
mod furnish;
mod journeys;
mod keyboard;
mod pipeline;
mod pushing;
mod screens;
