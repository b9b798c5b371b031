//! Passwords: argon2id, a few at a time so that logins cannot eat the machine.

use std::{
    num::NonZero,
    sync::{Arc, OnceLock},
    thread,
};

use app::error::{Error, Result};
use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher as _, PasswordVerifier as _, Version,
    password_hash::{SaltString, rand_core::OsRng},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Memory in KiB, passes, lanes: the OWASP Password Storage Cheat Sheet's first choice for argon2id with 19 MiB.
const COST: (u32, u32, u32) = (19_456, 2, 1);
/// Hashes worked on at once at most: each takes [`COST`] memory.
const AT_ONCE: usize = 4;
/// Hashes that may wait for their turn; who comes later is told to try again.
const QUEUE: usize = 64;
/// The shortest password.
pub const SHORTEST: usize = 10;
/// The longest password, in bytes: longer ones only cost time.
const LONGEST: usize = 1_024;

/// Hashes and checks passwords.
pub struct Passwords {
    working: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// The right to have one password worked on, waiting for a turn included.
pub struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Default for Passwords {
    fn default() -> Self {
        let at_once = at_once(std::thread::available_parallelism().map_or(1, NonZero::get));
        Self { working: Arc::new(Semaphore::new(at_once)), waiting: Arc::new(Semaphore::new(at_once + QUEUE)) }
    }
}

/// Half of the processors at most: the other half answers everybody who is signed in already.
fn at_once(processors: usize) -> usize {
    (processors / 2).clamp(1, AT_ONCE)
}

fn hasher() -> Result<Argon2<'static>> {
    let params = Params::new(COST.0, COST.1, COST.2, None).map_err(|error| Error::internal(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash_now(password: &str) -> Result<String> {
    let salt = SaltString::generate(&mut OsRng);
    let hash = hasher()?.hash_password(password.as_bytes(), &salt).map_err(|error| Error::internal(error.to_string()))?;
    Ok(hash.to_string())
}

/// A hash nobody has the password of: checked where the person is unknown, so that the time tells nothing.
fn dummy() -> Result<&'static str> {
    static DUMMY: OnceLock<String> = OnceLock::new();
    if let Some(hash) = DUMMY.get() {
        return Ok(hash);
    }
    let hash = hash_now("nobody has this password")?;
    Ok(DUMMY.get_or_init(|| hash))
}

fn verify_now(password: &str, hash: Option<&str>) -> Result<bool> {
    let text = match hash {
        Some(hash) => hash,
        None => dummy()?,
    };
    let parsed = PasswordHash::new(text).map_err(|error| Error::internal(error.to_string()))?;
    let good = hasher()?.verify_password(password.as_bytes(), &parsed).is_ok();
    Ok(good && hash.is_some())
}

impl Passwords {
    /// A place among those whose passwords are worked on. To be asked for before anything else is done for them, so that
    /// whoever there is no place for costs next to nothing.
    ///
    /// # Errors
    /// `busy` where too many wait already.
    pub fn place(&self) -> Result<Place> {
        let busy = |_| Error::unavailable("busy", "Too many people sign in at once. Try again in a few seconds.").after(5);
        Arc::clone(&self.waiting).try_acquire_owned().map(|_permit| Place { _permit }).map_err(busy)
    }

    /// The hash of a password, as a PHC string.
    ///
    /// # Errors
    /// `busy` where too many wait already.
    pub async fn hash(&self, password: &str) -> Result<String> {
        let password = password.to_owned();
        self.work(self.place()?, move || hash_now(&password)).await
    }

    /// Whether this is the password; `hash` is none where the person is not known, and takes the same time.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub async fn verify(&self, place: Place, password: &str, hash: Option<&str>) -> Result<bool> {
        let (password, hash) = (password.chars().take(LONGEST).collect::<String>(), hash.map(ToOwned::to_owned));
        self.work(place, move || verify_now(&password, hash.as_deref())).await
    }

    async fn work<T: Send + 'static>(&self, place: Place, job: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let slot = Arc::clone(&self.working).acquire_owned().await.map_err(Error::internal)?;
        let (done, answer) = oneshot::channel();
        let thread = thread::Builder::new().name("password".into());
        let work = move || {
            give_way();
            let result = job();
            // Only here: who hangs up does not end the work, and makes no room for more of it.
            drop((slot, place));
            // Nobody may wait for it any more.
            drop(done.send(result));
        };
        thread.spawn(work).map_err(Error::internal)?;
        answer.await.map_err(Error::internal)?
    }
}

/// Has this thread run when no other wants to: who is signed in already does not wait for who signs in.
fn give_way() {
    // The system takes any number for the largest it has; on Linux it is of the thread alone.
    if let Err(error) = rustix::process::nice(19) {
        tracing::debug!(%error, "a password is checked as fast as everything else");
    }
}

/// Whether a password is good enough to be chosen.
///
/// # Errors
/// `weak_password` at the field `password`.
pub fn check(password: &str, email: &str, name: &str) -> Result<()> {
    let weak = |sentence: String| Err(Error::invalid("weak_password", sentence).at("password"));
    let lower = password.to_lowercase();
    if password.chars().count() < SHORTEST {
        return weak(format!("A password has at least {SHORTEST} characters. Three or four random words make a good one."));
    }
    if password.len() > LONGEST {
        return weak(format!("A password has at most {LONGEST} bytes."));
    }
    if lower == email.to_lowercase() || lower == name.to_lowercase() {
        return weak("A password is not one's name or address. Three or four random words make a good one.".into());
    }
    let mut letters: Vec<char> = lower.chars().collect();
    letters.sort_unstable();
    letters.dedup();
    if letters.len() < 4 {
        return weak("This password repeats the same few characters. Three or four random words make a good one.".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room_for(places: usize) -> Passwords {
        Passwords { working: Arc::new(Semaphore::new(1)), waiting: Arc::new(Semaphore::new(places)) }
    }

    #[tokio::test]
    async fn good_wrong_and_unknown() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse battery").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        for (password, hash, good) in [
            ("correct horse battery", Some(hash.as_str()), true),
            ("wrong horse battery", Some(hash.as_str()), false),
            ("nobody has this password", None, false),
        ] {
            assert_eq!(passwords.verify(passwords.place().unwrap(), password, hash).await.unwrap(), good, "{password}");
        }
    }

    #[test]
    fn half_of_the_machine_is_left() {
        assert_eq!([1, 2, 3, 4, 8, 64].map(at_once), [1, 1, 1, 2, 4, 4]);
    }

    #[tokio::test]
    async fn the_queue_is_bounded() {
        assert_eq!(room_for(0).hash("correct horse battery").await.unwrap_err().code, "busy");
    }

    #[tokio::test]
    async fn who_hangs_up_makes_no_room() {
        let passwords = room_for(1);
        let (go_on, wait) = std::sync::mpsc::channel();
        let mut work = Box::pin(passwords.work(passwords.place().unwrap(), move || {
            let _ = wait.recv();
            Ok(())
        }));
        assert!(futures::poll!(&mut work).is_pending());
        drop(work);
        assert!(passwords.place().is_err() && passwords.working.available_permits() == 0);
        go_on.send(()).unwrap();
        let room = async {
            while passwords.place().is_err() || passwords.working.available_permits() == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), room).await.unwrap();
    }

    #[test]
    fn weak_ones() {
        for bad in ["short", "aaaaaaaaaaaa", "ada@example.com", "ada lovelace", &"x1y2".repeat(300)] {
            assert_eq!(check(bad, "Ada@example.com", "Ada Lovelace").unwrap_err().code, "weak_password", "{bad}");
        }
        assert!(check("correct horse", "ada@example.com", "Ada").is_ok());
    }
}
