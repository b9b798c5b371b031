//! Makes the folder that `server/build.rs` embeds: `bundle ROOT OUT [WASM]`.
//!
//! The WebAssembly is bound to JavaScript, the style is bundled and minified, every file is named by its content and lies
//! there plain, as gzip and as brotli. `manifest.txt` has a line for each: name, hashed name, fingerprint of its source.
//! A folder that is up to date is left alone, so that nothing is compiled again for it.

mod compress;
mod javascript;
mod source;
mod style;

use std::{env, fs, io::Write as _, path::Path, process::ExitCode};

use source::{Source, fingerprint, hashed};

/// What can go wrong: said to a person, once.
pub type Failure = Box<dyn std::error::Error>;

const MANIFEST: &str = "manifest.txt";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (root, out, wasm) = match arguments.as_slice() {
        [root, out] => (root, out, None),
        [root, out, wasm] => (root, out, Some(Path::new(wasm))),
        _ => {
            eprintln!("usage: bundle ROOT OUT [WASM]");
            return ExitCode::from(2);
        }
    };
    match make(Path::new(root), Path::new(out), wasm) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bundle: {error}");
            ExitCode::FAILURE
        }
    }
}

fn make(root: &Path, out: &Path, wasm: Option<&Path>) -> Result<(), Failure> {
    let sources = source::collect(root)?;
    let wasm = wasm.map(|path| fs::read(path).map_err(|error| format!("{}: {error}", path.display()))).transpose()?;
    let stamp = stamp(&sources, wasm.as_deref());
    if fs::read_to_string(out.join(MANIFEST)).is_ok_and(|old| old.lines().next() == Some(stamp.as_str())) {
        println!("bundle: up to date");
        return Ok(());
    }
    let mut files: Vec<File> = match wasm {
        Some(wasm) => javascript::bind(root, &wasm)?,
        None => Vec::new(),
    };
    for source in &sources {
        let bytes = if source.name == "main.css" { style::bundle(&root.join("style/main.css"))? } else { source.bytes.clone() };
        files.push(File { name: source.name.clone(), bytes, source: fingerprint(&source.bytes), keeps_name: false });
    }
    write(out, &stamp, files)
}

/// A file on its way into the bundle.
pub struct File {
    /// Its name under `/pkg/`.
    pub name: String,
    /// What the browser gets.
    pub bytes: Vec<u8>,
    /// The fingerprint of what it was made from.
    pub source: String,
    /// Whether others find it only under the name it has.
    pub keeps_name: bool,
}

fn stamp(sources: &[Source], wasm: Option<&[u8]>) -> String {
    let mut all = include_str!("../Cargo.lock").to_owned();
    for source in sources {
        all.extend([source.name.as_str(), " ", &fingerprint(&source.bytes), "\n"]);
    }
    all.push_str(&wasm.map_or_else(String::new, fingerprint));
    format!("bundle {}", fingerprint(all.as_bytes()))
}

/// Scripts and styles name other files as `/pkg/NAME`; those names become the hashed ones. What is named comes first.
fn rename(bytes: Vec<u8>, done: &[(String, String)]) -> Vec<u8> {
    let Ok(mut text) = String::from_utf8(bytes.clone()) else { return bytes };
    for (name, hashed) in done {
        for quote in ['"', '\'', ')'] {
            text = text.replace(&format!("/pkg/{name}{quote}"), &format!("/pkg/{hashed}{quote}"));
        }
    }
    text.into_bytes()
}

fn write(out: &Path, stamp: &str, mut files: Vec<File>) -> Result<(), Failure> {
    if out.exists() {
        fs::remove_dir_all(out)?;
    }
    // Images and fonts first, then what may name them, then what may name those.
    files.sort_by_key(|file| match file.name.rsplit('.').next() {
        Some("css") => 1,
        Some("js") if file.name != "berth.js" => 3,
        Some("js") => 2,
        _ => 0,
    });
    let mut done = Vec::new();
    let mut manifest = format!("{stamp}\n");
    for mut file in files {
        if file.name.ends_with(".js") || file.name.ends_with(".css") {
            file.bytes = rename(file.bytes, &done);
        }
        let name = if file.keeps_name { file.name.clone() } else { hashed(&file.name, &file.bytes) };
        let path = out.join(&name);
        fs::create_dir_all(path.parent().ok_or("a file without a folder")?)?;
        let sizes = compress::write(&path, &file.bytes)?;
        println!("bundle: {} {sizes}", file.name);
        manifest.push_str(&format!("{}\t{name}\t{}\n", file.name, file.source));
        done.push((file.name, name));
    }
    // Last: a folder without it is no bundle.
    fs::File::create(out.join(MANIFEST))?.write_all(manifest.as_bytes())?;
    Ok(())
}
