//! One protocol service for each tenant, a bounded number of them at once.
//!
//! The protocol library's session manager, its event cache and its streams know no owner: who
//! holds a session id may use it. With a manager for each tenant, what one tenant holds opens
//! nothing of another's even if every check in front should fail (I8, I11). A service without
//! sessions and without open streams is worth nothing, so those are the ones that make room.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rmcp::{
    ServerHandler,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};
use tokio_util::sync::CancellationToken;

use super::{direct::PlainCalls, guard::Guarded};
use crate::{
    config::Settings,
    domain::{
        Error, Kind, Result,
        clock::Clock,
        tenant::{Tenant, TenantId},
    },
};

/// A handler that has not answered so long after a tool call's own limit never will.
const GRACE: Duration = Duration::from_secs(5);
/// When a place may be free again.
const FULL_FOR: Duration = Duration::from_secs(5);

/// Makes the handlers that answer a tenant's messages.
///
/// Called for every stateless request and every session, so it must cost no more than a few
/// reference counts. Everything it shares between tenants, it shares between tenants.
pub trait Handlers: fmt::Debug + Send + Sync + 'static {
    /// The handler.
    type Handler: ServerHandler;

    /// A handler for this tenant.
    fn for_tenant(&self, tenant: &Tenant) -> Self::Handler;

    /// Who answers plain tool calls without the library, if these handlers can; the answers are
    /// those of the tenant's handler, to the word. Handlers that can are quiet, and the ledger
    /// alone keeps their sessions.
    fn plain_calls(&self) -> Option<Arc<dyn PlainCalls>> {
        None
    }
}

/// One tenant's service.
pub struct Service<H: Handlers> {
    /// Answers requests.
    pub http: StreamableHttpService<Guarded<H::Handler>, LocalSessionManager>,
    /// Its sessions.
    pub sessions: Arc<LocalSessionManager>,
    stop: CancellationToken,
    /// Milliseconds of the monotonic clock at the newest use.
    used: AtomicU64,
}

impl<H: Handlers> fmt::Debug for Service<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("used", &self.used).finish_non_exhaustive()
    }
}

/// The services that are open.
#[derive(Debug)]
pub struct Services<H: Handlers> {
    handlers: Arc<H>,
    open: RwLock<HashMap<TenantId, Arc<Service<H>>>>,
    max: usize,
    limits: Limits,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
}

#[derive(Debug, Clone, Copy)]
struct Limits {
    body_bytes: usize,
    handler_timeout: Duration,
    json_response: bool,
}

impl<H: Handlers> Services<H> {
    /// No service yet. Cancelling `stop` ends every session and stream.
    #[must_use]
    pub fn new(
        handlers: H,
        settings: &Settings,
        clock: Arc<dyn Clock>,
        stop: CancellationToken,
    ) -> Self {
        Self {
            handlers: Arc::new(handlers),
            open: RwLock::default(),
            max: settings.mcp.max_services.max(1),
            limits: Limits {
                body_bytes: settings.listen.max_body_bytes,
                handler_timeout: settings.mcp.tool_timeout + GRACE,
                json_response: settings.mcp.json_response,
            },
            clock,
            stop,
        }
    }

    /// The tenant's service. Whoever holds it keeps it open.
    ///
    /// # Errors
    /// `Overloaded` when every place is taken by tenants with sessions or streams.
    pub fn of(&self, tenant: &Tenant) -> Result<Arc<Service<H>>> {
        let now = u64::try_from(self.clock.monotonic().as_millis()).unwrap_or(u64::MAX);
        {
            let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(service) = open.get(&tenant.id) {
                service.used.store(now, Ordering::Relaxed);
                return Ok(Arc::clone(service));
            }
        }
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        if !open.contains_key(&tenant.id) && open.len() >= self.max {
            make_room(&mut open)?;
        }
        let service =
            open.entry(tenant.id.clone()).or_insert_with(|| Arc::new(self.start(tenant, now)));
        Ok(Arc::clone(service))
    }

    fn start(&self, tenant: &Tenant, now: u64) -> Service<H> {
        let mut sessions = LocalSessionManager::default();
        // The ledger ends idle sessions and knows which have a stream open; the library's own
        // timer knows messages only and would cut a stream that is merely silent.
        sessions.session_config.keep_alive = None;
        let sessions = Arc::new(sessions);
        let stop = self.stop.child_token();
        // Host and Origin are judged once, for every route, by the guard in `http`, which knows
        // more (duplicates, the request target, what the operator trusts). Two lists would one
        // day differ. There is no event store: it would replay by id alone, to anybody (I8).
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(self.handlers.plain_calls().is_none())
            .disable_allowed_hosts()
            .disable_allowed_origins()
            .with_json_response(self.limits.json_response)
            .with_max_request_body_bytes(self.limits.body_bytes)
            .with_cancellation_token(stop.clone());
        let (handlers, tenant) = (Arc::clone(&self.handlers), tenant.clone());
        let timeout = self.limits.handler_timeout;
        let http = StreamableHttpService::new(
            move || Ok(Guarded::new(handlers.for_tenant(&tenant), timeout)),
            Arc::clone(&sessions),
            config,
        );
        Service { http, sessions, stop, used: AtomicU64::new(now) }
    }

    /// A handler for one message of this tenant.
    #[must_use]
    pub fn handler(&self, tenant: &Tenant) -> H::Handler {
        self.handlers.for_tenant(tenant)
    }

    /// How many are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Closes the service that nobody has used for the longest time. It runs under the write lock,
/// so whoever is not counted now cannot come by.
fn make_room<H: Handlers>(open: &mut HashMap<TenantId, Arc<Service<H>>>) -> Result<()> {
    let oldest = open
        .iter()
        .filter(|(_, service)| {
            Arc::strong_count(service) == 1
                && service.sessions.sessions.try_read().is_ok_and(|sessions| sessions.is_empty())
        })
        .min_by_key(|(_, service)| service.used.load(Ordering::Relaxed))
        .map(|(id, _)| id.clone());
    let Some(oldest) = oldest else {
        return Err(Error::new(
            Kind::Overloaded { retry_after: FULL_FOR },
            "too many tenants are connected at once, retry later",
        ));
    };
    if let Some(service) = open.remove(&oldest) {
        service.stop.cancel();
    }
    Ok(())
}
