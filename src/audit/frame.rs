//! One line of the log, taken apart.

use jiff::Timestamp;
use serde::Deserialize;

use super::{
    chain::{self, Hash},
    checkpoint::{PublicKey, Purpose},
};

/// How the body of a line begins.
const BEGIN: &str = "{\"seq\":";

/// A line whose form is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::audit) struct Frame<'a> {
    pub(in crate::audit) seq: u64,
    pub(in crate::audit) body: &'a str,
    /// What the line says its hash is.
    pub(in crate::audit) hash: Hash,
}

impl<'a> Frame<'a> {
    /// Takes a line without its end apart.
    pub(in crate::audit) fn read(line: &'a str) -> Option<Self> {
        let (body, hash) = chain::unlink(line)?;
        let digits = body.strip_prefix(BEGIN)?.split_once(',')?.0;
        let seq: u64 = digits.parse().ok()?;
        // One spelling for each number.
        (seq.to_string() == digits).then_some(Self { seq, body, hash })
    }

    /// The pruning that this line is, if it is one.
    pub(in crate::audit) fn pruned(&self) -> Option<Pruned> {
        let is_one = self.body.contains("\"event\":\"pruned\"");
        is_one.then(|| serde_json::from_str(&format!("{}}}", self.body)).ok()).flatten()
    }

    /// When it was made.
    pub(in crate::audit) fn time(&self) -> Option<Timestamp> {
        let members = self.body.split_once(',')?.1;
        members.strip_prefix("\"time\":\"")?.split_once('"')?.0.parse().ok()
    }

    /// The checkpoint that this line is, if it is one.
    pub(in crate::audit) fn checkpoint(&self) -> Option<Checkpoint> {
        // Cheaper than reading every line; what else begins like this fails to be read as one.
        let is_one = self.body.contains("\"event\":\"checkpoint\"");
        let checkpoint = is_one.then(|| serde_json::from_str(&format!("{}}}", self.body)).ok());
        checkpoint.flatten()
    }
}

/// A line that says up to where records were removed by age.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(in crate::audit) struct Pruned {
    time: Timestamp,
    event: PrunedEvent,
    through: u64,
    head: String,
    signature: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PrunedEvent {
    Pruned,
}

impl Pruned {
    /// The last record that went, if one of `keys` signed that.
    pub(in crate::audit) fn through(&self, keys: &[PublicKey]) -> Option<u64> {
        let head = Hash::parse(&self.head)?;
        let signed = |key: &PublicKey| {
            key.signed(Purpose::Pruned, self.through, &head, self.time, &self.signature)
        };
        keys.iter().any(signed).then_some(self.through)
    }
}

/// The body of record `seq`, made of `members`, a whole JSON object.
pub(in crate::audit) fn body(seq: u64, object: &str) -> String {
    let members = object.get(1..object.len().saturating_sub(1)).unwrap_or_default();
    format!("{BEGIN}{seq},{members}")
}

/// A line that signs the one before it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(in crate::audit) struct Checkpoint {
    pub(in crate::audit) seq: u64,
    pub(in crate::audit) time: Timestamp,
    event: Event,
    /// The hash of the line before.
    head: String,
    signature: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Event {
    Checkpoint,
}

impl Checkpoint {
    /// The object of a checkpoint of record `seq`, whose hash is `head`.
    pub(in crate::audit) fn object(
        time: Timestamp,
        head: &Hash,
        public: PublicKey,
        signature: &str,
    ) -> String {
        format!(
            r#"{{"time":"{time}","event":"checkpoint","head":"{head}","key":"{public}","signature":"{signature}"}}"#
        )
    }

    /// What it says the hash of the line before is.
    pub(in crate::audit) fn head(&self) -> Option<Hash> {
        Hash::parse(&self.head)
    }

    /// Whether one of `keys` signed it.
    pub(in crate::audit) fn signed_by(&self, keys: &[PublicKey]) -> bool {
        let (Some(head), before) = (self.head(), self.seq.wrapping_sub(1)) else { return false };
        let signed = |key: &PublicKey| {
            key.signed(Purpose::Checkpoint, before, &head, self.time, &self.signature)
        };
        keys.iter().any(signed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(body: &str) -> String {
        let mut text = String::new();
        chain::link(&mut text, &Hash::GENESIS, body);
        text.trim_end().to_owned()
    }

    #[test]
    fn a_line_is_read_in_one_spelling_only() {
        let good = line(&body(12, r#"{"time":"x"}"#));
        let frame = Frame::read(&good).unwrap();
        assert_eq!((frame.seq, frame.body), (12, r#"{"seq":12,"time":"x""#));
        assert_eq!(frame.checkpoint(), None);
        for bad in
            [r#"{"seq":012,"#, r#"{"seq":+1,"#, r#"{"seq":,"#, r#"{"seq":1"#, r#"{ "seq":1,"#]
        {
            assert_eq!(Frame::read(&line(bad)), None, "{bad}");
        }
    }

    #[test]
    fn who_only_speaks_of_a_checkpoint_is_none() {
        let forged = line(&body(3, r#"{"event":"call","what":"\"event\":\"checkpoint\""}"#));
        assert_eq!(Frame::read(&forged).unwrap().checkpoint(), None);
    }
}
