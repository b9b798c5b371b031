//! Embeds what the browser gets, so that `berth` is one file: the bundle where one was made (`BERTH_BUNDLE`, else
//! `bundle` in the target folder), and whatever it lacks, or has of an older source, as it lies in `style/` and `public/`.

#[path = "../.ci/bundle/src/source.rs"]
#[allow(dead_code, unreachable_pub, missing_docs)]
mod source;

use std::{
    collections::BTreeMap,
    env,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let root = here.parent().unwrap_or(&here).to_owned();
    let out = PathBuf::from(variable("OUT_DIR")?);
    println!("cargo::rerun-if-env-changed=BERTH_BUNDLE");
    println!("cargo::rerun-if-changed=build.rs");
    for watched in ["style", "public", ".ci/bundle/src/source.rs"] {
        if root.join(watched).exists() {
            println!("cargo::rerun-if-changed={}", root.join(watched).display());
        }
    }
    // `<target>/<profile>/build/server-<hash>/out`
    let target = out.ancestors().nth(4).unwrap_or(&out);
    let bundle = env::var_os("BERTH_BUNDLE").map_or_else(|| target.join("bundle"), PathBuf::from);
    // Cargo runs this again whenever a watched path is missing; an empty folder is watched in peace.
    fs::create_dir_all(&bundle)?;
    println!("cargo::rerun-if-changed={}", bundle.display());

    let mut made = manifest(&bundle)?;
    let mut table = String::from("&[\n");
    for source in source::collect(&root)? {
        match made.remove(&source.name) {
            Some(file) if file.source == source::fingerprint(&source.bytes) => entry(&mut table, &source.name, &file.hashed, &file.path),
            _ => {
                let path = out.join("plain").join(&source.name);
                fs::create_dir_all(path.parent().unwrap_or(&out))?;
                fs::write(&path, &source.bytes)?;
                entry(&mut table, &source.name, &source::hashed(&source.name, &source.bytes), &path);
            }
        }
    }
    // What is left was made from the WebAssembly, or from a file that is gone.
    let bound = made.contains_key("berth_bg.wasm");
    for (name, file) in made.iter().filter(|(name, _)| name.starts_with("berth") || name.starts_with("snippets/")) {
        entry(&mut table, name, &file.hashed, &file.path);
    }
    table.push_str("]\n");
    fs::write(out.join("assets.rs"), table)?;
    fs::write(out.join("bundled.rs"), bound.to_string())
}

fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(|error| io::Error::other(format!("{name}: {error}")))
}

struct Made {
    hashed: String,
    source: String,
    path: PathBuf,
}

fn manifest(bundle: &Path) -> io::Result<BTreeMap<String, Made>> {
    let Ok(text) = fs::read_to_string(bundle.join("manifest.txt")) else { return Ok(BTreeMap::new()) };
    let bad =
        || io::Error::other(format!("{} does not read. Delete the folder and run make again.", bundle.join("manifest.txt").display()));
    text.lines()
        .skip(1)
        .map(|line| {
            let mut parts = line.split('\t');
            let mut part = || parts.next().map(ToOwned::to_owned).ok_or_else(bad);
            let (name, hashed, source) = (part()?, part()?, part()?);
            let path = bundle.join(&hashed);
            Ok((name, Made { hashed, source, path }))
        })
        .collect()
}

fn entry(table: &mut String, name: &str, hashed: &str, path: &Path) {
    let beside = |extension: &str| {
        let path = path.with_added_extension(extension);
        if path.exists() { format!("Some(include_bytes!({path:?}))") } else { "None".to_owned() }
    };
    // Writing to a string cannot fail.
    let _ = writeln!(
        table,
        "    Asset {{ path: {name:?}, hashed_path: {:?}, mime: {:?}, bytes: include_bytes!({path:?}), gzip: {}, br: {} }},",
        format!("/pkg/{hashed}"),
        mime(name),
        beside("gz"),
        beside("br"),
    );
}

fn mime(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        "json" | "webmanifest" => "application/json",
        _ => "application/octet-stream",
    }
}
