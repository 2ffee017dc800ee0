//! The plain calls that sessions have under way, so that a client can cancel one.
//!
//! In the revisions with sessions a client that hangs up has cancelled nothing; it says
//! `notifications/cancelled` with the request's id. A call stands here from its start to its end.

use std::sync::Arc;

use rmcp::model::RequestId;
use tokio_util::sync::CancellationToken;

use crate::{domain::session::SessionId, limits::shards::Shards};

type Name = (SessionId, RequestId);
type Calls = Arc<Shards<Name, CancellationToken>>;

/// What every session has under way.
#[derive(Debug, Default)]
pub struct UnderWay(Calls);

/// One call; dropping it means that the call has come to its end.
#[derive(Debug)]
pub struct Call {
    calls: Calls,
    name: Name,
    cancelled: CancellationToken,
}

impl UnderWay {
    /// The call `id` of `session` begins; `None` while another one has that very id, which no
    /// two requests of a session may have.
    #[must_use]
    pub fn begin(&self, session: &SessionId, id: RequestId) -> Option<Call> {
        let name = (session.clone(), id);
        let cancelled = CancellationToken::new();
        let free = self.0.with(&name, |calls| {
            let free = !calls.contains_key(&name);
            if free {
                calls.insert(name.clone(), cancelled.clone());
            }
            free
        });
        free.then(|| Call { calls: Arc::clone(&self.0), name, cancelled })
    }

    /// The client of `session` wants no answer to `id` any more. Says nothing of a call that is
    /// not there: it may have ended meanwhile.
    pub fn cancel(&self, session: &SessionId, id: RequestId) {
        let name = (session.clone(), id);
        if let Some(call) = self.0.with(&name, |calls| calls.get(&name).cloned()) {
            call.cancel();
        }
    }
}

impl Call {
    /// Cancelled when the client no longer wants it.
    #[must_use]
    pub fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.calls.with(&self.name, |calls| calls.remove(&self.name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::random::OsEntropy;

    #[test]
    fn a_call_is_cancelled_by_its_own_session_and_id_only() {
        let under_way = UnderWay::default();
        let [alice, bob] = [(); 2].map(|()| SessionId::random(&OsEntropy));
        let call = under_way.begin(&alice, RequestId::Number(1)).unwrap();
        assert!(under_way.begin(&alice, RequestId::Number(1)).is_none(), "one id, one call");
        let other = under_way.begin(&bob, RequestId::Number(1)).unwrap();
        under_way.cancel(&alice, RequestId::String("1".into()));
        under_way.cancel(&bob, RequestId::Number(2));
        assert!(!call.cancelled().is_cancelled());
        under_way.cancel(&alice, RequestId::Number(1));
        assert!(call.cancelled().is_cancelled() && !other.cancelled().is_cancelled());
        drop(call);
        assert!(under_way.begin(&alice, RequestId::Number(1)).is_some());
        drop(other);
        assert!(under_way.0.is_empty());
    }
}
