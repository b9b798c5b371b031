//! Rows 1 to 3: deploys under load, deploy latency, what a request costs at the edge.

pub(crate) mod cpu;
pub(crate) mod deploys;
mod driver;
pub(crate) mod latency;
pub(crate) mod routes;
