//! Everything that can be exchanged while memgate serves is exchanged while clients call: keys,
//! policies, the keys of an issuer, the server's certificate, the authority of client certificates.
//! No call fails that should not, and what must fail fails at once.

use std::{
    fs,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    oauth::issuer::{Signer, set},
    world::{
        Answer, Caller, LegacySession, Stream, World,
        authority::{Authority, Holder, dialect_of_any, now},
        wait_until, write_server_pair,
    },
};

/// The built-in rights of agents and operators.
const AGENT: &str = include_str!("../../policies/10-agent.cedar");
const OPERATOR: &str = include_str!("../../policies/40-operator.cedar");
const NO_DELETING: &str = "@id(\"own.no_deleting\")
    forbid (principal, action == Action::\"memory_delete\", resource is Tenant);";

/// Calls that every client makes between two changes.
const CALLS: u64 = 3;
/// Calls that one client makes at most.
const MOST: u64 = 20_000;

/// What the settings of both deployments have in common: nothing of this test is about limits.
const PATIENT: [(&str, &str); 4] = [
    ("MEMGATE_LIMITS__PER_KEY", "1000000/1s"),
    ("MEMGATE_LIMITS__PER_ADDRESS", "1000000/1s"),
    ("MEMGATE_LIMITS__FAILURES", "1000000/1s"),
    ("MEMGATE_POLICY__RELOAD_INTERVAL", "100ms"),
];

/// Clients that call until they are told to stop, and must not fail.
struct Crowd {
    clients: Vec<(JoinHandle<()>, Arc<AtomicU64>)>,
    stop: Arc<AtomicBool>,
}

impl Crowd {
    fn new() -> Self {
        Self { clients: Vec::new(), stop: Arc::default() }
    }

    /// One more, which does this again and again.
    fn join(&mut self, mut call: impl FnMut() -> Answer + Send + 'static) {
        let (count, stop) = (Arc::new(AtomicU64::new(0)), Arc::clone(&self.stop));
        let counted = Arc::clone(&count);
        let client = thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) && counted.load(Ordering::Relaxed) < MOST {
                let answer = call();
                let good =
                    answer.http.status == 200 && !answer.is_error() && answer.code().is_none();
                assert!(good, "after {} calls: {:?}", counted.load(Ordering::Relaxed), answer.http);
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        self.clients.push((client, count));
    }

    /// Waits until everybody has called some times more.
    fn go_on(&mut self) {
        let goals: Vec<u64> =
            self.clients.iter().map(|(_, n)| n.load(Ordering::Relaxed) + CALLS).collect();
        let done = wait_until(|| {
            let ended = |(client, n): &(JoinHandle<()>, Arc<AtomicU64>)| {
                client.is_finished() && n.load(Ordering::Relaxed) < MOST
            };
            if self.clients.iter().any(ended) {
                return Some(false);
            }
            let mut all = self.clients.iter().zip(&goals);
            let all = all.all(|((_, n), goal)| n.load(Ordering::Relaxed) >= (*goal).min(MOST));
            all.then_some(true)
        });
        if done != Some(true) {
            self.end();
            panic!("a client stopped calling");
        }
    }

    /// Tells everybody to stop; fails with the first who failed.
    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for (client, _) in self.clients.drain(..) {
            if let Err(failure) = client.join() {
                std::panic::resume_unwind(failure);
            }
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for (client, _) in self.clients.drain(..) {
            let _ = client.join();
        }
    }
}

/// Puts a file in the place of another in one step.
fn replace(path: &Path, text: &str) {
    let next = path.with_extension("next");
    fs::write(&next, text).unwrap();
    fs::rename(next, path).unwrap();
}

fn search(caller: &Caller) -> Answer {
    caller.tool("retrieve_memories", json!({"query": "note"}))
}

fn session_search(session: &LegacySession) -> Answer {
    session.rpc("tools/call", json!({"name": "retrieve_memories", "arguments": {"query": "note"}}))
}

/// Somebody whose credential is exchanged while it calls.
type Changing = Arc<Mutex<Caller>>;

fn current(caller: &Changing) -> Caller {
    caller.lock().unwrap().clone()
}

fn token(signer: &Signer) -> String {
    signer.token(&json!({
        "iss": "https://id.example", "aud": "https://memory.example/mcp", "sub": "user-1",
        "tenant": "acme", "exp": now() + 600, "iat": now(),
        "scope": "memgate:read memgate:write",
    }))
}

fn status(caller: &Caller) -> u16 {
    search(caller).http.status
}

/// Keys come and go; nobody else notices. A key that is used gets a new secret, and its client goes
/// over to it while the old one still works.
fn change_keys(world: &World, (id, holder): (&str, &Changing), crowd: &mut Crowd) {
    for round in 0..3 {
        let key = world.new_key(&json!({"tenant": "acme", "name": format!("round {round}")}));
        assert_eq!(status(&key.caller), 200);
        let revoked = world.operator().delete(&format!("/admin/keys/{}", key.id));
        assert_eq!(revoked.status, 204, "{revoked:?}");
        assert_eq!(status(&key.caller), 401, "at once");
    }
    crowd.go_on();
    let overlap = json!({"overlap": "1h"});
    let rotated = world.operator().post(&format!("/admin/keys/{id}/rotate"), &overlap);
    assert_eq!(rotated.status, 200, "{rotated:?}");
    crowd.go_on();
    *holder.lock().unwrap() = world.bearer(rotated.json()["secret"].as_str().unwrap());
    crowd.go_on();
}

/// A set of policies is exchanged, a broken one is not taken, and the first comes back.
fn change_policies(world: &World, policies: &Path, crowd: &mut Crowd) {
    let own = policies.join("50-own.cedar");
    let denied = || {
        let id = world.acme().store("a note that goes");
        world.acme().tool("delete_memory", json!({"memory_id": id})).is_error()
    };
    assert!(!denied());
    replace(&own, NO_DELETING);
    wait_until(|| denied().then_some(())).expect("the change is taken");
    crowd.go_on();
    let digest = |world: &World| world.operator().get("/admin/stats").json()["policy"].clone();
    let taken = digest(world);
    replace(&own, "permit (principal");
    wait_until(|| (!digest(world)["refused"].is_null()).then_some(())).expect("it is seen");
    crowd.go_on();
    assert!(denied(), "the set from before is in force");
    assert_eq!(digest(world)["digest"], taken["digest"]);
    fs::remove_file(&own).unwrap();
    wait_until(|| (!denied()).then_some(())).expect("the first set comes back");
    crowd.go_on();
}

/// The issuer gets a second key, its clients new tokens, and the first key goes.
fn change_issuer(
    world: &mut World,
    keys: &Path,
    signers: (&Signer, &Signer),
    holder: &Changing,
    crowd: &mut Crowd,
) {
    let (one, two) = signers;
    let (old, new) = (world.bearer(&token(one)), world.bearer(&token(two)));
    assert_eq!((status(&old), status(&new)), (200, 401));
    replace(keys, &set(&[one.jwk(), two.jwk()]).to_string());
    world.process().hang_up();
    wait_until(|| (status(&new) == 200).then_some(())).expect("the second key is in use");
    assert_eq!(status(&old), 200, "and the first still is");
    crowd.go_on();
    *holder.lock().unwrap() = new.clone();
    crowd.go_on();
    replace(keys, &set(&[two.jwk()]).to_string());
    world.process().hang_up();
    wait_until(|| (status(&old) == 401).then_some(())).expect("the first key is gone");
    for _ in 0..10 {
        assert_eq!(status(&old), 401, "for good");
    }
    assert_eq!(status(&new), 200);
    crowd.go_on();
}

#[test]
fn keys_policies_and_issuers_are_exchanged_under_calls() {
    let files = tempfile::tempdir().unwrap();
    let policies = files.path().join("policies");
    fs::create_dir(&policies).unwrap();
    fs::write(policies.join("10-agent.cedar"), AGENT).unwrap();
    fs::write(policies.join("40-operator.cedar"), OPERATOR).unwrap();
    let (one, two) = (Signer::es256("one"), Signer::es256("two"));
    let keys = files.path().join("keys.json");
    replace(&keys, &set(&[one.jwk()]).to_string());
    let file = format!(
        "[auth]\nresource = \"https://memory.example/mcp\"\n\n[[auth.issuer]]\n\
         issuer = \"https://id.example\"\njwks_file = \"{}\"\n",
        keys.display()
    );
    let mut env = PATIENT.to_vec();
    env.push(("MEMGATE_POLICY__DIRECTORY", policies.to_str().unwrap()));
    let mut world = World::with_file(&file, &env);
    world.acme().store("a note");

    let mut crowd = Crowd::new();
    let made = world.new_key(&json!({"tenant": "acme", "name": "stays"}));
    let turning: Changing = Arc::new(Mutex::new(made.caller.clone()));
    crowd.join({
        let turning = Arc::clone(&turning);
        move || search(&current(&turning))
    });
    for caller in [world.acme(), world.globex()] {
        crowd.join({
            let caller = caller.clone();
            move || search(&caller)
        });
        let session = caller.session();
        crowd.join(move || session_search(&session));
    }
    let holder: Changing = Arc::new(Mutex::new(world.bearer(&token(&one))));
    crowd.join({
        let holder = Arc::clone(&holder);
        move || search(&current(&holder))
    });
    // A session belongs to the token that opened it, so a new token opens a new session.
    crowd.join({
        let holder = Arc::clone(&holder);
        let mut used = String::new();
        let mut session = None;
        move || {
            let caller = current(&holder);
            let bytes = String::from_utf8(caller.bytes("GET", "/", None)).unwrap();
            if session.is_none() || used != bytes {
                session = Some(caller.session());
                used = bytes;
            }
            session_search(session.as_ref().unwrap())
        }
    });
    let session = made.caller.session();
    crowd.join({
        let session = session.clone();
        move || session_search(&session)
    });
    let mut stream = session.stream();
    assert_eq!(stream.head.status, 200, "{:?}", stream.head);
    crowd.go_on();
    change_keys(&world, (&made.id, &turning), &mut crowd);
    change_policies(&world, &policies, &mut crowd);
    change_issuer(&mut world, &keys, (&one, &two), &holder, &mut crowd);
    crowd.end();
    assert!(stream.is_open(), "nobody ended the stream of a key that was there all along");
}

/// A deployment with TLS and two authorities for client certificates, of which it knows one.
struct Encrypted {
    world: World,
    files: TempDir,
    servers: Vec<rustls::pki_types::CertificateDer<'static>>,
    old: Authority,
    new: Authority,
}

impl Encrypted {
    fn start() -> Self {
        let (old, new) = (Authority::new("old"), Authority::new("new"));
        let directory = tempfile::tempdir().unwrap();
        let files = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("clients.pem"), old.pem()).unwrap();
        let second = write_server_pair(files.path());
        let file = "[listen.tls]\nclient_certificates = \"optional\"\nclient_ca = \"clients.pem\"\n\
                    \n[auth.certificates]\ntenant_pattern = \"spiffe://example.org/{tenant}\"\n";
        let (world, first) = World::encrypted(directory, file, &PATIENT);
        Self { world, files, servers: vec![first, second], old, new }
    }

    /// Over TLS, whichever of the two certificates the server has.
    fn over(&self, caller: &Caller, holder: Option<&Holder>) -> Caller {
        caller.over(&dialect_of_any(&self.servers, holder))
    }

    /// The certificate that the server shows.
    fn shown(&self) -> rustls::pki_types::CertificateDer<'static> {
        let line = self.over(&self.world.anonymous(), None).connect().unwrap();
        line.tls().unwrap().peer_certificates().unwrap()[0].clone().into_owned()
    }
}

fn ping(caller: &Caller) -> Option<u16> {
    caller.exchange("GET", "/healthz", None).ok().map(|answer| answer.status)
}

#[test]
fn certificates_are_exchanged_under_calls() {
    let mut scene = Encrypted::start();
    let acme = |authority: &Authority| authority.of_uri("spiffe://example.org/acme");
    let (old, new) = (acme(&scene.old), acme(&scene.new));
    let mut crowd = Crowd::new();
    let keyed = scene.over(&scene.world.acme(), None);
    let globex = scene.over(&scene.world.globex(), None);
    let nobody = scene.world.anonymous();
    let alone: Changing = Arc::new(Mutex::new(scene.over(&nobody, Some(&old))));
    let beside: Changing = Arc::new(Mutex::new(scene.over(&scene.world.acme(), Some(&old))));
    keyed.store("a note");
    for caller in [&keyed, &globex] {
        let session = caller.session();
        crowd.join(move || session_search(&session));
        let caller = caller.clone();
        crowd.join(move || search(&caller));
    }
    for holder in [&alone, &beside] {
        let holder = Arc::clone(holder);
        crowd.join(move || search(&current(&holder)));
    }
    // Sessions of a key go on whatever certificate stands beside it.
    let session = current(&beside).session();
    crowd.join({
        let (beside, session) = (Arc::clone(&beside), session.clone());
        move || {
            let call = json!({"name": "retrieve_memories", "arguments": {"query": "note"}});
            LegacySession::rpc_by(&session.used_by(&current(&beside)), "tools/call", call)
        }
    });
    crowd.join({
        let keyed = keyed.clone();
        move || keyed.tool("store_memory", json!({"content": "one more"}))
    });
    let mut streams = [keyed.session().stream(), current(&alone).session().stream()];
    crowd.go_on();

    // The server's own certificate.
    assert_eq!(scene.shown(), scene.servers[0]);
    for name in ["server.key", "server.pem"] {
        let text = fs::read_to_string(scene.files.path().join(name)).unwrap();
        replace(&scene.world.root().join(name), &text);
    }
    scene.world.process().hang_up();
    wait_until(|| (scene.shown() == scene.servers[1]).then_some(())).expect("the new one is shown");
    crowd.go_on();

    // The authority of clients: the new one beside the old one, new certificates, the old one out.
    let authorities = scene.world.root().join("clients.pem");
    let newcomer = scene.over(&nobody, Some(&new));
    assert_eq!(ping(&newcomer), None, "not yet");
    replace(&authorities, &(scene.old.pem() + &scene.new.pem()));
    scene.world.process().hang_up();
    wait_until(|| ping(&newcomer)).expect("the new authority is trusted");
    crowd.go_on();
    assert!(streams.iter_mut().all(Stream::is_open), "the old one still is");
    let stayed = current(&alone);
    *alone.lock().unwrap() = newcomer.clone();
    *beside.lock().unwrap() = scene.over(&scene.world.acme(), Some(&new));
    crowd.go_on();
    replace(&authorities, &scene.new.pem());
    scene.world.process().hang_up();
    wait_until(|| ping(&stayed).is_none().then_some(())).expect("the old one is out");
    for _ in 0..10 {
        assert_eq!(ping(&stayed), None, "for good");
    }
    crowd.go_on();
    let [mut of_key, of_certificate] = streams;
    of_certificate.cut_off();
    assert!(of_key.is_open(), "nobody ended the stream of a key");

    // A broken file changes nothing.
    replace(&authorities, "nothing");
    scene.world.process().hang_up();
    let problem = || -> Value {
        let stats = scene.over(&scene.world.operator(), None).get("/admin/stats").json();
        stats["tls"]["problem"].clone()
    };
    wait_until(|| (!problem().is_null()).then_some(())).expect("it is seen");
    crowd.go_on();
    crowd.end();
}
