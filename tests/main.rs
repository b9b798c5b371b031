//! Tests of the whole through the outside: API, command line, Git, browser, engine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests may stop with a panic: that is how they fail.

mod api;
mod browser;
mod cli;
mod crash;
mod docker;
mod edge;
mod forges;
mod git;
mod house;
mod ops;
mod pipelines;
mod rights;
mod rollouts;
mod simulation;
mod store;
mod support;
