//! The process itself: what it gives away when it dies or is looked at.
//!
//! Keys and memories are in memory while they are used, and a core dump is a copy of all of it on
//! disk. So dumps are switched off first thing, twice: no room for one, and a process that the
//! kernel counts as not dumpable, which also keeps other processes of the same user from reading
//! its memory and its environment. Where that does not work, the posture report says so.

use rustix::process::{self, Resource, Rlimit};

/// What the process is, as far as safety goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// It runs as root.
    pub is_root: bool,
    /// A crash may leave its memory on disk.
    pub dumps_core: bool,
    /// Others of the same user may look into its memory.
    pub is_readable: bool,
}

/// Switches core dumps off, as far as the system lets us; [`standing`] tells what came of it.
pub fn harden() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = process::setrlimit(Resource::Core, none);
    #[cfg(target_os = "linux")]
    let _ = process::set_dumpable_behavior(process::DumpableBehavior::NotDumpable);
}

/// How the process stands now.
#[must_use]
pub fn standing() -> Standing {
    #[cfg(target_os = "linux")]
    let is_readable =
        !matches!(process::dumpable_behavior(), Ok(process::DumpableBehavior::NotDumpable));
    #[cfg(not(target_os = "linux"))]
    let is_readable = false;
    Standing {
        is_root: process::geteuid().is_root(),
        dumps_core: process::getrlimit(Resource::Core).current != Some(0) && is_readable,
        is_readable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hardened_process_leaves_no_core_and_is_not_read() {
        harden();
        let standing = standing();
        assert!(!standing.dumps_core && !standing.is_readable, "{standing:?}");
    }
}
