//! Where a list goes on: a cursor that works for the key that got it and for nobody else.
//!
//! INVARIANT I8: it carries an offset under an HMAC that covers tenant and key, with a key of
//! this process alone. A changed, a foreign and an invented cursor read the same. Test:
//! `i8_a_cursor_belongs_to_one_key`.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{
    auth::Principal,
    domain::{Error, Result, random::Entropy},
};

const OFFSET_BYTES: usize = 8;
const MAC_BYTES: usize = 16;

/// Makes and reads cursors.
#[derive(Clone)]
pub struct Cursors {
    mac: Hmac<Sha256>,
}

impl fmt::Debug for Cursors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cursors(…)")
    }
}

impl Cursors {
    /// Cursors under a new key.
    #[must_use]
    pub fn new(entropy: &dyn Entropy) -> Self {
        let mut key = Zeroizing::new([0_u8; 64]);
        entropy.fill(key.as_mut());
        Self { mac: Hmac::new(&(*key).into()) }
    }

    /// A cursor to `offset` for this caller.
    #[must_use]
    pub fn seal(&self, principal: &Principal, offset: usize) -> String {
        let offset = u64::try_from(offset).unwrap_or(u64::MAX).to_be_bytes();
        let mac = self.mac(principal, offset).finalize().into_bytes();
        let mut bytes = offset.to_vec();
        bytes.extend(mac.iter().take(MAC_BYTES));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The offset in a cursor of this caller.
    ///
    /// # Errors
    /// `BadInput` for every other text.
    pub fn open(&self, principal: &Principal, cursor: &str) -> Result<usize> {
        let read = || {
            let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
            let (offset, mac) = bytes.split_first_chunk::<OFFSET_BYTES>()?;
            if mac.len() != MAC_BYTES {
                return None;
            }
            self.mac(principal, *offset).verify_truncated_left(mac).ok()?;
            usize::try_from(u64::from_be_bytes(*offset)).ok()
        };
        read().ok_or_else(|| Error::bad_input("no such cursor; start the list again without one"))
    }

    fn mac(&self, principal: &Principal, offset: [u8; OFFSET_BYTES]) -> Hmac<Sha256> {
        let tenant = principal.tenant().map_or("", |tenant| tenant.id.as_str());
        let mut mac = self.mac.clone();
        // A zero byte stands in neither id, so the parts cannot be read in another way.
        for part in [tenant.as_bytes(), b"\0", principal.key_id().as_str().as_bytes(), b"\0"] {
            mac.update(part);
        }
        mac.update(&offset);
        mac
    }
}
