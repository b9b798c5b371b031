//! Tests of the whole through the outside: API, command line, Git, browser, engine.

mod api;
mod browser;
mod cli;
mod docker;
mod edge;
mod git;
mod house;
mod pipelines;
mod rollouts;
mod store;
mod support;
