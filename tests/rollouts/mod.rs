//! Rollouts through the seam, on the platform in memory whose instances really answer, and through the real edge.

mod engine;
mod journeys;
mod killed;
mod load;
