//! The rules one by one, and agreement with the parser behind.

use proptest::prelude::*;
use rmcp::model::{ClientJsonRpcMessage, NumberOrString};

use super::*;

fn flaw(body: &str) -> Flaw {
    read(body.as_bytes()).expect_err(body)
}

fn call(arguments: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"t","arguments":{arguments}}}}}"#
    )
}

#[test]
fn what_the_gateway_needs_is_picked_out() {
    let body = br#" {"params":{"_meta":{"io.modelcontextprotocol/clientInfo":{"version":"1","name":"a\tb","x":[1]},
        "io.modelcontextprotocol/protocolVersion":"2026-07-28"},"arguments":{"name":"no"},"n\u0061me":"echo"},
        "method":"tools/call","id":"7","jsonrpc":"2.0"} "#;
    let message = read(body).unwrap();
    assert_eq!(message.kind, Kind::Request);
    assert_eq!(message.id, r#""7""#);
    assert_eq!(message.method, "tools/call");
    assert_eq!(message.name.as_deref(), Some("echo"));
    assert_eq!(message.meta_version.as_deref(), Some("2026-07-28"));
    assert_eq!((&*message.client.name, &*message.client.version), ("a\tb", "1"));
}

#[test]
fn the_three_kinds() {
    let kind = |body: &str| read(body.as_bytes()).unwrap().kind;
    assert_eq!(kind(r#"{"jsonrpc":"2.0","id":-1,"method":"ping"}"#), Kind::Request);
    assert_eq!(kind(r#"{"jsonrpc":"2.0","method":"notifications/x"}"#), Kind::Notification);
    assert_eq!(kind(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#), Kind::Response);
    assert_eq!(kind(r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}"#), Kind::Response);
    for shape in [
        r#"{"jsonrpc":"2.0"}"#,
        r#"{"jsonrpc":"2.0","id":1}"#,
        r#"{"jsonrpc":"2.0","result":1}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"m","result":1}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":1,"error":1}"#,
    ] {
        assert_eq!(flaw(shape), Flaw::Shape, "{shape}");
    }
}

#[test]
fn what_is_not_json_is_minus_32700() {
    for body in [
        "",
        " ",
        "{",
        "}",
        "nul",
        "\u{feff}{}",
        "{}{}",
        "{} x",
        "{\"a\":NaN}",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":+1}",
        "{\"a\":1e}",
        "{\"a\":1e999}",
        "{\"a\":Infinity}",
        "{'a':1}",
        "{a:1}",
        "{\"a\":1,}",
        "{\"a\":[1,]}",
        "{\"a\" 1}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\\udc00\"}",
        "{\"a\":\"\\ud800\\u0041\"}",
        "{\"a\":\"\\ud800\\n\"}",
        "{\"a\":\"\\u00g0\"}",
        "{\"a\":\"",
        "/**/{}",
        "[1",
        "[[",
    ] {
        assert_eq!(flaw(body), Flaw::NotJson, "{body:?}");
        assert_eq!(flaw(body).code(), -32700);
    }
    assert_eq!(read(b"{\"a\":\"\xff\"}"), Err(Flaw::NotJson));
    assert_eq!(read(&"[".repeat(1_000_000).into_bytes()), Err(Flaw::NotJson));
    let digits = format!("{{\"a\":{}}}", "9".repeat(400));
    assert_eq!(flaw(&digits), Flaw::NotJson);
}

#[test]
fn what_is_json_and_no_message_is_minus_32600() {
    let m = |rest: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping"{rest}}}"#);
    for (body, expected) in [
        ("[]".to_owned(), Flaw::Batch),
        (format!("[{}]", m("")), Flaw::Batch),
        ("null".to_owned(), Flaw::NotAnObject),
        ("\"x\"".to_owned(), Flaw::NotAnObject),
        (m(r#","id":2"#), Flaw::DuplicateKey),
        (m(r#","m\u0065thod":"x""#), Flaw::DuplicateKey),
        (m(r#","params":{"name":"a","name":"b"}"#), Flaw::DuplicateKey),
        (m(r#","params":{"arguments":{"x":[{"y":1,"y":1}]}}"#), Flaw::DuplicateKey),
        (m(r#","Method":"x""#), Flaw::CaseVariant),
        (m(r#","ID":2"#), Flaw::CaseVariant),
        (m(r#","params":{"Name":"x"}"#), Flaw::CaseVariant),
        (m(r#","params":[]"#), Flaw::Params),
        (m(r#","params":"x""#), Flaw::Params),
        (m(r#","params":{"_meta":1}"#), Flaw::Params),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#.to_owned(), Flaw::Version),
        (r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#.to_owned(), Flaw::Version),
        (r#"{"id":1,"method":"ping"}"#.to_owned(), Flaw::Version),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#.to_owned(), Flaw::Id),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#.to_owned(), Flaw::Id),
        (r#"{"jsonrpc":"2.0","id":1e2,"method":"ping"}"#.to_owned(), Flaw::Id),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#.to_owned(), Flaw::Id),
        (r#"{"jsonrpc":"2.0","id":9223372036854775808,"method":"ping"}"#.to_owned(), Flaw::Id),
        (r#"{"jsonrpc":"2.0","id":1,"method":7}"#.to_owned(), Flaw::Method),
        (r#"{"jsonrpc":"2.0","id":1,"method":""}"#.to_owned(), Flaw::Method),
    ] {
        assert_eq!(flaw(&body), expected, "{body}");
        assert_eq!(expected.code(), -32600);
    }
}

#[test]
fn sizes_are_held_to_the_last_one() {
    let id = |n: usize| format!(r#"{{"jsonrpc":"2.0","id":"{}","method":"ping"}}"#, "x".repeat(n));
    assert!(read(id(MAX_ID_BYTES).as_bytes()).is_ok());
    assert_eq!(flaw(&id(MAX_ID_BYTES + 1)), Flaw::Id);

    let method = |n: usize| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{}"}}"#, "x".repeat(n));
    assert!(read(method(MAX_METHOD_BYTES).as_bytes()).is_ok());
    assert_eq!(flaw(&method(MAX_METHOD_BYTES + 1)), Flaw::Method);

    // The message is level 1, `params` 2, `arguments` 3.
    let nest = |n: usize| call(&format!("{}1{}", r#"{"a":"#.repeat(n), "}".repeat(n)));
    let deepest = MAX_DEPTH as usize - 2;
    assert!(read(nest(deepest).as_bytes()).is_ok());
    assert_eq!(flaw(&nest(deepest + 1)), Flaw::TooDeep);
    let nest = |n: usize| call(&format!("{}{}", "[".repeat(n), "]".repeat(n)));
    assert!(read(nest(deepest).as_bytes()).is_ok());
    assert_eq!(flaw(&nest(deepest + 1)), Flaw::TooDeep);

    let keys = |n: usize, last: usize| {
        let list: Vec<_> = (0..n).map(|i| format!("\"k{i}\":1")).collect();
        call(&format!("{{{},\"k{last}\":1}}", list.join(",")))
    };
    assert!(read(keys(MAX_KEYS - 1, MAX_KEYS).as_bytes()).is_ok());
    assert_eq!(flaw(&keys(MAX_KEYS, MAX_KEYS)), Flaw::TooManyKeys);
    for earlier in [0, 15, 16, 17, 500] {
        assert_eq!(flaw(&keys(600, earlier)), Flaw::DuplicateKey, "k{earlier}");
    }
    // Equal keys in different objects are no duplicates.
    assert!(read(call(r#"{"a":{"a":1},"b":[{"a":1},{"a":1}]}"#).as_bytes()).is_ok());
}

#[test]
fn no_sentence_is_a_parsers() {
    for body in ["{\"a\":", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"id\":1}"] {
        let sentence = flaw(body).sentence();
        assert!(!sentence.contains("line") && !sentence.contains("column"), "{sentence}");
    }
}

/// JSON of every sort, with the keys that matter among the others.
fn json() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        "[a-z]{0,6}",
        Just("name".to_owned()),
        Just("\\u006eame".to_owned()),
        Just("\\ud83d\\ude00 \\n\\\"".to_owned()),
        Just("_meta".to_owned()),
        Just("ä\u{1f600}".to_owned()),
    ];
    let leaf = prop_oneof![
        text.clone().prop_map(|t| format!("\"{t}\"")),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>()
            .prop_filter("JSON has no infinity", |n| n.is_finite())
            .prop_map(|n| format!("{n:e}")),
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("-0".to_owned()),
        Just("1e400".to_owned()),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        let pair = (text.clone(), inner.clone()).prop_map(|(k, v)| format!("\"{k}\" : {v}"));
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(|v| format!("[{}]", v.join(" ,"))),
            prop::collection::vec(pair, 0..6).prop_map(|v| format!("{{{}}}", v.join(","))),
        ]
    })
}

fn body() -> impl Strategy<Value = String> {
    let method = prop_oneof![
        Just("tools/call"),
        Just("tools/list"),
        Just("initialize"),
        Just("resources/read"),
        Just("notifications/cancelled"),
        Just("server/discover"),
        Just("none/such"),
    ];
    let id = prop_oneof![3 => Just("1".to_owned()), 1 => json()];
    let members = prop::collection::vec(
        (
            prop_oneof![
                Just("name"),
                Just("uri"),
                Just("_meta"),
                Just("arguments"),
                Just("cursor"),
            ],
            json(),
        ),
        0..4,
    );
    let params = prop_oneof![
        3 => members.prop_map(|list| {
            let list: Vec<_> = list.iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
            format!("{{{}}}", list.join(","))
        }),
        1 => json(),
    ];
    (id, method, params, prop::bool::ANY).prop_map(|(id, method, params, notification)| {
        let id = if notification { String::new() } else { format!("\"id\":{id},") };
        format!(r#"{{"jsonrpc":"2.0",{id}"method":"{method}","params":{params}}}"#)
    })
}

/// Both readers see the same message, or ours refuses it.
fn agree(body: &[u8]) -> Result<(), TestCaseError> {
    let Ok(ours) = read(body) else { return Ok(()) };
    let value: serde_json::Value = serde_json::from_slice(body)
        .map_err(|e| TestCaseError::fail(format!("{:?}: {e}", String::from_utf8_lossy(body))))?;
    let params = &value["params"];
    let version = &params["_meta"]["io.modelcontextprotocol/protocolVersion"];
    prop_assert_eq!(value["method"].as_str().unwrap_or_default(), ours.method.as_ref());
    prop_assert_eq!(params["name"].as_str(), ours.name.as_deref());
    prop_assert_eq!(params["uri"].as_str(), ours.uri.as_deref());
    prop_assert_eq!(version.as_str(), ours.meta_version.as_deref());
    if ours.kind == Kind::Response {
        return Ok(());
    }
    let theirs: ClientJsonRpcMessage = serde_json::from_slice(body)
        .map_err(|e| TestCaseError::fail(format!("{:?}: {e}", String::from_utf8_lossy(body))))?;
    match (ours.kind, theirs) {
        (Kind::Request, ClientJsonRpcMessage::Request(request)) => {
            let id: NumberOrString = serde_json::from_str(ours.id).unwrap();
            prop_assert_eq!(request.id, id);
            prop_assert_eq!(request.request.method(), ours.method.as_ref());
        }
        (Kind::Notification, ClientJsonRpcMessage::Notification(_)) => {}
        (kind, theirs) => prop_assert!(false, "{kind:?} is {theirs:?}"),
    }
    Ok(())
}

proptest! {
    #[test]
    fn preparse_vs_serde(body in body()) {
        agree(body.as_bytes())?;
    }

    #[test]
    fn preparse_vs_serde_with_one_byte_changed(body in body(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = body.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        agree(&bytes)?;
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
    }
}

/// Prints what one message costs: `cargo test --release -- --ignored --nocapture cost`.
#[test]
#[ignore = "a measurement, not a check"]
fn cost_of_a_message() {
    use crate::domain::clock::{Clock as _, SystemClock};
    let text = "the user likes tea in the morning and coffee after lunch, but no sugar. ".repeat(2);
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":17,"method":"tools/call","params":{{"name":"store_memory","arguments":{{"content":"{text}","filename":"tea.txt","tags":["tea","food"]}},"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{{"name":"claude-code","version":"2.1.0"}},"io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#
    );
    let clock = SystemClock::new();
    let rounds = 200_000_u32;
    for _ in 0..2 {
        let start = clock.monotonic();
        for _ in 0..rounds {
            std::hint::black_box(read(std::hint::black_box(body.as_bytes())).unwrap());
        }
        let spent = clock.monotonic().saturating_sub(start);
        println!("{} bytes: {:?} each", body.len(), spent / rounds);
    }
}
