//! What is said of a candidate: where its image came from and what is in it, signed; whether that still holds; how two
//! candidates differ; how long one is kept. Pure functions: rows are read and written by those who ask.

pub mod compare;
pub mod dsse;
pub mod judge;
pub mod packages;
pub mod provenance;
pub mod retain;
pub mod sbom;

use serde_json::{Value, json};

/// The type of an in-toto statement, version 1.
const STATEMENT: &str = "https://in-toto.io/Statement/v1";

/// What a statement is about: an image by its name and its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// `TEAM/SERVICE`.
    pub name: String,
    /// `sha256:…`.
    pub image: String,
}

impl Subject {
    /// The digits of the image's id.
    fn digest(&self) -> &str {
        digits(&self.image)
    }
}

/// An image's id without the name of its hash.
fn digits(image: &str) -> &str {
    image.strip_prefix("sha256:").unwrap_or(image)
}

/// An in-toto statement (<https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>).
fn statement(subject: &Subject, kind: &str, predicate: &Value) -> Value {
    json!({
        "_type": STATEMENT,
        "subject": [{ "name": subject.name, "digest": { "sha256": subject.digest() } }],
        "predicateType": kind,
        "predicate": predicate,
    })
}
