//! Row 2: from the wish for a release to its first answer, on the real engine, beside what the engine alone takes.

use std::time::{Duration, Instant};

use app::model::{RolloutState, Source};
use bollard::{
    models::{ContainerCreateBody, HostConfig, NetworkCreateRequest},
    query_parameters::{CreateContainerOptions, InspectContainerOptions, RemoveContainerOptionsBuilder, StartContainerOptions},
};

use crate::{
    method::{Row, Side, Table, bootstrap, interleaved, said},
    support::{berth::Harbour, images},
};

const PAIRS: usize = 20;
/// A network for the containers of row 0, as those of Berth have one: the engine's own is not there everywhere.
const NETWORK: &str = "berth-bench";
/// What a [`Harbour`] asks for in `dev`.
const STABILISATION: f64 = 0.1;

pub(crate) fn run(table: &mut Table) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ready = runtime
        .block_on(async { tokio::time::timeout(Duration::from_secs(5), images::engine().ping()).await.is_ok_and(|pong| pong.is_ok()) });
    if !ready {
        eprintln!("bench: no container engine answers: no row 2");
        return;
    }
    let network = NetworkCreateRequest { name: NETWORK.to_owned(), ..NetworkCreateRequest::default() };
    // Where it is there already, something broke off before; it is as good as a new one.
    let _ = runtime.block_on(images::engine().create_network(network));
    let harbour = runtime.block_on(Harbour::on_engine());
    let mut count = 0;
    let pairs = interleaved(PAIRS, |side| {
        count += 1;
        runtime.block_on(async {
            let text = format!("bench {count}");
            let image = images::web_image(&text).await;
            match side {
                Side::A => deploy(&harbour, &image, &text).await,
                Side::B => alone(&image).await,
            }
        })
    });
    runtime.block_on(harbour.clear());
    let _ = runtime.block_on(images::engine().remove_network(NETWORK));
    let above: Vec<f64> = pairs.a.iter().zip(&pairs.b).map(|(a, b)| (a - STABILISATION) / b).collect();
    let ratio = bootstrap(&above);
    table.add(Row {
        number: "2",
        what: "deploy: wish to first answer of the new release".to_owned(),
        limit: format!("create, start, first 200: {}", said(pairs.of_b().middle)),
        figure: format!("{}, {ratio} × row 0 without the {} of stabilisation", said(pairs.of_a().middle), said(STABILISATION)),
        budget: "≤ 1.25 × row 0 + stabilisation".to_owned(),
        met: Some(ratio.middle <= 1.25),
    });
}

async fn deploy(harbour: &Harbour, image: &str, text: &str) -> f64 {
    let began = Instant::now();
    let change = harbour.deploy("dev", Source::Image(image.to_owned())).await;
    while harbour.ask("dev").await.1.trim() != text {
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    let took = began.elapsed().as_secs_f64();
    assert_eq!(harbour.ended(&change.rollout.unwrap()).await.state, RolloutState::Succeeded);
    took
}

/// The engine alone: a container of the image, started, asked until it answers.
async fn alone(image: &str) -> f64 {
    let engine = images::engine();
    let began = Instant::now();
    let host = HostConfig { network_mode: Some(NETWORK.to_owned()), ..HostConfig::default() };
    let body = ContainerCreateBody { image: Some(image.to_owned()), host_config: Some(host), ..ContainerCreateBody::default() };
    let id = engine.create_container(None::<CreateContainerOptions>, body).await.unwrap().id;
    engine.start_container(&id, None::<StartContainerOptions>).await.unwrap();
    let inspected = engine.inspect_container(&id, None::<InspectContainerOptions>).await.unwrap();
    let networks = inspected.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
    let address = networks.into_values().find_map(|network| network.ip_address.filter(|address| !address.is_empty())).unwrap();
    let http = reqwest::Client::new();
    while !http.get(format!("http://{address}:8080/")).send().await.is_ok_and(|answer| answer.status() == 200) {
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    let took = began.elapsed().as_secs_f64();
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    engine.remove_container(&id, Some(options)).await.unwrap();
    took
}
