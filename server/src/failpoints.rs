//! Named points at which a test stops this process, as abruptly as a power cut would, or loses an answer.
//!
//! They are compiled in with the feature `failpoints` alone. A test names a folder in the variable `BERTH_POINTS`: every
//! point that is reached is a line of its file `reached`, and its file `armed` holds what is to happen where:
//!
//! - `kill NAME` or `kill NAME 3`: the process ends when it reaches the point (for the third time);
//! - `lose NAME`: the answer of the call is lost, where the point is one of a call or a commit.
//!
//! Every commit and every call of the engine is a point without anybody having to think of it: [`crate::store::Tx::commit`]
//! and the engine's one door have them. `tests/crash` reads the source for all of them, and reaches each.

/// A point of this name. With a second argument: what is returned where an answer is to be lost.
macro_rules! point {
    ($name:expr) => {
        #[cfg(feature = "failpoints")]
        let _ = $crate::failpoints::reached($name);
    };
    ($name:expr, $lost:expr) => {
        #[cfg(feature = "failpoints")]
        if $crate::failpoints::reached($name) {
            return $lost;
        }
    };
}

#[cfg(feature = "failpoints")]
pub use armed::{at, clock_shift, haste, reached};

#[cfg(feature = "failpoints")]
mod armed {
    use std::{
        collections::BTreeMap,
        fs::{self, OpenOptions},
        io::Write as _,
        panic::Location,
        path::{Path, PathBuf},
        sync::{LazyLock, Mutex, PoisonError},
    };

    static FOLDER: LazyLock<Option<PathBuf>> = LazyLock::new(|| std::env::var_os("BERTH_POINTS").map(PathBuf::from));
    /// How often the point of each armed line was reached.
    static SEEN: Mutex<BTreeMap<String, u32>> = Mutex::new(BTreeMap::new());

    /// What a test adds to the wall clock, in milliseconds: the folder's file `clock`.
    pub fn clock_shift() -> i64 {
        let shift = FOLDER.as_ref().and_then(|folder| fs::read_to_string(folder.join("clock")).ok());
        shift.and_then(|shift| shift.trim().parse().ok()).unwrap_or(0)
    }

    /// How many times more often than usual a test has done what is done every so often: the variable `BERTH_HASTE`.
    pub fn haste() -> u32 {
        static HASTE: LazyLock<u32> =
            LazyLock::new(|| std::env::var("BERTH_HASTE").ok().and_then(|haste| haste.parse().ok()).unwrap_or(1).max(1));
        *HASTE
    }

    /// Says that a point is reached. The answer: whether what it is about is to be lost.
    pub fn reached(name: &str) -> bool {
        let Some(folder) = FOLDER.as_ref() else { return false };
        note(folder, name);
        let Ok(armed) = fs::read_to_string(folder.join("armed")) else { return false };
        armed.lines().any(|line| act(line, name))
    }

    /// Does what a line arms, if it is for this point.
    fn act(line: &str, name: &str) -> bool {
        let mut words = line.split_whitespace();
        let (action, at) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if at != name {
            return false;
        }
        let asked = words.next().and_then(|word| word.parse().ok()).unwrap_or(1);
        let count = {
            let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
            let count = seen.entry(line.to_owned()).or_insert(0);
            *count += 1;
            *count
        };
        match action {
            "kill" if count >= asked => std::process::abort(),
            "lose" => count == asked,
            _ => false,
        }
    }

    fn note(folder: &Path, name: &str) {
        let file = OpenOptions::new().append(true).create(true).open(folder.join("reached"));
        // One write of one line: several threads do not come in between.
        let _ = file.and_then(|mut file| file.write_all(format!("{name}\n").as_bytes()));
    }

    /// The name of a point that is a place in the source: `commit::before_store/runs.rs:12`.
    pub fn at(what: &str, place: &Location<'_>) -> String {
        let file = place.file();
        format!("{what}_{}:{}", file.rsplit_once("src/").map_or(file, |(_, file)| file), place.line())
    }
}
