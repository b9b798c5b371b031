//! The nouns of Berth, the same in code, API, command line and console. Serde and std only; compiles to WebAssembly.

mod actor;
mod base;
mod cache;
mod candidate;
mod ci;
mod environment;
mod event;
mod host;
mod ids;
mod mirror;
mod names;
mod people;
mod pipeline;
mod policy;
mod release;
mod rollout;
mod run;
mod run_event;
mod search;
mod secret;
mod service;
mod testing;
mod time;
mod trigger;

pub use actor::*;
pub use base::*;
pub use cache::*;
pub use candidate::*;
pub use ci::*;
pub use environment::*;
pub use event::*;
pub use host::*;
pub use ids::*;
pub use mirror::*;
pub use names::*;
pub use people::*;
pub use pipeline::*;
pub use policy::*;
pub use release::*;
pub use rollout::*;
pub use run::*;
pub use run_event::*;
pub use search::*;
pub use secret::*;
pub use service::*;
pub use testing::*;
pub use time::*;
pub use trigger::*;

use serde::{Deserialize, Serialize};

/// One page of a listing, newest first unless the method says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Give this as `cursor` to get the next page; absent on the last.
    pub next: Option<String>,
}

/// Which page of a listing is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRequest {
    /// Where the last page ended: its `next`.
    #[serde(default)]
    pub cursor: Option<String>,
    /// How many rows, 1 to 200; 50 where absent.
    #[serde(default)]
    pub limit: Option<u32>,
}

impl PageRequest {
    /// The number of rows within its bounds.
    pub fn size(&self) -> usize {
        self.limit.unwrap_or(50).clamp(1, 200) as usize
    }
}
