//! Berth's vocabulary ([`model`], [`error`]), the list of what can be asked of it ([`backend`]), and its console.
//!
//! The console's pages are rendered on the server and never leave it; only what stands in `islands` is compiled to
//! WebAssembly and runs in the browser.

pub mod error;
pub mod model;

#[cfg(feature = "ssr")]
pub mod backend;

#[cfg(feature = "ssr")]
pub mod components;
pub mod islands;
#[cfg(feature = "ssr")]
pub mod locales;
#[cfg(feature = "ssr")]
pub mod pages;
