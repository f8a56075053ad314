//! Waiting until a VM or an image is where a call sends it. Every wait has a deadline, and its end says what was last seen.
//!
//! A front-end that falls silent does not end a wait before its deadline: it may be restarting.

use std::time::Duration;

use opennebula_meta::id::{ImageId, VmId};
use opennebula_meta::image::ImageState;

use super::{Error, FrontEnd, Power, Result, VmAction};
use crate::clock::Clock;

/// Between two looks: OpenNebula polls its drivers in seconds.
const PAUSE: Duration = Duration::from_millis(500);

/// A wait that did not end well.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// A call failed, other than by silence.
    #[error(transparent)]
    FrontEnd(#[from] Error),
    /// Time is up.
    #[error("waited {} s until {what}; last seen: {last}", waited.as_secs())]
    TimedOut {
        /// `VM 12 is powered off`.
        what: String,
        /// How long.
        waited: Duration,
        /// What was there instead.
        last: String,
    },
    /// It went somewhere from where it does not get there.
    #[error("waited until {what}; it is {instead}")]
    Astray {
        /// `VM 12 is running`.
        what: String,
        /// `in a failure state: ...`.
        instead: String,
    },
    /// The object is gone.
    #[error("waited until {what}; it is gone")]
    Gone {
        /// `image 4 is READY`.
        what: String,
    },
}

/// What a look tells.
enum Seen<T> {
    There(T),
    NotYet(String),
    Astray(String),
    Gone,
}

fn until<T>(
    clock: &dyn Clock,
    what: &str,
    within: Duration,
    mut look: impl FnMut() -> Result<Seen<T>>,
) -> std::result::Result<T, WaitError> {
    let start = clock.now();
    loop {
        let what = || what.to_owned();
        let last = match look() {
            Ok(Seen::There(found)) => return Ok(found),
            Ok(Seen::NotYet(last)) => last,
            Ok(Seen::Astray(instead)) => return Err(WaitError::Astray { what: what(), instead }),
            Ok(Seen::Gone) => return Err(WaitError::Gone { what: what() }),
            Err(error) if error.is_unreachable() => error.to_string(),
            Err(error) => return Err(error.into()),
        };
        let waited = clock.now().since(start);
        if waited >= within {
            return Err(WaitError::TimedOut { what: what(), waited, last });
        }
        clock.sleep(PAUSE.min(within - waited));
    }
}

/// Waits until a VM does what is wanted.
///
/// # Errors
/// [`WaitError::Astray`] once it is terminated or in a failure state, unless that is what was wanted.
pub fn vm(
    front_end: &dyn FrontEnd,
    clock: &dyn Clock,
    id: VmId,
    wanted: Power,
    within: Duration,
) -> std::result::Result<(), WaitError> {
    until(clock, &format!("VM {id} is {wanted}"), within, || {
        let Some(vm) = front_end.vm(id)? else { return Ok(Seen::Gone) };
        let seen = Power::of(&vm);
        if seen == wanted {
            return Ok(Seen::There(()));
        }
        let error = vm.user_template().and_then(|template| template.value("ERROR")).unwrap_or_default();
        let last = if error.is_empty() { seen.to_string() } else { format!("{seen}: {error}") };
        Ok(if matches!(seen, Power::Done | Power::Failed) { Seen::Astray(last) } else { Seen::NotYet(last) })
    })
}

/// How a VM is brought down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poweroff {
    /// By ACPI; a guest that does not listen runs on.
    Soft,
    /// The plug is pulled. **Never as a consequence of a soft one that failed**: that is the caller's to decide.
    Hard,
}

/// Powers a VM off and waits until it is. A VM that is off already is done.
///
/// # Errors
/// [`WaitError::Astray`] for a guest that ran on. POWEROFF is OpenNebula's word: that nobody writes is for Ceph to say.
pub fn poweroff(
    front_end: &dyn FrontEnd,
    clock: &dyn Clock,
    id: VmId,
    how: Poweroff,
    within: Duration,
) -> std::result::Result<(), WaitError> {
    let what = format!("VM {id} is {}", Power::Off);
    let gone = || WaitError::Gone { what: what.clone() };
    let action = match how {
        Poweroff::Soft => VmAction::Poweroff,
        Poweroff::Hard => VmAction::PoweroffHard,
    };
    if Power::of(&front_end.vm(id)?.ok_or_else(gone)?) == Power::Off {
        return Ok(());
    }
    match front_end.act(id, action) {
        // A lost answer: where it is going is seen below.
        Err(error) if !error.is_in_doubt() => return Err(error.into()),
        _ => {}
    }
    let mut went_down = false;
    until(clock, &what, within, || {
        let Some(vm) = front_end.vm(id)? else { return Ok(Seen::Gone) };
        let seen = Power::of(&vm);
        went_down |= seen == Power::Stopping;
        Ok(match seen {
            Power::Off => Seen::There(()),
            Power::Running if went_down => {
                Seen::Astray("running again: the guest did not go down".to_owned())
            }
            Power::Done | Power::Failed => Seen::Astray(seen.to_string()),
            _ => Seen::NotYet(seen.to_string()),
        })
    })
}

/// Waits until an image can be used.
///
/// # Errors
/// [`WaitError::Astray`] for an image in ERROR or DISABLED.
pub fn image_ready(
    front_end: &dyn FrontEnd,
    clock: &dyn Clock,
    id: ImageId,
    within: Duration,
) -> std::result::Result<(), WaitError> {
    until(clock, &format!("image {id} is READY"), within, || {
        let Some(image) = front_end.image(id)? else { return Ok(Seen::Gone) };
        Ok(match image.state() {
            Ok(ImageState::Ready) => Seen::There(()),
            Ok(state @ (ImageState::Error | ImageState::Disabled)) => Seen::Astray(format!("{state:?}")),
            Ok(state) => Seen::NotYet(format!("{state:?}")),
            Err(error) => Seen::Astray(error.to_string()),
        })
    })
}

/// Waits until an image that was deleted is gone. OpenNebula goes on deleting after its answer.
///
/// # Errors
/// [`WaitError::Astray`] for an image in ERROR: its RBD image was not removed. For a replica that is what should happen.
pub fn image_gone(
    front_end: &dyn FrontEnd,
    clock: &dyn Clock,
    id: ImageId,
    within: Duration,
) -> std::result::Result<(), WaitError> {
    until(clock, &format!("image {id} is deleted"), within, || {
        let Some(image) = front_end.image(id)? else { return Ok(Seen::There(())) };
        Ok(match image.state() {
            Ok(state @ ImageState::Error) => {
                Seen::Astray(format!("{state:?}: its RBD image was not removed"))
            }
            Ok(state) => Seen::NotYet(format!("{state:?}")),
            Err(error) => Seen::Astray(error.to_string()),
        })
    })
}
