//! Compressed once, when built, and never on a request.

use std::{fs, io::Write as _, path::Path};

use flate2::{Compression, write::GzEncoder};

use crate::Failure;

/// Writes a file and, where that makes it smaller, `.gz` and `.br` beside it. Says the sizes.
pub fn write(path: &Path, bytes: &[u8]) -> Result<String, Failure> {
    fs::write(path, bytes)?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(bytes)?;
    let gzip = gzip.finish()?;
    let mut br = Vec::new();
    brotli::BrotliCompress(&mut &*bytes, &mut br, &brotli::enc::BrotliEncoderParams { quality: 11, ..Default::default() })?;
    let beside = |extension: &str| path.with_added_extension(extension);
    if gzip.len() < bytes.len() {
        fs::write(beside("gz"), &gzip)?;
    }
    if br.len() < bytes.len() {
        fs::write(beside("br"), &br)?;
    }
    Ok(format!("{} B, gzip {} B, brotli {} B", bytes.len(), gzip.len(), br.len()))
}
