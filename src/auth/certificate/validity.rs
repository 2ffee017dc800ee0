//! When a certificate stops being valid, and when a revocation list is stale: the fields of X.509
//! that operators ask for.
//!
//! A walk to the field: `Certificate { tbsCertificate { version?, serial, algorithm, issuer,
//! validity { notBefore, notAfter` … and `CertificateList { tbsCertList { version?, algorithm,
//! issuer, thisUpdate, nextUpdate?` …

use jiff::{Timestamp, civil, tz::TimeZone};

use super::der::{INTEGER, SEQUENCE, element, expect};

const EXPLICIT_VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The end of a DER certificate's validity.
#[must_use]
pub fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    let (certificate, _) = expect(certificate, SEQUENCE)?;
    let (mut body, _) = expect(certificate, SEQUENCE)?;
    if body.first() == Some(&EXPLICIT_VERSION) {
        (_, _, body) = element(body)?;
    }
    for _ in ["serial", "algorithm", "issuer"] {
        (_, _, body) = element(body)?;
    }
    let (validity, _) = expect(body, SEQUENCE)?;
    let (_, _, rest) = element(validity)?;
    let (tag, time, _) = element(rest)?;
    parse_time(tag, time)
}

/// When a newer one should be there than this DER revocation list.
#[must_use]
pub fn next_update(list: &[u8]) -> Option<Timestamp> {
    let (list, _) = expect(list, SEQUENCE)?;
    let (mut body, _) = expect(list, SEQUENCE)?;
    if body.first() == Some(&INTEGER) {
        (_, _, body) = element(body)?;
    }
    for _ in ["algorithm", "issuer", "thisUpdate"] {
        (_, _, body) = element(body)?;
    }
    let (tag, time, _) = element(body)?;
    parse_time(tag, time)
}

/// `YYMMDDHHMMSSZ` until 2049, `YYYYMMDDHHMMSSZ` from 2050 (RFC 5280, 4.1.2.5).
fn parse_time(tag: u8, text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: i16 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    if rest.len() != 10 {
        return None;
    }
    let two = |at: usize| rest.get(at..at + 2)?.parse::<i8>().ok();
    let time = civil::DateTime::new(year, two(0)?, two(2)?, two(4)?, two(6)?, two(8)?, 0).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_reads_what_rcgen_wrote() {
        for year in [2031, 2049, 2050, 2400] {
            let mut params = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap();
            params.not_after = rcgen::date_time_ymd(year, 2, 3);
            let key = rcgen::KeyPair::generate().unwrap();
            let certificate = params.self_signed(&key).unwrap();
            let expected: Timestamp = format!("{year}-02-03T00:00:00Z").parse().unwrap();
            assert_eq!(not_after(certificate.der()), Some(expected));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = not_after(&bytes);
        }

        #[test]
        fn no_cut_or_changed_certificate_panics(at in 0_usize..400, to in any::<u8>()) {
            let mut bytes = rcgen::generate_simple_self_signed(vec!["localhost".into()])
                .unwrap().cert.der().to_vec();
            let _ = not_after(bytes.get(..at).unwrap_or_default());
            if let Some(byte) = bytes.get_mut(at) {
                *byte = to;
            }
            let _ = not_after(&bytes);
        }
    }
}
