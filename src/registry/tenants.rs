//! The tenants: made on purpose, named by a unique label.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use super::control::ControlStore;
use crate::domain::{
    Error, Kind, Result,
    clock::Clock,
    random::Entropy,
    tenant::{Tenant, TenantId, TenantLabel},
};

/// Every tenant of this deployment.
#[derive(Debug)]
pub struct Tenants {
    control: Arc<dyn ControlStore>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    book: RwLock<Book>,
    /// Held while a tenant is made, so that of two who ask for one label the second finds it.
    making: Mutex<()>,
}

#[derive(Debug, Default)]
struct Book {
    by_label: BTreeMap<TenantLabel, Tenant>,
    labels: BTreeMap<TenantId, TenantLabel>,
}

impl Book {
    fn add(&mut self, tenant: Tenant) {
        self.labels.insert(tenant.id.clone(), tenant.label.clone());
        self.by_label.insert(tenant.label.clone(), tenant);
    }
}

impl Tenants {
    pub(in crate::registry) fn new(
        control: Arc<dyn ControlStore>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        loaded: Vec<Tenant>,
    ) -> Self {
        let mut book = Book::default();
        for tenant in loaded {
            book.add(tenant);
        }
        Self { control, clock, entropy, book: RwLock::new(book), making: Mutex::default() }
    }

    /// Makes a tenant. Writes to the disk: call it from the blocking pool.
    ///
    /// # Errors
    /// `Conflict` when the label is taken; `Unavailable` when it cannot be written.
    pub fn create(&self, label: &TenantLabel) -> Result<Tenant> {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if self.by_label(label).is_some() {
            return Err(Error::new(Kind::Conflict, format!("there is a tenant `{label}` already")));
        }
        let id = TenantId::random(self.entropy.as_ref());
        let tenant = Tenant { id, label: label.clone(), created_at: self.clock.now() };
        self.control.insert_tenant(&tenant)?;
        self.book.write().unwrap_or_else(PoisonError::into_inner).add(tenant.clone());
        Ok(tenant)
    }

    /// The tenant with this label, made when there is none.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be written.
    pub fn ensure(&self, label: &TenantLabel) -> Result<Tenant> {
        if let Some(tenant) = self.by_label(label) {
            return Ok(tenant);
        }
        match self.create(label) {
            Err(e) if e.kind() == Kind::Conflict => self.by_label(label).ok_or(e),
            made => made,
        }
    }

    /// The tenant with this label.
    #[must_use]
    pub fn by_label(&self, label: &TenantLabel) -> Option<Tenant> {
        self.book.read().unwrap_or_else(PoisonError::into_inner).by_label.get(label).cloned()
    }

    /// The tenant with this id.
    #[must_use]
    pub fn by_id(&self, id: &TenantId) -> Option<Tenant> {
        let book = self.book.read().unwrap_or_else(PoisonError::into_inner);
        book.labels.get(id).and_then(|label| book.by_label.get(label)).cloned()
    }

    /// Every tenant, by label.
    #[must_use]
    pub fn list(&self) -> Vec<Tenant> {
        let book = self.book.read().unwrap_or_else(PoisonError::into_inner);
        book.by_label.values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

    use super::*;
    use crate::registry::testing::Deployment;

    fn label(text: &str) -> TenantLabel {
        TenantLabel::parse(text).unwrap()
    }

    #[test]
    fn a_label_is_taken_once_and_tenants_survive_a_restart() {
        let deployment = Deployment::new();
        let tenants = deployment.start().tenants;
        let acme = tenants.create(&label("acme")).unwrap();
        tenants.create(&label("aaa")).unwrap();
        assert_eq!(tenants.create(&label("acme")).unwrap_err().kind(), Kind::Conflict);
        assert_eq!(tenants.ensure(&label("acme")).unwrap(), acme);

        for tenants in [tenants, deployment.start().tenants] {
            assert_eq!(tenants.by_label(&label("acme")), Some(acme.clone()));
            assert_eq!(tenants.by_id(&acme.id), Some(acme.clone()));
            let labels: Vec<_> = tenants.list().into_iter().map(|t| t.label).collect();
            assert_eq!(labels, [label("aaa"), label("acme")]);
        }
    }

    #[test]
    fn of_many_who_ask_at_once_one_makes_it_and_all_get_it() {
        let deployment = Deployment::new();
        let tenants = deployment.start().tenants;
        let start = Barrier::new(8);
        let got: Vec<_> = thread::scope(|scope| {
            let ask = || {
                start.wait();
                tenants.ensure(&label("acme")).unwrap()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert!(got.iter().all(|t| *t == got[0]));
        assert_eq!(tenants.list().len(), 1);
    }

    #[test]
    fn i6_a_tenant_that_could_not_be_written_is_not_there() {
        let deployment = Deployment::new();
        let tenants = deployment.start().tenants;
        deployment.disk.set_broken(true);
        assert_eq!(tenants.ensure(&label("acme")).unwrap_err().kind(), Kind::Unavailable);
        assert_eq!(tenants.by_label(&label("acme")), None);
    }
}
