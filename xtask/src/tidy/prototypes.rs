//! Each C function that a doc comment claims to implement is one that ceph-sys binds.

use std::collections::HashSet;

use super::lexer::is_word;
use super::{File, Violation};

/// What precedes a prototype in a doc comment.
const MARK: &str = "Implements: `";

/// Every claimed function that ceph-sys does not have.
pub(super) fn check(files: &[File]) -> Vec<Violation> {
    let within = |folder: &'static str| {
        files.iter().filter(move |file| file.path.starts_with(folder) && file.path.ends_with(".rs"))
    };
    let bound: HashSet<&str> = within("ceph-sys/").flat_map(|file| words(&file.text)).collect();
    let mut violations = Vec::new();
    for file in within("rbd-mirror/") {
        for (line, text) in (1..).zip(file.text.lines()) {
            let Some((_, prototype)) = text.split_once(MARK) else { continue };
            match function(prototype) {
                None => violations.push(Violation::at(&file.path, line, "`Implements:` names no C function")),
                Some(name) if !bound.contains(name) => {
                    violations.push(Violation::at(&file.path, line, format!("ceph-sys has no {name}")));
                }
                Some(_) => {}
            }
        }
    }
    violations
}

/// The function of a prototype: the word before its first parenthesis, or all of it if it has none.
fn function(prototype: &str) -> Option<&str> {
    let head = prototype.split(['(', '`']).next()?;
    words(head).last().filter(|name| name.starts_with("rbd_") || name.starts_with("rados_"))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter| !is_word(letter)).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::File;
    use super::check;

    fn violations(doc: &str) -> Vec<String> {
        let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
        let bindings = "unsafe extern \"C\" {\n    pub fn rbd_open(io: rados_ioctx_t) -> c_int;\n}\n";
        let files = [file("ceph-sys/bindings/b.rs", bindings), file("rbd-mirror/src/image.rs", doc)];
        check(&files).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_function_that_is_bound_may_be_implemented() {
        assert!(violations("/// Implements: `int rbd_open(rados_ioctx_t io, const char *name);`").is_empty());
        assert!(violations("/// Implements: `rbd_open`").is_empty());
    }

    #[test]
    fn a_function_that_ceph_does_not_have_is_caught() {
        let found = violations("//! A.\n/// Implements: `int rbd_opne(rados_ioctx_t io);`");
        assert_eq!(found, ["rbd-mirror/src/image.rs:2: ceph-sys has no rbd_opne"]);
        assert_eq!(violations("/// Implements: `nothing in C`").len(), 1);
    }
}
