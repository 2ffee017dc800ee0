//! How a call ends, whichever way: counted, logged and recorded, once.

use std::{sync::OnceLock, time::Duration};

use super::Dispatch;
use crate::{
    audit::{Event, Outcome, Record, digest::Digests, record::Who},
    domain::{
        Kind, Result,
        action::{Access, Action, Resource},
        tenant::TenantId,
    },
    mcp::visit::Visit,
    policy::{Permit, permit::Because},
    telemetry::{
        refusals::{Layer, Why},
        stats::ToolOutcome,
    },
};

/// What becomes known of a call while it runs.
#[derive(Debug, Default)]
pub(super) struct Told {
    arguments: OnceLock<Digests>,
    permit: OnceLock<(Because, Option<TenantId>)>,
    refused: OnceLock<Refused>,
}

/// Who said no, by which rules, and about whose memory, where that was asked.
#[derive(Debug)]
struct Refused {
    layer: Layer,
    rules: Box<[Box<str>]>,
    tenant: Option<TenantId>,
}

impl Told {
    pub(super) fn arguments(&self, digests: Digests) {
        let _ = self.arguments.set(digests);
    }

    pub(super) fn permitted(&self, permit: &Permit) {
        let _ = self.permit.set((permit.because().clone(), permit.tenant().cloned()));
    }

    pub(super) fn refused(&self, why: &Why) {
        let rules = why.rules.iter().map(|rule| rule.as_str().into()).collect();
        let tenant = match &why.resource {
            Some(Resource::Tenant(id)) => Some(id.clone()),
            _ => None,
        };
        let _ = self.refused.set(Refused { layer: why.layer, rules, tenant });
    }
}

/// A call on its way to its end. Dropped before that, it ends there: a caller who hangs up in
/// the middle may have changed something all the same
/// (`a_call_whose_caller_has_gone_is_concluded_too`).
pub(super) struct Ending<'a> {
    dispatch: &'a Dispatch,
    visit: &'a Visit,
    what: &'static str,
    action: Action,
    told: &'a Told,
    started: Duration,
    over: bool,
}

impl<'a> Ending<'a> {
    pub(super) fn new(
        dispatch: &'a Dispatch,
        visit: &'a Visit,
        what: &'static str,
        action: Action,
        told: &'a Told,
    ) -> Self {
        // From here on this call has its record; whether somebody else promised one as well does
        // not matter.
        let _ = visit.known().slot.claim();
        let started = dispatch.means.clock.monotonic();
        Self { dispatch, visit, what, action, told, started, over: false }
    }

    /// It has ended. INVARIANT I10: returns when the record of what may have changed something
    /// is on the disk (`i10_a_change_is_on_record_before_it_is_answered`).
    ///
    /// # Errors
    /// `Unavailable` when that record cannot be written.
    pub(super) async fn conclude(mut self, result: Result<(), Kind>) -> Result<()> {
        self.over = true;
        let outcome = result.map_or_else(Outcome::of, |()| Outcome::Allowed);
        let counted = match (result, outcome) {
            (Ok(()), _) => ToolOutcome::Done,
            (_, Outcome::Denied | Outcome::Unauthenticated) => ToolOutcome::Denied,
            (_, Outcome::Limited) => ToolOutcome::Limited,
            _ => ToolOutcome::Failed,
        };
        self.count(counted);
        let may_have_changed = self.action.access() == Access::Write
            && matches!(outcome, Outcome::Allowed | Outcome::Failed);
        let audit = &self.dispatch.means.audit;
        let receipt = self.record(outcome, |record| {
            if may_have_changed {
                return Some(audit.record_durably(record));
            }
            match (outcome, record.layer) {
                // SECURITY: what costs the caller nothing must not cost us a disk (I7).
                (Outcome::Limited, Some(layer)) => audit.record_refusal(layer, record),
                _ => audit.record(record),
            }
            None
        });
        match receipt {
            Some(receipt) => receipt.written().await,
            None => Ok(()),
        }
    }

    /// Only its record: it is no call by itself, or never began.
    pub(super) fn decided(mut self, outcome: Outcome) {
        self.over = true;
        self.record(outcome, |record| self.dispatch.means.audit.record(record));
    }

    fn count(&self, outcome: ToolOutcome) {
        let took = self.dispatch.means.clock.monotonic().saturating_sub(self.started);
        self.dispatch.means.stats.tool_call(self.what, outcome, took);
        tracing::debug!(
            key = %self.visit.known().principal.key_id(),
            request = self.visit.known().request_id,
            what = self.what,
            action = %self.action,
            ?outcome,
            "a call was concluded"
        );
    }

    fn record<T>(&self, outcome: Outcome, write: impl FnOnce(&Record<'_>) -> T) -> T {
        let known = self.visit.known();
        let permit = self.told.permit.get();
        let refused = self.told.refused.get();
        let client = Some(self.visit.client()).filter(|client| !client.name.is_empty());
        let own = || known.principal.tenant().map(|tenant| tenant.id.as_str());
        let permitted = permit.and_then(|(_, tenant)| tenant.as_ref());
        let tenant = permitted.or_else(|| refused.and_then(|refused| refused.tenant.as_ref()));
        let record = Record {
            request: &known.request_id,
            who: Who { client, address: Some(known.address), ..Who::of(&known.principal) },
            action: Some(self.action.as_str()),
            resource: tenant.map(TenantId::as_str).or_else(own),
            arguments: self.told.arguments.get(),
            layer: refused.map(|refused| refused.layer),
            policies: match (refused, permit) {
                (Some(Refused { rules, .. }), _) if !rules.is_empty() => rules,
                (_, Some((because, _))) => because,
                _ => &[],
            },
            ..Record::new(Event::Call, self.what, outcome)
        };
        write(&record)
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.count(ToolOutcome::Failed);
            let audit = &self.dispatch.means.audit;
            self.record(Outcome::Abandoned, |record| match self.action.access() {
                Access::Read => audit.record(record),
                // Nobody is left to wait, and it may have changed something: written at once
                // (`i10_a_change_whose_caller_has_gone_is_written_at_once`).
                Access::Write => drop(audit.record_durably(record)),
            });
        }
    }
}
