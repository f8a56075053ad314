//! The rules of a single file.

use super::lexer::{code_of, is_word};
use super::{File, Violation};

/// A file longer than this holds more than one topic.
const LINES_MAX: usize = 600;
/// What a generator writes is as long as it is.
const GENERATED: &str = "ceph-sys/bindings/";
/// The only places that may leave the compiler's guard.
const MAY_BE_UNSAFE: [&str; 3] = ["ceph-sys/", "rbd-mirror/src/raw/", "rbd-mirror/src/raw.rs"];
/// Folders of somebody's machine.
const MACHINE_FOLDERS: [&str; 4] = ["work", "root", "home", "Users"];

/// Everything that is wrong with one file.
pub(super) fn check(file: &File) -> Vec<Violation> {
    let mut violations = Vec::new();
    let is_generated = file.path.starts_with(GENERATED);
    for (line, text) in (1..).zip(file.text.lines()) {
        if text.ends_with([' ', '\t']) && !is_generated {
            violations.push(Violation::at(&file.path, line, "white space at the end of the line"));
        }
        if let Some(path) = machine_path(text) {
            violations.push(Violation::at(&file.path, line, format!("{path} is a path of one machine")));
        }
    }
    if file.path.ends_with(".rs") {
        violations.extend(check_rust(file, is_generated));
    }
    violations
}

fn check_rust(file: &File, is_generated: bool) -> Vec<Violation> {
    let mut violations = Vec::new();
    if !file.text.starts_with("//! ") {
        violations.push(Violation::at(&file.path, 1, "begins without a `//!` that says what is here"));
    }
    let lines = file.text.lines().count();
    if lines > LINES_MAX && !is_generated {
        violations
            .push(Violation::of(&file.path, format!("{lines} lines: split it, {LINES_MAX} are the limit")));
    }
    if file.path.ends_with("/mod.rs") {
        violations.push(Violation::of(&file.path, "a module `foo` is `foo.rs` here, never `foo/mod.rs`"));
    }
    if !MAY_BE_UNSAFE.iter().any(|place| file.path.starts_with(place)) {
        for (line, code) in (1..).zip(code_of(&file.text).lines()) {
            if has_word(code, "unsafe") {
                violations.push(Violation::at(&file.path, line, "`unsafe` is not allowed here"));
            }
        }
    }
    violations
}

fn has_word(code: &str, word: &str) -> bool {
    code.split(|letter| !is_word(letter)).any(|each| each == word)
}

/// A path into somebody's own folders. Behind a letter it is the middle of another path, or of an address.
fn machine_path(text: &str) -> Option<String> {
    MACHINE_FOLDERS.iter().map(|folder| format!("/{folder}/")).find(|path| {
        text.match_indices(path.as_str()).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            before.is_none_or(|letter| !is_word(letter) && !matches!(letter, '.' | '-' | '}' | ')'))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::{File, LINES_MAX, check};

    fn violations(path: &str, text: &str) -> Vec<String> {
        let file = File { path: path.to_owned(), text: text.to_owned() };
        check(&file).iter().map(ToString::to_string).collect()
    }

    #[track_caller]
    fn one(path: &str, text: &str, expected: &str) {
        let found = violations(path, text);
        assert!(found.len() == 1 && found[0].contains(expected), "{found:?}");
    }

    #[test]
    fn an_orderly_file_has_no_violation() {
        let text = "//! What is here.\n#![forbid(unsafe_code)]\n// unsafe in a comment\nconst A: &str = \"unsafe\";\n";
        assert!(violations("lab/src/a.rs", text).is_empty());
    }

    #[test]
    fn unsafe_code_is_caught_outside_the_raw_folder_only() {
        let text = "//! A.\nfn f() {\n    unsafe { g() }\n}\n";
        one("rbd-mirror/src/image.rs", text, "image.rs:3: `unsafe`");
        one("rbd-mirror/src/rawish.rs", text, "`unsafe`");
        for allowed in ["rbd-mirror/src/raw/call.rs", "rbd-mirror/src/raw.rs", "ceph-sys/src/lib.rs"] {
            assert!(violations(allowed, text).is_empty(), "{allowed}");
        }
    }

    #[test]
    fn a_file_that_does_not_say_what_is_in_it_is_caught() {
        one("a/src/b.rs", "fn f() {}\n", "without a `//!`");
        one("a/src/b.rs", "\n//! Late.\n", "without a `//!`");
    }

    #[test]
    fn a_long_file_is_caught_unless_it_is_generated() {
        let text = "//! Long.\n".repeat(LINES_MAX + 1);
        one("a/src/b.rs", &text, "601 lines");
        assert!(violations("ceph-sys/bindings/b.rs", &text).is_empty());
        assert!(violations("a/src/b.rs", &"//! Long.\n".repeat(LINES_MAX)).is_empty());
    }

    #[test]
    fn white_space_at_the_end_of_a_line_is_caught() {
        one("README.md", "a\nb \n", "README.md:2: white space");
        one("README.md", "a\t\n", "white space");
    }

    #[test]
    fn a_path_of_one_machine_is_caught_and_an_address_is_not() {
        for folder in super::MACHINE_FOLDERS {
            one("a.md", &format!("see `/{folder}/x`\n"), "a path of one machine");
        }
        assert!(violations("a.md", "https://example.org/work/x and /usr/work\n").is_empty());
    }

    #[test]
    fn a_mod_rs_is_caught() {
        one("a/src/b/mod.rs", "//! B.\n", "never `foo/mod.rs`");
    }
}
