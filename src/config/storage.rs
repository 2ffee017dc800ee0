//! The data directory and the stores in it.

use std::{path::PathBuf, time::Duration};

use super::{
    form::{Count, FilePath, size::Size, time::Time},
    setting::{Setting, setting},
};

/// `[storage]`
#[derive(Debug, Clone)]
pub struct Storage {
    /// Everything memgate keeps (`MEMORYOS_DATA_DIR`, `--data-dir`).
    pub data_dir: PathBuf,
    /// Tenants whose databases may be open at once; further lowered to fit the process's limit
    /// of open files.
    pub open_tenants: usize,
    /// Reading connections of one open tenant.
    pub readers_per_tenant: usize,
    /// An open tenant that nobody uses is closed after this.
    pub tenant_idle: Duration,
    /// Text of one memory, in bytes.
    pub max_memory_bytes: usize,
    /// One search may take so long.
    pub query_timeout: Duration,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("./memgate-data"),
            open_tenants: 1024,
            readers_per_tenant: 2,
            tenant_idle: Duration::from_mins(5),
            max_memory_bytes: 256 * 1024,
            query_timeout: Duration::from_millis(250),
        }
    }
}

pub(in crate::config) const SETTINGS: &[Setting] = &[
    setting!(storage.data_dir: FilePath; "everything memgate keeps"),
    setting!(storage.open_tenants: Count<usize>, 1..=100_000;
        "tenants whose databases may be open at once"),
    setting!(storage.readers_per_tenant: Count<usize>, 1..=16;
        "reading connections of one open tenant"),
    setting!(storage.tenant_idle: Time, Duration::from_secs(1)..=Duration::from_hours(24);
        "an open tenant that nobody uses is closed after this"),
    setting!(storage.max_memory_bytes: Size, 1024..=16 << 20; "text of one memory"),
    setting!(storage.query_timeout: Time, Duration::from_millis(10)..=Duration::from_mins(1);
        "one search may take so long"),
];
