//! Signing in, teams, services, tokens, and what `--json` prints.

use std::{fs, os::unix::fs::PermissionsExt as _};

use super::person::Person;
use crate::support::berth::Harbour;

#[tokio::test(flavor = "multi_thread")]
async fn one_signs_in_once_and_out_again() {
    let harbour = Harbour::new().await;
    let (person, url) = (Person::stranger(), harbour.berth.config.url.clone());
    let login = format!("login {url} --email ada@example.com --password-stdin --name here");
    person.types(&login, "wrong horse battery").await.says(1, "do not go together");
    person.types(&login, "correct horse battery\n").await.fine();

    let file = person.folder().join("config/contexts.json");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "only oneself may read the token");
    person.berth("whoami").await.fine().says(0, "Ada <ada@example.com>");
    let contexts = person.berth("context list --json").await.json();
    assert_eq!((&contexts[0]["name"], &contexts[0]["current"]), (&"here".into(), &true.into()));
    person.berth("context use there").await.says(1, "no context called there");

    let asked = format!("protocol=http\nhost={}\n\n", url.trim_start_matches("http://"));
    let password = person.types("git-credential get", &asked).await.fine();
    assert!(password.out.contains("username=berth\npassword=berth_"), "{}", password.out);
    assert_eq!(person.types("git-credential get", "protocol=http\nhost=example.org\n\n").await.fine().out, "");

    let token = password.out.trim().rsplit('=').next().unwrap().to_owned();
    person.berth("logout").await.fine();
    person.berth("whoami").await.says(1, "not signed in");
    let old = Person::stranger().with("BERTH_TOKEN", &token).with("BERTH_URL", &url);
    old.berth("whoami").await.says(1, "revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn teams_services_and_tokens_are_made_and_listed() {
    let harbour = Harbour::new().await;
    let person = Person::owner(&harbour).await;
    assert_eq!(person.berth("team create navy --json").await.fine().json()["name"], "navy");
    person.berth("team create navy").await.says(1, "berth: ");
    person.berth("team create Navy").await.says(2, "starts with a letter");
    let service = person.berth("service create sloop --team navy --env dev,staging --json").await.fine().json();
    assert_eq!(service["name"], "sloop");
    assert!(service["clone_url"].as_str().unwrap().ends_with("/git/navy/sloop.git"), "{service}");
    person.berth("service list --team navy").await.fine().says(0, "sloop");
    person.berth("service list --team navvy").await.says(1, "Did you mean `navy`?");
    person.berth("service add-env navy/sloop production").await.fine().says(0, "sloop-navy.production.localhost");
    person.berth("service show navy/sloop").await.fine().says(0, "production");
    person.berth("status").await.says(1, "several teams: demo, navy");
    assert_eq!(person.berth("status --team navy --json").await.fine().json()["rows"][0]["service"], "sloop");
    person.berth("env list").await.fine().says(0, "staging");
    person.berth("env show nowhere").await.says(1, "no environment");
    person.berth("env show stagging").await.says(1, "Did you mean `staging`?");
    person.berth("deploy navy/sloop --env prodction --image hello:1").await.says(1, "Did you mean `production`?");
    person.berth("service delete navy/sloop").await.says(1, "Nothing was deleted");
    person.berth("service delete navy/sloop --yes").await.fine();
    person.berth("service show navy/sloop").await.says(1, "(request ");

    person.berth("team invite grace@example.com --role viewer --team demo").await.fine().says(0, "/invite/");
    person.berth("team show demo").await.fine().says(0, "invited: grace@example.com as viewer");
    person.berth("team member set ada@example.com viewer --team demo").await.says(1, "owner");
    person.berth("team member remove nobody@example.com --team demo --yes").await.says(1, "is not in demo");

    let token = person.berth("token create ci --scope read --scope git --json").await.fine().json();
    let id = token["token"]["id"].as_str().unwrap().to_owned();
    person.berth("token list").await.fine().says(0, "read,git");
    person.berth(&format!("token revoke {id}")).await.fine();
    person.berth(&format!("token revoke {id}")).await.says(1, "no such token");
    person.berth("token create laptop --scope read").await.fine();
    person.berth("token revoke laptop").await.fine().says(0, "laptop (");
    person.berth("token revoke laptop").await.says(1, "no such token");
    person.berth("token create ci --scope everything").await.says(2, "a scope is one of");
    person.berth("events --team navy").await.fine().says(0, "service.created");
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_are_added_and_taken_back() {
    let harbour = Harbour::new().await;
    let person = Person::owner(&harbour).await.with("BERTH_TEAM", "demo");
    person.berth("route list hello").await.fine().says(0, "hello-demo.dev.localhost");
    person.berth("route add www.example.org --env dev --service hello").await.fine().says(0, "www.example.org");
    person.berth("route add www.example.org --env staging --service hello").await.says(1, "berth: ");
    assert_eq!(person.berth("route list hello --json").await.fine().json().as_array().unwrap().len(), 4);
    person.berth("route remove www.example.org --service hello").await.fine();
    person.berth("route remove www.example.org --service hello").await.says(1, "does not lead");
    for path in ["/", "/shop"] {
        person.berth(&format!("route add www.example.org --path {path} --env dev --service hello")).await.fine();
    }
    person.berth("route remove www.example.org/shop --service hello").await.fine();
    person.berth("route list hello").await.fine().says(0, "http://www.example.org");
    let shown = person.berth("open hello --env dev --print").await.fine();
    assert!(shown.out.starts_with("http://hello-demo.dev.localhost:"), "{}", shown.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_folder_says_which_service() {
    let harbour = Harbour::new().await;
    let person = Person::owner(&harbour).await;
    let url = &harbour.berth.config.url;
    person.berth("releases --env dev").await.says(1, "Which service?");
    fs::write(person.folder().join("berth.yaml"), "version: 1\nservices:\n  hello:\n    path: .\n").unwrap();
    person.berth("releases --env dev").await.fine();
    fs::remove_file(person.folder().join("berth.yaml")).unwrap();
    person.git(&["init", "-q"]);
    person.git(&["remote", "add", "berth", &format!("{url}/git/demo/hello.git")]);
    person.berth("releases --env dev").await.fine();
    person.berth("candidates").await.fine();
    person.berth("runs list").await.fine();
    person.berth("runs show").await.says(1, "no run yet");
    person.berth("releases other --env dev").await.says(1, "service");
}
