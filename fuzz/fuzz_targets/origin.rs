//! The `Origin` header: an origin passes only when it is one of the list, letter for letter.
#![no_main]

use std::sync::LazyLock;

use http::HeaderValue;
use libfuzzer_sys::fuzz_target;
use memgate::http::layers::origin::Origins;

const LISTED: [&str; 2] = ["https://app.example.com", "http://intranet:8080"];
const OWN: [&str; 3] = ["http://localhost:3000", "http://127.0.0.1:3000", "http://[::1]:3000"];

static ORIGINS: LazyLock<Origins> = LazyLock::new(|| {
    let bound = "127.0.0.1:3000".parse().expect("an address");
    Origins::on(Some(bound), false, &LISTED.map(str::to_owned))
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let listed = LISTED.iter().chain(&OWN).any(|o| o.as_bytes().eq_ignore_ascii_case(bytes));
    assert_eq!(ORIGINS.allow(&value), listed);
});
