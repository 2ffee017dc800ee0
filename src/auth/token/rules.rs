//! What an issuer's settings ask of a token, key and signature apart.
//!
//! Time is an argument, in seconds; the library is not asked about time, because it reads a
//! clock of its own.

use super::{flaw::Flaw, text::Token};
use crate::config::{auth::Auth, issuer::Issuer};

/// The rules for the tokens of one issuer.
#[derive(Debug, Clone)]
pub struct Rules {
    /// What its table says.
    pub issuer: Issuer,
    /// Who its tokens may be for.
    pub audiences: Vec<String>,
    /// How its scopes are called.
    pub(super) scopes: [String; 3],
}

impl Rules {
    /// The rules that follow from the settings.
    #[must_use]
    pub fn new(issuer: &Issuer, settings: &Auth) -> Self {
        let resource = settings.resource.as_ref().map(|url| url.as_str().to_owned());
        let own = issuer.audience.clone().or(resource);
        let audiences = own.into_iter().chain(issuer.accepted_audiences.iter().cloned());
        let write = &settings.write_scope;
        let delete = settings.delete_scope.as_ref().unwrap_or(write);
        Self {
            issuer: issuer.clone(),
            audiences: audiences.collect(),
            scopes: [settings.read_scope.clone(), write.clone(), delete.clone()],
        }
    }

    /// The last second in which a token with this `exp` is good, and one more.
    #[must_use]
    pub fn end(&self, expires: i64) -> i64 {
        expires.saturating_add(self.leeway())
    }

    fn leeway(&self) -> i64 {
        i64::try_from(self.issuer.leeway.as_secs()).unwrap_or(0)
    }

    /// Judges a token of this issuer at second `now`.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(&self, token: &Token<'_>, now: i64) -> Result<(), Flaw> {
        let (rules, header, claims) = (&self.issuer, &token.header, &token.claims);
        if claims.issuer != rules.issuer {
            return Err(Flaw::Issuer);
        }
        if !rules.algorithms.contains(&header.algorithm) {
            return Err(Flaw::Algorithm);
        }
        if !self.allows_kind(header.kind.as_deref()) {
            return Err(Flaw::Kind);
        }
        self.check_audience(&claims.audience)?;
        let leeway = self.leeway();
        if self.end(claims.expires) <= now {
            return Err(Flaw::Expired);
        }
        let from = [claims.not_before, claims.issued];
        if from.into_iter().flatten().any(|at| at > now.saturating_add(leeway)) {
            return Err(Flaw::Early);
        }
        let lifetime = claims.expires.saturating_sub(claims.issued.unwrap_or(now));
        let longest = i64::try_from(rules.max_lifetime.as_secs()).unwrap_or(i64::MAX);
        if lifetime < 0 || lifetime > longest {
            return Err(Flaw::Lifetime);
        }
        Ok(())
    }

    /// RFC 7515 4.1.9: in any case, with or without `application/`.
    fn allows_kind(&self, kind: Option<&str>) -> bool {
        let kind = kind.unwrap_or("JWT");
        let prefix = kind.get(..12).filter(|p| p.eq_ignore_ascii_case("application/"));
        let short = prefix.and_then(|_| kind.get(12..)).unwrap_or(kind);
        self.issuer.types.iter().any(|good| good.eq_ignore_ascii_case(short))
    }

    /// SECURITY: a token that is for others besides us can be used here by each of them, so it
    /// counts only where the settings say so. Test: `i3_a_token_is_for_us`.
    fn check_audience(&self, audience: &[String]) -> Result<(), Flaw> {
        let ours = |name: &String| self.audiences.contains(name);
        let good = if self.issuer.other_audiences {
            audience.iter().any(ours)
        } else {
            !audience.is_empty() && audience.iter().all(ours)
        };
        if good { Ok(()) } else { Err(Flaw::Audience) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::auth::token::testing::unsigned;

    const NOW: i64 = 1_000_000;

    fn rules(change: impl FnOnce(&mut Issuer)) -> Rules {
        let mut issuer = Issuer {
            issuer: "https://i".to_owned(),
            audience: Some("us".to_owned()),
            ..Issuer::default()
        };
        change(&mut issuer);
        Rules::new(&issuer, &Auth::default())
    }

    #[expect(clippy::needless_pass_by_value, reason = "parts are made where they are judged")]
    fn judged(rules: &Rules, header: serde_json::Value, claims: serde_json::Value) -> Option<Flaw> {
        let mut all_header = json!({"alg": "ES256", "kid": "k"});
        all_header.as_object_mut().unwrap().extend(header.as_object().unwrap().clone());
        let mut all =
            json!({"iss": "https://i", "sub": "u", "aud": "us", "exp": NOW + 600, "iat": NOW});
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        let text = unsigned(&all_header, &all);
        rules.check(&Token::read(&text).unwrap(), NOW).err()
    }

    #[test]
    fn i3_a_token_is_for_us() {
        let strict = rules(|i| i.accepted_audiences = vec!["api://us".to_owned()]);
        let lax = rules(|i| i.other_audiences = true);
        for (aud, strictly, laxly) in [
            (json!("us"), true, true),
            (json!(["us"]), true, true),
            (json!("api://us"), true, false),
            (json!(["us", "api://us"]), true, true),
            (json!(["us", "them"]), false, true),
            (json!("them"), false, false),
            (json!("us/"), false, false),
            (json!("US"), false, false),
            (json!([]), false, false),
            (json!(""), false, false),
        ] {
            let ok = |rules| judged(rules, json!({}), json!({"aud": aud})).is_none();
            assert_eq!((ok(&strict), ok(&lax)), (strictly, laxly), "{aud}");
        }
        let nobody = Rules::new(
            &Issuer { issuer: "https://i".to_owned(), ..Issuer::default() },
            &Auth::default(),
        );
        assert_eq!(judged(&nobody, json!({}), json!({})), Some(Flaw::Audience));
    }

    #[test]
    fn i9_dates_hold_to_the_second() {
        let rules = rules(|_| {});
        for (claims, flaw) in [
            (json!({"exp": NOW - 4}), None),
            (json!({"exp": NOW - 5}), Some(Flaw::Expired)),
            (json!({"nbf": NOW + 5}), None),
            (json!({"nbf": NOW + 6}), Some(Flaw::Early)),
            (json!({"iat": NOW + 5}), None),
            (json!({"iat": NOW + 6}), Some(Flaw::Early)),
            (json!({"exp": NOW + 86_400}), None),
            (json!({"exp": NOW + 86_401}), Some(Flaw::Lifetime)),
            (json!({"iat": NOW - 90_000}), Some(Flaw::Lifetime)),
        ] {
            // A token that was issued after its own end is nonsense as well.
            let claims = match claims.get("exp").and_then(serde_json::Value::as_i64) {
                Some(exp) if exp < NOW => json!({"exp": exp, "iat": exp - 60}),
                _ => claims,
            };
            assert_eq!(judged(&rules, json!({}), claims.clone()), flaw, "{claims}");
        }
        assert_eq!(
            judged(&rules, json!({}), json!({"exp": NOW + 1, "iat": NOW + 2})),
            Some(Flaw::Lifetime)
        );
        let patient = self::rules(|i| i.leeway = Duration::from_mins(1));
        assert_eq!(patient.end(NOW), NOW + 60);
    }

    #[test]
    fn algorithms_kinds_and_issuers_are_the_issuers_own() {
        let rsa = rules(|i| i.algorithms = vec![crate::config::issuer::Algorithm::Rs256]);
        assert_eq!(judged(&rsa, json!({}), json!({})), Some(Flaw::Algorithm));
        assert_eq!(judged(&rsa, json!({"alg": "RS256"}), json!({})), None);
        let plain = rules(|_| {});
        for typ in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "Application/JWT"] {
            assert_eq!(judged(&plain, json!({"typ": typ}), json!({})), None, "{typ}");
        }
        for typ in ["ID", "", "dpop+jwt", "logout+jwt", "JWT ", "application/", "text/JWT"] {
            assert_eq!(judged(&plain, json!({"typ": typ}), json!({})), Some(Flaw::Kind), "{typ}");
        }
        let access = rules(|i| i.types = vec!["at+jwt".to_owned()]);
        assert_eq!(judged(&access, json!({}), json!({})), Some(Flaw::Kind), "none counts as JWT");
        for iss in ["https://i/", "https://I", "https://i.evil.example", "http://i"] {
            assert_eq!(judged(&plain, json!({}), json!({"iss": iss})), Some(Flaw::Issuer), "{iss}");
        }
    }

    proptest! {
        #[test]
        fn i3_nothing_is_good_outside_of_its_dates(exp in 0..3 * NOW, iat in 0..3 * NOW, nbf in 0..3 * NOW) {
            let rules = rules(|_| {});
            if judged(&rules, json!({}), json!({"exp": exp, "iat": iat, "nbf": nbf})).is_none() {
                prop_assert!(exp + 5 > NOW && iat <= NOW + 5 && nbf <= NOW + 5);
                prop_assert!(exp - iat <= 86_400);
            }
        }
    }
}
