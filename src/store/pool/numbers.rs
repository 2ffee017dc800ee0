//! What an operator may know of all tenants together: counts and bytes, no names.

use std::{io, path::Path};

use serde::Serialize;

/// What the pool holds now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct PoolStats {
    /// Tenants that may be open at once.
    pub places: usize,
    /// Tenants that are open, opening or closing.
    pub open: usize,
    /// Open tenants that a call is using.
    pub in_use: usize,
    /// Tenants whose database was refused a moment ago.
    pub refused: usize,
}

/// What all tenants have on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct DiskUse {
    /// Tenants with a directory.
    pub tenants: u64,
    /// Bytes of their databases and logs.
    pub bytes: u64,
}

impl DiskUse {
    /// One walk over the tenants' directories in `root`. Blocks.
    pub(super) fn below(root: &Path) -> io::Result<Self> {
        let mut used = Self::default();
        for tenant in std::fs::read_dir(root)? {
            let tenant = tenant?.path();
            used.tenants += 1;
            for file in ["memory.db", "memory.db-wal"] {
                // A log comes and goes; what is not there takes no room.
                used.bytes += tenant.join(file).symlink_metadata().map_or(0, |meta| meta.len());
            }
        }
        Ok(used)
    }
}
