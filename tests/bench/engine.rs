//! A container engine that has the containers a filled store asks for, and never changes: what an idle Berth looks at. It
//! speaks as much of the engine's API as that takes.

use std::{convert::Infallible, path::Path, sync::Arc};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::Request,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use server::{
    args,
    store::{Db, Query as _},
};
use tokio::net::UnixListener;

/// A container as the engine lists it, and as it tells of it when asked.
struct Container {
    id: String,
    team: String,
    target: String,
    listed: Value,
    told: Value,
}

/// Serves on a socket at this path until the runtime ends.
pub(crate) async fn serve(socket: &Path, db: &Db) {
    let _ = std::fs::remove_file(socket);
    let containers: Arc<[Container]> = containers(db).await.into();
    let listed: Value = containers.iter().map(|container| container.listed.clone()).collect();
    let listed = Bytes::from(listed.to_string());
    let app = Router::new().fallback(move |request: Request| {
        let (containers, listed) = (Arc::clone(&containers), listed.clone());
        async move { answer(&request, &containers, listed) }
    });
    let listener = UnixListener::bind(socket).unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
}

fn answer(request: &Request, containers: &[Container], listed: Bytes) -> Response {
    let path = request.uri().path();
    // Berth puts the version in front once both have agreed on it.
    let path = path.strip_prefix("/v1.41").unwrap_or(path);
    let asked_for = |what: &str| request.uri().query().unwrap_or_default().contains(what);
    match path {
        "/version" => Json(json!({"Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12"})).into_response(),
        "/_ping" => "OK".into_response(),
        "/events" => Body::from_stream(futures::stream::pending::<Result<Bytes, Infallible>>()).into_response(),
        "/containers/json" if asked_for("berth.slot") => {
            let of = |label: &str| label_in(request.uri().query().unwrap_or_default(), label);
            match (of("berth.target"), of("berth.team")) {
                (None, None) => ([("content-type", "application/json")], listed).into_response(),
                (target, team) => {
                    let fits = |of: &Option<String>, is: &str| of.as_deref().is_none_or(|of| of == is);
                    let some = containers.iter().filter(|one| fits(&target, &one.target) && fits(&team, &one.team));
                    Json(some.map(|one| &one.listed).collect::<Vec<_>>()).into_response()
                }
            }
        }
        "/containers/json" | "/networks" | "/images/json" => Json(json!([])).into_response(),
        "/volumes" => Json(json!({"Volumes": [], "Warnings": []})).into_response(),
        "/info" => Json(json!({"Name": "bench", "ServerVersion": "20.10.24", "NCPU": 2, "MemTotal": 8_000_000_000_i64})).into_response(),
        _ => {
            let id = path.strip_prefix("/containers/").and_then(|rest| rest.strip_suffix("/json")).unwrap_or_default();
            let found = containers.binary_search_by(|container| container.id.as_str().cmp(id));
            match found {
                Ok(at) => Json(containers[at].told.clone()).into_response(),
                Err(_) => (http::StatusCode::NOT_FOUND, Json(json!({"message": "none of this name"}))).into_response(),
            }
        }
    }
}

/// The value that the filters of a listing ask of a label, from the query as it was sent.
fn label_in(query: &str, label: &str) -> Option<String> {
    let plain = percent_encoding::percent_decode_str(query).decode_utf8().ok()?;
    let (_, after) = plain.split_once(&format!("\"{label}="))?;
    after.split_once('"').map(|(value, _)| value.to_owned())
}

async fn containers(db: &Db) -> Vec<Container> {
    let sql = "SELECT b.target_id, g.team_id, b.release_number, b.slot, b.address FROM backends b JOIN targets g ON g.id = b.target_id
      ORDER BY b.target_id";
    let rows = db.fetch_all(sql, args![]).await.unwrap();
    let container = |(number, row): (usize, &server::store::Row)| {
        let text = |column: &str| row.text(column).unwrap();
        let (id, name) = (format!("{number:064x}"), format!("/berth-bench-{}-web-0", text("target_id")));
        let address = text("address").split(':').next().unwrap_or_default().to_owned();
        let labels = json!({
            "berth.instance": "bench", "berth.team": text("team_id"), "berth.target": text("target_id"), "berth.process": "web",
            "berth.release": row.int("release_number").unwrap().to_string(), "berth.slot": "0", "berth.fence": "1", "berth.run": "",
            "berth.task": "", "berth.network": "berth-bench-net", "org.opencontainers.image.title": "a service", "maintainer": "a team",
        });
        let networks = json!({"Networks": {"berth-bench-net": {"IPAddress": address, "NetworkID": "a".repeat(64)}}});
        let image = format!("sha256:{number:064x}");
        let listed = json!({
            "Id": id, "Names": [name], "Image": image, "ImageID": image, "Command": "/app", "Created": 1_700_000_000, "State": "running",
            "Status": "Up 3 days", "Labels": labels, "Ports": [], "Mounts": [], "HostConfig": {"NetworkMode": "berth-bench-net"},
            "NetworkSettings": networks,
        });
        let state = json!({"Status": "running", "Running": true, "ExitCode": 0, "OOMKilled": false, "StartedAt": "2026-01-01T00:00:00Z"});
        let told = json!({
            "Id": id, "Name": name, "Image": image, "RestartCount": 0, "State": state, "Config": {"Labels": labels},
            "NetworkSettings": networks,
        });
        Container { id, team: text("team_id"), target: text("target_id"), listed, told }
    };
    rows.iter().enumerate().map(container).collect()
}
