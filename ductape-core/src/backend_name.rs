//! The databases, by the names that a migration file uses.

use crate::json::{Node, Read, Reader, words};
use std::collections::BTreeMap;

words! {
    /// A database, as `raw`, `native` and per-database expressions name it.
    pub enum BackendName = "the name of a database" {
        /// PostgreSQL.
        "postgresql" => Postgresql,
        /// MySQL.
        "mysql" => Mysql,
        /// MariaDB.
        "mariadb" => Mariadb,
        /// SQLite.
        "sqlite" => Sqlite,
        /// MongoDB.
        "mongodb" => Mongodb,
        /// DynamoDB.
        "dynamodb" => Dynamodb,
        /// Cassandra and ScyllaDB.
        "cassandra" => Cassandra,
    }
}

impl BackendName {
    /// Whether the options of SQL databases are for it.
    pub const fn takes_sql_options(self) -> bool {
        match self {
            Self::Postgresql | Self::Mysql | Self::Mariadb | Self::Sqlite => true,
            Self::Mongodb | Self::Dynamodb | Self::Cassandra => false,
        }
    }
}

impl<T: Read> Read for BTreeMap<BackendName, T> {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let Node::Object(entries) = node else {
            return reader.expected("an object with the names of databases as keys", node);
        };
        let read: Vec<Option<(BackendName, T)>> = entries
            .iter()
            .map(|(key, value)| {
                reader.within(key, |reader| {
                    let backend = BackendName::read(&Node::Text(key.clone()), reader);
                    let value = T::read(value, reader);
                    backend.zip(value)
                })
            })
            .collect();
        read.into_iter().collect()
    }
}
