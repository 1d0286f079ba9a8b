//! The switch service with everything around it: Asterisk, phones, a directory, a store.

mod desk;
mod directory;
mod service;

use std::ops::{Deref, DerefMut};

use switch::driver::asterisk::{self, Url};

use crate::fixture::Phones;
use crate::pbx::Pbx;

pub(crate) use desk::Desk;
pub(crate) use directory::account;
pub(crate) use service::{Service, World};

/// Accounts, by their number in the directory; trunk legs have none.
pub(crate) const ALICE: i64 = 1;
pub(crate) const BOB: i64 = 2;
/// Of another customer.
pub(crate) const CAROL: i64 = 3;
pub(crate) const TRUNK: i64 = 0;

pub(crate) struct Harness {
    pub(crate) phones: Phones,
    pub(crate) pbx: Pbx,
    desk: Desk,
    config: asterisk::Config,
}

impl Deref for Harness {
    type Target = Desk;

    fn deref(&self) -> &Desk {
        &self.desk
    }
}

impl DerefMut for Harness {
    fn deref_mut(&mut self) -> &mut Desk {
        &mut self.desk
    }
}

impl Harness {
    pub(crate) async fn start() -> Self {
        let phones = Phones::start().await;
        let pbx = phones.pbx().await;
        let url = pbx.url();
        Self::with(phones, pbx, &url).await
    }

    /// The service reaches Asterisk at `url`.
    pub(crate) async fn with(phones: Phones, pbx: Pbx, url: &str) -> Self {
        let config = asterisk::Config { url: Url::new(url), ..asterisk::Config::default() };
        Self::configured(phones, pbx, config).await
    }

    pub(crate) async fn configured(phones: Phones, pbx: Pbx, config: asterisk::Config) -> Self {
        let world = World::new(&phones);
        let service = Service::start(&world, "switch-1", config.clone()).await;
        Self { phones, pbx, desk: Desk::new(world, service), config }
    }

    pub(crate) async fn until_ready(&self) {
        self.service.until_ready().await;
    }

    /// Waits until the service does not hear Asterisk.
    pub(crate) async fn until_degraded(&self) {
        self.service.until_degraded().await;
    }

    /// The process of the service dies, and starts again.
    pub(crate) async fn crash(&mut self) {
        self.service.crash().await;
        self.start_again().await;
    }

    /// Starts the service under the same name.
    pub(crate) async fn start_again(&mut self) {
        self.service = Service::start(&self.world, "switch-1", self.config.clone()).await;
    }

    /// Starts another node, on an Asterisk of its own.
    pub(crate) async fn another_node(&self, name: &str, pbx: &Pbx) -> Service {
        let url = Url::new(pbx.url());
        let config = asterisk::Config { url, ..asterisk::Config::default() };
        Service::start(&self.world, name, config).await
    }

    /// The store comes back empty.
    pub(crate) fn forget_everything(&mut self) {
        self.world.forget_everything();
    }

    /// Stops the service.
    pub(crate) async fn stop(&self) {
        self.service.stop().await;
    }

    /// Waits until Asterisk itself has no channel and no bridge left.
    pub(crate) async fn until_empty(&self) {
        self.pbx.until_empty().await;
    }
}
