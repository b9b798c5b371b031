//! Recipes: what the stages left in the workspace is baked onto a base image, by a Dockerfile of Berth's own. Whoever runs it
//! is not root, what was baked cannot be changed by it, and it lies where every image of its kind has it.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::types::Recipe;

/// The user every image of a recipe runs as: the `nonroot` of many minimal images.
const USER: &str = "65532:65532";
/// The folder of the context that the artifact is in.
pub const FOLDER: &str = "artifact";

/// A recipe of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedRecipe {
    /// What kind of artifact is baked.
    pub kind: Recipe,
    /// Its path in the workspace.
    pub artifact: String,
    /// The image it is baked onto.
    pub base: String,
}

impl PlannedRecipe {
    /// A recipe with its usual base where none is named.
    pub fn new(kind: Recipe, artifact: String, base: Option<String>) -> Self {
        Self { kind, artifact, base: base.unwrap_or_else(|| usual_base(kind).to_owned()) }
    }

    /// The artifact's own name.
    pub fn file_name(&self) -> &str {
        self.artifact.rsplit('/').next().unwrap_or(&self.artifact)
    }

    /// The mode it has in the image: a program may be run, everything may be read, nothing changed.
    pub const fn mode(&self) -> u32 {
        match self.kind {
            Recipe::Binary | Recipe::Static => 0o555,
            Recipe::Jar | Recipe::Wheel | Recipe::Gem | Recipe::Deb => 0o444,
        }
    }

    /// The Dockerfile.
    pub fn dockerfile(&self) -> String {
        let name = self.file_name();
        let from = format!("{FOLDER}/{name}");
        let copy = |to: &str| format!("COPY {}", json!([from, to]));
        let run = |words: &[&str]| format!("RUN {}", json!(words));
        let kept = format!("/opt/artifact/{name}");
        let lines = match self.kind {
            Recipe::Static | Recipe::Binary => vec![copy("/app/run"), format!("ENTRYPOINT {}", json!(["/app/run"]))],
            Recipe::Jar => vec![copy("/app/app.jar"), format!("ENTRYPOINT {}", json!(["java", "-jar", "/app/app.jar"]))],
            Recipe::Wheel => vec![
                copy(&kept),
                // The image is for this program alone: a Python of the system's packages is told to let it in.
                "ARG PIP_BREAK_SYSTEM_PACKAGES=1".to_owned(),
                run(&["python3", "-m", "pip", "install", "--no-cache-dir", "--root-user-action=ignore", &kept]),
                format!("CMD {}", json!(["python3", "-m", wheel_module(name)])),
            ],
            Recipe::Gem => vec![copy(&kept), run(&["gem", "install", "--no-document", &kept]), format!("CMD {}", json!([gem_name(name)]))],
            // What it depends on is in its base: nothing is fetched.
            Recipe::Deb => {
                vec![copy(&kept), run(&["dpkg", "--install", &kept]), format!("CMD {}", json!([name.split('_').next().unwrap_or(name)]))]
            }
        };
        let head = [format!("FROM {}", self.base)];
        let tail = ["WORKDIR /app".to_owned(), format!("USER {USER}")];
        let all: Vec<String> = head.into_iter().chain(lines).chain(tail).collect();
        all.join("\n") + "\n"
    }
}

/// Whether the name of the file at this path stands for nothing else in a Dockerfile.
pub(super) fn is_plain(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    !name.is_empty() && !name.starts_with('.') && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+~-".contains(&b))
}

const fn usual_base(kind: Recipe) -> &'static str {
    match kind {
        Recipe::Jar => "eclipse-temurin:21-jre",
        Recipe::Wheel => "python:3.13-slim",
        Recipe::Gem => "ruby:3.4-slim",
        Recipe::Binary | Recipe::Deb => "debian:12-slim",
        Recipe::Static => "scratch",
    }
}

/// `shop_orders-1.2-py3-none-any.whl` is run as `shop_orders`.
fn wheel_module(name: &str) -> String {
    name.split('-').next().unwrap_or(name).to_lowercase()
}

/// `shop-orders-1.2.gem` brings the program `shop-orders`.
fn gem_name(name: &str) -> &str {
    let bare = name.strip_suffix(".gem").unwrap_or(name);
    let version = bare.match_indices('-').find(|(at, _)| bare[at + 1..].starts_with(|c: char| c.is_ascii_digit()));
    version.map_or(bare, |(at, _)| &bare[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_has_its_dockerfile() {
        let cases: [(Recipe, &str, Option<&str>, &str); 7] = [
            (Recipe::Static, "target/orders", None, "FROM scratch\nCOPY [\"artifact/orders\",\"/app/run\"]\nENTRYPOINT [\"/app/run\"]\n"),
            (Recipe::Binary, "orders", Some("base:2"), "FROM base:2\nCOPY [\"artifact/orders\",\"/app/run\"]\nENTRYPOINT [\"/app/run\"]\n"),
            (Recipe::Binary, "orders", None, "FROM debian:12-slim\nCOPY [\"artifact/orders\",\"/app/run\"]\nENTRYPOINT [\"/app/run\"]\n"),
            (
                Recipe::Jar,
                "build/libs/orders-1.jar",
                None,
                "FROM eclipse-temurin:21-jre\nCOPY [\"artifact/orders-1.jar\",\"/app/app.jar\"]\nENTRYPOINT [\"java\",\"-jar\",\"/app/app.jar\"]\n",
            ),
            (
                Recipe::Wheel,
                "dist/Shop_orders-1.2-py3-none-any.whl",
                None,
                "FROM python:3.13-slim\nCOPY [\"artifact/Shop_orders-1.2-py3-none-any.whl\",\"/opt/artifact/Shop_orders-1.2-py3-none-any.whl\"]\n\
                 ARG PIP_BREAK_SYSTEM_PACKAGES=1\nRUN [\"python3\",\"-m\",\"pip\",\"install\",\"--no-cache-dir\",\"--root-user-action=ignore\",\"/opt/artifact/Shop_orders-1.2-py3-none-any.whl\"]\n\
                 CMD [\"python3\",\"-m\",\"shop_orders\"]\n",
            ),
            (
                Recipe::Gem,
                "shop-orders-1.2.gem",
                None,
                "FROM ruby:3.4-slim\nCOPY [\"artifact/shop-orders-1.2.gem\",\"/opt/artifact/shop-orders-1.2.gem\"]\n\
                 RUN [\"gem\",\"install\",\"--no-document\",\"/opt/artifact/shop-orders-1.2.gem\"]\nCMD [\"shop-orders\"]\n",
            ),
            (
                Recipe::Deb,
                "orders_1.2_amd64.deb",
                None,
                "FROM debian:12-slim\nCOPY [\"artifact/orders_1.2_amd64.deb\",\"/opt/artifact/orders_1.2_amd64.deb\"]\n\
                 RUN [\"dpkg\",\"--install\",\"/opt/artifact/orders_1.2_amd64.deb\"]\nCMD [\"orders\"]\n",
            ),
        ];
        for (kind, artifact, base, expected) in cases {
            let recipe = PlannedRecipe::new(kind, artifact.to_owned(), base.map(str::to_owned));
            assert_eq!(recipe.dockerfile(), format!("{expected}WORKDIR /app\nUSER 65532:65532\n"), "{kind:?}");
            assert!(is_plain(artifact) && recipe.mode() & 0o222 == 0, "{kind:?}");
        }
    }

    #[test]
    fn a_name_stands_for_nothing_else() {
        for bad in ["", "a/", "*.jar", "$HOME.jar", "a b.jar", "a\"b", ".hidden", "a\nRUN x", "..", "ä.jar"] {
            assert!(!is_plain(bad), "{bad}");
        }
    }
}
