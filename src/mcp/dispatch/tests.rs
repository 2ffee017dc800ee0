//! How a call ends that does not end well, and as what it is counted.

use std::net::Ipv4Addr;

use serde_json::json;

use super::*;
use crate::{auth::testing::World, domain::client::ClientInfo, mcp::endpoint::Known};

fn visit(who: &Principal) -> Arc<Visit> {
    let known = Known {
        principal: who.clone(),
        address: Ipv4Addr::LOCALHOST.into(),
        place: None,
        request_id: "r1".to_owned(),
        slot: crate::audit::Slot::default(),
    };
    Visit::new(known, ClientInfo::default())
}

fn dispatch(world: &World, timeout: Duration) -> Dispatch {
    let mut settings = Settings::default();
    settings.mcp.tool_timeout = timeout;
    crate::mcp::testing::dispatch(world, &settings)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_and_a_standstill_are_errors_of_the_call_and_counted() {
    let world = World::new();
    let visit = visit(&world.agent("alice").await);
    let read = Action::MemoryRead;
    let patient = dispatch(&world, Duration::from_mins(1));
    let broken = patient.with_store(&visit, "broken", read, |_| async { panic!("cause") }).await;
    let broken: Error = Result::<()>::unwrap_err(broken);
    assert_eq!((broken.kind(), broken.public()), (Kind::Internal, "internal error"));

    let hasty = dispatch(&world, Duration::from_millis(1));
    let stuck = hasty.with_store(&visit, "stuck", read, |_| std::future::pending()).await;
    assert_eq!(Result::<()>::unwrap_err(stuck).kind(), Kind::Timeout);

    assert!(visit.has_failed());
    let tools = world.stats.snapshot().tools;
    assert_eq!((tools["broken"].failed, tools["stuck"].failed), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_caller_has_gone_is_concluded_too() {
    let world = World::new();
    let visit = visit(&world.agent("alice").await);
    let dispatch = dispatch(&world, Duration::from_mins(1));
    let mut stuck =
        Box::pin(dispatch.with_store(&visit, "stuck", Action::MemoryRead, |_| {
            std::future::pending::<Result<()>>()
        }));
    assert!(futures::poll!(&mut stuck).is_pending());
    assert!(!world.stats.snapshot().tools.contains_key("stuck"));
    drop(stuck);
    assert_eq!(world.stats.snapshot().tools["stuck"].failed, 1);
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "the thread that writes has the machine's clock")]
async fn i10_a_change_whose_caller_has_gone_is_written_at_once() {
    let world = World::new();
    let visit = visit(&world.agent("alice").await);
    let dispatch = dispatch(&world, Duration::from_mins(1));
    let audit = &dispatch.means.audit;
    let mut took = Vec::new();
    for _ in 0..20 {
        let begun = |_| std::future::pending::<Result<()>>();
        let mut stuck = Box::pin(dispatch.with_store(&visit, "stuck", Action::MemoryWrite, begun));
        assert!(futures::poll!(&mut stuck).is_pending());
        let before = audit.status().head.seq;
        let dropped = std::time::Instant::now();
        drop(stuck);
        while audit.status().head.seq == before {
            assert!(dropped.elapsed() < Duration::from_secs(10), "it is written");
            tokio::task::yield_now().await;
        }
        took.push(dropped.elapsed());
    }
    // What nobody waits for is gathered for 50 ms; the fastest of many says whether this was.
    let fastest = took.iter().min().unwrap();
    assert!(*fastest < Duration::from_millis(45), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_is_counted_as_one() {
    let world = World::new();
    let (alice, _bob) = (world.agent("alice").await, world.agent("bob").await);
    let dispatch = dispatch(&world, Duration::from_mins(1));
    for (user, outcome) in [("bob", Err(Kind::Forbidden)), ("alice", Ok(()))] {
        let Value::Object(arguments) = json!({ "user_id": user }) else { panic!("an object") };
        let visit = visit(&alice);
        let call = dispatch.call(&visit, "get_user_stats", arguments);
        let answer = call.await.expect("the tool is there");
        assert_eq!(answer.map(drop).map_err(|error| error.kind()), outcome, "{user}");
    }
    let counted = &world.stats.snapshot().tools["get_user_stats"];
    assert_eq!((counted.denied, counted.failed, counted.done), (1, 0, 1));
}

mod bounds;
