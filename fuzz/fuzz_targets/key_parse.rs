//! A presented key: nothing panics, and what parses is spelt in exactly one way.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memgate::domain::key::PresentedKey;

fuzz_target!(|text: &str| {
    if let Some(key) = PresentedKey::parse(text) {
        assert_eq!(key.reveal().expose(), text);
    }
    // Behind the prefix, where the fuzzer otherwise has to get to first.
    let _ = PresentedKey::parse(&format!("mg_{text}"));
});
