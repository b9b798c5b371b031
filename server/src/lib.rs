//! Everything that happens when somebody asks Berth for something; the `berth` binary, its command line included.
//!
//! Imports run downwards only:
//!
//! ```text
//!            main · cli                             composition and the command line
//!               │
//!              http ───────────────► app::pages     two doors: HTML and REST; git too
//!               └──────────┬────────────┘
//!                  app::backend (traits)            the seam
//!                          ▲ implements
//!                       control                     rights → validation → one transaction → wake
//!        ┌─────────────────┼────────────────┐
//!      auth              wake            platform*, git*     *read-only
//!                        tasks                      background loops; backup, beside them, is the command line's
//!        ┌──────────┬──────┴──────┬──────────┐
//!     rollout   pipelines       jobs        edge    effects: driven by tasks, never by a request
//!        └───┬──────┴──────┬──────┴──────────┘
//!        candidates        │                        what is said of an image, and whether it holds: pure
//!    platform   git  forge  store   secrets          edges to the world; siblings, unaware of each other
//!                          │
//!                app::model · app::error            vocabulary
//! ```
//!
//! - only `store` names SQL; only `platform::docker` names bollard; only `edge` names the proxy library; only `http::ui`
//!   names Leptos; only `git`, `cli` and `wall` start processes, with a fixed argv and never a shell;
//! - a request changes *intent* (rows) and never starts or stops a container;
//! - every decision that matters is a pure function that takes `now` as an argument: `rollout::plan`,
//!   `pipelines::select`, `auth::rights`, `edge::table`, `candidates::retain`, `ci` (what tests said, how a team integrates);
//! - every effect goes through one `authorize` in `control`, whichever door it came from;
//! - one builder (`platform::container`) makes every container specification. Hardening lives there.

#[macro_use]
pub mod failpoints;

pub mod auth;
pub mod backup;
pub mod candidates;
pub mod ci;
pub mod claim;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod edge;
pub mod forge;
pub mod git;
pub mod http;
pub mod pipelines;
pub mod platform;
pub mod reach;
pub mod rollout;
pub mod secrets;
pub mod serve;
pub mod store;
pub mod tasks;
pub mod telemetry;
pub mod wake;
pub mod wall;
