//! The files of a recipe's image: the artifact that the stages left in the workspace, and the Dockerfile that bakes it. What
//! comes out of a workspace was made by whatever ran there: it is taken for a file where it is one, and for nothing else.

use std::{
    fs::File,
    io::{self, BufReader, Read as _},
    path::Path,
};

use app::said;
use futures::StreamExt as _;
use tar::{Archive, Builder, EntryType, Header};
use tokio::io::AsyncWriteExt as _;

use super::{
    Context,
    file::{FOLDER, PlannedRecipe},
};
use crate::{
    platform::{PlatformError, Workspace},
    store::runs::RunRow,
};

/// The Dockerfile's path in the context.
pub const DOCKERFILE: &str = "Dockerfile";
/// The largest artifact, in bytes.
const LARGEST: u64 = 1 << 30;

/// Writes the context of a recipe to a tar file.
///
/// # Errors
/// Where there is no such artifact, or it is no file; those of the engine.
pub async fn context(ctx: &Context, run: &RunRow, recipe: &PlannedRecipe, to: &Path) -> Result<(), PlatformError> {
    let workspace = Workspace { run: run.id.clone(), team: run.team_id.clone() };
    let left = to.with_extension("left");
    let written = match ctx.platform.read_workspace(&workspace, &recipe.artifact).await? {
        None => Err(PlatformError::BuildFailed(said::artifact_missing(&recipe.artifact))),
        Some(archive) => receive(archive, &left, recipe).await,
    };
    let made = match written {
        Ok(()) => {
            let (left, to, recipe) = (left.clone(), to.to_owned(), recipe.clone());
            let made = tokio::task::spawn_blocking(move || pack(&left, &to, &recipe)).await.map_err(io::Error::other);
            made.flatten().map_err(|error| PlatformError::Refused(format!("the files of the image: {error}")))
        }
        Err(error) => Err(error),
    };
    // What is left over goes with the scratch folder at the next start.
    let _ = tokio::fs::remove_file(&left).await;
    if made? { Ok(()) } else { Err(PlatformError::BuildFailed(said::artifact_no_file(&recipe.artifact))) }
}

/// Writes down what comes, as far as it may be.
async fn receive(mut archive: crate::platform::Archive, to: &Path, recipe: &PlannedRecipe) -> Result<(), PlatformError> {
    let unwritten = |error: io::Error| PlatformError::Refused(format!("the artifact cannot be written down: {error}"));
    let mut file = tokio::fs::File::create(to).await.map_err(unwritten)?;
    let mut size = 0_u64;
    while let Some(piece) = archive.next().await {
        let piece = piece?;
        size += piece.len() as u64;
        // An archive has a little around its file.
        if size > LARGEST + (64 << 10) {
            return Err(PlatformError::BuildFailed(said::artifact_large(&recipe.artifact, LARGEST >> 20)));
        }
        file.write_all(&piece).await.map_err(unwritten)?;
    }
    file.flush().await.map_err(unwritten)
}

/// Puts the artifact beside its Dockerfile. False: what was left is no file.
fn pack(left: &Path, to: &Path, recipe: &PlannedRecipe) -> io::Result<bool> {
    let mut archive = Archive::new(BufReader::new(File::open(left)?));
    let Some(entry) = archive.entries()?.next() else { return Ok(false) };
    let entry = entry?;
    if !entry.header().entry_type().is_file() || !entry.path()?.as_os_str().eq(recipe.file_name()) {
        return Ok(false);
    }
    let mut context = Builder::new(File::create(to)?);
    let text = recipe.dockerfile();
    context.append_data(&mut header(text.len() as u64, 0o444), DOCKERFILE, text.as_bytes())?;
    let size = entry.size();
    context.append_data(&mut header(size, recipe.mode()), format!("{FOLDER}/{}", recipe.file_name()), entry.take(size))?;
    context.into_inner()?.sync_all()?;
    Ok(true)
}

/// A file of root's. Always of the same time, so that the same artifact makes the same layer.
fn header(size: u64, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_size(size);
    header.set_mode(mode);
    header.set_mtime(0);
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipelines::file::types::Recipe;

    #[test]
    fn only_a_file_of_that_name_is_baked() {
        let folder = tempfile::tempdir().unwrap();
        let (left, to) = (folder.path().join("left"), folder.path().join("context.tar"));
        let recipe = PlannedRecipe::new(Recipe::Binary, "out/orders".into(), None);
        let archive = |kind: EntryType, name: &str| {
            let mut archive = Builder::new(File::create(&left).unwrap());
            let mut header = header(if kind.is_file() { 3 } else { 0 }, 0o4777);
            header.set_entry_type(kind);
            match kind {
                EntryType::Symlink => archive.append_link(&mut header, name, "/etc/shadow").unwrap(),
                kind if kind.is_file() => archive.append_data(&mut header, name, &b"abc"[..]).unwrap(),
                _ => archive.append_data(&mut header, name, &b""[..]).unwrap(),
            }
            archive.into_inner().unwrap();
            pack(&left, &to, &recipe).unwrap()
        };
        for (kind, name) in
            [(EntryType::Symlink, "orders"), (EntryType::Directory, "orders"), (EntryType::Fifo, "orders"), (EntryType::Regular, "other")]
        {
            assert!(!archive(kind, name), "{kind:?} {name}");
        }
        assert!(archive(EntryType::Regular, "orders"));
        let mut context = Archive::new(File::open(&to).unwrap());
        let entries = context.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap(), entry.size())
        });
        let length = recipe.dockerfile().len() as u64;
        // Whoever made it cannot have it run as somebody else.
        assert_eq!(entries.collect::<Vec<_>>(), [("Dockerfile".to_owned(), 0o444, length), ("artifact/orders".to_owned(), 0o555, 3)]);
    }
}
