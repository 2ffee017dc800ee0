//! Words: where they are looked for, what comes first, and that they are never syntax.

use super::{Fresh, found, note, put_all, tag, text};
use crate::domain::{Kind, memory::NewMemory};

pub(in crate::store) async fn words_find_in_every_field(fresh: Fresh) {
    let new = NewMemory {
        description: "third".to_owned(),
        response: Some("fourth".to_owned()),
        tags: vec![tag("fifth")],
        ..note("first.txt", "second")
    };
    fresh.store.put(new).await.unwrap();
    for word in ["first", "SECOND", "Third", "fourth", "fifth", "nothing or fifth"] {
        assert_eq!(found(&fresh, text(word)).await, ["first.txt"], "{word}");
    }
    assert!(found(&fresh, text("sixth")).await.is_empty());
}

pub(in crate::store) async fn parts_of_words_find(fresh: Fresh) {
    fresh.store.put(note("a", "Working on the Müller account")).await.unwrap();
    for part in ["wor", "work", "worked", "mül", "MÜLLER", "muller", "acc"] {
        assert_eq!(found(&fresh, text(part)).await, ["a"], "{part}");
    }
}

pub(in crate::store) async fn better_answers_come_first(fresh: Fresh) {
    let many = "some other words that do not matter here ".repeat(3);
    put_all(
        &fresh,
        vec![
            note("in a long text", &format!("{many} garden {many}")),
            note("both words", "the garden has a fence"),
            note("part of a word", "gardenia"),
            note("garden", "named so"),
            note("unrelated", "nothing"),
        ],
    )
    .await;
    let names = found(&fresh, text("garden fence")).await;
    assert_eq!(names.first().map(String::as_str), Some("both words"), "{names:?}");
    let names = found(&fresh, text("garden")).await;
    assert_eq!(names.first().map(String::as_str), Some("garden"), "{names:?}");
    assert_eq!(names.len(), 4, "{names:?}");
    let scores: Vec<f64> = fresh
        .store
        .search(text("garden"))
        .await
        .unwrap()
        .hits
        .iter()
        .map(|hit| hit.score)
        .collect();
    assert!(scores.windows(2).all(|pair| pair[0] >= pair[1]), "{scores:?}");
    assert!(scores.iter().all(|score| *score > 0.0), "{scores:?}");
}

pub(in crate::store) async fn query_text_is_never_syntax(fresh: Fresh) {
    fresh.store.put(note("secret", "the canary sings")).await.unwrap();
    for hostile in [
        "\"",
        "'",
        "*",
        "canary*\"",
        "NEAR(a b, 5)",
        "content:canary",
        "{a b}: c",
        "^canary",
        "a AND",
        "OR OR",
        "NOT NOT",
        "(",
        ")",
        "a + b",
        "-x",
        "x\0y",
        "\u{202e}",
        "' OR 1=1 --",
        "\"; DROP TABLE memory; --",
        "%",
        "_",
        "?1",
        ":words",
        "$x",
        "rank MATCH",
    ] {
        match fresh.store.search(text(hostile)).await {
            Ok(_) => {}
            Err(refused) => assert_eq!(refused.kind(), Kind::BadInput, "{hostile:?}: {refused}"),
        }
    }
    assert_eq!(found(&fresh, text("content:canary")).await, ["secret"], "as two words");
    assert!(found(&fresh, text("NOT nothing")).await.is_empty());
}

pub(in crate::store) async fn a_query_without_words_is_refused(fresh: Fresh) {
    for empty in ["", "  ", "?!", "\0"] {
        let refused = fresh.store.search(text(empty)).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::BadInput);
        assert_eq!(refused.public(), "the query has no words");
    }
}
