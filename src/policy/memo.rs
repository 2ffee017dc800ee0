//! Decisions of one generation of policies, remembered: a byte for each action and resource.
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

use super::{facts::Subject, permit::Because};
use crate::domain::{
    action::{Action, Resource},
    key::{KeyId, Role},
    pack::Packs,
    tenant::{TenantId, TenantLabel},
};

/// Keys remembered; the least used one is dropped first.
const MAX_KEYS: u64 = 20_000;
/// Tenants besides its own remembered of one key.
const MAX_OTHERS: usize = 64;

/// Decisions of one policy generation.
#[derive(Debug)]
pub(super) struct Memo {
    keys: Cache<KeyId, Arc<Remembered>>,
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
    own: Decisions,
    deployment: Decisions,
    others: Mutex<HashMap<TenantId, Decisions>>,
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
    pub(super) fn new() -> Self {
        Self { keys: Cache::new(MAX_KEYS), reasons: RwLock::default() }
    }

    /// What was decided before, if it was.
    pub(super) fn recall(
        &self,
        subject: &Subject<'_>,
        action: Action,
        resource: &Resource,
    ) -> Option<Decided> {
        let remembered = self.keys.get(subject.key).filter(|r| r.is_of(subject))?;
        let byte = match resource {
            Resource::Deployment => remembered.deployment.get(action),
            Resource::Tenant(id) if remembered.tenant.as_ref() == Some(id) => {
                remembered.own.get(action)
            }
            Resource::Tenant(id) => {
                let others = remembered.others.lock().unwrap_or_else(PoisonError::into_inner);
                others.get(id)?.get(action)
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
        action: Action,
        resource: &Resource,
        decided: &Decided,
    ) {
        let Some(decided) = self.byte(decided) else { return };
        let known = self.keys.get(subject.key).filter(|r| r.is_of(subject));
        let remembered = known.unwrap_or_else(|| {
            let fresh = Arc::new(Remembered::of(subject));
            self.keys.insert(subject.key.clone(), fresh.clone());
            fresh
        });
        match resource {
            Resource::Deployment => remembered.deployment.set(action, decided),
            Resource::Tenant(id) if remembered.tenant.as_ref() == Some(id) => {
                remembered.own.set(action, decided);
            }
            Resource::Tenant(id) => {
                let mut others = remembered.others.lock().unwrap_or_else(PoisonError::into_inner);
                if others.len() < MAX_OTHERS || others.contains_key(id) {
                    others.entry(id.clone()).or_default().set(action, decided);
                }
            }
        }
    }
}

impl Remembered {
    fn of(subject: &Subject<'_>) -> Self {
        Self {
            role: subject.role,
            tenant: subject.tenant.map(|t| t.id.clone()),
            act_as: subject.act_as.into(),
            packs: subject.packs,
            own: Decisions::default(),
            deployment: Decisions::default(),
            others: Mutex::default(),
        }
    }

    fn is_of(&self, subject: &Subject<'_>) -> bool {
        self.role == subject.role
            && self.tenant.as_ref() == subject.tenant.map(|t| &t.id)
            && *self.act_as == *subject.act_as
            && self.packs == subject.packs
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{random::OsEntropy, tenant::Tenant};

    fn tenant(label: &str) -> Tenant {
        let (id, label) = (TenantId::random(&OsEntropy), TenantLabel::parse(label).unwrap());
        Tenant { id, label, created_at: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn a_changed_caller_is_not_remembered() {
        let memo = Memo::new();
        let (acme, globex) = (tenant("acme"), tenant("globex"));
        let key = KeyId::random(&OsEntropy);
        let caller = Subject {
            key: &key,
            role: Role::Agent,
            tenant: Some(&acme),
            act_as: &[],
            packs: Packs::default(),
        };
        let resource = Resource::Tenant(acme.id.clone());
        let allowed = Decided::Allowed(["p".into()].into());
        memo.remember(&caller, Action::MemoryRead, &resource, &allowed);
        let recall = |caller: &Subject<'_>| memo.recall(caller, Action::MemoryRead, &resource);
        assert_eq!(recall(&caller), Some(allowed));
        let act_as = [globex.label.clone()];
        for changed in [
            Subject { role: Role::Operator, ..caller },
            Subject { tenant: None, ..caller },
            Subject { tenant: Some(&globex), ..caller },
            Subject { act_as: &act_as, ..caller },
            Subject { packs: Packs::from(Vec::new()), ..caller },
            Subject { key: &KeyId::random(&OsEntropy), ..caller },
        ] {
            assert_eq!(recall(&changed), None, "{changed:?}");
        }
        assert_eq!(memo.recall(&caller, Action::MemoryWrite, &resource), None);
    }

    #[test]
    fn tenants_of_one_key_are_remembered_up_to_a_bound() {
        let memo = Memo::new();
        let key = KeyId::random(&OsEntropy);
        let caller = Subject {
            key: &key,
            role: Role::Agent,
            tenant: None,
            act_as: &[],
            packs: Packs::default(),
        };
        let resources: Vec<_> =
            (0..MAX_OTHERS + 10).map(|_| Resource::Tenant(TenantId::random(&OsEntropy))).collect();
        for resource in &resources {
            memo.remember(&caller, Action::Connect, resource, &Decided::Denied);
        }
        let recalled = resources.iter().filter_map(|r| memo.recall(&caller, Action::Connect, r));
        assert_eq!(recalled.count(), MAX_OTHERS);
    }

    proptest! {
        #[test]
        fn what_was_decided_comes_back(
            decided in prop::collection::vec((0..Action::ALL.len(), 0..4_usize), 0..40),
        ) {
            let memo = Memo::new();
            let (acme, key) = (tenant("acme"), KeyId::random(&OsEntropy));
            let caller = Subject {
                key: &key,
                role: Role::Agent,
                tenant: Some(&acme),
                act_as: &[],
                packs: Packs::default(),
            };
            let resource = Resource::Tenant(acme.id.clone());
            let mut model = HashMap::new();
            for (n, reasons) in decided {
                let because: Because = (0..reasons).map(|n| format!("p{n}").into()).collect();
                let decided =
                    if reasons == 0 { Decided::Denied } else { Decided::Allowed(because) };
                memo.remember(&caller, Action::ALL[n], &resource, &decided);
                model.insert(n, decided);
                for (m, action) in Action::ALL.iter().enumerate() {
                    prop_assert_eq!(memo.recall(&caller, *action, &resource), model.get(&m).cloned());
                }
            }
        }
    }

    #[test]
    fn more_reasons_than_bytes_are_not_remembered_and_not_mistaken() {
        let memo = Memo::new();
        for n in 0..300 {
            let because: Because = [format!("p{n}").into()].into();
            let byte = memo.byte(&Decided::Allowed(because));
            assert_eq!(byte, u8::try_from(n + 2).ok());
        }
    }
}
