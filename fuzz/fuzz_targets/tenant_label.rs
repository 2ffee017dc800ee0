//! Names of tenants and ids: what parses cannot leave a directory, and is never cleaned up.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memgate::domain::{
    key::KeyId,
    memory::{MemoryId, Tag},
    tenant::{TenantId, TenantLabel},
};

fuzz_target!(|text: &str| {
    if let Ok(label) = TenantLabel::parse(text) {
        assert_eq!(label.as_str(), text);
        assert!((1..=63).contains(&text.len()) && !text.starts_with(['-', '_']));
        assert!(text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-')));
        assert!(KeyId::parse(&format!("env-{text}")).is_ok());
    }
    if let Ok(id) = TenantId::parse(text) {
        assert_eq!(id.as_str(), text);
    }
    if let Ok(id) = MemoryId::parse(text) {
        assert_eq!(id.as_str(), text);
        assert!(!text.starts_with('.') && !text.contains(['/', '\\', '\0', '%', ':']));
    }
    if let Ok(tag) = Tag::parse(text) {
        assert_eq!(tag.as_str(), text.trim());
        assert!(Tag::parse(tag.as_str()).is_ok_and(|again| again == tag));
    }
});
