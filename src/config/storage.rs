//! The data directory and the stores in it.

use std::{path::PathBuf, time::Duration};

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
            tenant_idle: Duration::from_secs(300),
            max_memory_bytes: 256 * 1024,
            query_timeout: Duration::from_millis(250),
        }
    }
}
