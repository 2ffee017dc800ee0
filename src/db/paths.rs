//! Where everything lies inside the data directory: names only, no file is touched.
//!
//! A tenant's part of a path is its [`TenantId`], which memgate made and which can hold neither
//! a separator nor a dot; labels are never part of a path.

use std::path::{Path, PathBuf};

use crate::domain::tenant::TenantId;

/// The paths below one data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    root: PathBuf,
}

impl Paths {
    /// The paths below `root`.
    #[must_use]
    pub fn below(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The data directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Held locked by the process that uses the directory.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.root.join("LOCK")
    }

    /// Tenants, keys, session ledger.
    #[must_use]
    pub fn control_db(&self) -> PathBuf {
        self.root.join("control.db")
    }

    /// The local administration socket of a running server.
    #[must_use]
    pub fn control_socket(&self) -> PathBuf {
        self.root.join("control.sock")
    }

    /// First-run keys.
    #[must_use]
    pub fn bootstrap_dir(&self) -> PathBuf {
        self.root.join("bootstrap")
    }

    /// The audit log.
    #[must_use]
    pub fn audit_dir(&self) -> PathBuf {
        self.root.join("audit")
    }

    /// One directory a tenant.
    #[must_use]
    pub fn tenants_dir(&self) -> PathBuf {
        self.root.join("tenants")
    }

    /// One empty file for every tenant whose database was made once, apart from the databases,
    /// so that a lost one is told from one that never was.
    #[must_use]
    pub fn marks_dir(&self) -> PathBuf {
        self.root.join("marks")
    }

    /// That tenant's directory.
    #[must_use]
    pub fn tenant_dir(&self, id: &TenantId) -> PathBuf {
        self.tenants_dir().join(id.as_str())
    }

    /// That tenant's mark.
    #[must_use]
    pub fn tenant_mark(&self, id: &TenantId) -> PathBuf {
        self.marks_dir().join(id.as_str())
    }
}
