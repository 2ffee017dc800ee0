//! Opening SQLite the right way, and migrations; nothing of meaning.
//!
//! [`data_dir`] owns the directory and its lock, [`sqlite`] is the only place that opens a
//! connection, [`disk`] knows whether there is room, [`migrate`] brings a file to the present
//! schema or refuses it, [`secret_file`] writes what only its owner may read. What the tables mean
//! is the business of `registry` and `store`.

pub mod data_dir;
pub mod disk;
pub mod migrate;
pub mod paths;
pub mod secret_file;
pub mod sqlite;
