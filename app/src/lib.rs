//! Berth's vocabulary ([`model`], [`error`]), the list of what can be asked of it ([`backend`]), and its console.
//!
//! The console's pages are rendered on the server and never leave it; only what stands in `islands` is compiled to
//! WebAssembly and runs in the browser.

pub mod error;
pub mod islands;
pub mod locales;
pub mod model;

#[cfg(feature = "ssr")]
pub mod backend;
#[cfg(feature = "ssr")]
pub mod caller;
#[cfg(feature = "ssr")]
pub mod components;
#[cfg(feature = "ssr")]
pub mod fuzzy;
#[cfg(feature = "ssr")]
pub mod pages;
#[cfg(feature = "ssr")]
pub mod routes;
#[cfg(feature = "ssr")]
pub mod said;
#[cfg(feature = "ssr")]
pub mod way;
