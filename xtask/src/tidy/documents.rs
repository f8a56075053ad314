//! Each crate has a changelog, and the README knows each crate.

use super::edges::Crate;
use super::{File, Violation};

/// Every document that is missing, and every crate that the README does not name.
pub(super) fn check(crates: &[Crate], files: &[File]) -> Vec<Violation> {
    let find = |path: &str| files.iter().find(|file| file.path == path);
    let readme = find("README.md");
    let mut violations = Vec::new();
    if readme.is_none() {
        violations.push(Violation::of("README.md", "is missing"));
    }
    for each in crates {
        let changelog = format!("{}CHANGELOG.md", each.folder());
        if find(&changelog).is_none() {
            violations.push(Violation::of(&changelog, "is missing"));
        }
        if readme.is_some_and(|readme| !readme.text.contains(&each.name)) {
            violations.push(Violation::of("README.md", format!("does not name the crate {}", each.name)));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::super::{File, edges};
    use super::check;

    fn violations(files: &[(&str, &str)]) -> Vec<String> {
        let metadata = r#"{ "workspace_root": "/w", "packages": [
            { "name": "lab", "manifest_path": "/w/tests/lab/Cargo.toml", "dependencies": [] }] }"#;
        let crates = edges::read(metadata).expect("this is how cargo writes it");
        let file = |(path, text): &(&str, &str)| File { path: (*path).to_owned(), text: (*text).to_owned() };
        let files: Vec<File> = files.iter().map(file).collect();
        check(&crates, &files).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_crate_with_a_changelog_and_a_place_in_the_readme_is_in_order() {
        assert!(violations(&[("README.md", "the `lab`"), ("tests/lab/CHANGELOG.md", "")]).is_empty());
    }

    #[test]
    fn a_crate_without_a_changelog_is_caught() {
        assert_eq!(violations(&[("README.md", "lab")]), ["tests/lab/CHANGELOG.md: is missing"]);
    }

    #[test]
    fn a_crate_that_the_readme_forgets_is_caught() {
        let found = violations(&[("README.md", "nothing"), ("tests/lab/CHANGELOG.md", "")]);
        assert_eq!(found, ["README.md: does not name the crate lab"]);
        assert!(violations(&[("tests/lab/CHANGELOG.md", "")])[0].contains("README.md: is missing"));
    }
}
