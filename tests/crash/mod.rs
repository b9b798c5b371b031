//! Berth is killed at every fail point of everything it does, started again, and held to what it promises.

mod backing;
mod basing;
mod caching;
mod changing;
mod engine;
mod forgetting;
mod full;
mod kill;
mod leaks;
mod mirroring;
mod moving;
mod operations;
mod points;
mod pushing;
mod spoiling;
mod starting;
mod store;
mod timing;
mod together;
mod world;
