//! Signed envelopes (<https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md>): what is signed is the type and the
//! bytes, so that neither can stand for something else.

use app::model::{Envelope, EnvelopeSignature};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use crate::secrets::{PublicKey, SecretsError, Signer};

/// The type of the payloads that are signed here.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// A payload and its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The statement.
    pub payload: Vec<u8>,
    /// The id of the key.
    pub key: String,
    /// The signature.
    pub signature: Vec<u8>,
}

/// What is signed for a payload of this type.
fn frame(kind: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// Signs a statement.
///
/// # Errors
/// Those of the key.
pub fn sign(signer: &Signer, payload: Vec<u8>) -> Result<Signed, SecretsError> {
    let signature = signer.sign(&frame(PAYLOAD_TYPE, &payload));
    Ok(Signed { payload, key: signer.public()?.id(), signature })
}

impl Signed {
    /// Whether this key made the signature of this payload.
    pub fn verifies(&self, key: &PublicKey) -> bool {
        key.verifies(&frame(PAYLOAD_TYPE, &self.payload), &self.signature)
    }

    /// As others read it.
    pub fn envelope(&self) -> Envelope {
        Envelope {
            payload_type: PAYLOAD_TYPE.to_owned(),
            payload: BASE64.encode(&self.payload),
            signatures: vec![EnvelopeSignature { keyid: self.key.clone(), sig: BASE64.encode(&self.signature) }],
        }
    }

    /// Out of an envelope; none where it is none of these.
    pub fn open(envelope: &Envelope) -> Option<Self> {
        let signature = envelope.signatures.first().filter(|_| envelope.payload_type == PAYLOAD_TYPE)?;
        Some(Self {
            payload: BASE64.decode(&envelope.payload).ok()?,
            key: signature.keyid.clone(),
            signature: BASE64.decode(&signature.sig).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_names_type_and_length() {
        // The example of the protocol.
        assert_eq!(frame("http://example.com/HelloWorld", b"hello world"), b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }
}
