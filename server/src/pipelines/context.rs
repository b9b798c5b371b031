//! The files a build is given: an archive is looked through before an engine gets it. What Git makes of a commit holds only
//! files, folders and links; whatever else stood in one, and every link that leads out of it, is refused by name.

use std::{
    fs::File,
    io::BufReader,
    path::{Component, Path},
};

use app::said;
use tar::{Archive, EntryType};

/// The most files, folders and links in one.
pub const MOST_ENTRIES: u64 = 100_000;
/// The most bytes in one.
pub const LARGEST: u64 = 2 << 30;

/// What may be in one.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// So many entries.
    pub entries: u64,
    /// So many bytes of files.
    pub bytes: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { entries: MOST_ENTRIES, bytes: LARGEST }
    }
}

/// Why an archive is not built from, as a sentence; none where it may be.
///
/// # Errors
/// Where it cannot be read.
pub fn refusal(archive: &Path, bounds: Bounds) -> std::io::Result<Option<String>> {
    let (mut entries, mut bytes) = (0_u64, 0_u64);
    for entry in Archive::new(BufReader::new(File::open(archive)?)).entries_with_seek()? {
        let entry = entry?;
        entries += 1;
        bytes = bytes.saturating_add(entry.size());
        if entries > bounds.entries {
            return Ok(Some(said::context_count(bounds.entries)));
        }
        if bytes > bounds.bytes {
            return Ok(Some(said::context_size(bounds.bytes >> 20)));
        }
        let link = entry.link_name()?;
        if let Some(why) = judge(&entry.path()?, entry.header().entry_type(), link.as_deref()) {
            return Ok(Some(why));
        }
    }
    Ok(None)
}

/// Why one entry is refused.
fn judge(path: &Path, kind: EntryType, link: Option<&Path>) -> Option<String> {
    let name = path.display().to_string().escape_debug().to_string();
    if !stays_within(path) {
        return Some(said::context_path(name));
    }
    let above = path.components().filter(|part| matches!(part, Component::Normal(_))).count().saturating_sub(1);
    match kind {
        EntryType::Regular | EntryType::Continuous | EntryType::Directory | EntryType::XGlobalHeader => None,
        // A link begins where it stands; a second name of a file at the top of the archive.
        EntryType::Symlink if link.is_some_and(|link| depth(above, link).is_some()) => None,
        EntryType::Link if link.is_some_and(stays_within) => None,
        EntryType::Symlink | EntryType::Link => Some(said::context_link(name)),
        _ => Some(said::context_kind(name)),
    }
}

/// Whether a path stays within the archive wherever it goes on its way.
pub(super) fn stays_within(path: &Path) -> bool {
    depth(0, path).is_some()
}

/// How deep a path leads from this depth; none where it leads out on the way.
fn depth(from: usize, path: &Path) -> Option<usize> {
    path.components().try_fold(from, |depth, part| match part {
        Component::Normal(_) => Some(depth + 1),
        Component::CurDir => Some(depth),
        Component::ParentDir => depth.checked_sub(1),
        Component::RootDir | Component::Prefix(_) => None,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An archive of one entry, whatever its name.
    pub(in crate::pipelines) fn one(name: &str, kind: EntryType, link: &str, size: u64) -> Vec<u8> {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(0o644);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        if matches!(kind, EntryType::Char | EntryType::Block) {
            header.set_device_major(1).unwrap();
            header.set_device_minor(3).unwrap();
        }
        header.set_cksum();
        let mut archive = tar::Builder::new(Vec::new());
        archive.append(&header, std::io::repeat(0).take(size)).unwrap();
        archive.into_inner().unwrap()
    }

    use std::io::Read as _;

    fn refused(bytes: &[u8], bounds: Bounds) -> Option<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        refusal(file.path(), bounds).unwrap()
    }

    #[test]
    fn a_context_holds_nothing_that_leads_out_of_it() {
        use EntryType as E;
        let cases: [(&str, E, &str, Option<&str>); 24] = [
            ("Dockerfile", E::Regular, "", None),
            ("a/b/c", E::Regular, "", None),
            ("./a", E::Regular, "", None),
            ("a/../b", E::Regular, "", None),
            ("a/", E::Directory, "", None),
            ("pax_global_header", E::XGlobalHeader, "", None),
            ("a/link", E::Symlink, "b", None),
            ("a/link", E::Symlink, "../b", None),
            ("a/link", E::Symlink, "./b/../../c", None),
            ("a", E::Link, "b", None),
            ("../a", E::Regular, "", Some("leads out")),
            ("a/../../b", E::Regular, "", Some("leads out")),
            ("/etc/passwd", E::Regular, "", Some("leads out")),
            ("..", E::Directory, "", Some("leads out")),
            ("link", E::Symlink, "/etc/shadow", Some("is a link")),
            ("link", E::Symlink, "..", Some("is a link")),
            ("link", E::Symlink, "../../root/.ssh", Some("is a link")),
            ("a/link", E::Symlink, "../../b", Some("is a link")),
            ("a/link", E::Symlink, "b/../../../c", Some("is a link")),
            ("link", E::Link, "../b", Some("is a link")),
            ("link", E::Link, "/b", Some("is a link")),
            ("null", E::Char, "", Some("neither")),
            ("disk", E::Block, "", Some("neither")),
            ("pipe", E::Fifo, "", Some("neither")),
        ];
        let mut said = 0;
        for (name, kind, link, expected) in cases {
            let why = refused(&one(name, kind, link, 0), Bounds::default());
            match expected {
                None => assert_eq!(why, None, "{name} {kind:?} {link}"),
                Some(part) => {
                    let why = why.unwrap_or_else(|| panic!("{name} {kind:?} {link} is let in"));
                    assert!(why.contains(part) && why.contains(&format!("`{name}`")), "{why}");
                    said += 1;
                }
            }
        }
        println!("proof: build contexts: {} entries, {said} refused by name, 0 wrong", cases.len());
    }

    #[test]
    fn a_context_has_its_bounds() {
        let big = one("big", EntryType::Regular, "", 2_000);
        assert!(refused(&big, Bounds { bytes: 1_999, ..Bounds::default() }).is_some());
        assert_eq!(refused(&big, Bounds { bytes: 2_000, entries: 1 }), None);
        assert!(refused(&big, Bounds { entries: 0, ..Bounds::default() }).unwrap().contains("more than 0"));
        // Its name tells a control character as what it is.
        assert!(refused(&one("a\nb", EntryType::Fifo, "", 0), Bounds::default()).unwrap().contains("a\\nb"));
    }
}
