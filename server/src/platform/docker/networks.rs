//! Networks: made when first needed, removed with the last container on them.

use std::collections::HashMap;

use bollard::{
    models::{Ipam, IpamConfig, NetworkCreateRequest},
    query_parameters::{ListContainersOptionsBuilder, ListNetworksOptionsBuilder},
};

use super::{
    super::{Network, PlatformError, container, network},
    Docker,
    call::Call,
};

/// A network that is there.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) name: String,
    pub(super) id: String,
}

/// The engine's filter: all of these labels.
pub(super) fn with_labels<const N: usize>(labels: [(&str, &str); N]) -> HashMap<String, Vec<String>> {
    let labels = labels.iter().map(|(key, value)| if value.is_empty() { (*key).to_owned() } else { format!("{key}={value}") });
    [("label".to_owned(), labels.collect())].into()
}

impl Docker {
    /// Makes sure that a network is there.
    pub(super) async fn ensure_network(&self, wanted: &Network) -> Result<Option<Made>, PlatformError> {
        let Some(name) = container::network_name(&self.0.instance, wanted) else { return Ok(None) };
        // One at a time: an engine takes two networks of one name, and two allocations would choose the same subnet.
        let _alone = self.0.making_networks.lock().await;
        if let Some(id) = self.find_network(&name).await? {
            return Ok(Some(Made { name, id }));
        }
        let docker = self.client().await?;
        let mut used = self.used_subnets().await?;
        loop {
            let subnet = self.0.range.free(&used).ok_or_else(|| network::exhausted(self.0.range))?;
            let request = NetworkCreateRequest {
                name: name.clone(),
                driver: Some("bridge".into()),
                options: Some([("com.docker.network.bridge.name".to_owned(), network::bridge(&name))].into()),
                ipam: Some(Ipam {
                    config: Some(vec![IpamConfig { subnet: Some(subnet.to_string()), ..Default::default() }]),
                    ..Default::default()
                }),
                labels: Some(network::labels(&self.0.instance, wanted).into_iter().collect()),
                ..Default::default()
            };
            match self.within(Call::NetworkCreate, &name, docker.create_network(request)).await {
                Ok(made) => return Ok(Some(Made { name, id: made.id })),
                // Somebody else took it in between, or it is in use outside of the engine.
                Err(failure) if failure.says("overlaps") => used.push(subnet),
                Err(failure) => return Err(failure.into()),
            }
        }
    }

    async fn find_network(&self, name: &str) -> Result<Option<String>, PlatformError> {
        let mut filters = with_labels([(container::INSTANCE, &self.0.instance)]);
        filters.insert("name".into(), vec![name.to_owned()]);
        let options = ListNetworksOptionsBuilder::default().filters(&filters).build();
        let found = self.within(Call::Ask, "networks", self.client().await?.list_networks(Some(options))).await?;
        // The engine's filter finds parts of names too. Of two of one name, always the same.
        let ids = found.into_iter().filter(|network| network.name.as_deref() == Some(name)).filter_map(|network| network.id);
        Ok(ids.min())
    }

    /// Every subnet the engine knows, whoever made it.
    async fn used_subnets(&self) -> Result<Vec<network::Subnet>, PlatformError> {
        let all = self.within(Call::Ask, "networks", self.client().await?.list_networks(None)).await?;
        let configs = all.into_iter().filter_map(|network| network.ipam?.config).flatten();
        Ok(configs.filter_map(|config| config.subnet?.parse().ok()).collect())
    }

    /// Removes a network if no container, not even one that is made and not started, is on it. Errors are for the next time.
    pub(super) async fn drop_network(&self, name: &str) -> Result<(), PlatformError> {
        let docker = self.client().await?;
        let filters = with_labels([(container::INSTANCE, &self.0.instance), (container::NETWORK, name)]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        if !self.within(Call::Ask, "containers", docker.list_containers(Some(options))).await?.is_empty() {
            return Ok(());
        }
        let Some(id) = self.find_network(name).await? else { return Ok(()) };
        match self.within(Call::NetworkRemove, name, docker.remove_network(&id)).await {
            Ok(()) => Ok(()),
            // Gone already, or a container came on it in between.
            Err(failure) if failure.is(404) || failure.is(403) || failure.is(409) => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Removes the networks of targets that nothing is on: what a crash between a removal and its network left.
    pub(super) async fn sweep_networks(&self) -> Result<(), PlatformError> {
        let filters = with_labels([(container::INSTANCE, &self.0.instance), (container::ENVIRONMENT, "")]);
        let options = ListNetworksOptionsBuilder::default().filters(&filters).build();
        let found = self.within(Call::Ask, "networks", self.client().await?.list_networks(Some(options))).await?;
        for name in found.into_iter().filter_map(|network| network.name) {
            self.drop_network(&name).await?;
        }
        Ok(())
    }
}
