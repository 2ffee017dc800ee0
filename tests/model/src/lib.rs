//! The race between a key that is being verified and its end, in every order there is.
//!
//! `auth::scheme::api_key` remembers a key that verified, so that argon2 stays off the path of
//! the next request; `registry::keyring` ends a key (revoked) or one of its secrets (a new one took
//! its place) at any moment between two of those steps. The steps below are theirs, in their order;
//! `loom` runs them in every interleaving that the memory model of Rust allows, with as many
//! switches between threads as `tests/model/run` sets. What is left out
//! costs time and decides nothing: the disk, the hashing, the limits.
//!
//! Each property is also shown to have teeth: with two steps exchanged, `loom` finds the order in
//! which it breaks.

use std::sync::PoisonError;

use loom::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

/// A presented text: which of a key's secrets it is.
pub type Text = u8;

/// The secrets of one key that are remembered at once.
const MAX_TEXTS: usize = 2;

/// Which steps are in the wrong order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steps {
    /// None.
    AsInTheProgram,
    /// What is remembered is believed without a look at the key.
    TrustWhatIsRemembered,
    /// The key is looked at before it is remembered, and not again.
    LookThenRemember,
    /// Two steps to remember: read the entry, then put a new one in its place.
    RememberInTwoSteps,
}

/// One key, and what is remembered of it.
#[derive(Debug)]
pub struct Gate {
    /// `Key::gone`: a token that takes a lock to be looked at or cancelled, as `tokio_util`'s does.
    gone: Mutex<bool>,
    /// `Proof::until` of the first secret, as far as it has passed.
    first_is_over: AtomicBool,
    /// `auth::cache::Verified`, the entry of this key.
    remembered: Mutex<Vec<Text>>,
    steps: Steps,
}

impl Gate {
    /// A key that works, and was never used.
    pub fn new(steps: Steps) -> Self {
        Self {
            gone: Mutex::new(false),
            first_is_over: AtomicBool::new(false),
            remembered: Mutex::default(),
            steps,
        }
    }

    /// `ApiKeys::judge`: whether a request with this secret of the key is let in.
    pub fn request(&self, text: Text) -> bool {
        if self.recall(text) {
            return self.steps == Steps::TrustWhatIsRemembered || self.accept(text);
        }
        if !self.works(text) {
            return false;
        }
        // Here argon2 runs, and anything may happen meanwhile.
        if self.steps == Steps::LookThenRemember {
            let accepted = self.works(text);
            self.remember(text);
            return accepted;
        }
        self.remember(text);
        self.accept(text)
    }

    /// `Keyring::revoke`, after the write: the token, then the hook that forgets.
    pub fn revoke(&self) {
        *self.gone.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.forget();
    }

    /// `Keyring::rotate` without an overlap: the first secret is over. Nothing is forgotten.
    pub fn rotate(&self) {
        self.first_is_over.store(true, Ordering::SeqCst);
    }

    /// Whether anything is remembered.
    pub fn remembers(&self, text: Text) -> bool {
        self.recall(text)
    }

    /// `ApiKeys::accept`: the last look, after everything that took time.
    fn accept(&self, text: Text) -> bool {
        let works = self.works(text);
        if !works {
            self.forget();
        }
        works
    }

    fn works(&self, text: Text) -> bool {
        let gone = *self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        !gone && (text != 0 || !self.first_is_over.load(Ordering::SeqCst))
    }

    fn recall(&self, text: Text) -> bool {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner).contains(&text)
    }

    fn remember(&self, text: Text) {
        let with = |texts: &[Text]| {
            let mut texts: Vec<_> = texts.iter().copied().filter(|known| *known != text).collect();
            let most = texts.len().saturating_sub(MAX_TEXTS - 1);
            texts.drain(..most);
            texts.push(text);
            texts
        };
        if self.steps == Steps::RememberInTwoSteps {
            let before = self.remembered.lock().unwrap_or_else(PoisonError::into_inner).clone();
            *self.remembered.lock().unwrap_or_else(PoisonError::into_inner) = with(&before);
            return;
        }
        let mut entry = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        *entry = with(&entry);
    }

    fn forget(&self) {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use loom::{sync::Arc, thread};

    use super::*;

    /// Runs `story` in every order; whether it holds in all of them.
    fn holds(steps: Steps, story: impl Fn(Arc<Gate>) + Send + Sync + 'static) -> bool {
        let all = || loom::model(move || story(Arc::new(Gate::new(steps))));
        catch_unwind(AssertUnwindSafe(all)).is_ok()
    }

    /// Somebody verifies the key while somebody else ends it and then tries it.
    fn race(gate: &Arc<Gate>, end: impl FnOnce(&Gate) + Send + 'static) {
        let verifying = {
            let gate = Arc::clone(gate);
            thread::spawn(move || gate.request(0))
        };
        let ending = {
            let gate = Arc::clone(gate);
            thread::spawn(move || {
                end(&gate);
                assert!(!gate.request(0), "let in after its end");
            })
        };
        verifying.join().unwrap();
        ending.join().unwrap();
    }

    fn revoked_on_the_next_request(gate: Arc<Gate>) {
        race(&gate, Gate::revoke);
        assert!(!gate.request(0));
    }

    fn nothing_is_remembered_of_a_revoked_key(gate: Arc<Gate>) {
        race(&gate, Gate::revoke);
        assert!(!gate.remembers(0), "an entry stays");
    }

    fn an_old_secret_is_refused_and_the_new_one_is_not(gate: Arc<Gate>) {
        let new = {
            let gate = Arc::clone(&gate);
            thread::spawn(move || assert!(gate.request(1), "the new secret is always let in"))
        };
        race(&gate, Gate::rotate);
        new.join().unwrap();
    }

    fn two_secrets_are_both_remembered(gate: Arc<Gate>) {
        let other = {
            let gate = Arc::clone(&gate);
            thread::spawn(move || assert!(gate.request(0)))
        };
        assert!(gate.request(1));
        other.join().unwrap();
        assert!(gate.remembers(0) && gate.remembers(1), "one was lost");
    }

    #[test]
    fn i9_a_revoked_key_is_refused_on_the_next_request_in_every_order() {
        assert!(holds(Steps::AsInTheProgram, revoked_on_the_next_request));
        assert!(!holds(Steps::TrustWhatIsRemembered, revoked_on_the_next_request), "no teeth");
    }

    #[test]
    fn i9_nothing_is_remembered_of_a_revoked_key_in_any_order() {
        assert!(holds(Steps::AsInTheProgram, nothing_is_remembered_of_a_revoked_key));
        assert!(!holds(Steps::LookThenRemember, nothing_is_remembered_of_a_revoked_key), "no teeth");
    }

    #[test]
    fn i9_an_old_secret_is_refused_in_every_order_and_the_new_one_in_none() {
        let story = an_old_secret_is_refused_and_the_new_one_is_not;
        assert!(holds(Steps::AsInTheProgram, story));
        assert!(!holds(Steps::TrustWhatIsRemembered, story), "no teeth");
    }

    #[test]
    fn two_secrets_that_verify_at_once_are_both_remembered() {
        assert!(holds(Steps::AsInTheProgram, two_secrets_are_both_remembered));
        assert!(!holds(Steps::RememberInTwoSteps, two_secrets_are_both_remembered), "no teeth");
    }
}
