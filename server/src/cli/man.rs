//! Manual pages, one for each command.

use std::{fs, path::Path};

use super::{
    failure::{Done, Failure},
    output,
};

/// Writes the pages into a folder: `berth.1`, `berth-deploy.1` …
pub(super) fn write(folder: &Path) -> Done<()> {
    let cannot = |error: std::io::Error| Failure::new(format!("{} cannot be written: {error}. Name another folder.", folder.display()));
    fs::create_dir_all(folder).map_err(cannot)?;
    clap_mangen::generate_to(super::command(), folder).map_err(cannot)?;
    output::line(&format!("The manual is in {}. Read it with `man -l {}`.", folder.display(), folder.join("berth.1").display()));
    Ok(())
}
