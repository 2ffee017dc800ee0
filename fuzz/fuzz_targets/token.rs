//! The strict look at a token, and a set of keys: neither panics, what reads here reads the same
//! elsewhere, and nothing is verified by a key whose other half nobody here has.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memgate::{
    auth::token::{
        flaw::Flaw,
        grant::Grant,
        jwks::KeySet,
        rules::Rules,
        text::Token,
    },
    config::{
        auth::Auth,
        issuer::{Algorithm, Issuer},
    },
};

/// The public key of RFC 7515, appendix A.3.
const KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"k",
    "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y":"x_FEzRU9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(set) = KeySet::parse(bytes, &Algorithm::ALL) {
        assert!(!set.is_empty() && set.len() <= 100);
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    // Plain parts are easier to change than base64url: three lines are made into a token.
    let lines: Vec<&str> = text.splitn(3, '\n').collect();
    let made = match lines.as_slice() {
        [header, claims, signature] => format!("{}.{}.{signature}", part(header), part(claims)),
        _ => text.to_owned(),
    };
    let Ok(token) = Token::read(&made) else { return };
    let claims = &token.claims;
    assert!(!claims.issuer.is_empty() && !claims.subject.is_empty() && claims.expires >= 0);
    let issuer = Issuer {
        issuer: claims.issuer.clone(),
        audience: Some("us".to_owned()),
        ..Issuer::default()
    };
    let rules = Rules::new(&issuer, &Auth::default());
    if rules.check(&token, claims.expires) == Ok(()) {
        assert!(claims.audience.iter().all(|aud| aud == "us"));
        assert!(claims.issued.is_none_or(|at| at <= claims.expires));
    }
    if let Ok(grant) = Grant::of(claims, &rules) {
        let value = claims.all["tenant"].as_str().expect("only a text names a tenant");
        assert_eq!(grant.tenant.expect("an agent has one").as_str(), value);
    }
    let keys = KeySet::parse(KEYS.as_bytes(), &Algorithm::ALL).expect("a good set");
    let Some(key) = keys.find(token.header.kid.as_deref()) else { return };
    let verdict = key.verify(&token, &rules);
    assert!(matches!(verdict, Err(Flaw::Signature | Flaw::Algorithm)), "{verdict:?}");
});

fn part(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0_u32, |sum, b| sum << 8 | u32::from(*b));
        let bits = bits << (8 * (3 - chunk.len()));
        for digit in 0..=chunk.len() {
            out.push(char::from(DIGITS[(bits >> (18 - 6 * digit) & 63) as usize]));
        }
    }
    out
}
