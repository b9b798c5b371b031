//! A Berth in one file, and back: every row, every hosted repository, the key of its secrets under a passphrase.
//!
//! The file is a gzipped tar that common tools open. First `manifest.json`; then for each table `tables/NAME/0001.jsonl` and so
//! on, a row a line, and for each repository `repositories/ID/0001.bundle` and so on, which put together are what `git bundle`
//! makes; last `contents.json`, which lists each with its size and SHA-256. A file without its end is none.
//!
//! Rows come from one snapshot and repositories after it: whatever a row names is there. It is the same file from either
//! database, and goes back to either. Images stay in the engines.

mod archive;
mod key;
mod make;
mod restore;

use app::{error::Error, model::Timestamp};
use serde::{Deserialize, Serialize};

pub use self::{
    make::{Made, make, note},
    restore::{Restored, restore},
};
use crate::store::dump::Column;

/// The number of this format.
const FORMAT: u32 = 1;
/// Parts are about this large: that much is held in memory.
const PART: usize = 4 << 20;

/// What a backup says of itself, before everything else.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// Always `berth backup`.
    pub what: String,
    /// The number of the format.
    pub format: u32,
    /// The version of the program that made it.
    pub berth: String,
    /// The version of the schema of its tables.
    pub schema: i64,
    /// When its rows were read.
    pub at: Timestamp,
    /// How to know the root key, and the key itself where it is in here.
    pub key: key::Kept,
}

/// One table or repository in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Item {
    /// `tables/NAME` or `repositories/ID`.
    name: String,
    /// The columns of a table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    columns: Vec<Column>,
    /// The default branch of a repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    branch: Option<String>,
    /// Rows of a table.
    rows: u64,
    /// Files it is in.
    parts: u32,
    /// Its bytes.
    bytes: u64,
    /// Their SHA-256.
    sha256: String,
}

/// The end of a backup: everything in it.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Contents {
    /// The SHA-256 of the manifest.
    manifest: String,
    items: Vec<Item>,
}

/// The same words for everything that is not as it was written.
fn damaged(what: impl std::fmt::Display) -> Error {
    Error::invalid("backup_damaged", format!("The backup is damaged or not whole: {what}. Nothing was restored; take another one."))
}

fn unwritable(error: std::io::Error) -> Error {
    Error::unavailable("backup_unwritable", format!("The backup cannot be written: {error}. Look at the room on the disk.")).because(error)
}
