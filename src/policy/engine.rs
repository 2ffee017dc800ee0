//! The one place where a decision is made.
//!
//! The policies in force can be exchanged while requests run; a set that does not pass its
//! checks never comes into force, and the one before it stays. Decisions are remembered as long
//! as no policy looks at the circumstances of a request; an error is never remembered.
//!
//! A directory is looked at now and then ([`Engine::look`]). Editors and mounts change one file
//! after the other, so what changed is read only when it has stood still for a whole look: half
//! a change is never in force.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::Timestamp;

use super::{
    Denial, Permit,
    facts::{Directory, Subject},
    load,
    memo::{Decided, Memo},
    permit::Because,
    problem::Problem,
    set::{Set, Verdict},
    stamp::Stamp,
    status::{Refused, Status},
};
use crate::{
    auth::Principal,
    config,
    domain::{
        Error, Kind, Result,
        action::{Action, Resource},
        clock::Clock,
        tool::ToolName,
    },
    registry::tenants::Tenants,
};

/// What stands in the place of a policy's id when the key's own bounds deny.
const BOUNDS: &str = "the bounds of the key";

/// Decides, by the policies in force.
#[derive(Debug)]
pub struct Engine {
    directory: Option<PathBuf>,
    tenants: Arc<dyn Directory>,
    clock: Arc<dyn Clock>,
    current: ArcSwap<Generation>,
    refused: ArcSwapOption<Refused>,
    seen: Mutex<Seen>,
}

/// The directory as it was looked at.
#[derive(Debug, Default)]
struct Seen {
    /// When it was read, in force or refused.
    judged: Option<Stamp>,
    /// When it was looked at last, if it had changed by then.
    changed: Option<Stamp>,
}

/// A policy set and what it decided.
#[derive(Debug)]
struct Generation {
    set: Set,
    since: Timestamp,
    /// None when decisions depend on more than caller, action and resource.
    memo: Option<Memo>,
}

impl Generation {
    fn of(set: Set, since: Timestamp) -> Self {
        let memo = (!set.reads_circumstances()).then(|| Memo::new(set.reads_tool()));
        Self { set, since, memo }
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
        let judged = directory.as_deref().map(Stamp::of);
        let set = load::load(directory.as_deref()).map_err(|found| refuse(&found))?;
        let current = ArcSwap::from_pointee(Generation::of(set, clock.now()));
        let seen = Mutex::new(Seen { judged, changed: None });
        Ok(Self { directory, tenants, clock, current, refused: ArcSwapOption::empty(), seen })
    }

    /// The policies in force, for operators.
    #[must_use]
    pub fn status(&self) -> Status {
        let generation = self.current.load();
        Status {
            source: if self.directory.is_some() { "directory" } else { "built-in" },
            digest: generation.set.digest().to_owned(),
            policies: generation.set.ids().len(),
            since: generation.since,
            remembered: generation.memo.is_some(),
            refused: self.refused.load().as_deref().cloned(),
        }
    }

    /// Whether the policies in force are those that lie there.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.refused.load().is_none()
    }

    /// Looks at the directory, and reads it when it has changed and then stood still since the
    /// look before. Tells whether there are new policies in force. Reads files: for the blocking
    /// pool.
    ///
    /// # Errors
    /// As [`reload`](Self::reload), once for each change.
    pub fn look(&self) -> Result<bool> {
        let Some(directory) = &self.directory else { return Ok(false) };
        let now = Stamp::of(directory);
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.judged.as_ref() == Some(&now) {
                seen.changed = None;
                return Ok(false);
            }
            if seen.changed.as_ref() != Some(&now) {
                seen.changed = Some(now);
                return Ok(false);
            }
        }
        self.reload()
    }

    /// Reads the policies again and puts them into force, all at once. Tells whether they differ
    /// from those before.
    ///
    /// # Errors
    /// `BadInput` with every problem in its cause; the policies from before stay in force, and
    /// [`status`](Self::status) says why.
    pub fn reload(&self) -> Result<bool> {
        // One at a time: of two at once the older could come into force last.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // Before the files are read: what changes meanwhile is a change since.
        *seen = Seen { judged: self.directory.as_deref().map(Stamp::of), changed: None };
        match load::load(self.directory.as_deref()) {
            Err(found) => {
                self.refused.store(Some(Arc::new(Refused::new(self.clock.now(), &found))));
                Err(refuse(&found))
            }
            Ok(set) => {
                self.refused.store(None);
                let is_new = set.digest() != self.current.load().set.digest();
                if is_new {
                    self.current.store(Arc::new(Generation::of(set, self.clock.now())));
                }
                Ok(is_new)
            }
        }
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
        self.authorize_tool(principal, None, action, resource)
    }

    /// Decides about the action of a tool. INVARIANT I3: the key's own bounds hold here, before
    /// any policy is asked, so no permit is ever wider than they are
    /// (`i3_no_permit_is_wider_than_the_bounds_of_its_key`).
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn authorize_tool(
        &self,
        principal: &Principal,
        tool: Option<ToolName>,
        action: Action,
        resource: Resource,
    ) -> Result<Permit> {
        let bounds = principal.bounds();
        let decided = if bounds.permit(action, tool) {
            self.judge(&principal.into(), (action, tool), &resource)
        } else {
            let because = vec![BOUNDS.to_owned()];
            Err(Verdict { allowed: false, because, errors: Vec::new() })
        };
        let verdict = match decided {
            Ok(because) => {
                let key = principal.key_id().clone();
                let permit = Permit::new(action, resource, key, because);
                return Ok(permit.within(bounds.reach()));
            }
            Err(verdict) => verdict,
        };
        // SECURITY: one sentence for every reason; which tenants exist is not told (I4).
        let denied = Error::forbidden(format!("this key may not do `{action}` here"));
        Err(denied.caused_by(Denial::of(verdict, action, resource)))
    }

    /// The policies that permit it.
    ///
    /// # Errors
    /// The verdict that denies, with its reasons.
    fn judge(
        &self,
        subject: &Subject<'_>,
        wish: (Action, Option<ToolName>),
        resource: &Resource,
    ) -> Result<Because, Verdict> {
        let generation = self.current.load();
        let memo = generation.memo.as_ref();
        let remembered = memo.and_then(|memo| memo.recall(subject, wish, resource));
        if let Some(Decided::Allowed(because)) = remembered {
            return Ok(because);
        }
        let tenants = self.tenants.as_ref();
        let verdict = generation.set.decide(subject, wish, resource, tenants, self.clock.now());
        if remembered.is_some() {
            // What denies is not remembered, so it was looked for again; the answer stands.
            return Err(Verdict { allowed: false, ..verdict });
        }
        report(subject, wish.0, &verdict);
        let decided = if verdict.allowed {
            Decided::Allowed(verdict.because.iter().map(|id| id.as_str().into()).collect())
        } else {
            Decided::Denied
        };
        if let Some(memo) = memo.filter(|_| verdict.errors.is_empty() && known(&verdict)) {
            memo.remember(subject, wish, resource, &decided);
        }
        match decided {
            Decided::Allowed(because) => Ok(because),
            Decided::Denied => Err(verdict),
        }
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
            action::Access,
            bounds::Bounds,
            clock::ManualClock,
            key::{KeyId, Role},
            memory::Tag,
            reach::Tags,
            tenant::{Tenant, TenantId, TenantLabel},
            tool::Tools,
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
        let settings = config::policy::Policy {
            directory: directory.map(Path::to_owned),
            ..config::policy::Policy::default()
        };
        let engine = Engine::with(&settings, Arc::new(world), clock.clone()).unwrap();
        Scene { acme, globex, clock, engine }
    }

    impl Scene {
        fn agent_reads(&self, of: &Tenant, act_as: &[TenantLabel]) -> bool {
            let key = KeyId::parse("000000000000").unwrap();
            let own = Some(&self.acme);
            let subject = Subject { tenant: own, act_as, ..Subject::of(&key, Role::Agent) };
            let resource = Resource::Tenant(of.id.clone());
            self.engine.judge(&subject, (Action::MemoryRead, None), &resource).is_ok()
        }

        fn agent_calls(&self, tool: ToolName) -> bool {
            let key = KeyId::parse("000000000000").unwrap();
            let own = Some(&self.acme);
            let subject = Subject { tenant: own, ..Subject::of(&key, Role::Agent) };
            let resource = Resource::Tenant(self.acme.id.clone());
            self.engine.judge(&subject, (tool.action(), Some(tool)), &resource).is_ok()
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
    async fn i3_no_permit_is_wider_than_the_bounds_of_its_key() {
        let world = auth::testing::World::new();
        let tenants = Arc::clone(&world.registry.tenants);
        let clock: Arc<dyn Clock> = world.clock.clone();
        let engine = Engine::new(&config::policy::Policy::default(), tenants, clock).unwrap();
        let tags = Tags::of(vec![Tag::parse("work").unwrap()]).unwrap();
        let tools = Tools::of([ToolName::StoreMemory, ToolName::RetrieveMemories]).unwrap();
        let bounds = [
            Bounds { access: Access::Read, ..Bounds::default() },
            Bounds { tools: Some(tools), ..Bounds::default() },
            Bounds { tags: Some(tags), ..Bounds::default() },
        ];
        let acme = Resource::Tenant(world.tenant("acme").id);
        for bounds in bounds {
            let mut new = world.agent_key("acme");
            new.bounds = bounds.clone();
            let bounded = world.principal(new).await;
            for tool in ToolName::ALL.iter().filter(|tool| tool.action() != Action::DemoUse) {
                let ask = engine.authorize_tool(&bounded, Some(*tool), tool.action(), acme.clone());
                assert_eq!(ask.is_ok(), bounds.permit(tool.action(), Some(*tool)), "{tool}");
                assert!(ask.is_err() || *ask.unwrap().reach() == bounds.reach());
            }
            for action in Action::ALL {
                let ask = engine.authorize(&bounded, *action, acme.clone());
                assert!(ask.is_err() || bounds.permit(*action, None), "{action}");
            }
            assert!(engine.authorize(&bounded, Action::Connect, acme.clone()).is_ok());
        }
        let mut new = world.agent_key("acme");
        new.bounds.access = Access::Read;
        let reader = world.principal(new).await;
        let denied = engine.authorize(&reader, Action::MemoryWrite, acme).unwrap_err();
        assert_eq!(Denial::behind(&denied).unwrap().because, [BOUNDS]);
    }

    #[test]
    fn a_policy_about_the_tool_decides_for_each_tool_and_is_remembered() {
        let directory = tempfile::tempdir().unwrap();
        let text = "@id(\"t\") permit (principal, action, resource is Tenant)
                    when { context has tool && context.tool == Tool::\"retrieve_memory\" };";
        fs::write(directory.path().join("x.cedar"), text).unwrap();
        let scene = scene(Some(directory.path()));
        assert!(scene.engine.status().remembered);
        for _ in 0..3 {
            assert!(scene.agent_calls(ToolName::RetrieveMemory));
            assert!(!scene.agent_calls(ToolName::RetrieveMemories), "the same action");
            assert!(!scene.agent_reads(&scene.acme, &[]), "and no tool at all");
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
    fn a_change_is_taken_when_it_has_stood_still_for_a_look() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x.cedar");
        fs::write(&file, ALL).unwrap();
        let scene = scene(Some(directory.path()));
        let before = scene.engine.status();
        assert!(!scene.engine.look().unwrap());
        fs::write(&file, ALL.replace("permit", "forbid")).unwrap();
        assert!(!scene.engine.look().unwrap(), "seen");
        fs::write(directory.path().join("y.cedar"), ALL.replace("all", "more")).unwrap();
        assert!(!scene.engine.look().unwrap(), "it moved again");
        assert!(scene.agent_reads(&scene.acme, &[]), "half a change is not in force");
        scene.clock.advance(Duration::from_mins(1));
        assert!(scene.engine.look().unwrap());
        assert!(!scene.agent_reads(&scene.acme, &[]));
        let after = scene.engine.status();
        assert_eq!((before.policies + 1, before.remembered), (after.policies, true));
        assert!(after.since > before.since && after.digest != before.digest);
        assert!(!scene.engine.look().unwrap());
    }

    #[test]
    fn i3_a_broken_change_is_told_once_and_the_mended_one_taken() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x.cedar");
        fs::write(&file, ALL).unwrap();
        let scene = scene(Some(directory.path()));
        let before = scene.engine.status();
        fs::write(&file, "permit (principal").unwrap();
        assert!(!scene.engine.look().unwrap());
        assert!(scene.engine.look().is_err());
        assert!(!scene.engine.look().unwrap(), "told once");
        let status = scene.engine.status();
        assert!(!scene.engine.is_current());
        assert_eq!((&status.digest, status.since), (&before.digest, before.since));
        assert!(status.refused.unwrap().problems[0].contains("x.cedar:1: "));
        assert!(scene.agent_reads(&scene.acme, &[]), "the policies from before are in force");
        fs::write(&file, ALL).unwrap();
        assert!(!scene.engine.look().unwrap());
        assert!(!scene.engine.look().unwrap(), "the same policies as before");
        assert!(scene.engine.is_current() && scene.engine.status().refused.is_none());
        fs::remove_file(&file).unwrap();
        assert!(!scene.engine.look().unwrap());
        assert!(scene.engine.look().is_err(), "an empty directory is no set");
        assert!(scene.agent_reads(&scene.acme, &[]));
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
        let settings = config::policy::Policy {
            directory: Some("/nonexistent".into()),
            ..config::policy::Policy::default()
        };
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
