//! What a `git` that was killed leaves behind: objects that belong to nothing yet, which are as large as what was pushed, and
//! locks, which stop every later one.

use std::{
    fs::{self, DirEntry},
    path::Path,
    time::SystemTime,
};

/// Clears what was left before a time in every repository of a folder: no `git` of then may be at work any more.
pub fn clear_all(folder: &Path, before: SystemTime) {
    let old = |entry: &DirEntry| entry.metadata().and_then(|about| about.modified()).is_ok_and(|at| at < before);
    for repository in entries(folder).filter(|entry| named(entry, |name| name.ends_with(".git"))).map(|entry| entry.path()) {
        // A push writes beside the objects or into `pack`, and not into the hundreds of folders of loose ones.
        let objects = repository.join("objects");
        let halves = entries(&objects).chain(entries(&objects.join("pack"))).filter(|entry| named(entry, is_half));
        let locks = entries(&repository).filter(|entry| named(entry, is_lock)).chain(locks(&repository.join("refs")));
        for entry in halves.chain(locks).filter(old) {
            remove(&entry);
        }
    }
}

/// Clears the files that a fetch which was cut short left in a repository; the size of the largest. A push may be under way there:
/// its objects are in a folder of its own.
pub(super) fn clear_fetched(repository: &Path) -> u64 {
    let all = entries(&repository.join("objects")).flat_map(|entry| entries(&entry.path()).chain([entry]));
    all.filter(|entry| named(entry, is_half) && !is_folder(entry)).map(|entry| remove(&entry)).max().unwrap_or(0)
}

/// The locks of refs, however deep.
fn locks(folder: &Path) -> Vec<DirEntry> {
    let mut found = Vec::new();
    for entry in entries(folder) {
        if is_folder(&entry) {
            found.extend(locks(&entry.path()));
        } else if named(&entry, is_lock) {
            found.push(entry);
        }
    }
    found
}

/// Removes a file or a folder; the size of the file.
fn remove(entry: &DirEntry) -> u64 {
    let (path, size) = (entry.path(), entry.metadata().map_or(0, |about| about.len()));
    let removed = if is_folder(entry) { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
    match removed {
        Ok(()) => tracing::info!(path = %path.display(), "removed what a `git` that was killed had left"),
        Err(error) => tracing::warn!(path = %path.display(), %error, "what a `git` that was killed had left cannot be removed"),
    }
    size
}

fn entries(folder: &Path) -> impl Iterator<Item = DirEntry> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten()
}

fn is_folder(entry: &DirEntry) -> bool {
    entry.file_type().is_ok_and(|kind| kind.is_dir())
}

fn named(entry: &DirEntry, is: impl Fn(&str) -> bool) -> bool {
    entry.file_name().to_str().is_some_and(is)
}

/// No object has a name that begins so.
fn is_half(name: &str) -> bool {
    name.starts_with("tmp_")
}

/// No ref has a name that ends so.
fn is_lock(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|end| end == "lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_half_and_what_is_locked_goes_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let repository = folder.path().join("a.git");
        let gone = [
            "objects/tmp_objdir-incoming-x/pack/tmp_pack_a",
            "objects/pack/tmp_pack_b",
            "objects/tmp_pack_c",
            "packed-refs.lock",
            "refs/heads/main.lock",
            "refs/heads/a/b.lock",
        ];
        let kept = ["objects/pack/pack-1.pack", "objects/ab/cd", "packed-refs", "HEAD", "refs/heads/main", "refs/heads/tmp_x"];
        for name in gone.iter().chain(&kept) {
            let path = repository.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        clear_all(folder.path(), SystemTime::UNIX_EPOCH);
        assert!(gone.iter().chain(&kept).all(|name| repository.join(name).exists()), "all of it is younger");
        clear_all(folder.path(), SystemTime::now() + std::time::Duration::from_secs(60));
        for (name, left) in gone.iter().map(|name| (name, false)).chain(kept.iter().map(|name| (name, true))) {
            assert_eq!(repository.join(name).exists(), left, "{name}");
        }
        assert!(!repository.join("objects/tmp_objdir-incoming-x").exists());
        fs::write(repository.join("objects/ab/tmp_obj_d"), "half of it").unwrap();
        fs::create_dir(repository.join("objects/tmp_objdir-incoming-y")).unwrap();
        assert_eq!(clear_fetched(&repository), 10);
        assert!(!repository.join("objects/ab/tmp_obj_d").exists() && repository.join("objects/ab/cd").exists());
        assert!(repository.join("objects/tmp_objdir-incoming-y").exists(), "it is a push's");
    }
}
