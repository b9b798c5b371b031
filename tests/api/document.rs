//! The OpenAPI document, as it was agreed. `BERTH_UPDATE=1` writes a changed one.

use std::{fs, path::Path};

use server::http::router;

use crate::support::app::TestApp;

#[test]
fn the_document_is_the_agreed_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/api/openapi.json");
    let now = serde_json::to_string_pretty(router::document()).unwrap() + "\n";
    if std::env::var_os("BERTH_UPDATE").is_some() {
        fs::write(&path, &now).unwrap();
    }
    let agreed = fs::read_to_string(&path).unwrap_or_default();
    assert!(agreed == now, "the API changed: look at it, then run this test with BERTH_UPDATE=1");
}

#[test]
fn every_operation_says_what_it_does_and_who_may() {
    let document = router::document();
    assert_eq!(document["openapi"], "3.1.0");
    let mut names = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let text = |key: &str| operation[key].as_str().unwrap_or_default().to_owned();
            assert!(!text("summary").is_empty() && !text("x-right").is_empty(), "{method} {path}");
            assert!(operation["responses"]["default"].is_object(), "{method} {path}");
            names.push(text("operationId"));
        }
    }
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count, "two operations share a name");
}

#[test]
fn every_reference_leads_somewhere() {
    let document = router::document();
    let text = document.to_string();
    for part in text.split("\"$ref\":\"#").skip(1) {
        let pointer = part.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}

#[tokio::test]
async fn it_is_served_with_a_page_beside_it() {
    let app = TestApp::new().await;
    let nobody = app.anonymous();
    assert_eq!(&nobody.get("/openapi.json").await.is(200), router::document());
    let page = nobody.get("/api").await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(page.text.contains("/api/v1/teams/{team}"));
}
