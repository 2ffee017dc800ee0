//! The one place where a name becomes an action, a permit and a call.
//!
//! The order is the rule: is the tool there for this key, does its token have the scope, whose
//! memory is meant, are the arguments the declared ones, is there a call left, does policy permit
//! it, and only then is a store opened and the tool run, inside a time limit and a fence against panics. No other
//! function of the room opens a store.
//!
//! INVARIANT I10 is held here: every end of every path comes through [`ending`],
//! where a decision becomes a record. What changes a memory is answered when its record is on
//! the disk, and is not begun while none can be written.

mod ending;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt as _;
use serde_json::{Map, Value};

use self::ending::{Ending, Told};
use super::{listing::USER_ID, visit::Visit};
use crate::{
    audit::{Outcome, Recorder},
    auth::Principal,
    config::Settings,
    domain::{
        Error, Kind, Result,
        action::{Action, Resource},
        clock::Clock,
        memory::Author,
        tenant::{Tenant, TenantLabel},
        tool::ToolName,
    },
    limits::rates::Rates,
    policy::{Denial, Engine},
    registry::tenants::Tenants,
    store::{TenantStore, pool::TenantStores},
    telemetry::{
        refusals::{Asked, Layer, Why},
        stats::Stats,
    },
    tools::{Answer, Catalogue, Context, Tool, ToolSpec, arguments},
};

/// What dispatch works with.
#[derive(Debug, Clone)]
pub struct Means {
    /// Who decides.
    pub engine: Arc<Engine>,
    /// The memories.
    pub stores: Arc<TenantStores>,
    /// Calls left.
    pub rates: Arc<Rates>,
    /// Labels to tenants, for `user_id`.
    pub tenants: Arc<Tenants>,
    /// What is counted.
    pub stats: Arc<Stats>,
    /// What is recorded.
    pub audit: Arc<Recorder>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Turns names into calls.
#[derive(Debug)]
pub struct Dispatch {
    catalogue: Catalogue,
    means: Means,
    server_name: Arc<str>,
    max_memory_bytes: usize,
    timeout: Duration,
}

impl Dispatch {
    /// Dispatch to the tools of `catalogue`.
    #[must_use]
    pub fn new(catalogue: Catalogue, settings: &Settings, means: Means) -> Self {
        Self {
            catalogue,
            means,
            server_name: settings.mcp.server_name.as_str().into(),
            max_memory_bytes: settings.storage.max_memory_bytes,
            timeout: settings.mcp.tool_timeout,
        }
    }

    /// The tools there are.
    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Calls a tool; `None` when this caller has no tool of that name.
    pub async fn call(
        &self,
        visit: &Visit,
        name: &str,
        arguments: Map<String, Value>,
    ) -> Option<Result<Answer>> {
        let principal = &visit.known().principal;
        let (packs, acts) = (principal.packs(), !principal.act_as().is_empty());
        let is_seen = |spec: &ToolSpec| spec.is_seen(packs, acts, principal.bounds());
        let there = self.catalogue.get(name);
        let Some(tool) = there.filter(|tool| is_seen(tool.spec())) else {
            self.unseen(visit, there.map(|tool| tool.spec()));
            return None;
        };
        let (spec, told) = (tool.spec(), Told::default());
        let work = self.permitted(visit, tool.as_ref(), arguments, &told);
        Some(self.fenced(visit, spec.name, spec.action, &told, work).await)
    }

    /// Does something else with the caller's own store, under the same rules: `what` names it
    /// in counts and records.
    ///
    /// # Errors
    /// `Forbidden` by policy, `Timeout`, and what opening the store and `work` fail with.
    pub async fn with_store<T, F: Future<Output = Result<T>>>(
        &self,
        visit: &Visit,
        what: &'static str,
        action: Action,
        work: impl FnOnce(Arc<dyn TenantStore>) -> F,
    ) -> Result<T> {
        let principal = &visit.known().principal;
        let told = Told::default();
        let all =
            async { work(self.open(principal, None, action, own(principal)?, &told).await?).await };
        self.fenced(visit, what, action, &told, all).await
    }

    async fn permitted(
        &self,
        visit: &Visit,
        tool: &dyn Tool,
        mut arguments: Map<String, Value>,
        told: &Told,
    ) -> Result<Answer> {
        let principal = &visit.known().principal;
        let spec = tool.spec();
        let tenant = self.target(principal, &mut arguments)?;
        let arguments = arguments::canonical(spec, arguments)?;
        told.arguments(self.means.audit.digests(&arguments));
        self.count(visit)?;
        let store = self.open(principal, spec.tool_name(), spec.action, &tenant, told).await?;
        let context = Context {
            store,
            others: self.others(visit, spec).await,
            tenant: tenant.label,
            author: Author { key: principal.key_id().clone(), client: visit.client().clone() },
            clock: Arc::clone(&self.means.clock),
            server_name: Arc::clone(&self.server_name),
            max_memory_bytes: self.max_memory_bytes,
        };
        tool.call(context, arguments).await
    }

    /// Whose memory is meant. INVARIANT I1: the credential's; `user_id` may repeat that, or name
    /// a tenant out of the list that stands in the key's record. INVARIANT I4: a tenant that is
    /// not there and one that is not allowed are refused in the same words
    /// (`i4_a_foreign_user_id_is_an_unknown_one`).
    fn target(&self, principal: &Principal, arguments: &mut Map<String, Value>) -> Result<Tenant> {
        let own = own(principal)?;
        let named = match arguments.remove(USER_ID) {
            None | Some(Value::Null) => return Ok(own.clone()),
            Some(Value::String(named)) if named == own.label.as_str() => return Ok(own.clone()),
            Some(Value::String(named)) => TenantLabel::parse(&named).ok(),
            Some(_) => None,
        };
        named
            .filter(|label| principal.act_as().contains(label))
            .and_then(|label| self.means.tenants.by_label(&label))
            .ok_or_else(|| {
                Error::forbidden("`user_id` must be your own tenant; leave it out, the key decides")
            })
    }

    fn count(&self, visit: &Visit) -> Result<()> {
        let key = visit.known().principal.key_id();
        let Some(decision) = self.means.rates.tool_call(key) else { return Ok(()) };
        if !decision.allowed {
            self.means.stats.limited(decision.class);
        }
        decision.check()
    }

    /// INVARIANT I2: the permit is spent here, on the tenant it was given for.
    async fn open(
        &self,
        principal: &Principal,
        tool: Option<ToolName>,
        action: Action,
        tenant: &Tenant,
        told: &Told,
    ) -> Result<Arc<dyn TenantStore>> {
        let resource = Resource::Tenant(tenant.id.clone());
        let permit = self.means.engine.authorize_tool(principal, tool, action, resource)?;
        told.permitted(&permit);
        self.means.stores.open(permit).await
    }

    /// The other tenants in the key's reach. One that policy forbids, that is gone or that does
    /// not open is left out: it must not break the answer about the others (I11). INVARIANT I10:
    /// each of them is a decision, with a record of its own
    /// (`i10_every_tenant_that_is_looked_into_is_on_record`).
    async fn others(
        &self,
        visit: &Visit,
        spec: &ToolSpec,
    ) -> Vec<(TenantLabel, Arc<dyn TenantStore>)> {
        let principal = &visit.known().principal;
        let mut others = Vec::new();
        if !spec.needs_act_as {
            return others;
        }
        for label in principal.act_as() {
            let Some(tenant) = self.means.tenants.by_label(label) else { continue };
            let told = Told::default();
            let opened = self.open(principal, spec.tool_name(), spec.action, &tenant, &told).await;
            if let Some(why) = opened.as_ref().err().and_then(reason) {
                let resource = Some(Resource::Tenant(tenant.id.clone()));
                told.refused(&Why { resource, ..why });
            }
            let outcome =
                opened.as_ref().map_or_else(|e| Outcome::of(e.kind()), |_| Outcome::Allowed);
            Ending::new(self, visit, spec.name, spec.action, &told).decided(outcome);
            match opened {
                Ok(store) => others.push((tenant.label, store)),
                Err(error) => tracing::warn!(%error, tenant = %label, "a tenant was left out"),
            }
        }
        others
    }

    /// Runs `work` to its end, its panic or the time limit, and concludes.
    async fn fenced<T>(
        &self,
        visit: &Visit,
        what: &'static str,
        action: Action,
        told: &Told,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        // However this ends: also dropped half-way, it is a decision that somebody took.
        let ending = Ending::new(self, visit, what, action, told);
        // SECURITY: the scope is asked for the action of the very tool that would run, before
        // anything of it runs. Test: `every_tool_asks_for_its_scope`.
        let scoped = async {
            visit.known().principal.check_scope(action)?;
            self.means.audit.admit(action.access())?;
            work.await
        };
        let fence = AssertUnwindSafe(scoped).catch_unwind();
        let result = match tokio::time::timeout(self.timeout, fence).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Error::internal(format!("`{what}` panicked"))),
            Err(_) => Err(Error::new(
                Kind::Timeout,
                format!("`{what}` took longer than {} s", self.timeout.as_secs()),
            )),
        };
        if let Err(error) = &result {
            self.explain(visit, what, action, error, told);
        }
        let written = ending.conclude(result.as_ref().map(|_| ()).map_err(Error::kind)).await;
        // What was not done says so; only what was done must not be told without its record.
        let result = result.and_then(|done| written.map(|()| done));
        if let Err(error) = &result {
            visit.fail_with(error);
            if error.kind() == Kind::Unavailable {
                self.means.stats.store_failed();
            }
            if matches!(error.kind(), Kind::Internal | Kind::Unavailable) {
                let request = &visit.known().request_id;
                tracing::error!(%error, what, %request, "a call failed");
            }
        }
        result
    }

    /// A tool that this caller does not see. The caller is told the same whether there is one
    /// (I4); the record tells who reaches for `there`, which is out of its bounds, from who errs.
    /// A name that is none of ours is the caller's, and is not kept (I5).
    fn unseen(&self, visit: &Visit, there: Option<&ToolSpec>) {
        let why = Why::new(Layer::Tool, "this key sees no tool of that name");
        let told = Told::default();
        told.refused(&why);
        let (what, action, outcome) = match there {
            Some(spec) => (spec.name, spec.action, Outcome::Denied),
            None => ("unknown tool", Action::Connect, Outcome::Refused),
        };
        Ending::new(self, visit, what, action, &told).decided(outcome);
        self.note(visit, there.map(|spec| spec.name), why);
    }

    /// Keeps why a call was refused or failed.
    fn explain(
        &self,
        visit: &Visit,
        what: &'static str,
        action: Action,
        error: &Error,
        told: &Told,
    ) {
        let Some(why) = reason(error) else { return };
        told.refused(&why);
        let own = || visit.known().principal.tenant().map(|t| Resource::Tenant(t.id.clone()));
        let resource = why.resource.clone().or_else(own);
        self.note(visit, Some(what), Why { action: Some(action), resource, ..why });
    }

    fn note(&self, visit: &Visit, what: Option<&'static str>, why: Why) {
        let known = visit.known();
        let asked = Asked {
            key: Some(known.principal.key_id().clone()),
            tenant: known.principal.tenant().map(|tenant| tenant.id.clone()),
            address: Some(known.address),
            route: None,
            what,
        };
        let now = self.means.clock.now();
        self.means.stats.refusals.note(&known.request_id, now, why, None, asked);
    }
}

/// Why, where it is a refusal or a fault. What is not there, or was changed by somebody else
/// meanwhile, is an answer and no refusal.
fn reason(error: &Error) -> Option<Why> {
    Some(match (Denial::behind(error), error.kind()) {
        (Some(denial), _) => Why {
            rules: denial.because.clone(),
            resource: Some(denial.resource.clone()),
            ..Why::new(Layer::ToolPolicy, denial.sentence())
        },
        (None, Kind::NotFound | Kind::Conflict) => return None,
        (None, Kind::BadInput | Kind::TooLarge) => {
            Why::new(Layer::Arguments, error.public().to_owned())
        }
        (None, Kind::Forbidden | Kind::Unauthenticated) => {
            Why::new(Layer::Arguments, "a tenant that this key may not name")
        }
        (None, Kind::LimitReached { .. }) => {
            Why::new(Layer::ToolLimit, "too many tool calls of this key")
        }
        (None, _) => Why::new(Layer::Failure, "the call failed; the log says more"),
    })
}

fn own(principal: &Principal) -> Result<&Tenant> {
    principal.tenant().ok_or_else(|| Error::forbidden("this key opens no memory"))
}

#[cfg(test)]
mod tests;
