//! Rows 1 to 3: deploys under load, deploy latency, what a request costs at the edge.

pub(crate) mod cpu;
pub(crate) mod deploys;
mod driver;
pub(crate) mod latency;
mod rivals;
pub(crate) mod routes;
