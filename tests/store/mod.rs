//! The store, on both databases.

use server::store::Db;
use tempfile::TempDir;

use crate::support::postgres::Database;

mod activity;
mod caches;
mod forges;
mod garbage;
mod plans;
mod rows;
mod transactions;

/// A fresh database for a test.
struct Fresh {
    db: Db,
    _folder: Option<TempDir>,
    _database: Option<Database>,
}

impl Fresh {
    async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&format!("sqlite:{}", folder.path().join("berth.db").display())).await.unwrap();
        Self { db, _folder: Some(folder), _database: None }
    }

    async fn postgres() -> Self {
        let database = Database::fresh().await;
        let db = Db::open(&database.address()).await.unwrap();
        Self { db, _folder: None, _database: Some(database) }
    }
}

/// Makes two tests of each function that takes a [`Db`]: `name::sqlite` and `name::postgres`.
macro_rules! on_both {
    ($($name:ident)*) => { $(
        mod $name {
            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                let fresh = crate::store::Fresh::sqlite().await;
                super::$name(fresh.db.clone()).await;
                fresh.db.close().await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn postgres() {
                let fresh = crate::store::Fresh::postgres().await;
                super::$name(fresh.db.clone()).await;
                fresh.db.close().await;
            }
        }
    )* };
}
use on_both;
