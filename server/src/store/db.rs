//! SQLite and PostgreSQL behind one small face: one SQL text, `$1` placeholders, three types of values.
//!
//! The two differences both live here: on SQLite every writing transaction starts with `BEGIN IMMEDIATE` on the one
//! writing connection; on PostgreSQL a claim adds [`Tx::skip_locked`] after [`Tx::lock`].

use std::{
    path::Path,
    str::FromStr,
    time::{Duration, Instant},
};

use app::error::Error;
use futures::{TryStreamExt as _, stream::BoxStream};
use serde::de::DeserializeOwned;
use sqlx::{
    AssertSqlSafe, ColumnIndex, Connection as _, Postgres, Row as _, Sqlite, Transaction,
    migrate::Migrator,
    postgres::{PgArguments, PgPool, PgPoolOptions, PgRow},
    query::Query as SqlxQuery,
    sqlite::{SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};

use crate::telemetry::metrics;

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// How long a caller waits for a connection or for the writer before it is told that the store is busy.
const PATIENCE: Duration = Duration::from_secs(10);

/// Rows SQLite reads ahead of who takes them. A whole page: where it is fewer, the two threads wait for one another in turn.
const ROWS_AHEAD: usize = 200;

/// What can go wrong with the store. Becomes an [`Error`] of kind unavailable, conflict or internal.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A unique index refused the row; names the constraint or its columns.
    #[error("taken: {0}")]
    Taken(String),
    /// A row does not read: it is set aside, everything else goes on.
    #[error("unreadable column {column}: {cause}")]
    Unreadable {
        /// Which column.
        column: String,
        /// What is the matter with it.
        cause: String,
    },
    /// The database itself.
    #[error(transparent)]
    Sql(sqlx::Error),
    /// The migrations.
    #[error(transparent)]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The address is none of a database.
    #[error("{0}")]
    Address(String),
}

/// Shorthand within `store`.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

impl StoreError {
    /// Whether the same may well work later: the database is away or its file does not read now, and no setting is wrong.
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Sql(_))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(cause) if cause.is_unique_violation() => {
                Self::Taken(cause.constraint().map_or_else(|| cause.message().to_owned(), ToOwned::to_owned))
            }
            _ => Self::Sql(error),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Unreadable { column, .. } => Self::unreadable(column).because(error.to_string()),
            StoreError::Taken(_) => Self::conflict("taken", "Something of that name is already there. Choose another name.").because(error),
            StoreError::Sql(sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) | sqlx::Error::PoolClosed) => {
                Self::unavailable("store_unavailable", "The database does not answer. Try again in a moment.").because(error)
            }
            StoreError::Sql(sqlx::Error::Database(cause)) => {
                let message = cause.message();
                // PostgreSQL takes no NUL in a text.
                if cause.code().as_deref() == Some("22021") {
                    Self::invalid("invalid_text", "A text holds a character that cannot be stored (NUL). Leave it out.").because(error)
                } else if message.contains("locked") || message.contains("busy") {
                    Self::unavailable("store_busy", "The database is busy. Try again in a moment.").because(error)
                } else if is_disk_full(cause.code().as_deref(), message) {
                    Self::disk_full().because(error)
                } else {
                    Self::internal(error)
                }
            }
            _ => Self::internal(error),
        }
    }
}

/// Whether a database says that its disk is full: SQLite by the code 13, PostgreSQL by 53100.
fn is_disk_full(code: Option<&str>, message: &str) -> bool {
    // SQLite says of the files beside its own only that they could not be written, or opened.
    matches!(code, Some("13" | "53100")) || message.contains("No space") || message.contains("disk I/O error")
}

/// A value bound to a placeholder.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text, JSON and ids.
    Text(Option<String>),
    /// Numbers and milliseconds.
    Int(Option<i64>),
    /// True or false.
    Bool(bool),
}

macro_rules! values {
    ($($from:ty => |$v:ident| $to:expr;)*) => { $(
        impl From<$from> for Value { fn from($v: $from) -> Self { $to } }
    )* };
}

values! {
    &str => |v| Value::Text(Some(v.to_owned()));
    String => |v| Value::Text(Some(v));
    &String => |v| Value::Text(Some(v.clone()));
    Option<&str> => |v| Value::Text(v.map(ToOwned::to_owned));
    Option<String> => |v| Value::Text(v);
    i64 => |v| Value::Int(Some(v));
    Option<i64> => |v| Value::Int(v);
    u32 => |v| Value::Int(Some(i64::from(v)));
    u64 => |v| Value::Int(Some(i64::try_from(v).unwrap_or(i64::MAX)));
    usize => |v| Value::Int(Some(i64::try_from(v).unwrap_or(i64::MAX)));
    bool => |v| Value::Bool(v);
    app::model::Timestamp => |v| Value::Int(Some(v.0));
    Option<app::model::Timestamp> => |v| Value::Int(v.map(|v| v.0));
}

macro_rules! id_values {
    ($($id:ident)*) => { $(
        impl From<&app::model::$id> for Value { fn from(v: &app::model::$id) -> Self { Self::Text(Some(v.as_str().to_owned())) } }
        impl From<Option<&app::model::$id>> for Value { fn from(v: Option<&app::model::$id>) -> Self { Self::Text(v.map(|v| v.as_str().to_owned())) } }
    )* };
}

id_values! {
    UserId TeamId ServiceId RepositoryId EnvironmentId TargetId ConfigSetId CandidateId ReleaseId RolloutId RunId StageId StepId RouteId
    TokenId LinkId EventId CacheId TeamName ServiceName EnvironmentName RepositoryName BaseName
}

/// The values of a statement, in the order of its placeholders.
#[macro_export]
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::Value::from($value)),*] };
}

/// A row of either database.
pub enum Row {
    /// Of SQLite.
    Sqlite(SqliteRow),
    /// Of PostgreSQL.
    Postgres(PgRow),
}

impl Row {
    fn get<'r, T>(&'r self, column: &str) -> Result<T>
    where
        T: sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite> + sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>,
        for<'c> &'c str: ColumnIndex<SqliteRow> + ColumnIndex<PgRow>,
    {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
        .map_err(|cause| unreadable(column, cause))
    }

    /// A text that is there.
    pub fn text(&self, column: &str) -> Result<String> {
        self.get(column)
    }

    /// A text that may be missing.
    pub fn text_opt(&self, column: &str) -> Result<Option<String>> {
        self.get(column)
    }

    /// A number that is there.
    pub fn int(&self, column: &str) -> Result<i64> {
        self.get(column)
    }

    /// A number that may be missing.
    pub fn int_opt(&self, column: &str) -> Result<Option<i64>> {
        self.get(column)
    }

    /// A number that is there and fits the type asked for.
    pub fn num<T: TryFrom<i64, Error: std::fmt::Display>>(&self, column: &str) -> Result<T> {
        T::try_from(self.int(column)?).map_err(|cause| unreadable(column, cause))
    }

    /// True or false.
    pub fn bool(&self, column: &str) -> Result<bool> {
        self.get(column)
    }

    /// A point in time.
    pub fn time(&self, column: &str) -> Result<app::model::Timestamp> {
        self.int(column).map(app::model::Timestamp)
    }

    /// A point in time that may be missing.
    pub fn time_opt(&self, column: &str) -> Result<Option<app::model::Timestamp>> {
        Ok(self.int_opt(column)?.map(app::model::Timestamp))
    }

    /// A JSON document.
    pub fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        serde_json::from_str(&self.text(column)?).map_err(|cause| unreadable(column, cause))
    }

    /// A text that parses: a name.
    pub fn parsed<T: FromStr<Err: std::fmt::Display>>(&self, column: &str) -> Result<T> {
        self.text(column)?.parse().map_err(|cause| unreadable(column, cause))
    }

    /// A text that names a state; `read` knows the names.
    pub fn named<T>(&self, column: &str, read: impl Fn(&str) -> Option<T>) -> Result<T> {
        let text = self.text(column)?;
        read(&text).ok_or_else(|| unreadable(column, format!("`{text}` is no such state")))
    }
}

/// The error of a column that does not read.
pub fn unreadable(column: &str, cause: impl std::fmt::Display) -> StoreError {
    StoreError::Unreadable { column: column.to_owned(), cause: cause.to_string() }
}

/// The rows that read; one that does not is set aside with a line in the log.
pub fn readable<T>(rows: &[Row], read: impl Fn(&Row) -> Result<T>) -> Vec<T> {
    rows.iter()
        .filter_map(|row| read(row).inspect_err(|error| tracing::warn!(%error, "a row does not read and is set aside")).ok())
        .collect()
}

fn bind_sqlite(sql: String, args: Vec<Value>) -> SqlxQuery<'static, Sqlite, SqliteArguments> {
    args.into_iter().fold(sqlx::query(AssertSqlSafe(sql)), |query, value| match value {
        Value::Text(text) => query.bind(text),
        Value::Int(int) => query.bind(int),
        Value::Bool(bool) => query.bind(bool),
    })
}

fn bind_postgres(sql: String, args: Vec<Value>) -> SqlxQuery<'static, Postgres, PgArguments> {
    args.into_iter().fold(sqlx::query(AssertSqlSafe(sql)), |query, value| match value {
        Value::Text(text) => query.bind(text),
        Value::Int(int) => query.bind(int),
        Value::Bool(bool) => query.bind(bool),
    })
}

/// Something that reads: `&Db`, or `&mut Tx` where the reading belongs to a change.
pub trait Query: Send + Sized {
    /// All rows of a statement.
    fn fetch_all(self, sql: impl Into<String> + Send, args: Vec<Value>) -> impl Future<Output = Result<Vec<Row>>> + Send;

    /// The first row, if there is one.
    fn fetch_opt(self, sql: impl Into<String> + Send, args: Vec<Value>) -> impl Future<Output = Result<Option<Row>>> + Send {
        async { Ok(self.fetch_all(sql, args).await?.into_iter().next()) }
    }

    /// What is read of each row of a statement. A row that does not read is set aside with a line in the log.
    fn fetch_each<T: Send>(
        self,
        sql: &str,
        args: Vec<Value>,
        read: impl Fn(&Row) -> Result<T> + Send,
    ) -> impl Future<Output = Result<Vec<T>>> + Send {
        async move { Ok(readable(&self.fetch_all(sql, args).await?, read)) }
    }
}

/// What a database is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// To look alone: nothing can be changed.
    Look,
    /// To change what is there.
    Change,
    /// To make it where it is not there; PostgreSQL's are made by whoever looks after it.
    Make,
}

/// The database. Cheap to clone.
#[derive(Clone)]
pub enum Db {
    /// A file: many readers, one writer.
    Sqlite {
        /// For reading.
        readers: SqlitePool,
        /// The one connection that writes.
        writer: SqlitePool,
    },
    /// A server, shared by several Berths.
    Postgres(PgPool),
}

impl Db {
    /// Opens the database and brings it up to date.
    ///
    /// `address` is `postgres://…`, or `sqlite:PATH`; the file is made if it is missing.
    ///
    /// # Errors
    /// Where it cannot be opened, or holds the schema of a newer Berth.
    pub async fn open(address: &str) -> Result<Self> {
        let db = Self::connect(address, Open::Make).await?;
        db.migrate(None).await?;
        Ok(db)
    }

    /// Opens the database as it is.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub async fn connect(address: &str, how: Open) -> Result<Self> {
        if address.starts_with("postgres://") || address.starts_with("postgresql://") {
            return Ok(Self::Postgres(PgPoolOptions::new().max_connections(12).acquire_timeout(PATIENCE).connect(address).await?));
        }
        let Some(path) = address.strip_prefix("sqlite:") else {
            return Err(StoreError::Address(format!("`{address}` is no database. Use `sqlite:PATH` or `postgres://USER@HOST/NAME`.")));
        };
        let options = SqliteConnectOptions::new()
            .filename(Path::new(path.trim_start_matches("//")))
            .busy_timeout(PATIENCE)
            .row_buffer_size(ROWS_AHEAD);
        let pool = |connections| {
            let options = SqlitePoolOptions::new().max_connections(connections).acquire_timeout(PATIENCE);
            // Where SQLite ends a transaction by itself, on a full disk for instance, the connection goes on believing in it and
            // would begin no other.
            options.before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
        };
        let reading = options.clone().read_only(true).create_if_missing(false).foreign_keys(true);
        if how == Open::Look {
            let readers = pool(4).connect_with(reading).await?;
            return Ok(Self::Sqlite { writer: readers.clone(), readers });
        }
        let writing = options
            .create_if_missing(how == Open::Make)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true);
        let writer = pool(1).connect_with(writing).await?;
        Ok(Self::Sqlite { readers: pool(4).connect_with(reading).await?, writer })
    }

    /// Brings the schema up to this version, or to the newest.
    ///
    /// # Errors
    /// Where it is newer than this program knows, or a migration fails.
    pub async fn migrate(&self, to: Option<i64>) -> Result<()> {
        let to = to.unwrap_or_else(Self::newest_schema);
        match self {
            Self::Sqlite { writer, .. } => MIGRATIONS.run_to(to, writer).await?,
            Self::Postgres(pool) => MIGRATIONS.run_to(to, pool).await?,
        }
        Ok(())
    }

    /// The version of the schema that this program knows.
    pub fn newest_schema() -> i64 {
        MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
    }

    /// The version of the schema that is there; none where there is none yet.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn schema(&self) -> Result<Option<i64>> {
        let there = match self {
            Self::Sqlite { .. } => "SELECT 1 AS one FROM sqlite_master WHERE name = '_sqlx_migrations'",
            Self::Postgres(_) => "SELECT 1 AS one FROM pg_class WHERE oid = to_regclass('_sqlx_migrations')",
        };
        if self.fetch_opt(there, Vec::new()).await?.is_none() {
            return Ok(None);
        }
        let row = self.fetch_opt("SELECT MAX(version) AS version FROM _sqlx_migrations", Vec::new()).await?;
        row.map_or(Ok(None), |row| row.int_opt("version"))
    }

    /// Begins a look at everything as it is at one moment, whatever is written meanwhile.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn snapshot(&self) -> Result<Tx> {
        Ok(match self {
            Self::Sqlite { readers, .. } => Tx::Sqlite(readers.begin().await?),
            Self::Postgres(pool) => Tx::Postgres(pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?),
        })
    }

    /// Whether a database answers at this address, without making or changing anything; says what is there.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn probe(address: &str) -> Result<&'static str> {
        if address.starts_with("postgres://") || address.starts_with("postgresql://") {
            // One connection, not a pool: that would try again and again.
            sqlx::PgConnection::connect(address).await?.close().await?;
            return Ok("PostgreSQL answers.");
        }
        let path = Path::new(address.strip_prefix("sqlite:").unwrap_or(address));
        if !path.exists() {
            return Ok("not there yet; it is made at the first start.");
        }
        let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(PATIENCE);
        let pool = SqlitePoolOptions::new().max_connections(1).acquire_timeout(PATIENCE).connect_with(options).await?;
        // A file that is no database opens well, and reads badly.
        let read = sqlx::query("SELECT count(*) FROM sqlite_master").fetch_one(&pool).await;
        pool.close().await;
        read?;
        Ok("the file reads.")
    }

    /// Whether several Berths may share it.
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Begins a change. Nothing else writes on SQLite until it ends; make no call to the world inside.
    pub async fn begin(&self) -> Result<Tx> {
        let asked = Instant::now();
        let begun = match self {
            Self::Sqlite { writer, .. } => writer.begin_with("BEGIN IMMEDIATE").await.map(Tx::Sqlite),
            Self::Postgres(pool) => pool.begin().await.map(Tx::Postgres),
        };
        match &begun {
            Ok(_) => metrics::change_begun(asked.elapsed()),
            Err(_) => metrics::change_ended(false),
        }
        Ok(begun?)
    }

    /// Closes every connection.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { readers, writer } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Query for &Db {
    async fn fetch_all(self, sql: impl Into<String> + Send, args: Vec<Value>) -> Result<Vec<Row>> {
        Ok(match self {
            Db::Sqlite { readers, .. } => bind_sqlite(sql.into(), args).fetch_all(readers).await?.into_iter().map(Row::Sqlite).collect(),
            Db::Postgres(pool) => bind_postgres(sql.into(), args).fetch_all(pool).await?.into_iter().map(Row::Postgres).collect(),
        })
    }

    /// As the rows come: however many there are, few are held.
    async fn fetch_each<T: Send>(self, sql: &str, args: Vec<Value>, read: impl Fn(&Row) -> Result<T> + Send) -> Result<Vec<T>> {
        let sql = sql.to_owned();
        let mut rows: BoxStream<'_, Result<Row>> = match self {
            Db::Sqlite { readers, .. } => Box::pin(bind_sqlite(sql, args).fetch(readers).map_ok(Row::Sqlite).map_err(StoreError::from)),
            Db::Postgres(pool) => Box::pin(bind_postgres(sql, args).fetch(pool).map_ok(Row::Postgres).map_err(StoreError::from)),
        };
        let mut all = Vec::new();
        while let Some(row) = rows.try_next().await? {
            all.extend(readable(std::slice::from_ref(&row), &read));
        }
        Ok(all)
    }
}

/// A change: all of it or nothing. Dropped without [`Tx::commit`], it never happened.
pub enum Tx {
    /// On SQLite.
    Sqlite(Transaction<'static, Sqlite>),
    /// On PostgreSQL.
    Postgres(Transaction<'static, Postgres>),
}

impl Tx {
    /// Carries out a statement and says how many rows it changed.
    pub async fn execute(&mut self, sql: impl Into<String>, args: Vec<Value>) -> Result<u64> {
        Ok(match self {
            Self::Sqlite(tx) => bind_sqlite(sql.into(), args).execute(&mut **tx).await?.rows_affected(),
            Self::Postgres(tx) => bind_postgres(sql.into(), args).execute(&mut **tx).await?.rows_affected(),
        })
    }

    /// The rows of a statement without values, as they come: however many there are, few are held.
    pub fn stream(&mut self, sql: String) -> BoxStream<'_, Result<Row>> {
        match self {
            Self::Sqlite(tx) => Box::pin(bind_sqlite(sql, Vec::new()).fetch(&mut **tx).map_ok(Row::Sqlite).map_err(StoreError::from)),
            Self::Postgres(tx) => Box::pin(bind_postgres(sql, Vec::new()).fetch(&mut **tx).map_ok(Row::Postgres).map_err(StoreError::from)),
        }
    }

    /// Makes the change last. Before and after it is a fail point, named by the place that commits.
    #[cfg_attr(not(feature = "failpoints"), expect(clippy::manual_async_fn, reason = "an async fn would not see its caller's place"))]
    #[track_caller]
    pub fn commit(self) -> impl Future<Output = Result<()>> + Send {
        #[cfg(feature = "failpoints")]
        let place = std::panic::Location::caller();
        async move {
            point!(&crate::failpoints::at("commit::before", place), Err(sqlx::Error::PoolTimedOut.into()));
            let done = match self {
                Self::Sqlite(tx) => tx.commit().await,
                Self::Postgres(tx) => tx.commit().await,
            };
            metrics::change_ended(done.is_ok());
            point!(&crate::failpoints::at("commit::after", place), Err(sqlx::Error::PoolTimedOut.into()));
            Ok(done?)
        }
    }

    /// Makes everybody who asks for the same name wait until this change ends. On SQLite there is one writer anyway.
    pub async fn lock(&mut self, name: &str) -> Result<()> {
        if let Self::Postgres(tx) = self {
            sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))").bind(name).execute(&mut **tx).await?;
        }
        Ok(())
    }

    /// The end of a `SELECT` that claims rows: leaves out what another claim holds.
    pub fn skip_locked(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "",
            Self::Postgres(_) => " FOR UPDATE SKIP LOCKED",
        }
    }
}

impl Query for &mut Tx {
    async fn fetch_all(self, sql: impl Into<String> + Send, args: Vec<Value>) -> Result<Vec<Row>> {
        Ok(match self {
            Tx::Sqlite(tx) => bind_sqlite(sql.into(), args).fetch_all(&mut **tx).await?.into_iter().map(Row::Sqlite).collect(),
            Tx::Postgres(tx) => bind_postgres(sql.into(), args).fetch_all(&mut **tx).await?.into_iter().map(Row::Postgres).collect(),
        })
    }
}
