//! From files to a checked [`Set`]: the built-in ones, or a directory of the operator's.
//!
//! A directory replaces the role policies and nothing else. The walls (`00-isolation.cedar`) and
//! the schema are part of memgate: a directory may hold copies, so that editors and reviewers
//! have everything in one place, but a copy that says something else is refused. So is a
//! directory that cannot be read, or holds no policy at all (I3).

use std::{fs, io::Read as _, path::Path, str::FromStr as _};

use cedar_policy::{PolicySet, SchemaFragment};

use super::{
    builtin,
    problem::Problem,
    set::{Set, Source},
};

/// The largest policy file.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// The most policy files in a directory.
const MAX_FILES: usize = 1000;

/// The policies of `directory`, or the built-in ones.
///
/// # Errors
/// Everything that is wrong with them; then none of them is used.
pub fn load(directory: Option<&Path>) -> Result<Set, Vec<Problem>> {
    match directory {
        None => {
            let [agent, operator] = builtin::ROLES;
            Set::compile(&[builtin::ISOLATION, agent, operator])
        }
        Some(directory) => from_directory(directory),
    }
}

/// The case files of `directory` (its `tests/*.json`), or the built-in ones, as (name, text).
///
/// # Errors
/// What cannot be read; a directory without case files.
pub fn cases(directory: Option<&Path>) -> Result<Vec<(String, String)>, Vec<Problem>> {
    match directory {
        None => Ok(builtin::CASES.map(|(f, t)| (f.to_owned(), t.to_owned())).into()),
        Some(directory) => {
            files(&directory.join("tests"), "json", "write cases as in `policies/tests`")
        }
    }
}

fn from_directory(directory: &Path) -> Result<Set, Vec<Problem>> {
    let read = files(directory, "cedar", "put `*.cedar` files there, or unset `policy.directory`")?;
    let mut found = Vec::new();
    check_schema(directory, &mut found);
    let mut sources = vec![builtin::ISOLATION];
    for (file, text) in &read {
        if file.ends_with(&format!("/{}", builtin::ISOLATION.file)) {
            if !same_policies(text, builtin::ISOLATION.text) {
                found.push(Problem::of_file(
                    file,
                    "this is not the isolation that memgate enforces",
                    "remove it (memgate adds its own) and write further forbids in another file",
                ));
            }
            continue;
        }
        sources.push(Source { file, text });
    }
    match Set::compile(&sources) {
        Ok(set) if found.is_empty() => Ok(set),
        Ok(_) => Err(found),
        Err(more) => {
            found.extend(more);
            Err(found)
        }
    }
}

/// A schema in the directory must say what ours says; comments and spacing are free.
fn check_schema(directory: &Path, found: &mut Vec<Problem>) {
    let path = directory.join("schema.cedarschema");
    if !path.exists() {
        return;
    }
    let meaning = |text: &str| {
        let (fragment, _) = SchemaFragment::from_cedarschema_str(text).ok()?;
        fragment.to_json_value().ok()
    };
    let same = read(&path).is_ok_and(|text| {
        let theirs = meaning(&text);
        theirs.is_some() && theirs == meaning(builtin::SCHEMA)
    });
    if !same {
        found.push(Problem::of_file(
            &path.display().to_string(),
            "this is not the schema of this memgate",
            "replace it by the one in memgate's `policies/`, or remove it",
        ));
    }
}

/// Whether two files hold the same policies in the same order.
fn same_policies(one: &str, other: &str) -> bool {
    let meaning = |text: &str| PolicySet::from_str(text).ok()?.to_json().ok();
    let one = meaning(one);
    one.is_some() && one == meaning(other)
}

/// The files with this ending, by name, as (path, text).
fn files(
    directory: &Path,
    ending: &str,
    advice: &str,
) -> Result<Vec<(String, String)>, Vec<Problem>> {
    let shown = directory.display().to_string();
    let complain = |what: String| vec![Problem::of_file(&shown, what, advice)];
    let entries = fs::read_dir(directory).map_err(|e| complain(format!("cannot be read ({e})")))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| complain(format!("cannot be read ({e})")))?.path();
        if path.extension().is_some_and(|e| e == ending) {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(complain(format!("holds no `*.{ending}` file")));
    }
    if paths.len() > MAX_FILES {
        return Err(complain(format!("holds more than {MAX_FILES} `*.{ending}` files")));
    }
    paths.sort();
    let mut read_files = Vec::new();
    let mut found = Vec::new();
    for path in paths {
        let file = path.display().to_string();
        match read(&path) {
            Ok(text) => read_files.push((file, text)),
            Err(e) => found.push(Problem::of_file(
                &file,
                format!("cannot be read ({e})"),
                "make it readable UTF-8 text of at most 1 MiB, or remove it",
            )),
        }
    }
    if found.is_empty() { Ok(read_files) } else { Err(found) }
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let file = fs::File::open(path)?;
    file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(std::io::Error::other("it is too large"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory with these files.
    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        directory
    }

    fn complaints(files: &[(&str, &str)]) -> String {
        let directory = directory(files);
        let found = load(Some(directory.path())).unwrap_err();
        found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    const OWN: (&str, &str) =
        ("own.cedar", "@id(\"own\") permit (principal, action, resource is Tenant);");

    #[test]
    fn the_built_in_set_passes() {
        let ids = load(None).unwrap().ids();
        assert!(ids.iter().any(|id| id == "isolation.own_tenant_or_act_as"), "{ids:?}");
        assert!(!load(None).unwrap().reads_circumstances());
    }

    #[test]
    fn a_copy_of_our_directory_passes() {
        let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
        assert_eq!(load(Some(&ours)).unwrap().ids(), load(None).unwrap().ids());
    }

    #[test]
    fn the_examples_in_the_readme_pass() {
        let readme = include_str!("../../policies/README.md");
        let examples = readme.split("```cedar\n").skip(1);
        let examples: String =
            examples.map(|rest| rest.split_once("```").unwrap().0.to_owned() + "\n").collect();
        let directory = directory(&[("own.cedar", &examples)]);
        let ids = load(Some(directory.path())).unwrap().ids();
        for id in ["reader.memory", "no_bulk_export"] {
            assert!(ids.contains(&id.to_owned()), "{ids:?}");
        }
    }

    #[test]
    fn i3_an_unreadable_directory_refuses_the_start() {
        let found = load(Some(Path::new("/nonexistent/policies"))).unwrap_err();
        assert!(found[0].to_string().contains("cannot be read"));
        let file = directory(&[OWN]);
        assert!(load(Some(&file.path().join("own.cedar"))).is_err());
    }

    #[test]
    fn i3_a_directory_without_policies_refuses_the_start() {
        assert!(complaints(&[("README.md", "nothing here")]).contains("holds no `*.cedar` file"));
    }

    #[test]
    fn i3_the_walls_stand_in_every_directory() {
        let directory = directory(&[OWN]);
        let ids = load(Some(directory.path())).unwrap().ids();
        assert!(ids.iter().filter(|id| id.starts_with("isolation.")).count() == 3, "{ids:?}");
    }

    #[test]
    fn a_copy_of_the_walls_must_say_the_same() {
        let spaced = builtin::ISOLATION.text.replace('\n', "\n\n");
        let copy = directory(&[OWN, ("00-isolation.cedar", &spaced)]);
        assert!(load(Some(copy.path())).is_ok());
        let weaker = builtin::ISOLATION.text.replace("principal.tenant == resource", "true");
        assert_ne!(weaker, builtin::ISOLATION.text);
        let said = complaints(&[OWN, ("00-isolation.cedar", &weaker)]);
        assert!(said.contains("not the isolation that memgate enforces"), "{said}");
    }

    #[test]
    fn a_copy_of_the_schema_must_say_the_same() {
        let spaced = format!("// ours\n{}", builtin::SCHEMA);
        let copy = directory(&[OWN, ("schema.cedarschema", &spaced)]);
        assert!(load(Some(copy.path())).is_ok());
        for other in [builtin::SCHEMA.replace("connect,", ""), "not a schema".to_owned()] {
            let said = complaints(&[OWN, ("schema.cedarschema", &other)]);
            assert!(said.contains("not the schema of this memgate"), "{said}");
        }
    }

    #[test]
    fn every_broken_file_is_named_at_once() {
        let said = complaints(&[OWN, ("a.cedar", "permit"), ("b.cedar", "permit (x, y, z);")]);
        assert!(said.contains("a.cedar:1: ") && said.contains("b.cedar:1: "), "{said}");
    }

    #[test]
    fn a_file_that_is_not_text_or_too_large_is_refused() {
        let large = "//".repeat(1 << 20);
        assert!(
            complaints(&[OWN, ("large.cedar", &large)]).contains("large.cedar: cannot be read")
        );
        let directory = directory(&[OWN]);
        fs::write(directory.path().join("binary.cedar"), [0xff, 0xfe]).unwrap();
        assert!(load(Some(directory.path())).is_err());
    }
}
