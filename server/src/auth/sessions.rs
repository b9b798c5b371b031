//! Sessions in the store, for tower-sessions. The id in the cookie is never stored, only its hash.

use std::fmt;

use app::model::Timestamp;
use async_trait::async_trait;
use sha2::{Digest, Sha256};
use tower_sessions::{
    SessionStore,
    session::{Id, Record},
    session_store::{Error, Result},
};

use crate::{
    clock,
    store::{Db, StoreError, sessions},
};

/// The sessions of a Berth.
#[derive(Clone)]
pub struct Sessions {
    db: Db,
}

impl Sessions {
    /// Over this database.
    pub const fn new(db: Db) -> Self {
        Self { db }
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}

fn key(id: &Id) -> String {
    hex::encode(Sha256::digest(id.to_string()))
}

fn data(record: &Record) -> Result<String> {
    serde_json::to_string(&record.data).map_err(|error| Error::Encode(error.to_string()))
}

fn expiry(record: &Record) -> Timestamp {
    Timestamp(record.expiry_date.unix_timestamp().saturating_mul(1_000))
}

fn backend(error: impl Into<StoreError>) -> Error {
    Error::Backend(error.into().to_string())
}

#[async_trait]
impl SessionStore for Sessions {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let mut tx = self.db.begin().await.map_err(backend)?;
        while !sessions::insert(&mut tx, &key(&record.id), &data(record)?, expiry(record)).await.map_err(backend)? {
            record.id = Id::default();
        }
        sessions::delete_expired(&mut tx, clock::now()).await.map_err(backend)?;
        tx.commit().await.map_err(backend)
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let mut tx = self.db.begin().await.map_err(backend)?;
        sessions::update(&mut tx, &key(&record.id), &data(record)?, expiry(record)).await.map_err(backend)?;
        tx.commit().await.map_err(backend)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let Some(text) = sessions::load(&self.db, &key(id), clock::now()).await.map_err(backend)? else { return Ok(None) };
        // One that does not read is none: whoever brings it signs in again.
        let Ok(data) = serde_json::from_str(&text).inspect_err(|error| tracing::warn!(%error, "a session does not read")) else {
            return Ok(None);
        };
        // The store has judged the expiry; the layer sets a new one when it saves.
        let expiry_date = tower_sessions::cookie::time::OffsetDateTime::now_utc() + tower_sessions::cookie::time::Duration::minutes(1);
        Ok(Some(Record { id: *id, data, expiry_date }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        let mut tx = self.db.begin().await.map_err(backend)?;
        sessions::delete(&mut tx, &key(id)).await.map_err(backend)?;
        tx.commit().await.map_err(backend)
    }
}
