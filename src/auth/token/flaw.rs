//! Why a token is no good: for the log, never for its bearer.

/// What is wrong with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Not three parts of base64url with objects in the first two, or too long.
    Shape,
    /// A member of the header or a claim that has the wrong type.
    Type,
    /// Its algorithm is not allowed, or not the key's.
    Algorithm,
    /// It is another kind of token.
    Kind,
    /// It demands to be understood in a way that nobody here does (`crit`, `b64`).
    Critical,
    /// It brings a key of its own, or says where one is.
    OwnKey,
    /// A claim that every token must have is missing.
    Missing,
    /// No table `[[auth.issuer]]` has its issuer.
    Issuer,
    /// It is past its date.
    Expired,
    /// Its time has not come, or it claims to come from the future.
    Early,
    /// It lives longer than is allowed.
    Lifetime,
    /// It is for somebody else.
    Audience,
    /// Its issuer has no such key.
    Key,
    /// The signature is not the key's.
    Signature,
}

impl Flaw {
    /// It in words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shape => "token shape",
            Self::Type => "token type of a claim",
            Self::Algorithm => "token algorithm",
            Self::Kind => "token `typ`",
            Self::Critical => "token `crit`",
            Self::OwnKey => "token with its own key",
            Self::Missing => "token claim missing",
            Self::Issuer => "token issuer",
            Self::Expired => "token expired",
            Self::Early => "token too early",
            Self::Lifetime => "token lifetime",
            Self::Audience => "token audience",
            Self::Key => "token key",
            Self::Signature => "token signature",
        }
    }
}
