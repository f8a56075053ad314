//! `cargo xtask coverage`: which C function is which function of ours, and which test on a real site exercises it.
//!
//! Everything is read from the sources: the functions that C has from the bindings, those that are called from `rbd-mirror/src/raw`,
//! what is claimed from the `Implements:` lines, what is exercised from the tests. Only the reasons why a function is left out are
//! written by hand ([`reasons`]). The result is checked in, and `cargo xtask tidy` fails when it is no longer true.

mod api;
mod exercise;
mod reasons;
mod table;

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::root::root;
use crate::tidy::{self, File, Violation};
use exercise::{Callers, Exercised};

/// Where the table is.
const DOCUMENT: &str = "rbd-mirror/COVERAGE.md";

/// Writes the table anew, and says what it lacks.
pub(crate) fn run() -> Result<ExitCode> {
    let coverage = Coverage::of(&tidy::files()?);
    fs::write(root().join(DOCUMENT), table::text(&coverage))
        .with_context(|| format!("cannot write {DOCUMENT}"))?;
    println!("wrote {DOCUMENT}: {}", table::summary(&coverage));
    let lacking = coverage.lacking();
    lacking.iter().for_each(|violation| println!("{violation}"));
    Ok(if lacking.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Everything that is wrong with the checked-in table, or with what it shows.
pub(crate) fn check(files: &[File]) -> Vec<Violation> {
    let coverage = Coverage::of(files);
    let mut violations = coverage.lacking();
    let kept = files.iter().find(|file| file.path == DOCUMENT);
    if kept.is_none_or(|kept| kept.text != table::text(&coverage)) {
        violations.push(Violation::of(DOCUMENT, "is not what the sources give: run `cargo xtask coverage`"));
    }
    violations
}

/// What covers what.
#[derive(Debug)]
struct Coverage {
    /// The C functions about mirroring, in the bindings' order.
    mirroring: Vec<Row>,
    /// The others that this project calls.
    surrounding: Vec<Row>,
    traps: Vec<(&'static str, Vec<String>)>,
    /// Claims and reasons that do not hold.
    wrong: Vec<Violation>,
}

/// A C function.
#[derive(Debug)]
struct Row {
    function: String,
    covered: Covered,
}

/// How a C function is covered.
#[derive(Debug, PartialEq, Eq)]
enum Covered {
    /// By public functions of ours, and the tests that call them.
    Public { ours: Vec<String>, tests: Vec<String> },
    /// It frees what the public functions get.
    Frees { ours: Vec<String> },
    /// Called from these files of `raw`, as a part of something else.
    Inside { files: Vec<String> },
    /// Left out, for a reason.
    LeftOut { reason: String },
    /// Not at all.
    Not,
}

impl Coverage {
    fn of(files: &[File]) -> Self {
        let library = api::Library::read(files);
        let exercised = Exercised::read(files, &library, Callers::Tests);
        let program = Exercised::read(files, &library, Callers::Program);
        let mut wrong = library.false_claims();
        wrong.extend(library.uncalled(&program));
        let row = |function: &String| {
            let covered = library.covers(function, &exercised);
            Row { function: function.clone(), covered }
        };
        let (mirroring, others): (Vec<_>, Vec<_>) =
            library.declared.iter().partition(|function| function.contains("mirror"));
        let mirroring: Vec<Row> = mirroring.into_iter().map(row).collect();
        let surrounding =
            others.into_iter().filter(|function| library.called.contains_key(*function)).map(row);
        let surrounding = surrounding.collect();
        wrong.extend(reasons::stale(&mirroring, &library.declared));
        let traps = reasons::TRAPS.iter().map(|trap| (*trap, exercised.of_trap(trap))).collect();
        wrong.extend(exercised.unknown_traps(&reasons::TRAPS));
        Self { mirroring, surrounding, traps, wrong }
    }

    /// What is not covered, and no reason given.
    fn lacking(&self) -> Vec<Violation> {
        let mut lacking = Vec::new();
        for Row { function, covered } in self.mirroring.iter().chain(&self.surrounding) {
            match covered {
                Covered::Not => lacking.push(format!("{function} is not covered, and no reason is given")),
                Covered::Public { ours, tests } if tests.is_empty() => {
                    lacking.push(format!("no test on a real site calls {} ({function})", ours.join(" or ")));
                }
                _ => {}
            }
        }
        for (trap, tests) in &self.traps {
            if tests.is_empty() {
                lacking.push(format!("no test is marked `// Trap: {trap}`"));
            }
        }
        let lacking = lacking.into_iter().map(|what| Violation::of(DOCUMENT, what));
        lacking.chain(self.wrong.iter().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Coverage, File};

    const BINDINGS: &str = "unsafe extern \"C\" {\n    pub fn rbd_mirror_mode_get(io: x) -> c_int;\n    pub fn rbd_open(io: x) -> c_int;\n    pub fn rbd_close(io: x) -> c_int;\n}\n";
    const RAW: &str = "//! R.\nimpl RawIoCtx {\n    fn mode() {\n        unsafe { sys::rbd_mirror_mode_get(x) };\n    }\n}\n";
    const OURS: &str = "//! P.\nimpl Pool {\n    /// Mode.\n    ///\n    /// Implements: `int rbd_mirror_mode_get(x io);`\n    pub fn mirror_mode(&self) -> Result<u32> {\n    }\n}\n";
    const TEST: &str = "//! T.\n#[test]\nfn it_has_a_mode() {\n    pool.mirror_mode()?;\n}\n";

    fn lacking(raw: &str, ours: &str, test: &str) -> Vec<String> {
        let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
        let files = [
            file("ceph-sys/bindings/b.rs", BINDINGS),
            file("rbd-mirror/src/raw/pool.rs", raw),
            file("rbd-mirror/src/pool.rs", ours),
            file("tests/one_site/pool.rs", test),
            file(
                "tests/every/main.rs",
                "//! E.\nfn main() {\n    here.mirror_mode()?;\n    Pool::mirror_mode();\n}\n",
            ),
        ];
        let coverage = Coverage::of(&files);
        let lines = coverage.lacking().iter().map(ToString::to_string).collect::<Vec<_>>();
        // What the reasons and the traps of the real sources lack here is not the matter.
        lines.into_iter().filter(|line| !line.contains("Trap") && !line.contains("reason for")).collect()
    }

    #[test]
    fn a_function_that_is_wrapped_called_and_tested_is_covered() {
        assert_eq!(lacking(RAW, OURS, TEST), [""; 0]);
    }

    #[test]
    fn a_mirroring_function_that_nobody_wraps_is_lacking() {
        let found = lacking("//! R.\n", "//! P.\n", TEST);
        assert!(found[0].contains("rbd_mirror_mode_get is not covered"), "{found:?}");
    }

    #[test]
    fn a_claim_that_nothing_calls_is_false() {
        let found = lacking("//! R.\n", OURS, TEST);
        assert!(found.iter().any(|line| line.contains("claims rbd_mirror_mode_get")), "{found:?}");
        let commented = RAW.replace("unsafe {", "// unsafe {");
        assert!(!lacking(&commented, OURS, TEST).is_empty());
    }

    #[test]
    fn a_wrapped_function_that_no_test_calls_is_lacking() {
        for test in
            [TEST.replace("#[test]\n", ""), TEST.replace("pool.", "// pool."), TEST.replace("mirror_", "")]
        {
            let found = lacking(RAW, OURS, &test);
            assert!(found[0].contains("no test on a real site calls `Pool::mirror_mode`"), "{found:?}");
        }
    }

    #[test]
    fn what_the_program_for_valgrind_leaves_out_is_lacking() {
        let other = OURS.replace("mirror_mode(", "other_mode(");
        let found = lacking(RAW, &other, &TEST.replace("mirror_mode", "other_mode"));
        assert!(
            found.len() == 1 && found[0].contains("calls everything but `Pool::other_mode`"),
            "{found:?}"
        );
    }

    #[test]
    fn a_helper_of_the_tests_of_that_name_is_no_call_of_ours() {
        let found = lacking(RAW, OURS, &TEST.replace("pool.", "site::"));
        assert!(found[0].contains("no test"), "{found:?}");
    }

    #[test]
    fn a_method_of_the_same_name_of_another_type_does_not_count() {
        let both = format!(
            "{OURS}impl Image {{\n    /// Other.\n    pub fn mirror_mode(&self) -> u32 {{\n    }}\n}}\n"
        );
        let helper = "fn disk() -> Result<Image> {\n}\nfn pool() -> Result<Pool> {\n}\n";
        let with = |body: &str| format!("//! T.\n{helper}#[test]\nfn it_has_a_mode() {{\n    {body}\n}}\n");
        assert!(!lacking(RAW, &both, &with("let it = disk()?; it.mirror_mode()?;")).is_empty());
        for body in [
            "let it = pool()?; it.mirror_mode()?;",
            "pool()?.mirror_mode()?;",
            "let (a, it) = (disk()?, pool()?); it.mirror_mode()?;",
        ] {
            assert_eq!(lacking(RAW, &both, &with(body)), [""; 0], "{body}");
        }
    }
}
