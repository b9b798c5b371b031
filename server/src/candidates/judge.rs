//! Whether what is said of an image still vouches for it: asked before every rollout of a candidate.

use app::said;
use serde_json::Value;

use super::{digits, dsse::Signed, provenance};
use crate::secrets::PublicKey;

/// What became of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This Berth signed that it built this image.
    Verified,
    /// It is from before candidates were signed.
    Unsigned,
    /// It should be vouched for, and is not.
    Refused(Why),
}

/// Why nothing vouches for an image that should be vouched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The statement is not there.
    Missing,
    /// It was signed with another key than this Berth's.
    OtherKey,
    /// It was changed since it was signed, or never was.
    Signature,
    /// It is about another image.
    OtherImage,
}

impl Why {
    /// As a sentence that says what to do.
    pub fn sentence(self, candidate: u64) -> String {
        match self {
            Self::Missing => said::statement_missing(candidate),
            Self::OtherKey => said::statement_other_key(candidate),
            Self::Signature => said::statement_changed(candidate),
            Self::OtherImage => said::statement_other_image(candidate),
        }
    }
}

/// Judges. `signed`: the candidate was made when candidates were signed already.
pub fn judge(signed: bool, statement: Option<&Signed>, image: &str, key: &PublicKey) -> Verdict {
    let Some(statement) = statement else {
        return if signed { Verdict::Refused(Why::Missing) } else { Verdict::Unsigned };
    };
    if statement.key != key.id() {
        return Verdict::Refused(Why::OtherKey);
    }
    if !statement.verifies(key) {
        return Verdict::Refused(Why::Signature);
    }
    if names(&statement.payload, image) { Verdict::Verified } else { Verdict::Refused(Why::OtherImage) }
}

/// Whether a statement says where exactly this image came from.
fn names(statement: &[u8], image: &str) -> bool {
    let Ok(statement) = serde_json::from_slice::<Value>(statement) else { return false };
    statement["predicateType"] == provenance::PREDICATE && statement["subject"][0]["digest"]["sha256"] == digits(image)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        candidates::{Subject, dsse, sbom, statement},
        secrets::{RootKey, Secrets},
    };

    #[test]
    fn only_our_own_statement_about_this_image_vouches_for_it() {
        let secrets = |byte: u8| Secrets::with_key(&RootKey::try_from([byte; 32].as_slice()).unwrap()).signer().unwrap();
        let (ours, theirs) = (secrets(1), secrets(2));
        let key = ours.public().unwrap();
        let (image, other) = (format!("sha256:{}", "1".repeat(64)), format!("sha256:{}", "2".repeat(64)));
        let said = |image: &str, kind: &str, signer| {
            let subject = Subject { name: "shop/orders".into(), image: image.into() };
            dsse::sign(signer, statement(&subject, kind, &Value::Null).to_string().into_bytes()).unwrap()
        };
        let good = said(&image, provenance::PREDICATE, &ours);
        let mut changed = good.clone();
        changed.payload = said(&other, provenance::PREDICATE, &ours).payload;
        let mut claimed = said(&image, provenance::PREDICATE, &theirs);
        claimed.key = key.id();
        let cases: [(&str, bool, Option<Signed>, Verdict); 8] = [
            ("ours", true, Some(good.clone()), Verdict::Verified),
            ("ours, of one that needs none", false, Some(good), Verdict::Verified),
            ("an old candidate", false, None, Verdict::Unsigned),
            ("taken away", true, None, Verdict::Refused(Why::Missing)),
            ("of another Berth", true, Some(said(&image, provenance::PREDICATE, &theirs)), Verdict::Refused(Why::OtherKey)),
            ("of another Berth under our name", true, Some(claimed), Verdict::Refused(Why::Signature)),
            ("changed", true, Some(changed), Verdict::Refused(Why::Signature)),
            ("about what it holds", true, Some(said(&image, sbom::PREDICATE, &ours)), Verdict::Refused(Why::OtherImage)),
        ];
        for (name, signed, statement, expected) in cases {
            assert_eq!(judge(signed, statement.as_ref(), &image, &key), expected, "{name}");
        }
        assert_eq!(judge(true, Some(&said(&other, provenance::PREDICATE, &ours)), &image, &key), Verdict::Refused(Why::OtherImage));
    }
}
