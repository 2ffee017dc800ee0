//! A permit opens its own tenant for its own action, and nothing else (I2, I3).

use super::*;
use crate::{auth::Principal, domain::action::Resource, policy::Engine};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_a_permit_gives_its_own_rights_only() {
    let world = World::new(4);
    let [tenant] = World::tenants();
    let id = world.open(&tenant).await.unwrap().put(note("n", "x")).await.unwrap().id;
    // (action, reads, counts, writes, deletes)
    let expected = [
        (Action::MemoryRead, true, true, false, false),
        (Action::ProfileRead, true, true, false, false),
        (Action::UsageRead, false, true, false, false),
        (Action::DemoUse, false, true, false, false),
        (Action::MemoryWrite, true, true, true, false),
        (Action::MemoryDelete, true, true, false, true),
    ];
    for &action in Action::ALL {
        let found = expected.iter().find(|row| row.0 == action);
        let (_, reads, counts, writes, deletes) =
            *found.unwrap_or(&(action, false, false, false, false));
        let store = world.stores.lease(&tenant, action, &Reach::ALL).await.unwrap();
        let check = |what: &str, allowed: bool, done: Result<()>| match done {
            Ok(()) => assert!(allowed, "{action} must not {what}"),
            Err(e) => assert!(!allowed && e.kind() == Kind::Forbidden, "{action}: {what}: {e}"),
        };
        check("get", reads, store.get(&id).await.map(drop));
        check("search", reads, store.search(Query::newest(1)).await.map(drop));
        check("tags", reads, store.tags("", 1).await.map(drop));
        check("usage", counts, store.usage().await.map(drop));
        check("put", writes, store.put(note("n", "x")).await.map(drop));
        check("update", writes, store.update(&id, MemoryPatch::default()).await.map(drop));
        // Nothing is deleted that a later action looks for.
        let unknown = crate::domain::memory::MemoryId::parse("unknown").unwrap();
        check("delete", deletes, store.delete(&unknown).await.map(drop));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_an_action_without_rights_opens_no_file() {
    let world = World::new(4);
    let [tenant] = World::tenants();
    world.stores.lease(&tenant, Action::Connect, &Reach::ALL).await.unwrap();
    assert_eq!(world.stores.stats().open, 0);
    assert!(!world.data.paths().tenant_dir(&tenant).exists());
}

/// The way that callers go: a credential, a decision, a permit, a store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i2_a_real_permit_opens_its_own_tenant_for_its_own_action() {
    let people = crate::auth::testing::World::new();
    let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&people.clock);
    let tenants = Arc::clone(&people.registry.tenants);
    let engine = Engine::new(&people.settings.policy, tenants, Arc::clone(&clock)).unwrap();
    let storage = &people.settings.storage;
    let stores = TenantStores::new(&people.data_dir, storage, clock, TaskTracker::new());
    let (acme, globex) = (people.agent("acme").await, people.agent("globex").await);
    let permit = |who: &Principal, action| {
        let resource = Resource::Tenant(who.tenant().unwrap().id.clone());
        engine.authorize(who, action, resource).unwrap()
    };

    let writer = stores.open(permit(&acme, Action::MemoryWrite)).await.unwrap();
    let id = writer.put(note("n", "of acme")).await.unwrap().id;
    let reader = stores.open(permit(&acme, Action::MemoryRead)).await.unwrap();
    assert!(reader.get(&id).await.unwrap().is_some());
    assert_eq!(reader.put(note("n", "x")).await.unwrap_err().kind(), Kind::Forbidden);
    assert_eq!(reader.delete(&id).await.unwrap_err().kind(), Kind::Forbidden);
    let other = stores.open(permit(&globex, Action::MemoryRead)).await.unwrap();
    assert!(other.get(&id).await.unwrap().is_none());

    let operator = people.operator().await;
    let permit = engine.authorize(&operator, Action::StatsRead, Resource::Deployment).unwrap();
    assert_eq!(stores.open(permit).await.unwrap_err().kind(), Kind::Forbidden);
}
