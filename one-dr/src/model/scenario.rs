//! Two sites with VMs that run at home, as most tests want them.

use std::sync::Arc;
use std::time::Duration;

use super::image::{Image, What};
use super::one::{OneDisk, OneImage, OneVm};
use super::{Model, ModelClock, ModelFrontEnd, ModelStorage};
use crate::frontend::Power;
use crate::journal::Memory;
use crate::settings::{Limits, Settings};
use crate::site::{Side, Site, SitePair};
use crate::storage::ParentSpec;

/// Two sites, their VMs, and the operator's machine.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The sites.
    pub model: Model,
    /// The sites as one-dr has them.
    pub pair: SitePair,
    /// The operator's journals.
    pub store: Memory,
}

impl Default for Scenario {
    fn default() -> Self {
        Self::new()
    }
}

impl Scenario {
    /// Two sites without VMs, and limits that a test can wait for.
    #[must_use]
    pub fn new() -> Self {
        let model = Model::new();
        let site = |side, name: &str| Site {
            name: name.to_owned(),
            storage: Arc::new(ModelStorage { model: model.clone(), side }),
            frontend: Arc::new(ModelFrontEnd { model: model.clone(), side }),
        };
        let limits = Limits {
            poweroff_seconds: 60,
            no_writer_seconds: 30,
            mirror_seconds: 120,
            copy_seconds: 120,
            start_seconds: 60,
            step_seconds: 90,
            settle_seconds: 15,
            lease_seconds: 300,
            poll_milliseconds: 500,
            // The k-th call is always the same one.
            captured_at_once: 1,
        };
        let settings = Settings { limits, ..Settings::default() };
        let pair = SitePair {
            home: site(Side::Home, "a"),
            recovery: site(Side::Recovery, "b"),
            clock: Arc::new(ModelClock(model.clone())),
            settings,
            operator: "admin@desk".to_owned(),
        };
        Self { model, pair, store: Memory::default() }
    }

    /// A VM that runs at home, not protected: of each letter a disk, `c` a clone, `p` a persistent image.
    #[must_use]
    pub fn with_vm(self, id: u32, name: &str, kinds: &str) -> Self {
        let mut state = self.model.lock();
        let mut disks = Vec::new();
        for (number, kind) in (0..).zip(kinds.chars()) {
            let image = id * 10 + number;
            let clone = kind == 'c';
            let source = format!("one/one-{image}");
            let rbd = if clone { format!("{source}-{id}-{number}") } else { source.clone() };
            let (image_id, now) = (state.image_id(), state.now);
            let mut one = Image::new(rbd.trim_start_matches("one/"), image_id, 256 << 20, now);
            if clone {
                one.parent = Some(ParentSpec {
                    pool: "one".to_owned(),
                    image: format!("one-{image}"),
                    snapshot: "snap".to_owned(),
                });
            }
            let event = state.event(What::Write);
            one.log.push(event);
            state.pool(Side::Home).images.push(one);
            state.one(Side::Home).images.push(OneImage {
                id: image,
                name: format!("img-{image}"),
                owner: ("oneadmin".to_owned(), "oneadmin".to_owned()),
                mode: [6, 0, 0],
                source: source.clone(),
                mebibytes: 256,
                persistent: !clone,
                used_by: Some(id),
                broken: false,
                lock: None,
                attributes: Vec::new(),
            });
            disks.push(OneDisk { id: number, clone, image, source, rbd, mebibytes: 256 });
        }
        let since = state.now;
        state.one(Side::Home).vms.push(OneVm {
            id,
            name: name.to_owned(),
            owner: ("carol".to_owned(), "users".to_owned()),
            mode: [6, 4, 0],
            power: Power::Running,
            since,
            disks,
            attributes: vec![("DESCRIPTION".to_owned(), "of the model".to_owned())],
            deaf: false,
        });
        drop(state);
        self
    }

    /// Lets time pass.
    #[must_use]
    pub fn after(self, seconds: u64) -> Self {
        self.model.pass(Duration::from_secs(seconds));
        self
    }

    /// An independent copy of everything as it is now.
    #[must_use]
    pub fn fork(&self) -> Self {
        let new = Self::new();
        {
            let (old, mut state) = (self.model.lock(), new.model.lock());
            state.copy_from(&old);
        }
        let store = Memory::default();
        self.store.copy_into(&store);
        let pair = SitePair {
            settings: self.pair.settings.clone(),
            operator: self.pair.operator.clone(),
            ..new.pair
        };
        Self { model: new.model, pair, store }
    }
}
