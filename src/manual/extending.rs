//! # Changing memgate
//!
//! | to add | touch | and the build reminds you by |
//! |---|---|---|
//! | a memory tool | one file in `src/tools/`, one line in its catalogue; for a new right: `domain/action.rs`, `policies/schema.cedarschema`, a case in `policies/tests/` | the schema test, the golden matrix |
//! | a way to authenticate | a `Scheme` in `src/auth/`, one line in its ordered list | the persona tests |
//! | a storage backend | an implementation of [`TenantStore`](crate::store::TenantStore) | the conformance suite |
//! | a command | a file in `src/cli/`, a variant of its enum | the help snapshot |
//! | an admin endpoint | a file in `src/http/admin/`, a row in the route table | the walk over the route table, which fails for a row without expectations |
//! | a setting | a field in its `config/` section, a row in the settings table | `config show`, the README's table test |
//! | a layer | a file in `src/http/layers/`, a line *with a reason* in `http/stack.rs` | the stack's tests |
//!
//! ## House rules
//!
//! Imports point left ([`architecture`](super::architecture)). One noun or one verb a file. Time
//! and randomness are arguments. Every task belongs to the app's tracker. A secret is a
//! [`Secret`](crate::domain::secret::Secret). An error has a sentence for outside and a cause for
//! inside. A rule that guards somebody's memory is enforced in one place, is marked
//! `INVARIANT`, and its test carries the invariant's name. `tests/tidy.rs` checks what a machine
//! can check of this.
