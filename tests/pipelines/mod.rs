//! From a push to a candidate: what runs, in which order, and how it ends.

mod bases;
mod builders;
mod caches;
mod canary;
mod candidates;
mod ci;
mod conditions;
mod engine;
mod held;
mod journeys;
mod logs;
mod monorepo;
mod queue;
mod recipes;
mod rerun;
mod results;
mod secrets;
mod selection;
mod stages;
mod together;
mod triggers;
