//! Which crate may depend on which.

use anyhow::{Context, Result};
use serde_json::Value;

use super::Violation;

/// The import rule: each crate, and all crates of ours that it may name in any kind of dependency.
///
/// Nothing may name `tests`, `benches` or `xtask`; the lab, an independent witness, names none of ours; `xtask` never
/// links Ceph.
const ALLOWED: [(&str, &[&str]); 9] = [
    ("ceph-sys", &[]),
    ("ceph-plain", &["ceph-sys"]),
    ("rbd-mirror", &["ceph-sys"]),
    ("opennebula-meta", &[]),
    ("one-dr", &["rbd-mirror", "opennebula-meta"]),
    ("lab", &[]),
    ("xtask", &["lab"]),
    ("tests", &["ceph-sys", "rbd-mirror", "opennebula-meta", "one-dr", "lab"]),
    ("benches", &["ceph-plain", "rbd-mirror", "opennebula-meta", "one-dr", "lab"]),
];

/// A crate of the workspace.
#[derive(Debug)]
pub(super) struct Crate {
    pub(super) name: String,
    /// Its manifest, from the root of the workspace.
    pub(super) manifest: String,
    /// Everything that it depends on, in any way.
    dependencies: Vec<String>,
}

impl Crate {
    /// The crate's folder with a slash at its end, from the root of the workspace.
    pub(super) fn folder(&self) -> &str {
        self.manifest.strip_suffix("Cargo.toml").unwrap_or(&self.manifest)
    }
}

/// The crates in the output of `cargo metadata --no-deps`.
pub(super) fn read(metadata: &str) -> Result<Vec<Crate>> {
    let metadata: Value = serde_json::from_str(metadata).context("cargo metadata is no JSON")?;
    let root = metadata["workspace_root"].as_str().context("no workspace_root in cargo metadata")?;
    let packages = metadata["packages"].as_array().context("no packages in cargo metadata")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(packages
        .iter()
        .map(|package| {
            let manifest = text(&package["manifest_path"]);
            let dependencies = package["dependencies"].as_array().map_or(&[][..], Vec::as_slice);
            Crate {
                name: text(&package["name"]),
                manifest: manifest.strip_prefix(root).unwrap_or(&manifest).trim_start_matches('/').to_owned(),
                dependencies: dependencies.iter().map(|dependency| text(&dependency["name"])).collect(),
            }
        })
        .collect())
}

/// Every edge that is not allowed.
pub(super) fn check(crates: &[Crate]) -> Vec<Violation> {
    let is_ours = |name: &String| ALLOWED.iter().any(|(ours, _)| ours == name);
    let mut violations = Vec::new();
    for Crate { name, manifest, dependencies } in crates {
        let Some((_, allowed)) = ALLOWED.iter().find(|(ours, _)| ours == name) else {
            violations
                .push(Violation::of(manifest, format!("the import rule does not know the crate {name}")));
            continue;
        };
        for dependency in dependencies.iter().filter(|dependency| is_ours(dependency)) {
            if !allowed.contains(&dependency.as_str()) {
                violations.push(Violation::of(manifest, format!("{name} may not depend on {dependency}")));
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::{check, read};

    fn violations(packages: &[(&str, &[&str])]) -> Vec<String> {
        let package = |(name, dependencies): &(&str, &[&str])| {
            let dependencies: Vec<_> =
                dependencies.iter().map(|name| serde_json::json!({ "name": name, "kind": "dev" })).collect();
            serde_json::json!({
                "name": name, "manifest_path": format!("/w/{name}/Cargo.toml"), "dependencies": dependencies,
            })
        };
        let packages: Vec<_> = packages.iter().map(package).collect();
        let metadata = serde_json::json!({ "workspace_root": "/w", "packages": packages });
        let crates = read(&metadata.to_string()).expect("this is how cargo writes it");
        check(&crates).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_allowed_edge_is_no_violation() {
        let none: [String; 0] = [];
        assert_eq!(violations(&[("rbd-mirror", &["ceph-sys", "thiserror"]), ("xtask", &["lab"])]), none);
    }

    #[test]
    fn a_forbidden_edge_is_caught_in_any_kind_of_dependency() {
        for (from, to) in [
            ("rbd-mirror", "opennebula-meta"),
            ("opennebula-meta", "rbd-mirror"),
            ("lab", "rbd-mirror"),
            ("xtask", "ceph-sys"),
            ("rbd-mirror", "tests"),
            ("one-dr", "xtask"),
            ("tests", "benches"),
        ] {
            let found = violations(&[(from, &[to])]);
            assert_eq!(found, [format!("{from}/Cargo.toml: {from} may not depend on {to}")]);
        }
    }

    #[test]
    fn a_crate_that_the_rule_does_not_know_is_caught() {
        assert_eq!(violations(&[("new", &[])]).len(), 1);
    }
}
