//! The conformance suite on SQLite, and what only SQLite can do wrong.

use std::{path::PathBuf, time::Duration};

use proptest::prelude::*;
use rusqlite::Connection;

use super::*;
use crate::{
    domain::{
        Kind,
        clock::{ManualClock, SystemClock},
        random::OsEntropy,
    },
    store::conformance::{self, Fresh, conformance, note, start, tag},
};

pub(super) struct Opened {
    temp: tempfile::TempDir,
    tenant: TenantId,
    around: Surroundings,
    clock: Arc<ManualClock>,
}

impl Opened {
    pub(super) fn new() -> Self {
        let clock = Arc::new(ManualClock::at(start()));
        let settings = Storage { max_memory_bytes: conformance::MAX_BYTES, ..Storage::default() };
        let around = Surroundings {
            settings: Arc::new(settings),
            clock: Arc::<ManualClock>::clone(&clock),
            tracker: TaskTracker::new(),
        };
        let temp = tempfile::tempdir().unwrap();
        let opened = Self { temp, tenant: TenantId::random(&OsEntropy), around, clock };
        SqliteStore::create(&opened.path(), &opened.tenant, &opened.around).unwrap();
        opened
    }

    pub(super) fn path(&self) -> PathBuf {
        self.temp.path().canonicalize().unwrap().join("memory.db")
    }

    fn open(&self, check: Check) -> Result<SqliteStore> {
        SqliteStore::open(&self.path(), &self.tenant, check, &self.around)
    }

    pub(super) fn store(&self) -> Arc<SqliteStore> {
        Arc::new(self.open(Check::Everything).unwrap())
    }
}

async fn fresh() -> Fresh {
    let opened = Opened::new();
    let store = opened.store();
    Fresh { store, clock: Arc::clone(&opened.clock), _keep: Box::new(opened) }
}

conformance!(fresh);

/// A connection without any of our settings, as an attacker or a restore has it.
#[expect(clippy::disallowed_methods, reason = "stands for somebody else's program")]
fn foreign(path: &Path) -> Connection {
    Connection::open(path).unwrap()
}

#[test]
fn a_created_file_is_whole_without_a_log() {
    let opened = Opened::new();
    assert!(opened.path().exists());
    assert!(!opened.path().with_file_name("memory.db-wal").exists());
}

#[test]
fn i11_another_tenants_file_is_refused() {
    let (mine, theirs) = (Opened::new(), Opened::new());
    std::fs::copy(theirs.path(), mine.path()).unwrap();
    for check in [Check::Marks, Check::Structure, Check::Everything] {
        let refused = mine.open(check).unwrap_err();
        assert_eq!(refused.kind(), Kind::Unavailable);
        assert!(refused.to_string().contains(theirs.tenant.as_str()), "{refused}");
        assert_eq!(refused.public(), "temporarily unavailable");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_lost_a_word_is_built_anew() {
    let opened = Opened::new();
    let store = opened.store();
    store.put(note("a", "findable")).await.unwrap();
    store.close().unwrap();
    drop(store);
    foreign(&opened.path()).execute_batch("INSERT INTO word (word) VALUES ('delete-all')").unwrap();

    let store = Arc::new(opened.open(Check::Structure).unwrap());
    let query = Query { text: Some("findable".to_owned()), ..Query::newest(1) };
    assert!(store.search(query.clone()).await.unwrap().hits.is_empty());
    store.close().unwrap();
    let store = opened.store();
    assert_eq!(store.search(query).await.unwrap().hits.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i6_a_write_into_a_lost_file_is_not_acknowledged() {
    for lost in ["memory.db", "memory.db-wal"] {
        let opened = Opened::new();
        let store = opened.store();
        store.put(note("a", "before")).await.unwrap();
        std::fs::remove_file(opened.path().with_file_name(lost)).unwrap();
        let refused = store.put(note("b", "into the void")).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::Unavailable, "{lost}");
        assert!(store.is_suspect(), "{lost}");
        let refused = store.put(note("c", "again")).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::Unavailable, "the handle is not used again");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_query_times_out_and_the_next_one_runs() {
    /// Each look at the clock costs a millisecond.
    #[derive(Debug)]
    struct Ticking(ManualClock);
    impl Clock for Ticking {
        fn now(&self) -> jiff::Timestamp {
            self.0.now()
        }
        fn monotonic(&self) -> Duration {
            self.0.advance(Duration::from_millis(1));
            self.0.monotonic()
        }
    }
    let opened = Opened::new();
    let store = opened.store();
    for i in 0..300 {
        store.put(note(&i.to_string(), "common words in every one of them")).await.unwrap();
    }
    store.close().unwrap();
    let clock = Arc::new(Ticking(ManualClock::at(start())));
    let query_timeout = Duration::from_millis(2);
    let settings = Arc::new(Storage { query_timeout, ..Storage::default() });
    let around = Surroundings { settings, clock, ..opened.around.clone() };
    let store = SqliteStore::open(&opened.path(), &opened.tenant, Check::Marks, &around).unwrap();
    let query = Query { text: Some("common words".to_owned()), ..Query::newest(10) };
    assert_eq!(store.search(query).await.unwrap_err().kind(), Kind::Timeout);
    assert!(!store.is_suspect());
    assert_eq!(store.search(Query::newest(1)).await.unwrap().hits.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_store_refuses() {
    let opened = Opened::new();
    let store = opened.store();
    store.put(note("a", "x")).await.unwrap();
    store.close().unwrap();
    assert_eq!(store.put(note("b", "x")).await.unwrap_err().kind(), Kind::Unavailable);
    assert_eq!(store.usage().await.unwrap_err().kind(), Kind::Unavailable);
    assert!(!opened.path().with_file_name("memory.db-wal").exists(), "the log is emptied");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_that_wait_share_a_commit() {
    let opened = Opened::new();
    let store = opened.store();
    let version = |connection: &Connection| {
        connection.query_row("PRAGMA data_version", [], |r| r.get::<_, i64>(0)).unwrap()
    };
    let watcher = foreign(&opened.path());
    let before = version(&watcher);
    // Nothing is drained before all of them wait: a test's runtime thread polls them in turn.
    let press = store.writer.hold();
    let mut writes = tokio::task::JoinSet::new();
    for i in 0..40 {
        let store = Arc::clone(&store);
        writes.spawn(async move { store.put(note(&i.to_string(), "x")).await });
    }
    while store.writer.waiting() < 40 {
        tokio::task::yield_now().await;
    }
    drop(press);
    for stored in writes.join_all().await {
        stored.unwrap();
    }
    assert_eq!(version(&watcher) - before, 1, "one commit");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_known_of_words_ages_with_every_change() {
    let opened = Opened::new();
    let store = opened.store();
    let stored = store.put(note("a", "x")).await.unwrap();
    assert_eq!(store.known.moment(), 0, "what is added makes no word rarer");
    store.update(&stored.id, MemoryPatch::default()).await.unwrap();
    store.delete(&stored.id).await.unwrap();
    assert_eq!(store.known.moment(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn common_words_do_not_drown_rare_ones() {
    let opened = Opened::new();
    let limits = Limits::default();
    let clock = Arc::new(SystemClock::new());
    let database = Database::open(&opened.path(), Mode::Writer, &limits, clock).unwrap();
    database
        .execute_batch(
            "WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 6000)
             INSERT INTO memory (id, kind, created_at, updated_at, bytes, author_key, client_name,
                                 client_version, filename, description, tags, content)
             SELECT 'm' || n, 'note', n, n, 1, 'env-test', '', '', 'f' || n, '', '',
                    CASE WHEN n = 7 THEN 'the needle' ELSE 'the haystack' END
             FROM i",
        )
        .unwrap();
    let ask = |text: &str, since: Option<i64>| {
        let since = since.map(|n| jiff::Timestamp::from_microsecond(n).unwrap());
        let query = Query { text: Some(text.to_owned()), since, ..Query::newest(3) };
        let hits = query::search(&database, &Known::default(), &query, &Reach::ALL).unwrap();
        hits.hits.into_iter().map(|hit| hit.memory.filename).collect::<Vec<_>>()
    };
    assert_eq!(ask("the needle in the haystack", None), ["f7"], "the rare word decides");
    assert_eq!(ask("need", None), ["f7"], "and so does a part of it");
    assert_eq!(ask("the haystack", None), ["f6000", "f5999", "f5998"], "all common: the newest");
    assert_eq!(ask("hay", None).len(), 3);
    assert_eq!(ask("the needle", Some(5000)).len(), 3, "common words fill what a filter leaves");
    assert!(ask("nothing", None).is_empty());
}

fn reach(texts: &[&str]) -> Reach {
    let tags = texts.iter().map(|text| tag(text)).collect();
    Some(crate::domain::reach::Tags::of(tags).unwrap()).into()
}

/// Everything that a store says of what it holds, the order of answers and scores included.
async fn told(store: &SqliteStore) -> Vec<String> {
    let mut told = Vec::new();
    for text in [None, Some("red"), Some("red bus works"), Some("no")] {
        for (tag, offset) in [(None, 0), (None, 2), (Some(tag("A")), 0)] {
            let text = text.map(str::to_owned);
            let query = Query { text, tag, offset, ..Query::newest(3) };
            let hits = store.search(query).await.unwrap();
            let found: Vec<_> =
                hits.hits.iter().map(|hit| (hit.memory.filename.clone(), hit.score)).collect();
            told.push(format!("{found:?} {}", hits.more));
        }
    }
    let usage = store.usage().await.unwrap();
    told.push(format!("{} {} {:?}", usage.memories, usage.bytes, usage.tags));
    for prefix in ["", "a", "x"] {
        let mut tags = store.tags(prefix, 10).await.unwrap();
        tags.sort();
        told.push(format!("{tags:?}"));
    }
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i4_a_foreign_memory_and_none_read_the_same_to_a_part() {
    let opened = Opened::new();
    let whole = opened.store();
    let foreign =
        whole.put(NewMemory { tags: vec![tag("home")], ..note("a", "the red bus") }).await.unwrap();
    let bare = whole.put(note("b", "no tag at all")).await.unwrap();
    let part = SqliteStore::part(Arc::clone(&whole), &reach(&["Work"]));
    let patch = || MemoryPatch { content: Some("mine now".to_owned()), ..MemoryPatch::default() };
    for id in [&foreign.id, &bare.id] {
        assert!(part.get(id).await.unwrap().is_none());
        assert!(part.update(id, patch()).await.unwrap().is_none());
        assert!(part.delete(id).await.unwrap().is_none());
    }
    assert_eq!(told(&part).await, told(&Opened::new().store()).await, "an empty store");
    assert_eq!(whole.get(&foreign.id).await.unwrap().unwrap(), foreign, "nothing was touched");

    let own = part.put(note("c", "the red bus")).await.unwrap();
    assert_eq!(own.tags, [tag("Work")], "what is stored gets the tag");
    let tags = Some(vec![tag("x")]);
    let changed = part.update(&own.id, MemoryPatch { tags, ..patch() }).await.unwrap().unwrap();
    assert_eq!(changed.tags, [tag("x"), tag("Work")], "and keeps it");
    let query = Query { text: Some("mine".to_owned()), ..Query::newest(5) };
    let hits = part.search(query).await.unwrap();
    assert_eq!(hits.hits.len(), 1);
    assert!(part.delete(&own.id).await.unwrap().is_some());
    assert_eq!(whole.usage().await.unwrap().memories, 2);
}

/// A thief with a key for one tag stores a word that nobody has and one that he suspects, and looks
/// which of the two is the rarer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i4_the_order_of_an_answer_tells_nothing_of_what_is_out_of_reach() {
    let opened = Opened::new();
    let whole = opened.store();
    for n in 0..20 {
        let private =
            NewMemory { tags: vec![tag("private")], ..note(&format!("p{n}"), "zebrafish") };
        whole.put(private).await.unwrap();
    }
    let part = SqliteStore::part(Arc::clone(&whole), &reach(&["work"]));
    let mut orders = Vec::new();
    for suspected in ["zebrafish", "walrusfish"] {
        let control = part.put(note("control", "qxjzkvqxjzkv")).await.unwrap();
        let probe = part.put(note("probe", suspected)).await.unwrap();
        let text = Some(format!("{suspected} qxjzkvqxjzkv"));
        let hits = part.search(Query { text, ..Query::newest(5) }).await.unwrap().hits;
        orders.push(
            hits.iter().map(|hit| (hit.memory.filename.clone(), hit.score)).collect::<Vec<_>>(),
        );
        for memory in [control, probe] {
            part.delete(&memory.id).await.unwrap();
        }
    }
    assert_eq!(orders[0], orders[1]);
    assert_eq!(orders[0].len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever lies around it, a part is the store that holds what is in reach and nothing else.
    #[test]
    fn i4_what_is_out_of_reach_is_not_there(
        memories in proptest::collection::vec(
            ("[a-d]{0,2}", proptest::sample::select(vec!["red bus", "red works", "blue", "bus"])),
            0..14,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (opened, alone) = (Opened::new(), Opened::new());
            let (whole, alone_store) = (opened.store(), alone.store());
            let ours = reach(&["A", "b"]);
            for (n, (tags, text)) in memories.iter().enumerate() {
                let tags: Vec<Tag> = tags.chars().map(|c| tag(&c.to_string())).collect();
                let new = NewMemory { tags: tags.clone(), ..note(&format!("f{n}"), text) };
                whole.put(new.clone()).await.unwrap();
                if ours.holds(&tags) {
                    alone_store.put(new).await.unwrap();
                }
            }
            let part = SqliteStore::part(Arc::clone(&whole), &ours);
            let alone = SqliteStore::part(alone_store, &ours);
            assert_eq!(told(&part).await, told(&alone).await);
        });
    }

    #[test]
    fn any_text_can_be_searched_for(queries in proptest::collection::vec(any::<String>(), 8)) {
        let opened = Opened::new();
        let limits = Limits::default();
        let clock = Arc::new(SystemClock::new());
        let database = Database::open(&opened.path(), Mode::Writer, &limits, clock).unwrap();
        for text in queries {
            let query = Query { text: Some(text.clone()), ..Query::newest(3) };
            if let Err(error) = query::search(&database, &Known::default(), &query, &Reach::ALL) {
                prop_assert_eq!(error.kind(), Kind::BadInput, "{:?}: {}", text, error);
            }
        }
    }

    #[test]
    fn the_index_equals_the_table(steps in proptest::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let opened = Opened::new();
            let store = opened.store();
            let mut model: Vec<Memory> = Vec::new();
            for step in steps {
                match step {
                    Step::Put(text, tags) => {
                        let new = NewMemory { tags, ..note("m", &text) };
                        model.push(store.put(new).await.unwrap());
                    }
                    Step::Update(pick, text) if !model.is_empty() => {
                        let at = pick % model.len();
                        let patch = MemoryPatch { content: Some(text), ..MemoryPatch::default() };
                        model[at] = store.update(&model[at].id, patch).await.unwrap().unwrap();
                    }
                    Step::Delete(pick) if !model.is_empty() => {
                        let gone = model.swap_remove(pick % model.len());
                        assert_eq!(store.delete(&gone.id).await.unwrap(), Some(gone));
                    }
                    Step::Update(..) | Step::Delete(_) => {}
                }
            }
            for memory in &model {
                assert_eq!(store.get(&memory.id).await.unwrap().as_ref(), Some(memory));
            }
            let usage = store.usage().await.unwrap();
            assert_eq!(usage.memories, model.len() as u64);
            assert_eq!(usage.bytes, model.iter().map(|m| m.size() as u64).sum::<u64>());
            let tagged: usize = model.iter().map(|m| m.tags.len()).sum();
            assert_eq!(usage.tags.iter().map(|(_, n)| *n).sum::<u64>(), tagged as u64);
            store.close().unwrap();
            drop(store);
            let file = foreign(&opened.path());
            file.execute("INSERT INTO word (word, rank) VALUES ('integrity-check', 1)", [])
                .unwrap();
        });
    }
}

#[derive(Debug, Clone)]
enum Step {
    Put(String, Vec<Tag>),
    Update(usize, String),
    Delete(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let text = "[a-c äß🍲\"'*]{0,24}";
    let tags = proptest::collection::vec("[a-cA-C]", 0..4)
        .prop_map(|tags| tags.iter().map(|t| tag(t)).collect());
    prop_oneof![
        4 => (text, tags).prop_map(|(text, tags)| Step::Put(text, tags)),
        2 => (any::<usize>(), text).prop_map(|(pick, text)| Step::Update(pick, text)),
        1 => any::<usize>().prop_map(Step::Delete),
    ]
}
