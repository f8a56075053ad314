//! The labs of these tests, and the images that they begin with.

use std::env;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use lab::{Lab, Options, Site, SiteId};
use rbd_mirror::pair::Pair;
use rbd_mirror::{CreateOptions, Features, GlobalImageId, Image, MirrorImageMode, Pool, wait};
use tests::connect;

pub(crate) const ONE: &str = "one";
pub(crate) const MIB: u64 = 1 << 20;

/// Long for what two sites do within seconds, and for what they do at the packaged daemon's next half minute.
pub(crate) const SOON: Duration = Duration::from_secs(120);

static SHARED: OnceLock<Result<Lab, String>> = OnceLock::new();
static ALONE: Mutex<()> = Mutex::new(());

/// The lab of all tests that harm no site.
pub(crate) fn shared() -> Result<Sites> {
    let lab =
        SHARED.get_or_init(|| Lab::up(Options::temporary("two-site")).map_err(|error| error.to_string()));
    Sites::of(lab.as_ref().map_err(|words| anyhow!("{words}"))?)
}

/// Held by a test that has a lab of its own.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a test that takes a site away in a process of its own, one at a time.
///
/// A handle that may write has a watch, and when its site is gone librados repairs the watch behind the scenes: up to Ceph 20 that
/// code has a use after free (ceph/ceph#65698), which was seen to end this process half a minute after such a test was through.
pub(crate) fn in_a_process_of_its_own(test: &str, body: fn() -> Result<()>) -> Result<()> {
    const CHOSEN: &str = "TWO_SITE_TEST";
    if env::var_os(CHOSEN).is_some_and(|chosen| chosen == test) {
        return body();
    }
    let _alone = alone();
    let mut run = Command::new(env::current_exe()?);
    let done = run.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(CHOSEN, test).output()?;
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    print!("{out}");
    ensure!(done.status.success(), "{test} ended with {}:\n{err}", done.status);
    ensure!(out.contains("test result: ok. 1 passed"), "{test} was not run:\n{out}");
    Ok(())
}

/// Both sites of a lab: our library's view, and the witness's.
#[derive(Debug)]
pub(crate) struct Sites {
    pub(crate) a: Pool,
    pub(crate) b: Pool,
    pub(crate) witness_a: Site,
    pub(crate) witness_b: Site,
}

impl Sites {
    pub(crate) fn of(lab: &Lab) -> Result<Self> {
        let (witness_a, witness_b) = (lab.site(SiteId::A), lab.site(SiteId::B));
        let (a, b) = (connect::pool(&witness_a, ONE)?, connect::pool(&witness_b, ONE)?);
        Ok(Self { a, b, witness_a, witness_b })
    }

    /// A new image at A with data in it, mirrored, caught up at B and ready for the way back.
    pub(crate) fn protected(&self, name: &str, mode: MirrorImageMode) -> Result<(Image, GlobalImageId)> {
        let image = self.filled(name)?;
        let id = image.enable(mode)?;
        wait::caught_up(&self.a, &self.b, &id, SOON)?;
        wait::reverse_registered(&self.a, &self.b, &id, SOON)?;
        Ok((image, id))
    }

    /// A new image of 16 MiB at A with data in it, open and not mirrored.
    pub(crate) fn filled(&self, name: &str) -> Result<Image> {
        self.a.create(name, 16 * MIB, &plain())?;
        let image = self.a.open(name)?;
        for part in 0..4_u8 {
            image.write_at(u64::from(part) * 4 * MIB, &[part + 1; 65_536])?;
        }
        image.flush()?;
        Ok(image)
    }

    /// Here A, there B.
    pub(crate) fn at_a(&self) -> Pair {
        Pair::new(&self.a, &self.b)
    }

    /// Here B, there A.
    pub(crate) fn at_b(&self) -> Pair {
        Pair::new(&self.b, &self.a)
    }

    /// Fails unless the exports of both sites are equal.
    pub(crate) fn expect_equal(&self, name: &str) -> Result<()> {
        let path = format!("{ONE}/{name}");
        let (a, b) = (self.witness_a.sha256_of_export(&path)?, self.witness_b.sha256_of_export(&path)?);
        ensure!(a == b, "{path} differs between the sites");
        Ok(())
    }

    /// Who is primary by `rbd info`, at A and at B.
    pub(crate) fn primaries(&self, name: &str) -> Result<(bool, bool)> {
        let primary = |site: &Site| -> Result<bool> {
            let mirroring = site.image_info(&format!("{ONE}/{name}"))?.mirroring;
            Ok(mirroring.with_context(|| format!("{name} is not mirrored"))?.primary)
        };
        Ok((primary(&self.witness_a)?, primary(&self.witness_b)?))
    }
}

/// What images have by default, whatever the sites' configurations say.
pub(crate) fn plain() -> CreateOptions {
    CreateOptions { features: Some(Features::DEFAULT), ..CreateOptions::default() }
}
