//! A driver of the real engine for one test: an instance name of its own, and a check that nothing is left over.

use std::{
    collections::HashMap,
    ops::Deref,
    sync::atomic::{AtomicU32, Ordering},
};

use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListImagesOptionsBuilder, ListNetworksOptionsBuilder, ListVolumesOptionsBuilder,
    RemoveContainerOptionsBuilder, RemoveImageOptionsBuilder, RemoveVolumeOptions,
};
use server::platform::docker::{Deadlines, Docker, Settings};

use super::images;

/// A driver with an instance name of its own. Call [`TestPlatform::finish`] at the end of the test; one that is dropped
/// without it removes what it made, and asserts nothing.
pub(crate) struct TestPlatform {
    pub(crate) docker: Docker,
    pub(crate) instance: String,
}

impl Deref for TestPlatform {
    type Target = Docker;

    fn deref(&self) -> &Docker {
        &self.docker
    }
}

impl TestPlatform {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let instance = format!("test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self { docker: Self::driver(&instance, None), instance }
    }

    /// One on another engine.
    pub(crate) fn at(address: &str) -> Self {
        let instance = format!("test-{}-elsewhere", std::process::id());
        Self { docker: Self::driver(&instance, Some(address.to_owned())), instance }
    }

    /// Another driver of the same instance, as after a restart of Berth.
    pub(crate) fn again(&self) -> Docker {
        Self::driver(&self.instance, None)
    }

    fn driver(instance: &str, address: Option<String>) -> Docker {
        let settings =
            Settings { host: None, address, instance: instance.into(), subnets: "10.202.0.0/16".into(), deadlines: Deadlines::default() };
        Docker::new(settings).expect("good settings")
    }

    /// What this instance has on the engine: containers, volumes, networks. Not images: they are looked at apart.
    pub(crate) async fn things(&self) -> Vec<String> {
        let engine = images::engine();
        let filters = filters(&self.instance);
        let containers = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        let containers = engine.list_containers(Some(containers)).await.expect("containers");
        let volumes = ListVolumesOptionsBuilder::default().filters(&filters).build();
        let volumes = engine.list_volumes(Some(volumes)).await.expect("volumes").volumes.unwrap_or_default();
        let networks = ListNetworksOptionsBuilder::default().filters(&filters).build();
        let networks = engine.list_networks(Some(networks)).await.expect("networks");
        let mut things: Vec<String> =
            containers.into_iter().map(|thing| format!("container {}", thing.names.unwrap_or_default().concat())).collect();
        things.extend(volumes.into_iter().map(|thing| format!("volume {}", thing.name)));
        things.extend(networks.into_iter().map(|thing| format!("network {}", thing.name.unwrap_or_default())));
        things
    }

    /// Asserts that nothing is left over, and removes the images this instance built.
    pub(crate) async fn finish(self) {
        let things = self.things().await;
        assert!(things.is_empty(), "left over: {things:?}");
    }
}

impl Drop for TestPlatform {
    fn drop(&mut self) {
        let instance = self.instance.clone();
        // A runtime of its own: the test's may be on its way out.
        let cleaning = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(clean(&instance));
        });
        let _ = cleaning.join();
    }
}

fn filters(instance: &str) -> HashMap<String, Vec<String>> {
    [("label".to_owned(), vec![format!("berth.instance={instance}")])].into()
}

async fn clean(instance: &str) {
    let engine = images::engine();
    let filters = filters(instance);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    for found in engine.list_containers(Some(options)).await.unwrap_or_default() {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        let _ = engine.remove_container(&found.id.unwrap_or_default(), Some(options)).await;
    }
    let options = ListVolumesOptionsBuilder::default().filters(&filters).build();
    for found in engine.list_volumes(Some(options)).await.ok().and_then(|found| found.volumes).unwrap_or_default() {
        let _ = engine.remove_volume(&found.name, None::<RemoveVolumeOptions>).await;
    }
    let options = ListNetworksOptionsBuilder::default().filters(&filters).build();
    for found in engine.list_networks(Some(options)).await.unwrap_or_default() {
        let _ = engine.remove_network(&found.id.unwrap_or_default()).await;
    }
    let options = ListImagesOptionsBuilder::default().filters(&filters).build();
    for found in engine.list_images(Some(options)).await.unwrap_or_default() {
        let options = RemoveImageOptionsBuilder::default().force(true).build();
        let _ = engine.remove_image(&found.id, Some(options), None).await;
    }
}
