//! Finds librados and librbd, checks their headers against the checked-in bindings, and links them.
//!
//! No libclang is needed: the bindings are in `bindings/`. The C compiler reads the installed headers once, through
//! `shim/`, and refuses to go on where a structure or an enum value differs from what the bindings say.
//!
//! Where the libraries are not in the compiler's search path, `CEPH_INCLUDE_DIR` and `CEPH_LIB_DIR` name them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const LIBRARIES: [&str; 2] = ["rados", "rbd"];
const HEADERS: [&str; 2] = ["rados/librados.h", "rbd/librbd.h"];

fn main() -> ExitCode {
    for file in ["wrapper.h", "shim/layout.c", "shim/newer.c"] {
        println!("cargo:rerun-if-changed={file}");
    }
    for variable in ["CEPH_INCLUDE_DIR", "CEPH_LIB_DIR", "DOCS_RS"] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    // A documentation host has no Ceph, and rustdoc needs neither the headers nor the libraries.
    if env::var_os("DOCS_RS").is_some() {
        return ExitCode::SUCCESS;
    }
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(missing) => {
            eprintln!("{missing}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let include = env::var_os("CEPH_INCLUDE_DIR").map(PathBuf::from);
    let lib = env::var_os("CEPH_LIB_DIR").map(PathBuf::from);

    let mut compiler = cc::Build::new();
    compiler.warnings(true).extra_warnings(true).flag_if_supported("-Wno-deprecated-declarations");
    if let Some(dir) = &include {
        compiler.include(dir);
    }
    let tool = compiler.try_get_compiler().map_err(|error| missing("a C compiler", &error.to_string()))?;

    compiles(&tool, "")?.map_err(|words| missing("a C compiler that works", &words))?;
    for header in HEADERS {
        let included = format!("#include <{header}>\n");
        compiles(&tool, &included)?
            .map_err(|words| missing(&format!("a usable header <{header}>"), &words))?;
    }
    // An upgrade of Ceph is to be checked again.
    for header in headers_read(&tool)? {
        println!("cargo:rerun-if-changed={header}");
    }
    for library in LIBRARIES {
        if !library_exists(&tool, lib.as_deref(), library) {
            return Err(missing(&format!("the library lib{library}.so"), "the linker does not find it"));
        }
    }

    compiler.file("shim/layout.c").file("shim/newer.c");
    compiler.try_compile("ceph_sys_shim").map_err(|error| {
        format!(
            "ceph-sys: the installed Ceph headers do not fit the bindings in ceph-sys/bindings (see the failed \
             static assertion above).\n  {error}"
        )
    })?;

    if let Some(dir) = lib {
        println!("cargo:rustc-link-search=native={}", dir.display());
    }
    // dlsym is in a library of its own before glibc 2.34.
    for library in LIBRARIES.iter().chain(&["dl"]) {
        println!("cargo:rustc-link-lib={library}");
    }
    Ok(())
}

/// Whether a piece of C compiles; the compiler's words where it does not.
fn compiles(tool: &cc::Tool, source: &str) -> Result<Result<(), String>, String> {
    let probe = probe(source)?;
    Ok(match tool.to_command().arg("-fsyntax-only").arg(&probe).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Err(error.to_string()),
    })
}

/// The files of Ceph that our headers are made of.
fn headers_read(tool: &cc::Tool) -> Result<Vec<String>, String> {
    let source: String = HEADERS.iter().map(|header| format!("#include <{header}>\n")).collect();
    let probe = probe(&source)?;
    let asked = tool.to_command().arg("-M").arg(&probe).output().map_err(|error| error.to_string())?;
    let words = String::from_utf8_lossy(&asked.stdout).into_owned();
    let ours = |word: &&str| word.contains("/rbd/") || word.contains("/rados/");
    Ok(words.split_whitespace().filter(ours).map(ToOwned::to_owned).collect())
}

fn probe(source: &str) -> Result<PathBuf, String> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("ceph-sys: cargo sets OUT_DIR for build scripts")?);
    let path = out.join("probe.c");
    fs::write(&path, source)
        .map_err(|error| format!("ceph-sys: cannot write {}: {error}", path.display()))?;
    Ok(path)
}

/// Asks the compiler for the path of a library: it prints the bare name back when it has none.
fn library_exists(tool: &cc::Tool, dir: Option<&Path>, library: &str) -> bool {
    let file = format!("lib{library}.so");
    if dir.is_some_and(|dir| dir.join(&file).exists()) {
        return true;
    }
    let asked = tool.to_command().arg(format!("-print-file-name={file}")).output();
    asked.is_ok_and(|output| {
        let path = String::from_utf8_lossy(&output.stdout);
        Path::new(path.trim()).is_absolute()
    })
}

fn missing(what: &str, why: &str) -> String {
    format!(
        "\nceph-sys: {what} is missing:\n  {why}\n\n\
         Install Ceph's development packages, release 16 (Pacific) or newer, and a C compiler:\n\
         \x20 Debian, Ubuntu:  apt-get install librbd-dev librados-dev gcc\n\
         \x20 Fedora, RHEL:    dnf install librbd-devel librados-devel gcc\n\
         \x20 openSUSE:        zypper install librbd-devel librados-devel gcc\n\n\
         In this repository, `cargo xtask setup` does it. Elsewhere installed libraries are named with\n\
         CEPH_INCLUDE_DIR and CEPH_LIB_DIR.\n"
    )
}
