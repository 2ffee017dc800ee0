//! Decisions of one generation of policies, remembered: a byte for each action and resource, and
//! for each tool where a policy looks at the tool.
//!
//! What must stay true: a remembered decision is used only for a caller of whom everything that
//! the decision could depend on is the same, and only while the policies that made it are in
//! force. A changed key is a different caller; a reload makes a new, empty memo.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU8, Ordering},
    },
};

use moka::sync::Cache;

use super::{cedar::Wish, facts::Subject, permit::Because};
use crate::domain::{
    action::{Access, Action, Resource},
    key::{KeyId, Role},
    pack::Packs,
    reach::Tags,
    tenant::{TenantId, TenantLabel},
    tool::{ToolName, Tools},
};

/// Keys remembered; the least used one is dropped first.
const MAX_KEYS: u64 = 20_000;
/// Tenants besides its own remembered of one key.
const MAX_OTHERS: usize = 64;

/// Decisions of one policy generation.
#[derive(Debug)]
pub(super) struct Memo {
    keys: Cache<KeyId, Arc<Remembered>>,
    /// Decisions are kept apart for so many tools: for all and none, or for none alone.
    tools: usize,
    /// The reasons that permitted something, each once: there are hardly more than policies.
    reasons: RwLock<Vec<Because>>,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decided {
    /// It is permitted, by these policies.
    Allowed(Because),
    /// It is not.
    Denied,
}

/// One key as it was when its decisions were made, and the decisions.
#[derive(Debug)]
struct Remembered {
    role: Role,
    tenant: Option<TenantId>,
    act_as: Box<[TenantLabel]>,
    packs: Packs,
    tools: Option<Tools>,
    access: Access,
    tags: Option<Tags>,
    own: Table,
    deployment: Table,
    others: Mutex<HashMap<TenantId, Table>>,
}

/// Decisions by tool: no tool at all first.
#[derive(Debug)]
struct Table(Box<[Decisions]>);

impl Table {
    fn of(tools: usize) -> Self {
        Self((0..tools).map(|_| Decisions::default()).collect())
    }

    /// Where every tool has decisions of its own, those of this one; else those of them all.
    fn decisions(&self, tool: Option<ToolName>) -> Option<&Decisions> {
        let place = if self.0.len() == 1 { 0 } else { tool.map_or(0, |tool| tool as usize + 1) };
        self.0.get(place)
    }

    fn get(&self, (action, tool): Wish) -> u8 {
        self.decisions(tool).map_or(OPEN, |decisions| decisions.get(action))
    }

    fn set(&self, (action, tool): Wish, decided: u8) {
        if let Some(decisions) = self.decisions(tool) {
            decisions.set(action, decided);
        }
    }
}

/// One byte for each action.
#[derive(Debug, Default)]
struct Decisions([AtomicU8; Action::ALL.len()]);

/// Nothing was decided.
const OPEN: u8 = 0;
/// It was denied.
const DENIED: u8 = 1;
/// It was allowed, for the first of the reasons; the others follow.
const ALLOWED: u8 = 2;

impl Decisions {
    fn get(&self, action: Action) -> u8 {
        self.0.get(action as usize).map_or(OPEN, |byte| byte.load(Ordering::Relaxed))
    }

    fn set(&self, action: Action, decided: u8) {
        if let Some(byte) = self.0.get(action as usize) {
            byte.store(decided, Ordering::Relaxed);
        }
    }
}

impl Memo {
    /// An empty one; `by_tool` where a policy looks at the tool that asks.
    pub(super) fn new(by_tool: bool) -> Self {
        let tools = if by_tool { ToolName::ALL.len() + 1 } else { 1 };
        Self { keys: Cache::new(MAX_KEYS), tools, reasons: RwLock::default() }
    }

    /// What was decided before, if it was.
    pub(super) fn recall(
        &self,
        subject: &Subject<'_>,
        wish: Wish,
        resource: &Resource,
    ) -> Option<Decided> {
        let remembered = self.keys.get(subject.key).filter(|r| r.is_of(subject))?;
        let byte = match resource {
            Resource::Deployment => remembered.deployment.get(wish),
            Resource::Tenant(id) if remembered.tenant.as_ref() == Some(id) => {
                remembered.own.get(wish)
            }
            Resource::Tenant(id) => {
                let others = remembered.others.lock().unwrap_or_else(PoisonError::into_inner);
                others.get(id)?.get(wish)
            }
        };
        match byte {
            OPEN => None,
            DENIED => Some(Decided::Denied),
            allowed => {
                let reasons = self.reasons.read().unwrap_or_else(PoisonError::into_inner);
                reasons.get(usize::from(allowed - ALLOWED)).cloned().map(Decided::Allowed)
            }
        }
    }

    /// The byte of a decision; none when there are more reasons than bytes.
    fn byte(&self, decided: &Decided) -> Option<u8> {
        let Decided::Allowed(because) = decided else { return Some(DENIED) };
        let mut reasons = self.reasons.write().unwrap_or_else(PoisonError::into_inner);
        let known = reasons.iter().position(|known| known == because);
        let place = known.unwrap_or(reasons.len());
        let byte = u8::try_from(place).ok()?.checked_add(ALLOWED)?;
        if known.is_none() {
            reasons.push(Arc::clone(because));
        }
        Some(byte)
    }

    /// Remembers a decision.
    pub(super) fn remember(
        &self,
        subject: &Subject<'_>,
        wish: Wish,
        resource: &Resource,
        decided: &Decided,
    ) {
        let Some(decided) = self.byte(decided) else { return };
        let known = self.keys.get(subject.key).filter(|r| r.is_of(subject));
        let remembered = known.unwrap_or_else(|| {
            let fresh = Arc::new(Remembered::of(subject, self.tools));
            self.keys.insert(subject.key.clone(), fresh.clone());
            fresh
        });
        match resource {
            Resource::Deployment => remembered.deployment.set(wish, decided),
            Resource::Tenant(id) if remembered.tenant.as_ref() == Some(id) => {
                remembered.own.set(wish, decided);
            }
            Resource::Tenant(id) => {
                let mut others = remembered.others.lock().unwrap_or_else(PoisonError::into_inner);
                if others.len() < MAX_OTHERS || others.contains_key(id) {
                    let table = others.entry(id.clone()).or_insert_with(|| Table::of(self.tools));
                    table.set(wish, decided);
                }
            }
        }
    }
}

impl Remembered {
    fn of(subject: &Subject<'_>, tools: usize) -> Self {
        Self {
            role: subject.role,
            tenant: subject.tenant.map(|t| t.id.clone()),
            act_as: subject.act_as.into(),
            packs: subject.packs,
            tools: subject.tools,
            access: subject.access,
            tags: subject.tags.cloned(),
            own: Table::of(tools),
            deployment: Table::of(tools),
            others: Mutex::default(),
        }
    }

    fn is_of(&self, subject: &Subject<'_>) -> bool {
        self.role == subject.role
            && self.tenant.as_ref() == subject.tenant.map(|t| &t.id)
            && *self.act_as == *subject.act_as
            && self.packs == subject.packs
            && self.tools == subject.tools
            && self.access == subject.access
            && self.tags.as_ref() == subject.tags
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{memory::Tag, random::OsEntropy, tenant::Tenant};

    fn tenant(label: &str) -> Tenant {
        let (id, label) = (TenantId::random(&OsEntropy), TenantLabel::parse(label).unwrap());
        Tenant { id, label, created_at: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn a_changed_caller_is_not_remembered() {
        let memo = Memo::new(false);
        let (acme, globex) = (tenant("acme"), tenant("globex"));
        let key = KeyId::random(&OsEntropy);
        let caller = Subject { tenant: Some(&acme), ..Subject::of(&key, Role::Agent) };
        let resource = Resource::Tenant(acme.id.clone());
        let allowed = Decided::Allowed(["p".into()].into());
        memo.remember(&caller, (Action::MemoryRead, None), &resource, &allowed);
        let recall =
            |caller: &Subject<'_>| memo.recall(caller, (Action::MemoryRead, None), &resource);
        assert_eq!(recall(&caller), Some(allowed));
        let act_as = [globex.label.clone()];
        for changed in [
            Subject { role: Role::Operator, ..caller },
            Subject { tenant: None, ..caller },
            Subject { tenant: Some(&globex), ..caller },
            Subject { act_as: &act_as, ..caller },
            Subject { packs: Packs::from(Vec::new()), ..caller },
            Subject { tools: Some(Tools::of([ToolName::Echo]).unwrap()), ..caller },
            Subject { access: Access::Read, ..caller },
            Subject { tags: Some(&Tags::of(vec![Tag::parse("a").unwrap()]).unwrap()), ..caller },
            Subject { key: &KeyId::random(&OsEntropy), ..caller },
        ] {
            assert_eq!(recall(&changed), None, "{changed:?}");
        }
        assert_eq!(memo.recall(&caller, (Action::MemoryWrite, None), &resource), None);
    }

    #[test]
    fn where_a_policy_looks_at_the_tool_each_tool_is_remembered_apart() {
        let (acme, globex) = (tenant("acme"), tenant("globex"));
        let key = KeyId::random(&OsEntropy);
        let caller = Subject { tenant: Some(&acme), ..Subject::of(&key, Role::Agent) };
        let tools = || ToolName::ALL.iter().copied().map(Some).chain([None]);
        let said = |n: usize| match n % 2 {
            0 => Decided::Allowed(["p".into()].into()),
            _ => Decided::Denied,
        };
        for resource in
            [Resource::Tenant(acme.id.clone()), Resource::Tenant(globex.id), Resource::Deployment]
        {
            let (apart, together) = (Memo::new(true), Memo::new(false));
            for (n, tool) in tools().enumerate() {
                let wish = (Action::MemoryRead, tool);
                assert_eq!(apart.recall(&caller, wish, &resource), None, "{tool:?}");
                apart.remember(&caller, wish, &resource, &said(n));
            }
            for (n, tool) in tools().enumerate() {
                let wish = (Action::MemoryRead, tool);
                assert_eq!(apart.recall(&caller, wish, &resource), Some(said(n)), "{tool:?}");
            }
            together.remember(&caller, (Action::MemoryRead, None), &resource, &said(0));
            for tool in tools() {
                let wish = (Action::MemoryRead, tool);
                assert_eq!(together.recall(&caller, wish, &resource), Some(said(0)));
            }
        }
    }

    #[test]
    fn tenants_of_one_key_are_remembered_up_to_a_bound() {
        let memo = Memo::new(false);
        let key = KeyId::random(&OsEntropy);
        let caller = Subject::of(&key, Role::Agent);
        let resources: Vec<_> =
            (0..MAX_OTHERS + 10).map(|_| Resource::Tenant(TenantId::random(&OsEntropy))).collect();
        for resource in &resources {
            memo.remember(&caller, (Action::Connect, None), resource, &Decided::Denied);
        }
        let recalled =
            resources.iter().filter_map(|r| memo.recall(&caller, (Action::Connect, None), r));
        assert_eq!(recalled.count(), MAX_OTHERS);
    }

    proptest! {
        #[test]
        fn what_was_decided_comes_back(
            decided in prop::collection::vec((0..Action::ALL.len(), 0..4_usize), 0..40),
        ) {
            let memo = Memo::new(false);
            let (acme, key) = (tenant("acme"), KeyId::random(&OsEntropy));
            let caller = Subject { tenant: Some(&acme), ..Subject::of(&key, Role::Agent) };
            let resource = Resource::Tenant(acme.id.clone());
            let mut model = HashMap::new();
            for (n, reasons) in decided {
                let because: Because = (0..reasons).map(|n| format!("p{n}").into()).collect();
                let decided =
                    if reasons == 0 { Decided::Denied } else { Decided::Allowed(because) };
                memo.remember(&caller, (Action::ALL[n], None), &resource, &decided);
                model.insert(n, decided);
                for (m, action) in Action::ALL.iter().enumerate() {
                    prop_assert_eq!(memo.recall(&caller, (*action, None), &resource), model.get(&m).cloned());
                }
            }
        }
    }

    #[test]
    fn more_reasons_than_bytes_are_not_remembered_and_not_mistaken() {
        let memo = Memo::new(false);
        for n in 0..300 {
            let because: Because = [format!("p{n}").into()].into();
            let byte = memo.byte(&Decided::Allowed(because));
            assert_eq!(byte, u8::try_from(n + 2).ok());
        }
    }
}
