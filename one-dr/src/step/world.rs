//! What a step is given: the two sites, the plan, and the captured VM as the recovery site gets it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use opennebula_meta::id::{ImageId, VmId};
use opennebula_meta::reregister::{Call, NewImage, NewVm};
use opennebula_meta::vm::DiskKind;
use opennebula_meta::{Image, Record, Vm};

use super::{Action, Failure, Look, Step, disks, drill, records, setup, vms};
use crate::catalog;
use crate::clock::Moment;
use crate::convert::convert;
use crate::frontend::Power;
use crate::plan::Plan;
use crate::site::{Side, SitePair};
use crate::stamp;
use crate::storage::Progress;

/// For how long a site that was found silent is not asked again.
const SILENCE: Duration = Duration::from_secs(5);

/// What a step is given.
pub struct World<'a> {
    /// The two sites.
    pub pair: &'a SitePair,
    /// The plan.
    pub plan: &'a Plan,
    record: RefCell<Option<Rc<Record>>>,
    silent: RefCell<BTreeMap<Side, Moment>>,
    converted: RefCell<BTreeMap<VmId, Rc<NewVm>>>,
    /// Numbers at the recovery site that were found by searching its lists: asked for one by one from then on, and searched for again
    /// when what is there is something else.
    images: RefCell<BTreeMap<String, ImageId>>,
    vms: RefCell<BTreeMap<VmId, VmId>>,
}

impl std::fmt::Debug for World<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("World")
    }
}

impl<'a> World<'a> {
    /// The world of a plan.
    #[must_use]
    pub fn new(pair: &'a SitePair, plan: &'a Plan) -> Self {
        Self {
            pair,
            plan,
            record: RefCell::default(),
            silent: RefCell::default(),
            converted: RefCell::default(),
            images: RefCell::default(),
            vms: RefCell::default(),
        }
    }

    /// Whether a site was found silent a moment ago. Each look at a silent site costs its limit, and a failover of a hundred disks
    /// would pay it a hundred times.
    pub(super) fn is_silent(&self, side: Side) -> bool {
        let now = self.pair.clock.now();
        self.silent.borrow().get(&side).is_some_and(|found| now.since(*found) < SILENCE)
    }

    /// A site was found silent now.
    pub(super) fn found_silent(&self, side: Side) {
        self.silent.borrow_mut().insert(side, self.pair.clock.now());
    }

    /// The record that the plan was made from; of a plan that captures, the newest.
    pub(super) fn record(&self) -> Result<Rc<Record>, Failure> {
        if let Some(record) = self.record.borrow().as_ref() {
            return Ok(Rc::clone(record));
        }
        let shelf = self.pair.storage(Side::Recovery);
        let record = Rc::new(match &self.plan.record {
            Some(address) => catalog::read(&shelf, address)?,
            None => catalog::newest(&shelf)?.record,
        });
        *self.record.borrow_mut() = Some(Rc::clone(&record));
        Ok(record)
    }

    /// After a capture: what was read before does not count any more.
    pub(super) fn forget_record(&self) {
        *self.record.borrow_mut() = None;
        self.converted.borrow_mut().clear();
    }

    /// The VM as the recovery site gets it.
    pub(super) fn converted(&self, vm: VmId) -> Result<Rc<NewVm>, Failure> {
        if let Some(new) = self.converted.borrow().get(&vm) {
            return Ok(Rc::clone(new));
        }
        let record = self.record()?;
        let home = &self.pair.home.name;
        let new = convert(record.capture(), &self.pair.settings, home, vm, self.plan.at, None)
            .map_err(|problems| Failure::Metadata(problems.join("; ")))?;
        let new = Rc::new(new);
        self.converted.borrow_mut().insert(vm, Rc::clone(&new));
        Ok(new)
    }

    /// The VM at a side: by its number at home, by our stamp at the recovery site.
    pub(super) fn vm_at(&self, side: Side, vm: VmId) -> Result<Option<Vm>, Failure> {
        let frontend = self.pair.frontend(side);
        if side == Side::Home {
            return Ok(frontend.vm(vm)?);
        }
        let stamp = stamp::vm(&self.pair.home.name, vm.0);
        let is_it =
            |vm: &Vm| stamp::of_vm(vm, stamp::VM) == Some(stamp.as_str()) && Power::of(vm) != Power::Done;
        let known = self.vms.borrow().get(&vm).copied();
        if let Some(known) = known
            && let Some(found) = frontend.vm(known)?.filter(is_it)
        {
            return Ok(Some(found));
        }
        let found = frontend.vms()?.into_iter().find(is_it);
        if let Some(found) = &found {
            self.vms.borrow_mut().insert(vm, found.id());
        }
        Ok(found)
    }

    /// The image at the recovery site that registers this one's replica.
    pub(super) fn registration(&self, new: &NewImage) -> Result<Option<Image>, Failure> {
        let source = new.source.to_string();
        let known = self.images.borrow().get(&source).copied();
        if let Some(known) = known {
            let image = self.pair.frontend(Side::Recovery).image(known)?;
            if let Some(image) = image.filter(|image| image.source().is_ok_and(|text| text == source)) {
                return Ok(Some(image));
            }
        }
        let found = self.registered(new)?.into_iter().next();
        if let Some(image) = &found {
            self.images.borrow_mut().insert(source, image.id());
        }
        Ok(found)
    }

    /// All images at the recovery site that register this one's replica, by SOURCE: OpenNebula takes any number of them.
    pub(super) fn registered(&self, new: &NewImage) -> Result<Vec<Image>, Failure> {
        let source = new.source.to_string();
        let mut images = self.pair.frontend(Side::Recovery).images()?;
        images.retain(|image| image.source().is_ok_and(|text| text == source));
        Ok(images)
    }
}

/// The registration of a disk.
pub(super) fn image_of(new: &NewVm, disk: opennebula_meta::id::DiskId) -> Option<&NewImage> {
    new.images.iter().find(|image| image.disk.is_some_and(|(id, _): (_, DiskKind)| id == disk))
}

/// Owner and permissions that are to be set.
pub(super) fn calls(calls: &[Call]) -> impl Iterator<Item = &Call> {
    calls.iter()
}

impl Step {
    /// Looks: reads only. `began` is when the step began in this run.
    ///
    /// # Errors
    /// [`Failure`]
    pub fn look(&self, world: &World<'_>, began: Moment) -> Result<Look, Failure> {
        if let Action::Pause { seconds } = self.action {
            let left = seconds.saturating_sub(world.pair.clock.now().since(began).as_secs());
            return Ok(if left == 0 {
                Look::Done
            } else {
                Look::Waiting(format!("{left} s before the next group"))
            });
        }
        if let Some(look) = disks::look(world, &self.action)? {
            return Ok(look);
        }
        if let Some(look) = setup::look(world, &self.action)? {
            return Ok(look);
        }
        if let Some(look) = records::look(world, self.vm, &self.action, began)? {
            return Ok(look);
        }
        let Some(vm) = self.vm else { return Ok(Look::Done) };
        if let Some(look) = vms::look(world, vm, &self.action)? {
            return Ok(look);
        }
        drill::look(world, vm, &self.action)
    }

    /// Makes its one change. Answers what is to be kept of it.
    ///
    /// # Errors
    /// [`Failure`]
    pub fn act(
        &self,
        world: &World<'_>,
        tell: &mut (dyn FnMut(Progress) -> std::ops::ControlFlow<()> + Send),
    ) -> Result<String, Failure> {
        if let Some(text) = disks::act(world, &self.action, tell)? {
            return Ok(text);
        }
        if let Some(text) = setup::act(world, &self.action)? {
            return Ok(text);
        }
        if let Some(text) = records::act(world, self.vm, &self.action)? {
            return Ok(text);
        }
        let Some(vm) = self.vm else { return Ok(String::new()) };
        if let Some(text) = vms::act(world, vm, &self.action)? {
            return Ok(text);
        }
        drill::act(world, vm, &self.action)
    }
}
