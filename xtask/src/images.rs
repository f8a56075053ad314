//! `cargo xtask images`: an image for each Ceph release, for sites in containers.
//!
//! Without access to an image registry, the base of each is made here from Debian's packages, each release from the suite
//! that carries it. With access, `--from` (or `CEPH_IMAGE`) takes the official image instead. Our own layer is the same on
//! either: `tests/lab/image`.

use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use lab::{Backend, engine, has_image};

use crate::root::root;
use crate::setup;

/// The releases that a Debian suite carries. Squid is in none: it comes as an official image only.
pub(crate) const RELEASES: [(&str, &str); 3] =
    [("pacific", "bookworm"), ("reef", "trixie"), ("tentacle", "forky")];

/// Raised when a base that was made before does not serve any more.
const BASE_VERSION: u32 = 1;

/// The daemons and tools, what the library is built against and with, and the packet filter by which sites are cut off.
const PACKAGES: [&str; 10] = [
    "ceph-mon",
    "ceph-mgr",
    "ceph-osd",
    "rbd-mirror",
    "ceph-common",
    "librbd-dev",
    "librados-dev",
    "gcc",
    "libc6-dev",
    "nftables",
];

/// Which images to make.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only this release; may be given several times [default: pacific, reef, tentacle]
    #[arg(long = "release", value_name = "RELEASE")]
    releases: Vec<String>,
    /// Take this image of Ceph as the base, for one --release, instead of making one from Debian's packages
    #[arg(long, value_name = "IMAGE", env = "CEPH_IMAGE")]
    from: Option<String>,
    /// Make the base again, to get newer packages
    #[arg(long)]
    rebuild: bool,
}

/// Makes the images that are missing.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let all = || RELEASES.iter().map(|(release, _)| (*release).to_owned()).collect();
    let from = arguments.from.as_deref().filter(|from| !from.is_empty());
    let releases: Vec<String> = match (arguments.releases.as_slice(), from) {
        ([], None) => all(),
        ([_], _) | (_, None) => arguments.releases.clone(),
        _ => bail!("one image is of one release: name it with one --release"),
    };
    for release in &releases {
        make(release, from, arguments.rebuild)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes the images of these releases, unless they are there.
pub(crate) fn ensure(releases: &[String]) -> Result<()> {
    for release in releases {
        if !has_image(&Backend::image(release))? {
            make(release, None, false)?;
        }
    }
    Ok(())
}

fn make(release: &str, from: Option<&str>, rebuild: bool) -> Result<()> {
    let (engine, image, start) = (engine()?, Backend::image(release), Instant::now());
    let base = match from {
        Some(official) => {
            if rebuild || !has_image(official)? {
                println!("images: {engine} pull {official}");
                succeed(Command::new(engine).args(["pull", official]))?;
            }
            official.to_owned()
        }
        None => base_of_packages(engine, release, rebuild)?,
    };
    // Quick where nothing has changed: the engine remembers each layer.
    let folder = root().join("tests/lab/image");
    let mut build = Command::new(engine);
    build.args(["build", "--quiet", "--build-arg", &format!("BASE={base}"), "--tag", &image]).arg(folder);
    succeed(build.stdout(Stdio::null()))?;
    let version =
        Command::new(engine).args(["run", "--rm", "--entrypoint", "ceph", &image, "--version"]).output()?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    println!("images: {image} is there after {:.1} s: {version}", start.elapsed().as_secs_f64());
    Ok(())
}

/// The base of a release from Debian's packages. The suite's mirrors are those that mmdebstrap and apt here know.
fn base_of_packages(engine: &str, release: &str, rebuild: bool) -> Result<String> {
    let base = format!("ceph-lab-base:{release}-{BASE_VERSION}");
    if !rebuild && has_image(&base)? {
        return Ok(base);
    }
    let Some((_, suite)) = RELEASES.into_iter().find(|(name, _)| *name == release) else {
        let known = RELEASES.map(|(name, _)| name).join(", ");
        bail!(
            "no Debian suite carries {release} (they carry {known}): take the official image with \
             `cargo xtask images --release {release} --from IMAGE`"
        );
    };
    setup::ensure(setup::Purpose::Images)?;
    println!("images: making {base} from the packages of Debian's {suite}: about a minute");
    let mut bootstrap = Command::new("mmdebstrap");
    bootstrap.args(["--quiet", "--variant=apt"]).arg(format!("--include={}", PACKAGES.join(",")));
    for option in [
        r#"APT::Install-Recommends "false""#,
        r#"Acquire::Languages "none""#,
        // A mirror that is late, or frozen on purpose, still serves a test.
        r#"Acquire::Check-Valid-Until "false""#,
        r#"Acquire::Check-Date "false""#,
    ] {
        bootstrap.arg(format!("--aptopt={option}"));
    }
    for option in [
        "exclude=/usr/share/man/*",
        "exclude=/usr/share/doc/*",
        "exclude=/usr/share/locale/*",
        "include=/usr/share/doc/*/copyright",
    ] {
        bootstrap.arg(format!("--dpkgopt=path-{option}"));
    }
    // Nothing is to be started while it is installed: ceph-mon's package in forky fails where it tries.
    let no_starts =
        r#"printf '#!/bin/sh\nexit 101\n' > "$1/usr/sbin/policy-rc.d"; chmod 755 "$1/usr/sbin/policy-rc.d""#;
    bootstrap.arg(format!("--essential-hook={no_starts}")).args([suite, "-"]);
    let mut bootstrap = bootstrap.stdout(Stdio::piped()).spawn().context("cannot start mmdebstrap")?;
    let tar = bootstrap.stdout.take().context("the pipe we asked for")?;
    let imported =
        Command::new(engine).args(["import", "-", &base]).stdin(tar).stdout(Stdio::null()).status()?;
    let made = bootstrap.wait()?;
    if !made.success() {
        // What was imported of it is no base.
        let _ = Command::new(engine).args(["rmi", &base]).output();
        bail!("mmdebstrap for {suite} ended with {made}");
    }
    if !imported.success() {
        bail!("`{engine} import` ended with {imported}");
    }
    Ok(base)
}

fn succeed(command: &mut Command) -> Result<()> {
    // The legacy builder tells at every build that it is one.
    let output = command.env("DOCKER_CLI_HINTS", "false").stdin(Stdio::null()).stderr(Stdio::piped()).spawn();
    let output = output.and_then(|child| child.wait_with_output());
    let output = output.with_context(|| format!("cannot start {:?}", command.get_program()))?;
    if !output.status.success() {
        bail!(
            "{command:?} ended with {}:\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}
