//! The key a Berth signs with: made from the root key, so that nothing more is to be kept, and a Berth that is put back with
//! its root key has it again.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use hkdf::Hkdf;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use sha2::{Digest as _, Sha256};

use super::{Secrets, SecretsError};

/// What stands before the 32 bytes of an Ed25519 key in the form other programs read (RFC 8410).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Signs.
pub struct Signer(Ed25519KeyPair);

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer(…)")
    }
}

/// What a signature is checked with. It may be known to everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl Secrets {
    /// The key this Berth signs with.
    ///
    /// # Errors
    /// None that could happen with a key of this length.
    pub fn signer(&self) -> Result<Signer, SecretsError> {
        let mut seed = [0_u8; 32];
        let derived = Hkdf::<Sha256>::new(Some(b"berth signing key v1"), self.root.as_slice()).expand(b"", &mut seed);
        derived.map_err(|_| SecretsError::Sealed)?;
        Ed25519KeyPair::from_seed_unchecked(&seed).map(Signer).map_err(|_| SecretsError::Sealed)
    }
}

impl Signer {
    /// Its public half.
    ///
    /// # Errors
    /// None that could happen with a key of this kind.
    pub fn public(&self) -> Result<PublicKey, SecretsError> {
        PublicKey::of(self.0.public_key().as_ref()).ok_or(SecretsError::Sealed)
    }

    /// The signature of a message.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }
}

impl PublicKey {
    /// The key of these bytes, where they are one.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The key of this base64 text, where it is one.
    pub fn read(text: &str) -> Option<Self> {
        BASE64.decode(text.trim()).ok().and_then(|bytes| Self::of(&bytes))
    }

    /// By which it is known from others.
    pub fn id(&self) -> String {
        hex::encode(&Sha256::digest(self.0)[..16])
    }

    /// Its bytes, as base64.
    pub fn text(&self) -> String {
        BASE64.encode(self.0)
    }

    /// As other programs read it.
    pub fn pem(&self) -> String {
        let body = BASE64.encode([SPKI.as_slice(), &self.0].concat());
        format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
    }

    /// Whether this key made this signature of this message.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::RootKey;

    fn secrets(byte: u8) -> Secrets {
        Secrets::with_key(&RootKey::try_from([byte; 32].as_slice()).unwrap())
    }

    #[test]
    fn a_signature_holds_for_its_message_and_its_key() {
        let (ours, theirs) = (secrets(1).signer().unwrap(), secrets(2).signer().unwrap());
        let (key, other) = (ours.public().unwrap(), theirs.public().unwrap());
        let signature = ours.sign(b"word");
        assert!(key.verifies(b"word", &signature));
        assert!(!key.verifies(b"ward", &signature) && !other.verifies(b"word", &signature));
        for at in 0..signature.len() {
            let mut changed = signature.clone();
            changed[at] ^= 1;
            assert!(!key.verifies(b"word", &changed), "byte {at}");
        }
        assert_ne!(key.id(), other.id());
        assert_eq!(secrets(1).signer().unwrap().public().unwrap(), key, "the same root key has the same key");
        assert_eq!(PublicKey::read(&key.text()), Some(key));
        assert_eq!(PublicKey::read("AAAA"), None);
    }
}
