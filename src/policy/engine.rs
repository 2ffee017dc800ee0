//! The one place where a decision is made.
//!
//! The policies in force can be exchanged while requests run; a set that does not pass its
//! checks never comes into force, and the one before it stays. Decisions are remembered as long
//! as no policy looks at the circumstances of a request; an error is never remembered.

use std::{path::PathBuf, sync::Arc};

use arc_swap::ArcSwap;

use super::{
    Permit,
    facts::{Directory, Subject},
    load,
    memo::Memo,
    problem::Problem,
    set::{Set, Verdict},
};
use crate::{
    auth::Principal,
    config,
    domain::{
        Error, Kind, Result,
        action::{Action, Resource},
        clock::Clock,
    },
    registry::tenants::Tenants,
};

/// Decides, by the policies in force.
#[derive(Debug)]
pub struct Engine {
    directory: Option<PathBuf>,
    tenants: Arc<dyn Directory>,
    clock: Arc<dyn Clock>,
    current: ArcSwap<Generation>,
}

/// A policy set and what it decided.
#[derive(Debug)]
struct Generation {
    set: Set,
    /// None when decisions depend on more than caller, action and resource.
    memo: Option<Memo>,
}

impl Generation {
    fn of(set: Set) -> Self {
        let memo = (!set.reads_circumstances()).then(Memo::new);
        Self { set, memo }
    }
}

impl Engine {
    /// Loads the policies.
    ///
    /// # Errors
    /// `BadInput` with every problem in its cause: without policies that pass there is no start.
    pub fn new(
        settings: &config::policy::Policy,
        tenants: Arc<Tenants>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        Self::with(settings, tenants, clock)
    }

    fn with(
        settings: &config::policy::Policy,
        tenants: Arc<dyn Directory>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let directory = settings.directory.clone();
        let set = load::load(directory.as_deref()).map_err(|found| refuse(&found))?;
        let current = ArcSwap::from_pointee(Generation::of(set));
        Ok(Self { directory, tenants, clock, current })
    }

    /// Reads the policies again and puts them into force, all at once.
    ///
    /// # Errors
    /// `BadInput` with every problem in its cause; the policies from before stay in force.
    pub fn reload(&self) -> Result<()> {
        let set = load::load(self.directory.as_deref()).map_err(|found| refuse(&found))?;
        self.current.store(Arc::new(Generation::of(set)));
        Ok(())
    }

    /// Decides. INVARIANT I3: no matching permit, a matching forbid, or any evaluation error
    /// denies.
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn authorize(
        &self,
        principal: &Principal,
        action: Action,
        resource: Resource,
    ) -> Result<Permit> {
        if self.allows(&principal.into(), action, &resource) {
            return Ok(Permit::new(action, resource, principal.key_id().clone()));
        }
        // SECURITY: one sentence for every reason; which tenants exist is not told (I4).
        Err(Error::forbidden(format!("this key may not do `{action}` here")))
    }

    fn allows(&self, subject: &Subject<'_>, action: Action, resource: &Resource) -> bool {
        let generation = self.current.load();
        let memo = generation.memo.as_ref();
        if let Some(allowed) = memo.and_then(|memo| memo.recall(subject, action, resource)) {
            return allowed;
        }
        let tenants = self.tenants.as_ref();
        let verdict = generation.set.decide(subject, action, resource, tenants, self.clock.now());
        report(subject, action, &verdict);
        if let Some(memo) = memo.filter(|_| verdict.errors.is_empty() && known(&verdict)) {
            memo.remember(subject, action, resource, verdict.allowed);
        }
        verdict.allowed
    }
}

/// A denial for want of any policy may be a tenant that is about to be made: ask again.
fn known(verdict: &Verdict) -> bool {
    verdict.allowed || !verdict.because.is_empty()
}

fn report(subject: &Subject<'_>, action: Action, verdict: &Verdict) {
    let key = subject.key;
    for error in &verdict.errors {
        tracing::error!(%key, %action, %error, "a policy failed, so the request is denied");
    }
    if !verdict.allowed {
        tracing::info!(%key, %action, because = ?verdict.because, "denied by policy");
    }
}

fn refuse(found: &[Problem]) -> Error {
    let all: Vec<_> = found.iter().map(ToString::to_string).collect();
    Error::new(Kind::BadInput, "the policies cannot be used; `memgate policy check` shows why")
        .caused_by(all.join("\n"))
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path, time::Duration};

    use jiff::Timestamp;

    use super::{super::world::World, *};
    use crate::{
        auth,
        domain::{
            clock::ManualClock,
            key::{KeyId, Role},
            pack::Packs,
            tenant::{Tenant, TenantId, TenantLabel},
        },
    };

    /// Two tenants, a clock, and an engine over `directory`.
    struct Scene {
        acme: Tenant,
        globex: Tenant,
        clock: Arc<ManualClock>,
        engine: Engine,
    }

    fn scene(directory: Option<&Path>) -> Scene {
        let mut world = World::default();
        let [acme, globex] =
            ["acme", "globex"].map(|l| world.tenant(&TenantLabel::parse(l).unwrap()).unwrap());
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        let settings = config::policy::Policy { directory: directory.map(Path::to_owned) };
        let engine = Engine::with(&settings, Arc::new(world), clock.clone()).unwrap();
        Scene { acme, globex, clock, engine }
    }

    impl Scene {
        fn agent_reads(&self, of: &Tenant, act_as: &[TenantLabel]) -> bool {
            let subject = Subject {
                key: &KeyId::parse("000000000000").unwrap(),
                role: Role::Agent,
                tenant: Some(&self.acme),
                act_as,
                packs: Packs::default(),
            };
            self.engine.allows(&subject, Action::MemoryRead, &Resource::Tenant(of.id.clone()))
        }
    }

    const ALL: &str = "@id(\"all\") permit (principal, action, resource);";
    const BY_DAY: &str = "@id(\"day\") permit (principal, action, resource)
                          when { context.now < datetime(\"1970-01-02\") };";

    #[test]
    fn i1_a_decision_is_about_this_caller_as_it_is_now() {
        let scene = scene(None);
        for _ in 0..3 {
            assert!(scene.agent_reads(&scene.acme, &[]));
            assert!(!scene.agent_reads(&scene.globex, &[]));
        }
        // The same key, later allowed to act for globex, and later no more.
        let act_as = [scene.globex.label.clone()];
        assert!(scene.agent_reads(&scene.globex, &act_as));
        assert!(!scene.agent_reads(&scene.globex, &[]));
    }

    #[tokio::test]
    async fn i1_a_permit_is_for_the_tenant_of_the_credential() {
        let world = auth::testing::World::new();
        let tenants = Arc::clone(&world.registry.tenants);
        let clock: Arc<dyn Clock> = world.clock.clone();
        let engine = Engine::new(&config::policy::Policy::default(), tenants, clock).unwrap();
        let (agent, operator) = (world.agent("acme").await, world.operator().await);
        let [acme, globex] =
            ["acme", "globex"].map(|label| Resource::Tenant(world.tenant(label).id));

        let permit = engine.authorize(&agent, Action::MemoryWrite, acme.clone()).unwrap();
        assert_eq!(permit.tenant(), Some(&world.tenant("acme").id));
        assert_eq!((permit.action(), permit.key()), (Action::MemoryWrite, agent.key_id()));
        let permit = engine.authorize(&operator, Action::KeyList, Resource::Deployment).unwrap();
        assert_eq!(permit.tenant(), None);

        for (who, action, resource) in [
            (&agent, Action::MemoryRead, globex.clone()),
            (&agent, Action::KeyList, Resource::Deployment),
            (&operator, Action::MemoryRead, acme),
            (&operator, Action::Connect, globex),
        ] {
            let error = engine.authorize(who, action, resource).unwrap_err();
            assert_eq!(error.kind(), Kind::Forbidden, "{action}");
        }
    }

    #[tokio::test]
    async fn i4_a_stranger_and_nobody_are_refused_alike() {
        let world = auth::testing::World::new();
        let tenants = Arc::clone(&world.registry.tenants);
        let clock: Arc<dyn Clock> = world.clock.clone();
        let engine = Engine::new(&config::policy::Policy::default(), tenants, clock).unwrap();
        let agent = world.agent("acme").await;
        let nobody = TenantId::parse("t_zzzzzzzzzzzzzzzzzzzz").unwrap();
        let refused = |id| engine.authorize(&agent, Action::MemoryRead, Resource::Tenant(id));
        let [one, other] = [world.tenant("globex").id, nobody].map(|id| refused(id).unwrap_err());
        assert_eq!((one.kind(), one.public()), (other.kind(), other.public()));
    }

    #[test]
    fn a_reload_changes_every_decision_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x.cedar");
        fs::write(&file, ALL).unwrap();
        let scene = scene(Some(directory.path()));
        assert!(scene.agent_reads(&scene.acme, &[]));
        fs::write(&file, ALL.replace("permit", "forbid")).unwrap();
        assert!(scene.agent_reads(&scene.acme, &[]), "not before it is asked to");
        scene.engine.reload().unwrap();
        assert!(!scene.agent_reads(&scene.acme, &[]));
    }

    #[test]
    fn i3_a_broken_reload_keeps_the_policies_in_force() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x.cedar");
        fs::write(&file, ALL).unwrap();
        let scene = scene(Some(directory.path()));
        fs::write(&file, "permit (principal, action, resource").unwrap();
        let error = scene.engine.reload().unwrap_err();
        assert_eq!(error.kind(), Kind::BadInput);
        assert!(error.to_string().contains("x.cedar:1: "), "{error}");
        assert!(!error.public().contains("x.cedar"), "paths stay inside");
        assert!(scene.agent_reads(&scene.acme, &[]));
        assert!(!scene.agent_reads(&scene.globex, &[]), "the walls stand");
    }

    #[test]
    fn i3_without_policies_there_is_no_engine() {
        let settings = config::policy::Policy { directory: Some("/nonexistent".into()) };
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        assert!(Engine::with(&settings, Arc::new(World::default()), clock).is_err());
    }

    #[test]
    fn a_policy_about_time_is_asked_every_time() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("x.cedar"), BY_DAY).unwrap();
        let scene = scene(Some(directory.path()));
        assert!(scene.agent_reads(&scene.acme, &[]));
        scene.clock.advance(Duration::from_hours(24));
        assert!(!scene.agent_reads(&scene.acme, &[]));
    }
}
