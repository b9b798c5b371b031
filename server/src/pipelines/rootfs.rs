//! Root file systems that somebody brings for a base image: looked through before an engine unpacks one as root.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

use app::said;
use flate2::read::MultiGzDecoder;
use tar::{Archive, EntryType};

use super::context::{Bounds, stays_within};

/// What may be in one.
pub const BOUNDS: Bounds = Bounds { entries: 1_000_000, bytes: 8 << 30 };

/// Why an archive is no root file system that is taken, as a sentence; none where it is one.
///
/// # Errors
/// Where the file cannot be opened.
pub fn refusal(archive: &Path, bounds: Bounds) -> io::Result<Option<String>> {
    let mut magic = [0; 2];
    let packed = File::open(archive)?.read(&mut magic)? == 2 && magic == [0x1f, 0x8b];
    let file = BufReader::with_capacity(64 << 10, File::open(archive)?);
    // What is packed very well is bounded by what it unpacks to: headers and gaps are bytes too.
    let most = bounds.bytes.saturating_add(bounds.entries.saturating_mul(2_048));
    let judged = if packed { look(MultiGzDecoder::new(file).take(most), bounds) } else { look(file.take(most), bounds) };
    // What does not read is no archive, or was cut off on its way.
    Ok(judged.unwrap_or_else(|error| Some(said::rootfs_unread(error.to_string().escape_debug()))))
}

fn look(archive: impl Read, bounds: Bounds) -> io::Result<Option<String>> {
    let (mut entries, mut bytes) = (0_u64, 0_u64);
    for entry in Archive::new(archive).entries()? {
        let entry = entry?;
        entries += 1;
        bytes = bytes.saturating_add(entry.size());
        if entries > bounds.entries || bytes > bounds.bytes {
            return Ok(Some(said::rootfs_large(bounds.bytes >> 20, bounds.entries)));
        }
        if let Some(why) = judge(&entry.path()?, entry.header().entry_type(), entry.link_name()?.as_deref()) {
            return Ok(Some(why));
        }
    }
    Ok((entries == 0).then(said::rootfs_empty))
}

/// Why one entry is refused. A symbolic link may lead anywhere: within a container that is within its root.
fn judge(path: &Path, kind: EntryType, link: Option<&Path>) -> Option<String> {
    let name = path.display().to_string().escape_debug().to_string();
    if !stays_within(path) {
        return Some(said::rootfs_path(name));
    }
    match kind {
        EntryType::Regular
        | EntryType::Continuous
        | EntryType::GNUSparse
        | EntryType::Directory
        | EntryType::Symlink
        | EntryType::XGlobalHeader => None,
        EntryType::Link if link.is_some_and(stays_within) => None,
        EntryType::Link => Some(said::rootfs_path(name)),
        EntryType::Char | EntryType::Block => Some(said::rootfs_device(name)),
        _ => Some(said::rootfs_kind(name)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::{super::context::tests::one, *};

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    fn refused(bytes: &[u8], bounds: Bounds) -> Option<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        refusal(file.path(), bounds).unwrap()
    }

    #[test]
    fn what_is_no_root_file_system_is_refused_by_name() {
        use EntryType as E;
        let cases: [(&str, E, &str, Option<&str>); 15] = [
            ("etc/passwd", E::Regular, "", None),
            ("./bin/", E::Directory, "", None),
            ("bin/sh", E::Symlink, "/usr/bin/dash", None),
            ("var/run", E::Symlink, "../../../run", None),
            ("bin/b", E::Link, "bin/a", None),
            ("bin/b", E::Link, "./bin/a", None),
            ("/etc/passwd", E::Regular, "", Some("leads out")),
            ("../etc/passwd", E::Regular, "", Some("leads out")),
            ("a/../../b", E::Directory, "", Some("leads out")),
            ("bin/b", E::Link, "/etc/shadow", Some("leads out")),
            ("bin/b", E::Link, "../b", Some("leads out")),
            ("dev/null", E::Char, "", Some("is a device")),
            ("dev/sda", E::Block, "", Some("is a device")),
            ("run/initctl", E::Fifo, "", Some("neither")),
            ("x", E::new(b'?'), "", Some("neither")),
        ];
        for (name, kind, link, expected) in cases {
            let plain = one(name, kind, link, 0);
            for bytes in [&plain, &packed(&plain)] {
                let why = refused(bytes, BOUNDS);
                match expected {
                    None => assert_eq!(why, None, "{name} {kind:?} {link}"),
                    Some(part) => assert!(why.as_ref().is_some_and(|why| why.contains(part) && why.contains(name)), "{name}: {why:?}"),
                }
            }
        }
    }

    #[test]
    fn what_is_too_much_cut_off_or_nothing_is_refused() {
        let file = one("big", EntryType::Regular, "", 20_000);
        assert_eq!(refused(&file, Bounds { entries: 1, bytes: 20_000 }), None);
        for (bytes, bounds) in [(&file, Bounds { entries: 0, bytes: 1 << 20 }), (&packed(&file), Bounds { entries: 9, bytes: 19_999 })] {
            assert!(refused(bytes, bounds).unwrap().contains("more than"));
        }
        for (bytes, part) in [
            (&file[..9_000], "is no tar archive"),
            (&packed(&file)[..40], "is no tar archive"),
            (b"PK\x03\x04 a zip, or anything else that is longer than one block".repeat(20).as_slice(), "is no tar archive"),
            (&[0; 1_024][..], "nothing"),
            (b"", "nothing"),
        ] {
            assert!(refused(bytes, BOUNDS).is_some_and(|why| why.contains(part)), "{part}");
        }
        // A little that unpacks to very much.
        let bomb = packed(&vec![0; 64 << 20]);
        assert!(refused(&bomb, Bounds { entries: 10, bytes: 1 << 20 }).is_some());
    }
}
