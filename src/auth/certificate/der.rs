//! Just enough DER to walk to a field: one element after another.
//!
//! Lengths come from outside and are never trusted further than the bytes that are there. Tags of
//! more than one byte and lengths without an end do not occur where we walk, and are refused.

/// A list of different elements.
pub(super) const SEQUENCE: u8 = 0x30;
/// A list in which the order does not count.
pub(super) const SET: u8 = 0x31;
/// The name of a kind of thing.
pub(super) const OBJECT: u8 = 0x06;
/// `true` or `false`.
pub(super) const BOOLEAN: u8 = 0x01;
/// Bytes.
pub(super) const OCTETS: u8 = 0x04;
/// A whole number.
pub(super) const INTEGER: u8 = 0x02;

/// One element: its tag, its contents, and what follows.
pub(super) fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    if tag & 0x1f == 0x1f || first == 0x80 {
        return None;
    }
    let length = if first < 0x80 {
        usize::from(first)
    } else {
        let (digits, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
        rest = after;
        if digits.len() > 4 {
            return None;
        }
        digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit))
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    Some((tag, contents, rest))
}

/// The contents of an element of this kind, and what follows.
pub(super) fn expect(bytes: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, contents, rest) = element(bytes)?;
    (tag == wanted).then_some((contents, rest))
}

/// Every element in these bytes; `None` unless they are elements to the last byte.
pub(super) fn elements(mut bytes: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let (tag, contents, rest) = element(bytes)?;
        all.push((tag, contents));
        bytes = rest;
    }
    Some(all)
}
