//! The steps of our own records: epochs, kept features, the catalog.

use opennebula_meta::id::VmId;

use super::{Action, Failure, Look, World};
use crate::catalog;
use crate::clock::Moment;
use crate::epoch;
use crate::site::Side;

fn features_object(image: &str) -> String {
    format!("one-dr.features.{image}")
}

pub(super) fn look(
    world: &World<'_>,
    vm: Option<VmId>,
    action: &Action,
    began: Moment,
) -> Result<Option<Look>, Failure> {
    let done = |is: bool| Some(if is { Look::Done } else { Look::Ready });
    Ok(match action {
        Action::RaiseEpoch { at, epoch } => {
            let Some(vm) = vm else { return Ok(Some(Look::Done)) };
            let is = epoch::read(world.pair.storage(*at), vm.0)?;
            match is {
                Some(is) if is.number > epoch.number => Some(Look::Blocked(format!(
                    "[epoch-old] VM {vm} was switched again meanwhile (epoch {}, run {})",
                    is.number, is.run
                ))),
                Some(is) => done(is == *epoch),
                None => Some(Look::Ready),
            }
        }
        Action::KeepFeatures { image } => {
            done(world.pair.storage(Side::Home).object(&features_object(image))?.is_some())
        }
        Action::RestoreFeatures { image } => {
            let home = world.pair.storage(Side::Home);
            let kept = home.object(&features_object(image))?;
            let kept = kept.and_then(|bytes| String::from_utf8(bytes).ok()?.parse::<u64>().ok());
            match (kept, home.image(image)?) {
                (Some(kept), Some(view)) => done(view.features == kept),
                _ => Some(Look::Done),
            }
        }
        Action::Capture { vms } => {
            // Whatever was captured since the step began will do; what is older may lack the disks' identities.
            let versions = catalog::index(&world.pair.storage(Side::Recovery))?;
            let new = versions.last().is_some_and(|version| version.captured_at >= began);
            done(
                new && {
                    let newest = catalog::newest(&world.pair.storage(Side::Recovery))?;
                    vms.iter().all(|vm| newest.record.capture().vm(*vm).is_some())
                },
            )
        }
        Action::Forget => match catalog::newest(&world.pair.storage(Side::Recovery)) {
            Ok(newest) => done(vm.is_none_or(|vm| newest.record.capture().vm(vm).is_none())),
            Err(catalog::Error::Storage(error)) => return Err(error.into()),
            // Nothing that can be read: nothing to be taken out.
            Err(_) => Some(Look::Done),
        },
        _ => None,
    })
}

pub(super) fn act(world: &World<'_>, vm: Option<VmId>, action: &Action) -> Result<Option<String>, Failure> {
    let pair = world.pair;
    Ok(match action {
        Action::RaiseEpoch { at, epoch } => {
            if let Some(vm) = vm {
                epoch::write(pair.storage(*at), vm.0, epoch)?;
            }
            Some(String::new())
        }
        Action::KeepFeatures { image } => {
            let home = pair.storage(Side::Home);
            if let Some(view) = home.image(image)? {
                home.put_object(&features_object(image), view.features.to_string().as_bytes())?;
            }
            Some(String::new())
        }
        Action::RestoreFeatures { image } => {
            let home = pair.storage(Side::Home);
            let kept = home.object(&features_object(image))?;
            if let Some(kept) = kept.and_then(|bytes| String::from_utf8(bytes).ok()?.parse::<u64>().ok()) {
                home.set_features(image, kept)?;
            }
            Some(String::new())
        }
        Action::Capture { vms } => {
            let now = pair.clock.now();
            let shelf = pair.storage(Side::Recovery);
            let version = catalog::refresh(pair, &shelf, vms, now)?.version;
            world.forget_record();
            Some(version.address)
        }
        Action::Forget => {
            let text = match vm {
                Some(vm) => catalog::forget(&pair.storage(Side::Recovery), vm, pair.clock.now())?.address,
                None => String::new(),
            };
            world.forget_record();
            Some(text)
        }
        _ => None,
    })
}
