//! A Debian with the tools that recipes need, made of Debian's packages by `debootstrap`, once a machine.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

/// What is in it beside the least: Python, Ruby and Java, each with what packs its programs.
const PACKAGES: &str = "python3-pip,ruby,openjdk-17-jdk-headless";
/// What no test reads.
const LEFT_OUT: [&str; 7] = [
    "./usr/share/doc",
    "./usr/share/man",
    "./usr/share/locale",
    "./usr/share/info",
    "./var/cache/apt/*",
    "./var/lib/apt/lists/*",
    "./dev/*",
];

fn good(command: &mut Command) {
    let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&done.stdout);
    let end = said.lines().rev().take(3).collect::<Vec<_>>().join(" | ");
    assert!(done.status.success(), "{command:?}: {} {end}", String::from_utf8_lossy(&done.stderr));
}

/// Where `.ci/setup` keeps what is made once.
fn cache() -> PathBuf {
    let named = std::env::var_os("BERTH_CACHE").map(PathBuf::from);
    named.or_else(|| std::env::home_dir().map(|home| home.join(".cache/berth"))).unwrap_or_else(std::env::temp_dir)
}

/// The root file system as an archive, packed. Needs root, and Debian's packages.
pub(crate) fn archive() -> PathBuf {
    let folder = cache();
    fs::create_dir_all(&folder).unwrap();
    let there = folder.join("test-debian-1.tar.gz");
    // Tests run in processes of their own, side by side; one of them makes it.
    let lock = File::create(folder.join("test-debian.lock")).unwrap();
    lock.lock().unwrap();
    if !there.exists() {
        make(&folder, &there);
    }
    there
}

fn make(folder: &Path, to: &Path) {
    let work = tempfile::tempdir_in(folder).unwrap();
    let root = work.path().join("root");
    let mut debootstrap = Command::new("debootstrap");
    debootstrap.args(["--variant=minbase", &format!("--include={PACKAGES}"), "bookworm"]).arg(&root).arg("http://deb.debian.org/debian");
    good(&mut debootstrap);
    let packed = work.path().join("root.tar.gz");
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(&root).args(LEFT_OUT.map(|path| format!("--exclude={path}"))).args(["--use-compress-program=gzip -1", "-cf"]);
    good(tar.arg(&packed).arg("."));
    fs::rename(packed, to).unwrap();
}
