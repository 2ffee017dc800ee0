//! The known name that an unknown one was probably meant to be.

/// Below this similarity (0 to 1) a suggestion would puzzle more than it helps.
const ALIKE: f64 = 0.5;

/// The most similar of `known`.
pub fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::normalized_damerau_levenshtein(unknown, name), name))
        .filter(|(similarity, _)| *similarity >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// "is not a setting; did you mean `x`?"
pub(in crate::config) fn unknown(name: &str, known: &[String]) -> String {
    match nearest(name, known.iter().map(String::as_str)) {
        Some(nearest) => format!("is not a setting; did you mean `{nearest}`?"),
        None => "is not a setting; `memgate config show` lists all of them".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_finds_its_name_and_nonsense_finds_none() {
        let known = ["listen.port", "listen.host", "limits.per_key"];
        assert_eq!(nearest("listen.prot", known), Some("listen.port"));
        assert_eq!(nearest("limits.perkey", known), Some("limits.per_key"));
        assert_eq!(nearest("zzzzzz", known), None);
    }
}
