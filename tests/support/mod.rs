//! See the module above.

pub(crate) mod berth;
#[allow(dead_code)] // Not every image is asked for by a test yet.
pub(crate) mod images;
