//! The WebAssembly and the JavaScript that starts it.

use std::{
    fs,
    path::Path,
    process::{self, Command},
};

use wasm_bindgen_cli_support::Bindgen;

use crate::{
    Failure, File,
    source::{fingerprint, hashed},
};

const WASM: &str = "berth_bg.wasm";

/// Binds the module: `berth.js`, `berth_bg.wasm` and the snippets of libraries.
pub fn bind(root: &Path, wasm: &[u8]) -> Result<Vec<File>, Failure> {
    check_version(root)?;
    let scratch = std::env::temp_dir().join(format!("berth-bundle-{}", process::id()));
    let made = bind_in(&scratch, wasm);
    fs::remove_dir_all(&scratch).ok();
    made
}

fn bind_in(scratch: &Path, wasm: &[u8]) -> Result<Vec<File>, Failure> {
    let print = fingerprint(wasm);
    fs::create_dir_all(scratch)?;
    let input = scratch.join("in.wasm");
    fs::write(&input, wasm)?;
    let bound = scratch.join("bound");
    let mut bindgen = Bindgen::new();
    bindgen.input_path(&input).out_name("berth").web(true)?.typescript(false).remove_name_section(true).remove_producers_section(true);
    bindgen.generate(&bound).map_err(|error| format!("wasm-bindgen: {error:#}"))?;
    shrink(&bound.join(WASM))?;

    let module = fs::read(bound.join(WASM))?;
    let script = fs::read_to_string(bound.join("berth.js"))?.replace(WASM, &hashed(WASM, &module));
    let mut files = vec![
        File { name: WASM.into(), bytes: module, source: print.clone(), keeps_name: false },
        File { name: "berth.js".into(), bytes: script.into_bytes(), source: print.clone(), keeps_name: false },
    ];
    snippets(&bound, &bound.join("snippets"), &print, &mut files)?;
    Ok(files)
}

/// Scripts of libraries: `berth.js` imports them by their place, which has a hash of its own in it.
fn snippets(top: &Path, folder: &Path, print: &str, files: &mut Vec<File>) -> Result<(), Failure> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            snippets(top, &path, print, files)?;
        } else {
            let name = path.strip_prefix(top)?.to_string_lossy().into_owned();
            files.push(File { name, bytes: fs::read(&path)?, source: print.to_owned(), keeps_name: true });
        }
    }
    Ok(())
}

/// `wasm-opt`, where it is installed. One that does not know what is in the module changes nothing.
fn shrink(module: &Path) -> Result<(), Failure> {
    let smaller = module.with_extension("smaller");
    let features = ["bulk-memory", "sign-ext", "nontrapping-float-to-int", "reference-types", "multivalue", "mutable-globals"];
    let run = Command::new("wasm-opt")
        .arg("-Oz")
        .args(features.map(|feature| format!("--enable-{feature}")))
        .arg(module)
        .arg("-o")
        .arg(&smaller)
        .output();
    match run {
        Ok(run) if run.status.success() => fs::rename(&smaller, module)?,
        Ok(run) => eprintln!("bundle: wasm-opt left the module as it is: {}", String::from_utf8_lossy(&run.stderr).trim()),
        Err(_) => println!("bundle: without wasm-opt (not installed; the module would be a little smaller)"),
    }
    Ok(())
}

/// Both sides of the binding must be of one version, to the last digit.
fn check_version(root: &Path) -> Result<(), Failure> {
    let lock = root.join("Cargo.lock");
    let theirs = version(&fs::read_to_string(&lock)?, "wasm-bindgen");
    let ours = version(include_str!("../Cargo.lock"), "wasm-bindgen-cli-support");
    if theirs.is_none() || theirs != ours {
        let say = |version: Option<String>| version.unwrap_or_else(|| "none".into());
        return Err(format!(
            "{} has wasm-bindgen {}, this tool binds {}. Set `wasm-bindgen-cli-support` in .ci/bundle/Cargo.toml to the same version.",
            lock.display(),
            say(theirs),
            say(ours)
        )
        .into());
    }
    Ok(())
}

fn version(lock: &str, package: &str) -> Option<String> {
    let (_, rest) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    rest.split_once('"').map(|(version, _)| version.to_owned())
}
