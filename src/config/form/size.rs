//! Sizes in bytes: `1048576`, `64KiB`, `1MiB`, `1GiB`, and the decimal `kB`, `MB`, `GB`.

use super::{Form, Raw, wrong};

/// Unit and bytes, largest first; the decimal ones are read and never written.
const UNITS: [(&str, usize); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1000),
    ("B", 1),
];

/// A size in bytes.
#[derive(Debug)]
pub struct Size;

impl Form for Size {
    type Value = usize;

    const NAME: &'static str = "size";

    fn read(raw: &Raw) -> Result<usize, String> {
        const EXPECTED: &str = "bytes, or a number and a unit, for example `1MiB`";
        parse(raw.text()?).ok_or_else(|| wrong(raw, EXPECTED))
    }

    fn show(value: &usize) -> String {
        let binary = UNITS.iter().take(3);
        let exact = binary.clone().find(|(_, unit)| value >= unit && value.is_multiple_of(*unit));
        exact.map_or_else(|| format!("{value}B"), |(name, unit)| format!("{}{name}", value / unit))
    }
}

fn parse(text: &str) -> Option<usize> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim() {
        "" => 1,
        unit => UNITS.iter().find(|(name, _)| *name == unit)?.1,
    };
    number.parse::<usize>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<usize, String> {
        Size::read(&Raw::Text(text.to_owned()))
    }

    #[test]
    fn every_unit_reads_and_nothing_else() {
        for (text, bytes) in
            [("512", 512), ("1KiB", 1024), ("1MiB", 1 << 20), ("2 GiB", 2 << 30), ("1kB", 1000)]
        {
            assert_eq!(read(text), Ok(bytes), "{text}");
        }
        for bad in ["", "MiB", "1.5MiB", "1mib", "1TB", "-1", "99999999999999999999"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(bytes in 0_usize..(1 << 40)) {
            prop_assert_eq!(read(&Size::show(&bytes)), Ok(bytes));
        }
    }
}
