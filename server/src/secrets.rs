//! Sealed values: a root key, a key for each team, a nonce for each value.
//!
//! The team, the row's id, the version of the format and the column are associated data: a sealed value moved to another
//! row, column or team does not open.

mod mask;
mod sign;

pub use mask::{Masks, says_secret};
pub use sign::{PublicKey, Signer};

use std::{fs, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use app::{error::Error, model::TeamId};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD as BASE64};
use chacha20poly1305::{
    AeadCore as _, KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, OsRng, Payload},
};
use hkdf::Hkdf;
use sha2::Sha256;

/// The version of the format, written in front of every sealed value.
const VERSION: &str = "v1";
const NONCE_LEN: usize = 24;

/// What can go wrong with secrets.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The key file is missing although the database holds sealed values.
    #[error("The key file {0} is missing, and the database holds values sealed with it. Put the key file of this Berth back.")]
    MissingKey(String),
    /// The key file cannot be read or written.
    #[error("The key file {path} cannot be used: {cause}")]
    KeyFile {
        /// Which file.
        path: String,
        /// What the system says.
        cause: String,
    },
    /// The value does not open: another key, another row, or changed since.
    #[error("a sealed value does not open")]
    Sealed,
}

impl From<SecretsError> for Error {
    fn from(error: SecretsError) -> Self {
        match error {
            SecretsError::Sealed => Self::unreadable("a value").because(error),
            error => Self::internal(error),
        }
    }
}

/// The key that everything is sealed with. It is never printed, and never leaves but into its file or under a passphrase.
#[derive(Clone, Copy)]
pub struct RootKey([u8; 32]);

impl std::fmt::Debug for RootKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RootKey(…)")
    }
}

impl TryFrom<&[u8]> for RootKey {
    type Error = SecretsError;

    fn try_from(bytes: &[u8]) -> Result<Self, SecretsError> {
        bytes.try_into().map(Self).map_err(|_| SecretsError::Sealed)
    }
}

fn unusable(path: &Path, cause: &impl ToString) -> SecretsError {
    SecretsError::KeyFile { path: path.display().to_string(), cause: cause.to_string() }
}

impl RootKey {
    /// Out of its file.
    ///
    /// # Errors
    /// Where it cannot be read, or is no key.
    pub fn read(path: &Path) -> Result<Self, SecretsError> {
        let bytes = fs::read(path).map_err(|error| unusable(path, &error))?;
        Self::try_from(bytes.as_slice()).map_err(|_| unusable(path, &"it does not hold 32 bytes"))
    }

    /// Into a file that is not there yet, for its owner's eyes alone.
    ///
    /// # Errors
    /// Where it is there, or cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), SecretsError> {
        write_whole(path, &self.0).map_err(|error| unusable(path, &error))
    }

    /// Its bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

/// Seals and opens values. Cheap to clone; its key never leaves it.
#[derive(Clone)]
pub struct Secrets {
    root: std::sync::Arc<[u8; 32]>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(…)")
    }
}

/// Writes a file that is not there yet, all of it or nothing: written beside, made to last, then given its name.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o400).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    point!("secrets::before_named");
    // A second name, not a new one: where a key is there by now it stays.
    fs::hard_link(&beside, path)?;
    point!("secrets::after_named");
    fs::remove_file(&beside)
}

impl Secrets {
    /// Opens the root key, making one where there is none yet.
    ///
    /// # Errors
    /// Where the file cannot be read, is no key, or may be read by others.
    pub fn open(key_file: &Path) -> Result<Self, SecretsError> {
        Self::open_or_make(key_file, true)
    }

    /// Opens the root key of a Berth that has data already (`has_data`): a missing key is then an error, never replaced.
    ///
    /// # Errors
    /// As [`Secrets::open`]; [`SecretsError::MissingKey`].
    pub fn open_for(key_file: &Path, has_data: bool) -> Result<Self, SecretsError> {
        Self::open_or_make(key_file, !has_data)
    }

    /// With this key.
    pub fn with_key(key: &RootKey) -> Self {
        Self { root: key.0.into() }
    }

    /// By which the key is known from another; it tells nothing of the key.
    ///
    /// # Errors
    /// None that could happen with a key of this length.
    pub fn fingerprint(&self) -> Result<String, SecretsError> {
        let mut mark = [0_u8; 16];
        let derived = Hkdf::<Sha256>::new(Some(b"berth fingerprint v1"), self.root.as_slice()).expand(b"", &mut mark);
        derived.map_err(|_| SecretsError::Sealed)?;
        Ok(hex::encode(mark))
    }

    fn open_or_make(path: &Path, make: bool) -> Result<Self, SecretsError> {
        match path.try_exists() {
            Ok(true) => {
                // What a start that was cut short left of making it.
                let _ = fs::remove_file(path.with_extension("new"));
                Ok(Self::with_key(&RootKey::read(path)?))
            }
            Ok(false) if make => {
                let key = RootKey(rand::random());
                key.write(path)?;
                Ok(Self::with_key(&key))
            }
            Ok(false) => Err(SecretsError::MissingKey(path.display().to_string())),
            Err(error) => Err(unusable(path, &error)),
        }
    }

    fn cipher(&self, team: &TeamId) -> Result<XChaCha20Poly1305, SecretsError> {
        let mut key = [0_u8; 32];
        Hkdf::<Sha256>::new(Some(b"berth team key v1"), self.root.as_slice())
            .expand(team.as_str().as_bytes(), &mut key)
            .map_err(|_| SecretsError::Sealed)?;
        Ok(XChaCha20Poly1305::new(&key.into()))
    }

    fn associated(team: &TeamId, id: &str, column: &str) -> String {
        [team.as_str(), id, VERSION, column].join("|")
    }

    /// Seals a value for one column of one row of a team.
    ///
    /// # Errors
    /// Only where the cipher refuses, which it does for values of more than 256 GiB.
    pub fn seal(&self, team: &TeamId, id: &str, column: &str, plain: &[u8]) -> Result<String, SecretsError> {
        let nonce = XChaCha20Poly1305::generate_nonce(&mut OsRng);
        let aad = Self::associated(team, id, column);
        let payload = Payload { msg: plain, aad: aad.as_bytes() };
        let sealed = self.cipher(team)?.encrypt(&nonce, payload).map_err(|_| SecretsError::Sealed)?;
        Ok(format!("{VERSION}.{}", BASE64.encode([nonce.as_slice(), &sealed].concat())))
    }

    /// Opens a value sealed for exactly this column, row and team.
    ///
    /// # Errors
    /// [`SecretsError::Sealed`] where it was sealed for another place, with another key, or changed since.
    pub fn unseal(&self, team: &TeamId, id: &str, column: &str, sealed: &str) -> Result<Vec<u8>, SecretsError> {
        let body = sealed.strip_prefix(VERSION).and_then(|rest| rest.strip_prefix('.')).ok_or(SecretsError::Sealed)?;
        let bytes = BASE64.decode(body).map_err(|_| SecretsError::Sealed)?;
        let (nonce, cipher_text) = bytes.split_at_checked(NONCE_LEN).ok_or(SecretsError::Sealed)?;
        let aad = Self::associated(team, id, column);
        let payload = Payload { msg: cipher_text, aad: aad.as_bytes() };
        self.cipher(team)?.decrypt(XNonce::from_slice(nonce), payload).map_err(|_| SecretsError::Sealed)
    }

    /// As [`Self::unseal`], of a text.
    ///
    /// # Errors
    /// As there; and where it is no text.
    pub fn unseal_text(&self, team: &TeamId, id: &str, column: &str, sealed: &str) -> Result<String, SecretsError> {
        String::from_utf8(self.unseal(team, id, column, sealed)?).map_err(|_| SecretsError::Sealed)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn fresh() -> (tempfile::TempDir, Secrets) {
        let folder = tempfile::tempdir().unwrap();
        let secrets = Secrets::open(&folder.path().join("root.key")).unwrap();
        (folder, secrets)
    }

    #[test]
    fn opens_in_its_place_and_nowhere_else() {
        let (_folder, secrets) = fresh();
        let (a, b) = (TeamId::from_text("a"), TeamId::from_text("b"));
        let sealed = secrets.seal(&a, "1", "variables", b"word").unwrap();
        assert_eq!(secrets.unseal(&a, "1", "variables", &sealed).unwrap(), b"word");
        assert!(secrets.unseal(&b, "1", "variables", &sealed).is_err());
        assert!(secrets.unseal(&a, "2", "variables", &sealed).is_err());
        assert!(secrets.unseal(&a, "1", "other", &sealed).is_err());
        assert!(fresh().1.unseal(&a, "1", "variables", &sealed).is_err());
    }

    #[test]
    fn a_change_of_any_byte_shows() {
        let (_folder, secrets) = fresh();
        let team = TeamId::from_text("a");
        let sealed = secrets.seal(&team, "1", "variables", b"word").unwrap();
        let bytes = BASE64.decode(&sealed[3..]).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(secrets.unseal(&team, "1", "variables", &format!("v1.{}", BASE64.encode(changed))).is_err(), "byte {at}");
        }
        for garbage in ["", "v1.", "v1.AAAA", "v2.AAAA", "v1.🙂", &sealed[..sealed.len() - 4]] {
            assert!(secrets.unseal(&team, "1", "variables", garbage).is_err(), "{garbage}");
        }
    }

    #[test]
    fn the_same_value_is_never_sealed_the_same() {
        let (_folder, secrets) = fresh();
        let team = TeamId::from_text("a");
        assert_ne!(secrets.seal(&team, "1", "v", b"word").unwrap(), secrets.seal(&team, "1", "v", b"word").unwrap());
    }

    #[test]
    fn the_key_file_is_made_once_and_never_replaced() {
        let (folder, first) = fresh();
        let path = folder.path().join("root.key");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o400);
        assert_eq!(Secrets::open_for(&path, true).unwrap().root, first.root);
        fs::remove_file(&path).unwrap();
        assert!(matches!(Secrets::open_for(&path, true), Err(SecretsError::MissingKey(_))));
        fs::write(&path, b"short").unwrap();
        assert!(matches!(Secrets::open(&path), Err(SecretsError::KeyFile { .. })));
    }
}
