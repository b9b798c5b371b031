//! `berth admin`: on the server's own database, while the server runs.

use super::person::Person;
use crate::support::berth::Harbour;

#[tokio::test(flavor = "multi_thread")]
async fn people_links_and_tokens_are_made_beside_a_running_server() {
    let harbour = Harbour::new().await;
    let person = Person::stranger()
        .with("BERTH_DATABASE", &harbour.berth.config.database)
        .with("BERTH_DATA", harbour.berth.config.data.to_str().unwrap());
    let url = harbour.berth.config.url.clone();

    person.types("admin create-user grace@example.com --name Grace --password-stdin", "short").await.says(1, "at least 10 characters");
    person.types("admin create-user grace@example.com --name Grace --admin --password-stdin", "correct horse battery").await.fine();
    person
        .types("admin create-user grace@example.com --name Grace --password-stdin", "correct horse battery")
        .await
        .says(1, "known already");

    let token = person.berth("admin create-token grace@example.com ci --scope read,deploy").await.fine();
    assert!(token.out.starts_with("berth_") && token.out.lines().count() == 1, "{}", token.out);
    let grace = Person::stranger().with("BERTH_TOKEN", token.out.trim()).with("BERTH_URL", &url);
    grace.berth("whoami").await.fine().says(0, "Grace <grace@example.com>");
    grace.berth("team create navy").await.says(1, "scope");

    let link = person.berth(&format!("admin login-link grace@example.com --url {url}")).await.fine();
    assert!(link.out.trim().starts_with(&format!("{url}/sign-in/")), "{}", link.out);
    person.berth("admin login-link nobody@example.com").await.says(1, "Nobody here has the address");

    person.types("admin reset-password grace@example.com --password-stdin", "another horse battery").await.fine();
    let fresh = Person::stranger();
    fresh
        .types(&format!("login {url} --email grace@example.com --password-stdin"), "correct horse battery")
        .await
        .says(1, "do not go together");
    fresh.types(&format!("login {url} --email grace@example.com --password-stdin"), "another horse battery").await.fine();
}
