//! Recipes on the real engine: an artifact that a stage really built is baked onto a base image of the catalogue, runs, and
//! answers through the edge.

use std::time::Duration;

use app::model::{PageRequest, Profile, RunState};
use server::args;

use crate::{
    cli::person::Person,
    git::Copy,
    support::{
        berth::{Harbour, service, team, within},
        debian, proof,
    },
};

/// A recipe: its name, its artifact, the commands that make it, and the sources.
struct Case {
    recipe: &'static str,
    artifact: &'static str,
    run: &'static [&'static str],
    sources: &'static [(&'static str, &'static str)],
}

const JAVA: &str = r#"
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;

public class Main {
    public static void main(String[] arguments) throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress(8080), 0);
        byte[] says = "a jar".getBytes();
        server.createContext("/", exchange -> {
            exchange.sendResponseHeaders(200, says.length);
            exchange.getResponseBody().write(says);
            exchange.close();
        });
        server.start();
    }
}
"#;

/// A server in Python that says this.
macro_rules! python {
    ($says:literal) => {
        concat!(
            "import http.server\n\nclass Says(http.server.BaseHTTPRequestHandler):\n    def do_GET(self):\n        self.send_response(200)\n",
            "        self.end_headers()\n        self.wfile.write(b'",
            $says,
            "')\n\nhttp.server.HTTPServer(('', 8080), Says).serve_forever()\n"
        )
    };
}

const PYPROJECT: &str = "[build-system]
requires = [\"setuptools\"]
build-backend = \"setuptools.build_meta\"
[project]
name = \"shop-orders\"
version = \"1.0\"
[tool.setuptools]
packages = [\"shop_orders\"]
";

const GEMSPEC: &str = "Gem::Specification.new do |spec|
  spec.name = 'shop-orders'
  spec.version = '1.0'
  spec.summary = 'Orders of the shop'
  spec.authors = ['Ada']
  spec.files = ['bin/shop-orders']
  spec.bindir = 'bin'
  spec.executables = ['shop-orders']
end
";

const RUBY: &str = "require 'socket'
server = TCPServer.new('0.0.0.0', 8080)
loop do
  client = server.accept
  while (line = client.gets) && line != \"\\r\\n\"; end
  client.write \"HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\nConnection: close\\r\\n\\r\\na gem\"
  client.close
end
";

const CONTROL: &str = "Package: shop-orders
Version: 1.0
Architecture: all
Maintainer: Ada <ada@example.com>
Description: Orders of the shop
";

const CASES: [Case; 4] = [
    Case {
        recipe: "jar",
        artifact: "out/shop-orders.jar",
        run: &["javac -d out/classes Main.java", "jar --create --file out/shop-orders.jar --main-class Main -C out/classes ."],
        sources: &[("Main.java", JAVA)],
    },
    Case {
        recipe: "wheel",
        artifact: "out/shop_orders-1.0-py3-none-any.whl",
        run: &["python3 -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir out ."],
        sources: &[("pyproject.toml", PYPROJECT), ("shop_orders/__init__.py", ""), ("shop_orders/__main__.py", python!("a wheel"))],
    },
    Case {
        recipe: "gem",
        artifact: "out/shop-orders-1.0.gem",
        run: &["mkdir out", "gem build --output out/shop-orders-1.0.gem shop-orders.gemspec"],
        sources: &[("shop-orders.gemspec", GEMSPEC), ("bin/shop-orders", RUBY)],
    },
    Case {
        recipe: "deb",
        artifact: "out/shop-orders_1.0_all.deb",
        run: &[
            "mkdir -p out package/usr/bin",
            "(echo '#!/usr/bin/python3'; cat orders.py) > package/usr/bin/shop-orders",
            "chmod 755 package/usr/bin/shop-orders package package/DEBIAN",
            "dpkg-deb --root-owner-group --build package out/shop-orders_1.0_all.deb",
        ],
        sources: &[("package/DEBIAN/control", CONTROL), ("orders.py", python!("a deb"))],
    },
];

fn file(case: &Case, base: &str) -> String {
    let commands = case.run.iter().map(|line| format!("\"{line}\"")).collect::<Vec<_>>().join(", ");
    format!(
        "version: 1
services:
  hello:
    stages:
      - name: make
        steps:
          - {{ name: {recipe}, image: {base}, network: none, run: [{commands}] }}
    image: {{ recipe: {recipe}, artifact: \"{artifact}\", base: {base} }}
    processes:
      web: {{ port: 8080, health: {{ path: / }}, drain: 0s }}
",
        recipe = case.recipe,
        artifact = case.artifact,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_engine_every_recipe_bakes_what_a_stage_built() {
    let archive = tokio::task::spawn_blocking(debian::archive).await.unwrap();
    let harbour = Harbour::on_engine().await;
    // The least that an environment may ask for, and time enough for a virtual machine of Java beside other tests.
    let mut tx = harbour.berth.db.begin().await.unwrap();
    let slow = "UPDATE environments SET deadline_ms = 60000, profile = $1";
    tx.execute(slow, args![Profile::Restricted.name()]).await.unwrap();
    tx.commit().await.unwrap();
    let person = Person::owner(&harbour).await;
    let name = format!("t{}", &server::clock::new_id().replace('-', "")[16..]);
    let base = format!("base/{name}");
    person.berth(&format!("base create {name} --root-file-system {} --no-wait", archive.display())).await.fine();
    within(Duration::from_secs(180), "the base is there", async || {
        let newest = person.berth(&format!("base show {name} --json")).await.json()["base"]["newest"].clone();
        assert_ne!(newest["state"], "failed", "{newest}");
        (newest["state"] == "ready").then_some(())
    })
    .await;
    let copy = Copy::new(&harbour).await;
    let mut proven = Vec::new();
    for (number, case) in (1..).zip(&CASES) {
        for (path, text) in case.sources {
            copy.write(path, text);
        }
        copy.write("berth.yaml", &file(case, &base));
        let shown = copy.push(case.recipe).await;
        let run = harbour.berth.backend.runs.show(&harbour.owner, &team(), &service(), number).await.unwrap();
        assert_eq!(run.state, RunState::Passed, "{}: {shown}", case.recipe);
        let says = format!("a {}", case.recipe);
        within(Duration::from_secs(90), &format!("{says} answers: {shown}"), async || {
            (harbour.ask("dev").await == (200, says.clone())).then_some(())
        })
        .await;
        proven.push(case.recipe);
    }
    let runs = &harbour.berth.backend.runs;
    let candidates = runs.candidates(&harbour.owner, &team(), &service(), &PageRequest::default()).await.unwrap().items;
    assert!(candidates.iter().all(|one| one.made.as_ref().is_some_and(|made| made.bases[0].name == base && made.packages > Some(100))));
    for image in harbour.berth.platform.base_images().await.unwrap() {
        harbour.berth.platform.remove_base(&image).await.unwrap();
    }
    harbour.clear().await;
    proof("recipes on the engine", &format!("{} built, baked, live and asked through the edge", proven.join(", ")));
}
