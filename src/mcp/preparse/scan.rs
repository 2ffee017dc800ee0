//! A JSON scanner that checks everything and builds nothing.
//!
//! It walks the text once, refuses what RFC 8259 refuses and what [`super::Flaw`] lists on top,
//! and hands out texts only when it is asked to. Recursion is bounded by
//! [`MAX_DEPTH`], so no input can exhaust the stack.

use std::{
    borrow::Cow,
    collections::HashSet,
    hash::{BuildHasher as _, RandomState},
};

use super::{Flaw, MAX_DEPTH, MAX_KEYS};

/// Up to so many keys of one object are compared one by one, which is faster than hashing.
const FEW_KEYS: usize = 16;
/// Numbers shorter than this and without an exponent cannot leave the range of `f64`.
const SAFE_DIGITS: usize = 300;

type Scan<T> = Result<T, Flaw>;

pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Keys of the objects that are open, outermost first.
    keys: Vec<Cow<'a, str>>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, keys: Vec::with_capacity(FEW_KEYS) }
    }

    /// The next byte that is not white space, without taking it.
    pub(super) fn peek(&mut self) -> Option<u8> {
        let here = self.here()?;
        if here > b' ' {
            return Some(here);
        }
        let rest = self.text.as_bytes().get(self.at..)?;
        let skip = rest.iter().position(|b| !matches!(b, b' ' | b'\n' | b'\r' | b'\t'));
        self.at += skip.unwrap_or(rest.len());
        self.here()
    }

    /// Nothing but white space may follow.
    pub(super) fn end(&mut self) -> Scan<()> {
        if self.peek().is_none() { Ok(()) } else { Err(Flaw::NotJson) }
    }

    /// Checks a value of any sort and passes over it. Returns the text it was written in.
    pub(super) fn value(&mut self, depth: u32) -> Scan<&'a str> {
        let first = self.peek();
        let start = self.at;
        match first {
            Some(b'{') => self.object(depth, |scanner, _| scanner.value(depth + 1).map(drop))?,
            Some(b'[') => self.array(depth)?,
            Some(b'"') => self.string().map(drop)?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.literal("true")?,
            Some(b'f') => self.literal("false")?,
            Some(b'n') => self.literal("null")?,
            _ => return Err(Flaw::NotJson),
        }
        self.text.get(start..self.at).ok_or(Flaw::NotJson)
    }

    /// Reads an object; `member` is called after each key and must take its value.
    pub(super) fn object(
        &mut self,
        depth: u32,
        mut member: impl FnMut(&mut Self, Cow<'a, str>) -> Scan<()>,
    ) -> Scan<()> {
        self.open(b'{', depth)?;
        let base = self.keys.len();
        let mut seen = None;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(Flaw::NotJson);
            }
            let key = self.string()?.read();
            self.remember(key.clone(), base, &mut seen)?;
            self.take(b':')?;
            member(self, key)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(Flaw::NotJson),
            }
        }
        self.at += 1;
        self.keys.truncate(base);
        Ok(())
    }

    /// Passes over a value; its text when it is a string.
    pub(super) fn text(&mut self, depth: u32) -> Scan<Option<Cow<'a, str>>> {
        if self.peek() == Some(b'"') {
            return Ok(Some(self.string()?.read()));
        }
        self.value(depth).map(|_| None)
    }

    fn array(&mut self, depth: u32) -> Scan<()> {
        self.open(b'[', depth)?;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(Flaw::NotJson),
            }
        }
        self.at += 1;
        Ok(())
    }

    fn open(&mut self, bracket: u8, depth: u32) -> Scan<()> {
        if depth > MAX_DEPTH {
            return Err(Flaw::TooDeep);
        }
        self.take(bracket)
    }

    /// SECURITY: of two equal keys one reader takes the first and another the last. Keys are
    /// compared as they read, not as they are written: `"\u006eame"` is `"name"`.
    fn remember(
        &mut self,
        key: Cow<'a, str>,
        base: usize,
        seen: &mut Option<(RandomState, HashSet<u64>)>,
    ) -> Scan<()> {
        let known = self.keys.get(base..).unwrap_or_default();
        if known.len() >= MAX_KEYS {
            return Err(Flaw::TooManyKeys);
        }
        let twice = if known.len() < FEW_KEYS {
            known.contains(&key)
        } else {
            // Hashes under a random key stand for the keys: nobody can aim for a collision, and
            // a chance one only refuses a request.
            let (state, hashes) = seen.get_or_insert_with(|| {
                let state = RandomState::new();
                let hashes = known.iter().map(|k| state.hash_one(k)).collect();
                (state, hashes)
            });
            !hashes.insert(state.hash_one(&key))
        };
        if twice {
            return Err(Flaw::DuplicateKey);
        }
        self.keys.push(key);
        Ok(())
    }

    /// A string that starts here.
    fn string(&mut self) -> Scan<Raw<'a>> {
        self.take(b'"')?;
        let (start, mut escapes) = (self.at, false);
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            let stop = rest
                .iter()
                .position(|b| matches!(b, b'"' | b'\\' | 0..=0x1f))
                .ok_or(Flaw::NotJson)?;
            self.at += stop + 1;
            match rest.get(stop) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escapes = true;
                    self.escape()?;
                }
                _ => return Err(Flaw::NotJson),
            }
        }
        let text = self.text.get(start..self.at - 1).ok_or(Flaw::NotJson)?;
        Ok(Raw { text, escapes })
    }

    fn escape(&mut self) -> Scan<()> {
        match self.next() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(()),
            Some(b'u') => match self.four_digits()? {
                // A surrogate alone is no character; a pair of them is one.
                0xdc00..=0xdfff => Err(Flaw::NotJson),
                0xd800..=0xdbff => {
                    let second = self.next() == Some(b'\\') && self.next() == Some(b'u');
                    if second && matches!(self.four_digits()?, 0xdc00..=0xdfff) {
                        Ok(())
                    } else {
                        Err(Flaw::NotJson)
                    }
                }
                _ => Ok(()),
            },
            _ => Err(Flaw::NotJson),
        }
    }

    fn four_digits(&mut self) -> Scan<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.next().and_then(|b| char::from(b).to_digit(16));
            code = code * 16 + digit.ok_or(Flaw::NotJson)?;
        }
        Ok(code)
    }

    fn number(&mut self) -> Scan<()> {
        let start = self.at;
        if self.here() == Some(b'-') {
            self.at += 1;
        }
        if self.here() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.here() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        let exponent = matches!(self.here(), Some(b'e' | b'E'));
        if exponent {
            self.at += 1;
            if matches!(self.here(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        if exponent || self.at - start > SAFE_DIGITS {
            let written = self.text.get(start..self.at).unwrap_or_default();
            if !written.parse::<f64>().is_ok_and(f64::is_finite) {
                return Err(Flaw::NotJson);
            }
        }
        Ok(())
    }

    fn digits(&mut self) -> Scan<()> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let count = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        self.at += count;
        if count == 0 { Err(Flaw::NotJson) } else { Ok(()) }
    }

    fn literal(&mut self, word: &str) -> Scan<()> {
        let fits = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word));
        self.at += word.len();
        if fits { Ok(()) } else { Err(Flaw::NotJson) }
    }

    fn take(&mut self, byte: u8) -> Scan<()> {
        if self.peek() != Some(byte) {
            return Err(Flaw::NotJson);
        }
        self.at += 1;
        Ok(())
    }

    fn here(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.here()?;
        self.at += 1;
        Some(byte)
    }
}

/// A checked string as it is written between its quotes.
struct Raw<'a> {
    text: &'a str,
    escapes: bool,
}

impl<'a> Raw<'a> {
    /// What it says.
    fn read(self) -> Cow<'a, str> {
        if !self.escapes {
            return Cow::Borrowed(self.text);
        }
        // The escapes were checked, so this cannot fail; an empty text is the harmless answer if
        // it ever did.
        Cow::Owned(serde_json::from_str(&format!("\"{}\"", self.text)).unwrap_or_default())
    }
}
