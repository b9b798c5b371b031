//! Rows of `statements`: what is said of candidates, signed. Long ones are packed.

use std::io::{Read as _, Write as _};

use app::model::CandidateId;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};

use super::{
    Query, Tx,
    db::{Result, unreadable},
};
use crate::args;

/// No statement is longer than this: what unpacks to more is none.
const LONGEST: u64 = 64 << 20;

/// What a statement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Where the image came from.
    Provenance,
    /// What is in it.
    Sbom,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Provenance => "provenance",
            Self::Sbom => "sbom",
        }
    }
}

/// A statement as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementRow {
    /// The statement.
    pub payload: Vec<u8>,
    /// The id of the key that signed it.
    pub key: String,
    /// The signature.
    pub signature: Vec<u8>,
}

fn packed(bytes: &[u8]) -> Result<String> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    let packed = packer.write_all(bytes).and_then(|()| packer.finish());
    packed.map(|bytes| BASE64.encode(bytes)).map_err(|error| unreadable("payload", error))
}

fn unpacked(text: &str) -> Result<Vec<u8>> {
    let bytes = BASE64.decode(text).map_err(|error| unreadable("payload", error))?;
    let mut out = Vec::new();
    GzDecoder::new(bytes.as_slice()).take(LONGEST).read_to_end(&mut out).map_err(|error| unreadable("payload", error))?;
    Ok(out)
}

/// Writes what is said of a candidate.
pub async fn insert(tx: &mut Tx, candidate: &CandidateId, kind: Kind, statement: &StatementRow) -> Result<()> {
    tx.execute(
        "INSERT INTO statements (candidate_id, kind, payload, key_id, signature) VALUES ($1, $2, $3, $4, $5)",
        args![candidate, kind.name(), packed(&statement.payload)?, &statement.key, BASE64.encode(&statement.signature)],
    )
    .await?;
    Ok(())
}

/// What is said of a candidate; none where nothing is. One that does not unpack any more was changed: it is a statement that
/// no signature fits.
pub async fn find(q: impl Query, candidate: &CandidateId, kind: Kind) -> Result<Option<StatementRow>> {
    let sql = "SELECT payload, key_id, signature FROM statements WHERE candidate_id = $1 AND kind = $2";
    let Some(row) = q.fetch_opt(sql, args![candidate, kind.name()]).await? else { return Ok(None) };
    let payload = unpacked(&row.text("payload")?).unwrap_or_default();
    let signature = BASE64.decode(row.text("signature")?).unwrap_or_default();
    Ok(Some(StatementRow { payload, key: row.text("key_id")?, signature }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_unpacks() {
        let long = "package ".repeat(10_000);
        let packed = packed(long.as_bytes()).unwrap();
        assert!(packed.len() < 1_000);
        assert_eq!(unpacked(&packed).unwrap(), long.as_bytes());
        assert!(unpacked("AAAA").is_err() && unpacked("!").is_err());
    }
}
