//! The console in Chromium, against a Berth that runs for real on the platform in memory.

mod driver;
mod journeys;
mod pushing;
mod screens;
