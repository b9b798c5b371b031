//! The make-believe workspaces: what tasks left, as the archive an engine would make of it.

use std::{collections::BTreeMap, io::Write as _, path::Path};

use bytes::Bytes;
use futures::stream;
use tar::{Builder, EntryType, Header};

use super::{super::Archive, Leaves};

/// A piece of an archive.
const PIECE: usize = 4 << 10;

/// What is at this path and below it; none where there is nothing.
pub(super) fn archive(files: &BTreeMap<String, Leaves>, path: &str) -> Option<Archive> {
    let top = path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("workspace");
    let mut tar = Builder::new(Vec::new());
    let mut any = false;
    for (name, leaves) in files {
        let below = if path.is_empty() { Some(name.as_str()) } else { name.strip_prefix(path).and_then(|rest| rest.strip_prefix('/')) };
        let name = match below {
            Some(below) => format!("{top}/{below}"),
            None if name == path => top.to_owned(),
            None => continue,
        };
        if !any && below.is_some() {
            let mut header = Header::new_gnu();
            header.set_entry_type(EntryType::Directory);
            header.set_size(0);
            tar.append_data(&mut header, format!("{top}/"), &[][..]).ok()?;
        }
        any = true;
        append(&mut tar, &name, leaves).ok()?;
    }
    let bytes = Bytes::from(tar.into_inner().ok()?);
    let pieces: Vec<_> = bytes.chunks(PIECE).map(|piece| Ok(bytes.slice_ref(piece))).collect();
    any.then(|| Box::pin(stream::iter(pieces)) as Archive)
}

fn append(tar: &mut Builder<Vec<u8>>, name: &str, leaves: &Leaves) -> std::io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(0);
    match leaves {
        Leaves::File(bytes) => {
            header.set_size(bytes.len() as u64);
            return plainly(tar, header, name, |tar| tar.write_all(bytes), bytes.len());
        }
        Leaves::Large(size) => {
            header.set_size(*size);
            let zeros = vec![0; usize::try_from(*size).unwrap_or(0)];
            return plainly(tar, header, name, |tar| tar.write_all(&zeros), zeros.len());
        }
        Leaves::Link(to) => {
            header.set_entry_type(EntryType::Symlink);
            header.set_link_name_literal(to)?;
        }
        Leaves::Name(of) => {
            header.set_entry_type(EntryType::Link);
            header.set_link_name_literal(of)?;
        }
        Leaves::Pipe => header.set_entry_type(EntryType::Fifo),
        Leaves::Device => header.set_entry_type(EntryType::Char),
    }
    plainly(tar, header, name, |_| Ok(()), 0)
}

/// With the name as it stands, `..` and all: a hostile archive is no more careful.
fn plainly(
    tar: &mut Builder<Vec<u8>>,
    mut header: Header,
    name: &str,
    write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>,
    length: usize,
) -> std::io::Result<()> {
    if Path::new(name).components().all(|part| matches!(part, std::path::Component::Normal(_))) && name.len() < 90 {
        header.set_path(name)?;
    } else if let Some(gnu) = header.as_gnu_mut() {
        let bytes = &name.as_bytes()[..name.len().min(gnu.name.len())];
        gnu.name[..bytes.len()].copy_from_slice(bytes);
    }
    header.set_cksum();
    let out = tar.get_mut();
    out.write_all(header.as_bytes())?;
    write(out)?;
    out.write_all(&vec![0; length.next_multiple_of(512) - length])
}
