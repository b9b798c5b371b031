//! The file itself: parts into a gzipped tar on the way out, parts into a folder, each checked, on the way back.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use app::error::{Error, Result};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use sha2::{Digest as _, Sha256};

use super::{Contents, FORMAT, Item, Manifest, damaged, unwritable};

const MANIFEST: &str = "manifest.json";
const CONTENTS: &str = "contents.json";
/// Neither is larger than this, however much there is.
const MOST_JSON: u64 = 64 << 20;

/// Counts what goes through.
struct Counted<W> {
    to: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.to.write(buffer)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// A backup being written.
pub(super) struct Writer<W: Write> {
    tar: tar::Builder<GzEncoder<Counted<W>>>,
    contents: Contents,
    seconds: u64,
    now: Option<(Item, Sha256)>,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(to: W, manifest: &Manifest) -> Result<Self> {
        let gzip = GzEncoder::new(Counted { to, bytes: 0 }, Compression::default());
        let seconds = u64::try_from(manifest.at.0 / 1_000).unwrap_or(0);
        let mut new = Self { tar: tar::Builder::new(gzip), contents: Contents::default(), seconds, now: None };
        let text = serde_json::to_vec_pretty(manifest).map_err(Error::internal)?;
        new.contents.manifest = hex::encode(Sha256::digest(&text));
        new.file(MANIFEST, &text)?;
        Ok(new)
    }

    fn file(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(self.seconds);
        self.tar.append_data(&mut header, name, bytes).map_err(unwritable)
    }

    /// Begins a table or a repository; its parts follow.
    pub(super) fn begin(&mut self, item: Item) {
        self.end();
        self.now = Some((item, Sha256::new()));
    }

    /// The next part of what was begun, with this many rows.
    pub(super) fn part(&mut self, bytes: &[u8], rows: u64) -> Result<()> {
        let Some((mut item, mut hash)) = self.now.take() else { return Err(Error::internal("a part of nothing")) };
        item.parts += 1;
        item.rows += rows;
        item.bytes += bytes.len() as u64;
        hash.update(bytes);
        let name = part_name(&item, item.parts);
        self.now = Some((item, hash));
        self.file(&name, bytes)
    }

    fn end(&mut self) {
        if let Some((mut item, hash)) = self.now.take() {
            item.sha256 = hex::encode(hash.finalize());
            self.contents.items.push(item);
        }
    }

    /// Writes the end, and answers with where it went, its bytes and what is in it.
    pub(super) fn finish(mut self) -> Result<(W, u64, Vec<Item>)> {
        self.end();
        let text = serde_json::to_vec_pretty(&self.contents).map_err(Error::internal)?;
        self.file(CONTENTS, &text)?;
        let gzip = self.tar.into_inner().map_err(unwritable)?;
        let mut counted = gzip.finish().map_err(unwritable)?;
        counted.flush().map_err(unwritable)?;
        Ok((counted.to, counted.bytes, self.contents.items))
    }
}

fn part_name(item: &Item, number: u32) -> String {
    let kind = if item.branch.is_some() { "bundle" } else { "jsonl" };
    format!("{}/{number:06}.{kind}", item.name)
}

/// A backup in a folder, every byte of it checked.
pub(super) struct Unpacked {
    pub(super) manifest: Manifest,
    pub(super) items: Vec<Item>,
    folder: PathBuf,
}

impl Unpacked {
    /// The one file of a table or a repository; none where it is empty.
    pub(super) fn file(&self, item: &Item) -> Option<PathBuf> {
        (item.parts > 0).then(|| self.folder.join(flat(&item.name)))
    }
}

/// `tables/users` → `tables-users`: a name of ours is one of a file.
fn flat(name: &str) -> String {
    name.replace('/', "-")
}

/// Whether a name is one that we would have given: nothing leads out of the folder.
fn ours(name: &str) -> bool {
    let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    name.split_once('/').is_some_and(|(kind, rest)| ["tables", "repositories"].contains(&kind) && word(rest))
}

/// What came in under one name so far.
#[derive(Default)]
struct Came {
    parts: u32,
    bytes: u64,
    hash: Sha256,
    file: Option<File>,
}

/// Unpacks a backup into an empty folder and holds every byte of it to what the end says.
pub(super) fn unpack(from: impl Read, folder: &Path) -> Result<Unpacked> {
    let mut tar = tar::Archive::new(GzDecoder::new(from));
    let (mut manifest, mut contents, mut came) = (None, None, BTreeMap::<String, Came>::new());
    for entry in tar.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let name = entry.path().map_err(damaged)?.to_string_lossy().into_owned();
        match name.as_str() {
            MANIFEST if manifest.is_none() => manifest = Some(read_manifest(&json(&mut entry)?)?),
            CONTENTS if contents.is_none() && manifest.is_some() => contents = Some(json(&mut entry)?),
            _ if contents.is_none() && manifest.is_some() => take(&mut entry, &name, &mut came, folder)?,
            _ => return Err(damaged(format_args!("`{name}` is not in its place"))),
        }
    }
    // The tar ends before the gzip does: only its end holds the check of everything.
    let mut rest = tar.into_inner();
    io::copy(&mut rest, &mut io::sink()).map_err(damaged)?;
    let (Some((manifest, hash)), Some(contents)) = (manifest, contents) else { return Err(damaged("its end is missing")) };
    let contents: Contents = serde_json::from_slice(&contents).map_err(damaged)?;
    if contents.manifest != hash {
        return Err(damaged("its beginning is not the one it was made with"));
    }
    for item in &contents.items {
        let came = came.remove(&item.name).unwrap_or_default();
        let good = came.parts == item.parts && came.bytes == item.bytes && hex::encode(came.hash.finalize()) == item.sha256;
        if !good || !ours(&item.name) {
            return Err(damaged(format_args!("`{}` is not what was written", item.name)));
        }
    }
    if let Some(name) = came.keys().next() {
        return Err(damaged(format_args!("`{name}` is not in its list")));
    }
    Ok(Unpacked { manifest, items: contents.items, folder: folder.to_owned() })
}

fn json(entry: &mut impl Read) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    entry.take(MOST_JSON).read_to_end(&mut bytes).map_err(damaged)?;
    Ok(bytes)
}

fn read_manifest(bytes: &[u8]) -> Result<(Manifest, String)> {
    let manifest: Manifest = serde_json::from_slice(bytes).map_err(damaged)?;
    if manifest.format != FORMAT {
        let sentence =
            format!("The backup is of format {}, made by Berth {}. Restore it with that Berth.", manifest.format, manifest.berth);
        return Err(Error::invalid("backup_newer", sentence));
    }
    Ok((manifest, hex::encode(Sha256::digest(bytes))))
}

fn take(entry: &mut impl Read, name: &str, came: &mut BTreeMap<String, Came>, folder: &Path) -> Result<()> {
    let (item, part) =
        name.rsplit_once('/').filter(|(item, _)| ours(item)).ok_or_else(|| damaged(format_args!("`{name}` is none of its files")))?;
    let came = came.entry(item.to_owned()).or_default();
    came.parts += 1;
    if part.split('.').next() != Some(format!("{:06}", came.parts).as_str()) {
        return Err(damaged(format_args!("`{name}` is not in its place")));
    }
    if came.file.is_none() {
        let path = folder.join(flat(item));
        came.file = Some(OpenOptions::new().write(true).create_new(true).open(path).map_err(unwritable)?);
    }
    let Some(file) = came.file.as_mut() else { return Ok(()) };
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = entry.read(&mut buffer).map_err(damaged)?;
        if read == 0 {
            return Ok(());
        }
        came.bytes += read as u64;
        came.hash.update(&buffer[..read]);
        file.write_all(&buffer[..read]).map_err(unwritable)?;
    }
}

/// A folder that is gone with this value.
pub(super) struct Passing(PathBuf);

impl Passing {
    pub(super) fn make(path: PathBuf) -> Result<Self> {
        fs::create_dir_all(&path).map_err(unwritable)?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
