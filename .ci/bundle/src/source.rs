//! What the tree has for the browser: the style and the public files. Used by this tool and by `server/build.rs`, which
//! embeds them as they are where no bundle was made.

use std::{fs, io, path::Path};

/// A file for the browser, as the tree has it.
pub struct Source {
    /// Its name under `/pkg/`.
    pub name: String,
    /// Its bytes; of the style: all its parts one after the other.
    pub bytes: Vec<u8>,
}

/// Everything under `style/` and `public/` of the tree at `root`.
///
/// # Errors
/// Where a file cannot be read, or the style imports one that is not there.
pub fn collect(root: &Path) -> io::Result<Vec<Source>> {
    let mut sources = Vec::new();
    let main = root.join("style/main.css");
    if main.exists() {
        sources.push(Source { name: "main.css".into(), bytes: style(&main)?.into_bytes() });
    }
    let public = root.join("public");
    if public.is_dir() {
        walk(&public, &public, &mut sources)?;
    }
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(sources)
}

fn walk(top: &Path, folder: &Path, into: &mut Vec<Source>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(top, &path, into)?;
        } else if let Some(name) = path.strip_prefix(top).ok().and_then(Path::to_str)
            && !name.split('/').any(|part| part.starts_with('.'))
        {
            into.push(Source { name: name.to_owned(), bytes: fs::read(&path)? });
        }
    }
    Ok(())
}

/// A style with every `@import "…" [layer(…)];` at its top put in place. Plain: the bundle does it with a real parser.
fn style(path: &Path) -> io::Result<String> {
    let text = fs::read_to_string(path).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    let folder = path.parent().unwrap_or(path);
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        match import(line) {
            Some((file, layer)) => {
                let inner = style(&folder.join(file))?;
                match layer {
                    Some(layer) => out.extend(["@layer ", layer, " {\n", &inner, "}\n"]),
                    None => out.push_str(&inner),
                }
            }
            None => out.extend([line, "\n"]),
        }
    }
    Ok(out)
}

/// The file and the layer of an import line.
fn import(line: &str) -> Option<(&str, Option<&str>)> {
    let rest = line.trim().strip_prefix("@import")?.trim_start();
    let rest = rest.strip_prefix("url(").unwrap_or(rest);
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (file, rest) = rest[1..].split_once(quote)?;
    let layer = rest.split_once("layer(").and_then(|(_, rest)| rest.split_once(')')).map(|(layer, _)| layer.trim());
    Some((file, layer))
}

/// A name for content: FNV-1a, 64 bits, after <http://www.isthe.com/chongo/tech/comp/fnv/>. It guards against mistakes,
/// not against people: what it names comes from this very tree.
pub fn fingerprint(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}

/// `main.css` → `main-0123456789abcdef.css`.
pub fn hashed(name: &str, bytes: &[u8]) -> String {
    let print = fingerprint(bytes);
    match name.rsplit_once('.') {
        Some((stem, extension)) => format!("{stem}-{print}.{extension}"),
        None => format!("{name}-{print}"),
    }
}
