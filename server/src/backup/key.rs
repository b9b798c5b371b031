//! The root key in a backup: under a passphrase, or not in it at all. A backup alone opens no secret.

use app::error::{Error, Result};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD as BASE64};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use serde::{Deserialize, Serialize};

use crate::secrets::{RootKey, Secrets};

/// Memory in KiB, passes, lanes: half a second and 64 MiB for whoever tries one.
const COST: (u32, u32, u32) = (64 << 10, 3, 1);
/// What may be asked of us by a file: not more memory than this, in KiB.
const MOST_COST: (u32, u32, u32) = (1 << 20, 20, 4);
const LEAST_LENGTH: usize = 12;
const PURPOSE: &[u8] = b"berth backup root key v1";

/// What a backup holds of the root key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kept {
    /// By which the right key is known; it tells nothing of the key.
    pub fingerprint: String,
    /// The key under a passphrase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sealed>,
}

/// The key under a passphrase: argon2id, then XChaCha20-Poly1305.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sealed {
    cost: (u32, u32, u32),
    salt: String,
    nonce: String,
    key: String,
}

fn cipher(passphrase: &str, salt: &[u8], (memory, passes, lanes): (u32, u32, u32)) -> Result<XChaCha20Poly1305> {
    let params = Params::new(memory, passes, lanes, Some(32)).map_err(|error| Error::internal(error.to_string()))?;
    let mut key = [0_u8; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), salt, &mut key)
        .map_err(|error| Error::internal(error.to_string()))?;
    Ok(XChaCha20Poly1305::new(&key.into()))
}

impl Kept {
    /// What is kept of a key; with the key itself where there is a passphrase.
    ///
    /// # Errors
    /// `weak_passphrase`.
    pub fn of(key: &RootKey, passphrase: Option<&str>) -> Result<Self> {
        let fingerprint = Secrets::with_key(key).fingerprint()?;
        let Some(passphrase) = passphrase else { return Ok(Self { fingerprint, sealed: None }) };
        if passphrase.chars().count() < LEAST_LENGTH {
            let sentence = format!("A passphrase has at least {LEAST_LENGTH} characters: with it and the file everything can be read.");
            return Err(Error::invalid("weak_passphrase", sentence));
        }
        let (salt, nonce): ([u8; 16], [u8; 24]) = (rand::random(), rand::random());
        let payload = Payload { msg: key.as_slice(), aad: PURPOSE };
        let sealed = cipher(passphrase, &salt, COST)?.encrypt(XNonce::from_slice(&nonce), payload);
        let key = BASE64.encode(sealed.map_err(|_| Error::internal("the key cannot be sealed"))?);
        Ok(Self { fingerprint, sealed: Some(Sealed { cost: COST, salt: BASE64.encode(salt), nonce: BASE64.encode(nonce), key }) })
    }

    /// The key of the backup: out of it by its passphrase, or the one given, if it is the right one.
    ///
    /// # Errors
    /// `key_needed`, `wrong_passphrase`, `wrong_key`.
    pub fn key(&self, given: Option<RootKey>, passphrase: Option<&str>) -> Result<RootKey> {
        let key = match (given, passphrase, &self.sealed) {
            (Some(key), _, _) => key,
            (None, Some(passphrase), Some(sealed)) => sealed.open(passphrase)?,
            (None, None, Some(_)) => {
                let sentence = "The key of the secrets is in this backup under a passphrase. Pipe it in with --passphrase-stdin.";
                return Err(Error::invalid("key_needed", sentence));
            }
            (None, _, None) => {
                let sentence = "The key of the secrets is not in this backup. Name the `root.key` of that Berth with --key.";
                return Err(Error::invalid("key_needed", sentence));
            }
        };
        if Secrets::with_key(&key).fingerprint()? == self.fingerprint {
            return Ok(key);
        }
        Err(Error::invalid("wrong_key", "This is not the key of the Berth that made the backup. Name its `root.key` with --key."))
    }
}

impl Sealed {
    fn open(&self, passphrase: &str) -> Result<RootKey> {
        let bytes = |text: &str| BASE64.decode(text).map_err(|_| super::damaged("its key does not read"));
        let (salt, nonce, key) = (bytes(&self.salt)?, bytes(&self.nonce)?, bytes(&self.key)?);
        let (cost, most) = (self.cost, MOST_COST);
        if nonce.len() != 24 || salt.len() < 8 || cost.0 > most.0 || cost.1 > most.1 || cost.2 > most.2 {
            return Err(super::damaged("its key does not read"));
        }
        let payload = Payload { msg: &key, aad: PURPOSE };
        let wrong = || Error::invalid("wrong_passphrase", "This is not the passphrase the backup was made with. Try again.");
        let opened = cipher(passphrase, &salt, cost)?.decrypt(XNonce::from_slice(&nonce), payload).map_err(|_| wrong())?;
        RootKey::try_from(opened.as_slice()).map_err(|_| super::damaged("its key has another length"))
    }
}
