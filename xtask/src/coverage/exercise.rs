//! Which test calls which public function.
//!
//! A name that only one type of ours has is enough. Where several have it, the type of what it is called on is found out as far as a
//! reader of the test would see it: from the functions that its value came from. What stays unknown does not count.

use std::collections::BTreeMap;

use super::api::{self, Function, Library};
use crate::tidy::{File, Violation, code_of, is_word};

const TRAP: &str = "// Trap: ";

/// Whose calls are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Callers {
    /// The tests that run on real sites.
    Tests,
    /// The program that runs under valgrind: all its functions.
    Program,
}

impl Callers {
    fn folders(self) -> &'static [&'static str] {
        match self {
            Self::Tests => &["tests/one_site/", "tests/two_site/"],
            Self::Program => &["tests/every/"],
        }
    }
}

/// What the tests call.
#[derive(Debug, Default)]
pub(super) struct Exercised {
    /// By type and name; by the name alone where it is the only one.
    calls: BTreeMap<(Option<String>, String), Vec<String>>,
    traps: BTreeMap<String, Vec<String>>,
    /// Names that several types have.
    ambiguous: Vec<String>,
}

/// What is known of the types in a test.
struct Scope<'a> {
    variables: BTreeMap<String, String>,
    returns: &'a BTreeMap<String, Vec<String>>,
    fields: &'a BTreeMap<String, String>,
}

impl Exercised {
    pub(super) fn read(files: &[File], library: &Library, callers: Callers) -> Self {
        let within = |folder: &str| {
            let folder = folder.to_owned();
            files.iter().filter(move |file| file.path.starts_with(&folder) && file.path.ends_with(".rs"))
        };
        let mut returns: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let helpers =
            within("tests/").flat_map(|file| api::functions(file, &["pub(crate) fn ", "pub fn ", "fn "]));
        for function in library.functions.iter().cloned().chain(helpers) {
            // The constructors of our types are called by their full name, helpers by theirs.
            returns.entry(function.name.clone()).or_insert_with(|| function.returns.clone());
            returns.insert(format!("{}::{}", function.owner, function.name), function.returns);
        }
        let fields = within("tests/").flat_map(|file| fields(&file.text)).collect();
        let mut exercised = Self { ambiguous: ambiguous(&library.functions), ..Self::default() };
        for file in callers.folders().iter().flat_map(|folder| within(folder)) {
            exercised.read_file(file, callers, &returns, &fields);
        }
        exercised
    }

    fn read_file(
        &mut self,
        file: &File,
        callers: Callers,
        returns: &BTreeMap<String, Vec<String>>,
        fields: &BTreeMap<String, String>,
    ) {
        let code = code_of(&file.text);
        let mut traps: Vec<String> = Vec::new();
        let (mut is_test, mut offset) = (false, 0);
        for (line, text) in file.text.lines().zip(code.lines()) {
            let start = offset;
            offset += text.len() + 1;
            traps.extend(line.trim().strip_prefix(TRAP).map(|trap| trap.trim().to_owned()));
            is_test |= text.trim() == "#[test]" || callers == Callers::Program;
            let head = text.strip_prefix("pub(crate) ").unwrap_or(text);
            let Some(rest) = head.strip_prefix("fn ") else { continue };
            if std::mem::take(&mut is_test) {
                let name = rest.split(|letter| !is_word(letter)).next().unwrap_or_default();
                let short = file.path.trim_start_matches("tests/");
                let test = format!("`{}::{name}`", short.trim_end_matches(".rs"));
                let end = code[start..].find("\n}").map_or(code.len(), |at| start + at);
                self.read_body(&code[start..end], &test, returns, fields);
                for trap in traps.drain(..) {
                    self.traps.entry(trap).or_default().push(test.clone());
                }
            }
            traps.clear();
        }
    }

    fn read_body(
        &mut self,
        body: &str,
        test: &str,
        returns: &BTreeMap<String, Vec<String>>,
        fields: &BTreeMap<String, String>,
    ) {
        let mut scope = Scope { variables: BTreeMap::new(), returns, fields };
        let signature = body.split('{').next().unwrap_or_default();
        for parameter in signature.split(['(', ',', ')']) {
            if let Some((name, of)) = parameter.split_once(": ") {
                let of = of.trim_start_matches('&').trim_start_matches("mut ").trim();
                scope.variables.insert(name.trim().to_owned(), of.to_owned());
            }
        }
        for statement in body.split_inclusive(';') {
            for (at, _) in statement.match_indices('(') {
                let (before, name) = last_word(&statement[..at]);
                if name.is_empty() {
                    continue;
                }
                let owner = if let Some(receiver) = before.strip_suffix('.') {
                    scope.type_of(receiver)
                } else if let Some(path) = before.strip_suffix("::") {
                    Some(last_word(path).1.to_owned())
                } else {
                    continue;
                };
                let tests = self.calls.entry((owner, name.to_owned())).or_default();
                if !tests.iter().any(|known| known == test) {
                    tests.push(test.to_owned());
                }
            }
            scope.bind(statement);
        }
    }

    /// The tests that call this function.
    pub(super) fn of_function(&self, ours: &Function) -> Vec<String> {
        let certain = self.calls.get(&(Some(ours.owner.clone()), ours.name.clone()));
        let mut tests: Vec<String> = certain.into_iter().flatten().cloned().collect();
        if !self.ambiguous.contains(&ours.name) {
            // `site::mirrored` is a helper of the tests, not a method.
            let is_method = |owner: &Option<String>| {
                owner.as_ref().is_none_or(|owner| owner.starts_with(char::is_uppercase))
            };
            let named = self.calls.iter().filter(|((owner, name), _)| *name == ours.name && is_method(owner));
            tests.extend(named.flat_map(|(_, tests)| tests.iter().cloned()));
        }
        tests.sort();
        tests.dedup();
        tests
    }

    pub(super) fn of_trap(&self, trap: &str) -> Vec<String> {
        self.traps.get(trap).cloned().unwrap_or_default()
    }

    /// Marks of traps that nobody has named.
    pub(super) fn unknown_traps(&self, known: &[&str]) -> Vec<Violation> {
        let unknown = self.traps.iter().filter(|(trap, _)| !known.contains(&trap.as_str()));
        let problem = |(trap, tests): (&String, &Vec<String>)| {
            Violation::of(
                "tests",
                format!("{} is marked for a trap that is not listed: {trap}", tests.join(", ")),
            )
        };
        unknown.map(problem).collect()
    }
}

impl Scope<'_> {
    /// Learns from `let name = ...` and `let (a, b) = (..., ...)`.
    fn bind(&mut self, statement: &str) {
        let Some((_, binding)) = statement.rsplit_once("let ") else { return };
        let Some((pattern, value)) = binding.split_once('=') else { return };
        let value = value.trim().trim_end_matches(';');
        let pattern = pattern.trim().trim_start_matches("mut ");
        let Some(names) = pattern.strip_prefix('(').and_then(|names| names.strip_suffix(')')) else {
            let name = pattern.split(':').next().unwrap_or_default().trim();
            let found = self.type_of(value);
            found.into_iter().for_each(|of| drop(self.variables.insert(name.to_owned(), of)));
            return;
        };
        let names = names.split(',').map(|name| name.trim().trim_start_matches("mut ").to_owned());
        let types: Vec<Option<String>> =
            match value.strip_prefix('(').and_then(|value| value.strip_suffix(')')) {
                Some(values) => top_level(values).into_iter().map(|value| self.type_of(value)).collect(),
                None => self.types_of(value).into_iter().map(Some).collect(),
            };
        for (name, of) in names.zip(types) {
            of.into_iter().for_each(|of| drop(self.variables.insert(name.clone(), of)));
        }
    }

    fn type_of(&self, expression: &str) -> Option<String> {
        self.types_of(expression).into_iter().next()
    }

    /// The types of an expression: that of a variable or a field, or what the last call of a chain returns.
    fn types_of(&self, expression: &str) -> Vec<String> {
        let mut rest = expression.trim().trim_end_matches('?').trim_end_matches(".await").trim_end();
        if let Some(open) = opening(rest) {
            let (before, name) = last_word(&rest[..open]);
            if name == "clone" || name == "bounded_by" {
                return before.strip_suffix('.').map(|of| self.types_of(of)).unwrap_or_default();
            }
            let path = before.strip_suffix("::").map(|path| format!("{}::{name}", last_word(path).1));
            let by_path = path.and_then(|path| self.returns.get(&path));
            let method = before.strip_suffix('.').and_then(|of| self.type_of(of));
            let by_method = method.and_then(|of| self.returns.get(&format!("{of}::{name}")));
            return by_path.or(by_method).or_else(|| self.returns.get(name)).cloned().unwrap_or_default();
        }
        rest = rest.trim_start_matches(['&', '*']);
        let (before, name) = last_word(rest);
        let field = before.ends_with('.').then(|| self.fields.get(name)).flatten();
        field.or_else(|| self.variables.get(name)).cloned().into_iter().collect()
    }
}

/// Where the bracket opens that the text closes with.
fn opening(text: &str) -> Option<usize> {
    if !text.ends_with(')') {
        return None;
    }
    let mut depth = 0_usize;
    for (at, letter) in text.char_indices().rev() {
        match letter {
            ')' => depth += 1,
            '(' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The parts between commas that are in no bracket.
fn top_level(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0_i32, 0, Vec::new());
    for (at, letter) in text.char_indices() {
        match letter {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// The word at the end of a text, and what is before it.
fn last_word(text: &str) -> (&str, &str) {
    let text = text.trim_end();
    let start = text.trim_end_matches(is_word).len();
    (text[..start].trim_end(), &text[start..])
}

/// The names of fields and their types: `pub(crate) a: Pool,`.
fn fields(text: &str) -> Vec<(String, String)> {
    let field = |line: &str| {
        let (name, of) =
            line.trim().strip_prefix("pub(crate) ").or(line.trim().strip_prefix("pub "))?.split_once(": ")?;
        Some((name.to_owned(), of.trim_end_matches(',').to_owned()))
    };
    text.lines().filter_map(field).collect()
}

/// The names that functions of several types have.
fn ambiguous(functions: &[Function]) -> Vec<String> {
    let mut owners: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for function in functions {
        let of = owners.entry(&function.name).or_default();
        if !of.contains(&function.owner.as_str()) {
            of.push(&function.owner);
        }
    }
    owners.into_iter().filter(|(_, owners)| owners.len() > 1).map(|(name, _)| name.to_owned()).collect()
}
