//! What C declares, what `raw` calls of it, and what our public functions claim to be.

use std::collections::{BTreeMap, BTreeSet};

use super::exercise::Exercised;
use super::{Covered, reasons};
use crate::tidy::{File, Violation, code_of, is_word};

const MARK: &str = "Implements: `";

/// A function of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Function {
    /// The type that it belongs to, or the module.
    pub(super) owner: String,
    pub(super) name: String,
    /// What it returns, out of `Result`, `Option` and `Vec`; several for a tuple.
    pub(super) returns: Vec<String>,
    implements: Vec<String>,
    path: String,
}

impl Function {
    fn shown(&self) -> String {
        format!("`{}::{}`", self.owner, self.name)
    }
}

/// The library.
#[derive(Debug)]
pub(super) struct Library {
    /// The C functions, in the bindings' order, the newer ones last.
    pub(super) declared: Vec<String>,
    /// Those that are called, and from which files.
    pub(super) called: BTreeMap<String, BTreeSet<String>>,
    pub(super) functions: Vec<Function>,
}

impl Library {
    pub(super) fn read(files: &[File]) -> Self {
        let rust = |folder: &'static str| {
            files.iter().filter(move |file| file.path.starts_with(folder) && file.path.ends_with(".rs"))
        };
        let declares = |path: &str| path.starts_with("ceph-sys/bindings/") || path == "ceph-sys/src/newer.rs";
        let declared = rust("ceph-sys/").filter(|file| declares(&file.path)).flat_map(|file| {
            let names = file.text.lines().filter_map(|line| line.trim_start().strip_prefix("pub fn "));
            names.map(|rest| rest.split(|letter| !is_word(letter)).next().unwrap_or_default().to_owned())
        });
        let mut declared: Vec<String> = declared.filter(|name| is_c(name)).collect();
        declared.sort_by_key(|name| !name.starts_with("rbd_"));
        let mut called: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for file in rust("rbd-mirror/src/raw/") {
            let code = code_of(&file.text);
            for (at, _) in code.match_indices("sys::") {
                let rest = code[at + "sys::".len()..].trim_start_matches("newer::");
                let name = rest.split(|letter| !is_word(letter)).next().unwrap_or_default();
                if is_c(name) {
                    let path = file.path.trim_start_matches("rbd-mirror/src/").to_owned();
                    called.entry(name.to_owned()).or_default().insert(path);
                }
            }
        }
        let public = rust("rbd-mirror/src/").filter(|file| !file.path.starts_with("rbd-mirror/src/raw"));
        let functions =
            public.flat_map(|file| functions(file, &["pub fn ", "pub const fn ", "pub async fn "]));
        Self { declared, called, functions: functions.collect() }
    }

    /// How a C function is covered.
    pub(super) fn covers(&self, function: &str, exercised: &Exercised) -> Covered {
        let Some(files) = self.called.get(function) else {
            return reasons::of(function).map_or(Covered::Not, |reason| Covered::LeftOut { reason });
        };
        let claiming = self.claiming(|claimed| claimed == function);
        if !claiming.is_empty() {
            let tests: BTreeSet<String> =
                claiming.iter().flat_map(|ours| exercised.of_function(ours)).collect();
            let ours = unique(claiming.iter().map(|ours| ours.shown()));
            return Covered::Public { ours, tests: tests.into_iter().collect() };
        }
        if let Some(stem) = function.strip_suffix("_cleanup").or_else(|| function.strip_suffix("_end")) {
            let gets = self.claiming(|claimed| same_noun(claimed, stem));
            if !gets.is_empty() {
                return Covered::Frees { ours: unique(gets.iter().map(|ours| ours.shown())) };
            }
        }
        if function.contains("mirror") {
            return Covered::Not;
        }
        Covered::Inside { files: files.iter().cloned().collect() }
    }

    fn claiming(&self, is_it: impl Fn(&str) -> bool) -> Vec<&Function> {
        self.functions.iter().filter(|ours| ours.implements.iter().any(|claimed| is_it(claimed))).collect()
    }

    /// What is not called under valgrind.
    pub(super) fn uncalled(&self, program: &Exercised) -> Vec<Violation> {
        let uncalled = self.functions.iter().filter(|ours| !ours.implements.is_empty());
        let uncalled = uncalled.filter(|ours| program.of_function(ours).is_empty());
        let problem = |ours: &Function| {
            Violation::of(
                "tests/every",
                format!("calls everything but {}, for valgrind to see", ours.shown()),
            )
        };
        uncalled.map(problem).collect()
    }

    /// Claims of what is not called.
    pub(super) fn false_claims(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        for ours in &self.functions {
            for claimed in ours.implements.iter().filter(|claimed| !self.called.contains_key(*claimed)) {
                let what = format!("{} claims {claimed}, which nothing in raw calls", ours.shown());
                found.push(Violation::of(&ours.path, what));
            }
        }
        found
    }
}

fn is_c(name: &str) -> bool {
    // Types end in `_t`; what is called does not.
    (name.starts_with("rbd_") || name.starts_with("rados_")) && !name.ends_with("_t")
}

/// Whether two functions are about the same thing: `rbd_aio_mirror_image_get_info` and what is left of its `_cleanup`.
fn same_noun(claimed: &str, stem: &str) -> bool {
    let noun = |name: &str| name.replace("aio_", "").replace("get_", "").replace("_list3", "_list");
    noun(claimed) == noun(stem)
}

fn unique(names: impl Iterator<Item = String>) -> Vec<String> {
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The functions of a file whose line begins with one of `heads`, with what their docs claim.
pub(super) fn functions(file: &File, heads: &[&str]) -> Vec<Function> {
    let code = code_of(&file.text);
    let (mut owner, mut implements, mut found) = (None, Vec::new(), Vec::new());
    let lines: Vec<&str> = code.lines().collect();
    for (at, (line, code)) in file.text.lines().zip(&lines).enumerate() {
        let text = line.trim_start();
        if let Some(doc) = text.strip_prefix("///") {
            let prototype =
                doc.split_once(MARK).map(|(_, prototype)| prototype.split('(').next().unwrap_or_default());
            let name = prototype
                .and_then(|head| head.split(|letter| !is_word(letter)).rfind(|word| !word.is_empty()));
            implements.extend(name.map(str::to_owned));
            continue;
        }
        if code.starts_with("impl") {
            owner = implemented(code);
        } else if code.starts_with('}') {
            owner = None;
        }
        let head = code.trim_start();
        if let Some(rest) = heads.iter().find_map(|start| head.strip_prefix(start)) {
            let name = rest.split(|letter| !is_word(letter)).next().unwrap_or_default().to_owned();
            let signature = lines[at..].iter().take(20).copied().collect::<Vec<_>>().join(" ");
            let signature = signature.split('{').next().unwrap_or_default();
            let module =
                || file.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned();
            let owner = owner.clone().unwrap_or_else(module);
            let returns = returned(signature, &owner);
            let implements = std::mem::take(&mut implements);
            found.push(Function { owner, name, returns, implements, path: file.path.clone() });
        } else if !head.is_empty() && !head.starts_with('#') {
            implements.clear();
        }
    }
    found
}

/// The type of `impl Type {`, `impl<T> Type<T> {` or `impl Trait for Type {`.
fn implemented(code: &str) -> Option<String> {
    let head = code.split('{').next()?.trim();
    let of = head.rsplit(" for ").next()?;
    let of = if of == head { head.trim_start_matches("impl").split("> ").last()? } else { of };
    let name = of.trim().split(|letter: char| !is_word(letter)).find(|word| !word.is_empty())?;
    Some(name.to_owned())
}

/// What a signature returns, out of what it is wrapped in.
fn returned(signature: &str, owner: &str) -> Vec<String> {
    let Some((_, returned)) = signature.rsplit_once("-> ") else { return Vec::new() };
    let mut core = returned.trim();
    while let Some(inner) =
        ["Result<", "Option<", "Vec<", "&", "anyhow::"].iter().find_map(|wrap| core.strip_prefix(wrap))
    {
        core = inner;
    }
    let of = |part: &str| {
        let path = part.trim().trim_start_matches('&');
        let path = path.split(|letter| !is_word(letter) && letter != ':').next().unwrap_or_default();
        let name = path.rsplit("::").next().unwrap_or_default();
        if name == "Self" { owner.to_owned() } else { name.to_owned() }
    };
    match core.strip_prefix('(') {
        Some(tuple) => tuple.split(')').next().unwrap_or_default().split(',').map(of).collect(),
        None => vec![of(core)],
    }
}

#[cfg(test)]
mod tests {
    use super::{implemented, returned, same_noun};

    #[test]
    fn the_type_of_an_impl_and_what_a_signature_returns_are_read() {
        assert_eq!(implemented("impl Pool {").as_deref(), Some("Pool"));
        assert_eq!(implemented("impl<T> Pages<T> {").as_deref(), Some("Pages"));
        assert_eq!(implemented("impl fmt::Debug for Image {").as_deref(), Some("Image"));
        assert_eq!(returned("pub fn open(&self) -> Result<Image>", "Pool"), ["Image"]);
        assert_eq!(returned("fn f() -> Result<(Image, GlobalImageId)>", "x"), ["Image", "GlobalImageId"]);
        assert_eq!(returned("fn of(pool: &Pool) -> Result<Self>", "Fleet"), ["Fleet"]);
        assert_eq!(returned("fn f() -> Result<rbd_mirror::Pool>", "x"), ["Pool"]);
        assert!(returned("fn f()", "x").is_empty());
    }

    #[test]
    fn what_is_freed_is_what_was_got() {
        assert!(same_noun("rbd_aio_mirror_image_get_info", "rbd_mirror_image_get_info"));
        assert!(same_noun("rbd_snap_get_mirror_namespace", "rbd_snap_mirror_namespace"));
        assert!(!same_noun("rbd_mirror_peer_site_list", "rbd_mirror_image_info_list"));
    }
}
