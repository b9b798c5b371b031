//! The console in Chromium, against a Berth that runs for real on the platform in memory.

mod copying;
mod driver;
mod journeys;
mod keyboard;
mod pushing;
mod screens;
