//! Records as a table for spreadsheets (RFC 4180).
//!
//! SECURITY: a client chooses its name, and a spreadsheet runs a cell that begins like a formula.
//! Such a cell gets an apostrophe before it, which makes it text.

use serde_json::Value;

use crate::audit::read::Shown;

/// Headings and where their cells stand in a record.
const COLUMNS: [(&str, &str); 23] = [
    ("seq", "/seq"),
    ("time", "/time"),
    ("event", "/event"),
    ("request", "/request"),
    ("key", "/who/key"),
    ("claimed", "/who/claimed"),
    ("role", "/who/role"),
    ("tenant", "/who/tenant"),
    ("label", "/who/label"),
    ("subject", "/who/subject"),
    ("client", "/who/client/name"),
    ("client_version", "/who/client/version"),
    ("address", "/who/address"),
    ("what", "/what"),
    ("action", "/action"),
    ("resource", "/resource"),
    ("target", "/target"),
    ("outcome", "/outcome"),
    ("layer", "/layer"),
    ("policies", "/policies"),
    ("status", "/status"),
    ("detail", "/detail"),
    ("hash", "/hash"),
];

/// A line of headings and one for each record.
pub(super) fn table(found: &[Shown]) -> String {
    let mut text = COLUMNS.map(|(heading, _)| heading).join(",") + "\r\n";
    for shown in found {
        let cells = COLUMNS.map(|(_, pointer)| cell(shown.members.pointer(pointer)));
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text
}

fn cell(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(list)) => {
            list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
        }
        Some(other) => other.to_string(),
    };
    // Spreadsheets look behind blanks, and take the wide forms of these signs for them.
    let signs = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
    let is_formula = text.trim_start().starts_with(signs) || text.starts_with(['\t', '\r', '\n']);
    let apostrophe = if is_formula { "'" } else { "" };
    format!("\"{apostrophe}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_cell_is_a_formula_or_breaks_out_of_its_column() {
        for (value, written) in [
            (json!("=cmd|' /C calc'!A0"), r#""'=cmd|' /C calc'!A0""#),
            (json!("@SUM(1)"), r#""'@SUM(1)""#),
            (json!("+1"), r#""'+1""#),
            (json!("-1"), r#""'-1""#),
            (json!("\u{a0}=1"), "\"'\u{a0}=1\""),
            (json!("＝1"), r#""'＝1""#),
            (json!("a\",=b"), r#""a"",=b""#),
            (json!(["a", "b"]), r#""a b""#),
            (json!(7), r#""7""#),
            (Value::Null, r#""""#),
        ] {
            assert_eq!(cell(Some(&value)), written);
        }
        let members = json!({"seq": 1, "who": {"client": {"name": "=1+1"}}});
        let text = table(&[Shown { line: String::new(), members }]);
        let lines: Vec<_> = text.split("\r\n").collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[1].contains(r#","'=1+1","#), "{text}");
        assert_eq!(lines[0].split(',').count(), lines[1].split(',').count());
    }
}
