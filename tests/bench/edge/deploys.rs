//! Row 1: deploys while five hundred requests a second come in. Berth whole, on instances in memory that really answer.

use std::time::Duration;

use app::model::RolloutState;
use server::platform::fake::Behaviour;

use crate::{
    method::{Row, Table, quantile},
    support::{
        berth::Harbour,
        load::{Clients, Load, Report},
    },
};

const HOST: &str = "hello-demo.dev.localhost";
const CLIENTS: Clients = Clients { kept: 250, fresh: 250, others: 2 };
/// How long there are deploys, and half as long there are none.
const TIME: Duration = Duration::from_secs(120);

pub(crate) fn run(table: &mut Table) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (deploys, quiet, busy) = runtime.block_on(measure());
    let p99 = |report: &Report| quantile(&report.seconds, 0.99) * 1e3;
    let added = p99(&busy) - p99(&quiet);
    let failed = busy.failed.len();
    table.add(Row {
        number: "1",
        what: format!(
            "{deploys} deploys at {:.0} requests/s, slow ones, event streams, sockets",
            busy.sent as f64 / busy.elapsed.as_secs_f64()
        ),
        limit: format!("no deploys: {} failed of {}, p99 {:.1} ms", quiet.failed.len(), quiet.sent, p99(&quiet)),
        figure: format!("{failed} failed of {}, p99 {added:+.1} ms", busy.sent),
        budget: "0 failed of ≥ 60,000, p99 + < 10 ms".to_owned(),
        met: Some(failed == 0 && busy.sent >= 60_000 && added < 10.0),
    });
}

async fn measure() -> (usize, Report, Report) {
    let harbour = Harbour::new().await;
    harbour.fake.set_image("hello:0", Behaviour::saying("0"));
    harbour.deployed("dev", "hello:0").await;
    let load = Load::on(harbour.berth.edge, HOST, CLIENTS);
    tokio::time::sleep(TIME / 2).await;
    let quiet = load.end().await;
    let load = Load::on(harbour.berth.edge, HOST, CLIENTS);
    let (began, mut deploys) = (std::time::Instant::now(), 0);
    while began.elapsed() < TIME {
        deploys += 1;
        let image = format!("hello:{deploys}");
        harbour.fake.set_image(&image, Behaviour::saying(deploys.to_string()));
        assert_eq!(harbour.deployed("dev", &image).await.state, RolloutState::Succeeded);
    }
    (deploys, quiet, load.end().await)
}
