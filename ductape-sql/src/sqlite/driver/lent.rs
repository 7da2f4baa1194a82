//! A connection borrowed from the program's own pool, given back as it was.

use ductape_engine::DbError;
use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Row, Sqlite, SqliteConnection, SqlitePool};
use tokio::runtime::Handle;

/// A borrowed connection.
pub(super) struct Lent {
    /// There until it is dropped.
    connection: Option<PoolConnection<Sqlite>>,
    /// What puts it back as it was, if it is for writing.
    restore: Option<String>,
}

impl Lent {
    /// Borrows one.
    pub async fn from(pool: &SqlitePool, write: bool) -> Result<Self, DbError> {
        let failed = |error| DbError::connection(format!("the pool gave no connection: {error}"));
        let mut lent = Self {
            connection: Some(pool.acquire().await.map_err(failed)?),
            restore: None,
        };
        if write {
            let row = sqlx::query("PRAGMA foreign_keys")
                .fetch_one(lent.get()?)
                .await
                .map_err(failed)?;
            let enforced: i64 = row.try_get(0).map_err(failed)?;
            // Before it is changed: whoever drops this in its middle finds it as it was, too.
            lent.restore = Some(format!("PRAGMA foreign_keys = {enforced}"));
            sqlx::raw_sql("PRAGMA foreign_keys = ON")
                .execute(lent.get()?)
                .await
                .map_err(failed)?;
        }
        Ok(lent)
    }

    /// The connection.
    pub fn get(&mut self) -> Result<&mut SqliteConnection, DbError> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            None => Err(DbError::connection("the connection was given back")),
        }
    }
}

impl Drop for Lent {
    /// A session that ended in its middle left its transaction open: nobody else may find it so.
    fn drop(&mut self) {
        let (Some(mut connection), Some(restore)) = (self.connection.take(), self.restore.take())
        else {
            return;
        };
        match Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn(async move {
                    // Without an open transaction it fails, and nothing is to be done.
                    let _ = sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await;
                    let text = format!("PRAGMA legacy_alter_table = OFF; {restore}");
                    if sqlx::raw_sql(AssertSqlSafe(text))
                        .execute(&mut *connection)
                        .await
                        .is_err()
                    {
                        connection.close_on_drop();
                    }
                });
            }
            Err(_) => connection.close_on_drop(),
        }
    }
}
