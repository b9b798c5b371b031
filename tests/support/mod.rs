//! See the module above.

#[allow(dead_code)] // Not every image is asked for by a test yet.
pub(crate) mod images;
