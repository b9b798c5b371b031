//! What needs no server: lint, doctor, help.

use std::fs;

use super::person::Person;

#[tokio::test]
async fn lint_says_every_problem_at_its_place() {
    let person = Person::stranger();
    let file = person.folder().join("berth.yaml");
    fs::write(&file, "version: 1\nservices:\n  hello:\n    stages:\n      - name: fast\n        step: []\n    imge: {}\n").unwrap();
    let ended = person.berth("lint").await.says(1, "berth.yaml:6:9: ");
    assert!(ended.out.contains("berth.yaml:7:5: ") && ended.out.contains("image"), "{}", ended.out);

    let document = person.berth("lint --json").await.json();
    let problems = document["problems"].as_array().unwrap();
    assert!(problems.iter().any(|problem| problem["line"] == 6 && problem["column"] == 9), "{document}");
    assert_eq!(document["plan"].as_array().unwrap().len(), 0);

    fs::write(&file, "version: 1\nservices:\n  hello:\n    image: { dockerfile: Dockerfile }\n").unwrap();
    person.berth("lint").await.fine().says(0, "berth.yaml is good.");
    let text = fs::read_to_string(&file).unwrap();
    person.types("lint -", &text).await.fine();
    person.berth("lint nothing.yaml").await.says(1, "nothing.yaml cannot be read");
}

#[tokio::test]
async fn doctor_says_that_no_engine_is_there() {
    let person = Person::stranger();
    let ended =
        person.berth("doctor --data data --listen 127.0.0.1:0 --edge-listen 127.0.0.1:0 --docker unix:///nowhere/docker.sock").await;
    let ended = ended.says(1, "✗ engine     there is no engine at unix:///nowhere/docker.sock.");
    assert!(ended.out.contains("docker.io") && ended.out.contains("--docker"), "{}", ended.out);
    assert!(!person.folder().join("data").exists(), "it changes nothing");
}

#[tokio::test]
async fn doctor_says_that_a_port_is_taken() {
    let person = Person::stranger();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let ended = person.berth(&format!("doctor --data data --listen {address} --edge-listen 127.0.0.1:0")).await;
    let ended = ended.says(1, &format!("✗ console    {address} is taken by"));
    assert!(ended.out.contains("--listen"), "{}", ended.out);
    let listed = person.berth(&format!("doctor --json --data data --listen {address} --edge-listen 127.0.0.1:0")).await.json();
    let console = listed.as_array().unwrap().iter().find(|finding| finding["what"] == "console").unwrap().clone();
    assert_eq!(console["good"], false);
}

#[tokio::test]
async fn doctor_says_that_the_data_folder_is_unwritable() {
    let person = Person::stranger();
    fs::write(person.folder().join("data"), "a file").unwrap();
    let ended = person.berth("doctor --data data/berth --listen 127.0.0.1:0 --edge-listen 127.0.0.1:0").await.says(1, "✗ data");
    assert!(ended.out.contains("cannot be written") && ended.out.contains("--data"), "{}", ended.out);
}

#[tokio::test]
async fn doctor_says_that_the_database_is_away_without_its_password() {
    let person = Person::stranger();
    let words = "doctor --data data --listen 127.0.0.1:0 --edge-listen 127.0.0.1:0 --database postgres://berth:secret@127.0.0.1:1/berth";
    let ended = person.berth(words).await.says(1, "✗ database   postgres://berth@127.0.0.1:1/berth cannot be reached");
    assert!(!ended.out.contains("secret"), "{}", ended.out);
    fs::write(person.folder().join("junk.db"), "this is no database, and has never been one").unwrap();
    let words = "doctor --data data --listen 127.0.0.1:0 --edge-listen 127.0.0.1:0 --database sqlite:junk.db";
    person.berth(words).await.says(1, "✗ database");
}

#[tokio::test]
async fn bad_settings_are_one_sentence() {
    let person = Person::stranger();
    person.berth("serve --domain *.example.org").await.says(1, "is no domain");
    fs::write(person.folder().join("berth.toml"), "lisen = \"127.0.0.1:1\"\n").unwrap();
    person.berth("serve --config berth.toml").await.says(1, "line 1");
    person.berth("serve --config nothing.toml").await.says(1, "nothing.toml cannot be read");
}

#[tokio::test]
async fn a_stranger_is_told_to_sign_in() {
    let person = Person::stranger();
    person.berth("status").await.says(1, "berth login");
    person.berth("whoami --json").await.says(1, "\"error\"");
    let away = Person::stranger().with("BERTH_TOKEN", "berth_x").with("BERTH_URL", "http://127.0.0.1:1");
    away.berth("whoami").await.says(1, "http://127.0.0.1:1 cannot be reached");
}

#[tokio::test]
async fn help_and_completions_are_there() {
    let person = Person::stranger();
    for words in ["--help", "serve --help", "deploy --help", "config set --help", "--version", "completions bash", "completions fish"] {
        person.berth(words).await.fine();
    }
    let serve = person.berth("serve --help").await;
    for setting in ["BERTH_LISTEN", "BERTH_EDGE_LISTEN", "BERTH_DATABASE", "BERTH_DOMAIN", "127.0.0.1:8080", "0.0.0.0:8000"] {
        assert!(serve.out.contains(setting), "{setting} is not in the help of serve");
    }
    person.berth("frobnicate").await.says(2, "frobnicate");
}

#[tokio::test]
async fn lint_says_who_comes_to_one_version() {
    let person = Person::stranger();
    let git = |args: &[&str]| {
        let name = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com"];
        let ended = std::process::Command::new("git").args(name).args(args).current_dir(person.folder()).output().unwrap();
        assert!(ended.status.success(), "{ended:?}");
    };
    let file =
        "version: 1\nbuild: together\nservices:\n  billing: { path: billing }\n  front: { path: front }\n  orders: { path: orders }\n";
    fs::write(person.folder().join("berth.yaml"), file).unwrap();
    git(&["init", "-q", "-b", "main"]);
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "First"]);
    person.berth("lint").await.fine().says(0, "together: billing, front, orders at one version");
    let plan = person.berth("lint --plan --base HEAD").await.fine();
    assert!(plan.out.contains("front: unchanged since") && plan.out.contains("together: billing, front, orders"), "{}", plan.out);

    fs::create_dir(person.folder().join("orders")).unwrap();
    fs::write(person.folder().join("orders/main"), "1").unwrap();
    let plan = person.berth("lint --plan --base HEAD").await.fine();
    for wanted in ["orders: image, because orders/main changed", "front: image, because orders is touched, and they come to one version"] {
        assert!(plan.out.contains(wanted), "{wanted} is missing in {}", plan.out);
    }
    let document = person.berth("lint --plan --base HEAD --json").await.json();
    assert_eq!(document["push"]["together"], "together: billing, front, orders at one version");
    assert!(document["push"]["services"].as_array().unwrap().iter().all(|service| service["runs"] == true), "{document}");
}
