//! How many tenants can be open at once on this machine: what was asked for, or what the
//! process's limit of open files leaves after the connections.

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::config::storage::Storage;

/// Files of an open tenant's writer: the database, its log, its shared memory.
const WRITER_FILES: u64 = 3;
/// Files of one reader: the database and its log; shared memory is shared.
const READER_FILES: u64 = 2;
/// Kept for connections and everything else, unless that is more than half.
const KEPT_FILES: u64 = 4096 + 256;
/// However tight it is, so many tenants get a place.
const FEWEST: usize = 4;

/// Raises the process's soft limit of open files to the hard one, and says how many tenants fit.
pub(super) fn places(settings: &Storage) -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum || limit.maximum.is_none() {
        let soft = limit.current;
        limit.current = limit.maximum;
        if setrlimit(Resource::Nofile, limit).is_err() {
            limit.current = soft;
        }
    }
    let places = fitting(limit.current, settings);
    if places < settings.open_tenants {
        tracing::warn!(
            wanted = settings.open_tenants,
            places,
            "the limit of open files leaves room for fewer open tenants; raise it with `ulimit -n`"
        );
    }
    places
}

/// `files` is the limit, `None` without one.
fn fitting(files: Option<u64>, settings: &Storage) -> usize {
    let wanted = settings.open_tenants.max(1);
    let Some(files) = files else { return wanted };
    let readers = u64::try_from(settings.readers_per_tenant.max(1)).unwrap_or(u64::MAX);
    let each = readers.saturating_mul(READER_FILES).saturating_add(WRITER_FILES);
    let free = files - KEPT_FILES.min(files / 2);
    usize::try_from(free / each).unwrap_or(usize::MAX).max(FEWEST).min(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(open_tenants: usize, readers_per_tenant: usize) -> Storage {
        Storage { open_tenants, readers_per_tenant, ..Storage::default() }
    }

    #[test]
    fn files_bound_the_places() {
        for (files, wanted, readers, places) in [
            (None, 1024, 2, 1024),
            (Some(1_048_576), 1024, 2, 1024),
            (Some(20_000), 1024, 2, 1024),
            (Some(20_000), 100_000, 2, 2235),
            (Some(1024), 1024, 2, 73),
            (Some(16), 1024, 2, FEWEST),
            (Some(16), 1, 2, 1),
            (Some(0), 1024, 2, FEWEST),
        ] {
            assert_eq!(fitting(files, &settings(wanted, readers)), places, "{files:?}");
        }
    }

    #[test]
    fn the_soft_limit_is_raised() {
        places(&settings(1, 1));
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }
}
