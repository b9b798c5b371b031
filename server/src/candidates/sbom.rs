//! The bill of materials of an image: CycloneDX 1.6 (<https://cyclonedx.org/docs/1.6/json/>), signed as the predicate of a
//! statement about the image.

use app::model::{PackageVersion, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{
    Subject,
    packages::{Distribution, Inventory, Package},
    statement,
};

/// The type of the predicate that holds one.
pub const PREDICATE: &str = "https://cyclonedx.org/bom";

/// What stands in a package's address as it is (<https://github.com/package-url/purl-spec>).
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'~').remove(b':');

/// The address of a package: `pkg:deb/debian/bash@5.2?arch=amd64`.
fn address(package: &Package, of: Option<&Distribution>) -> String {
    let plain = |text: &str| utf8_percent_encode(text, PLAIN).to_string();
    let usual = if package.kind == "apk" { "alpine" } else { "debian" };
    let maker = of.map_or(usual, |distribution| distribution.id.as_str());
    let mut address = format!("pkg:{}/{}/{}@{}", package.kind, plain(maker), plain(&package.name), plain(&package.version));
    let architecture = package.architecture.as_ref().map(|architecture| format!("arch={}", plain(architecture)));
    let place = of.and_then(|of| Some(format!("distro={}-{}", plain(&of.id), plain(of.version.as_ref()?))));
    let more: Vec<String> = architecture.into_iter().chain(place).collect();
    if !more.is_empty() {
        address = format!("{address}?{}", more.join("&"));
    }
    address
}

fn component(package: &Package, of: Option<&Distribution>) -> Value {
    let address = address(package, of);
    let mut component = json!({
        "type": "library",
        "bom-ref": address,
        "name": package.name,
        "version": package.version,
        "purl": address,
    });
    if let Some(licence) = &package.licence {
        component["licenses"] = json!([{ "license": { "name": licence } }]);
    }
    if let Some(source) = &package.source {
        component["properties"] = json!([{ "name": "berth:source", "value": source }]);
    }
    component
}

/// The bill of materials. What is not known is said in it: in its property `berth:lacks`, and by its composition, which is
/// never called complete: a program that nobody packaged is in no database.
pub fn document(subject: &Subject, found: &Inventory, serial: &str, at: Timestamp) -> Value {
    let system = found.distribution.as_ref().map(|of| {
        let mut system = json!({ "type": "operating-system", "bom-ref": "os", "name": of.id, "description": of.name });
        if let Some(version) = &of.version {
            system["version"] = json!(version);
        }
        system
    });
    let packages = found.packages.iter().map(|package| component(package, found.distribution.as_ref()));
    let databases = found.databases.iter().map(|path| json!({ "name": "berth:database", "value": path }));
    let lacks = found.lacks.iter().map(|why| json!({ "name": "berth:lacks", "value": why }));
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": format!("urn:uuid:{serial}"),
        "version": 1,
        "metadata": {
            "timestamp": at.to_string(),
            "tools": { "components": [{ "type": "application", "name": "berth", "version": env!("CARGO_PKG_VERSION") }] },
            "component": {
                "type": "container",
                "bom-ref": "image",
                "name": subject.name,
                "version": subject.image,
                "hashes": [{ "alg": "SHA-256", "content": subject.digest() }],
            },
        },
        "components": system.into_iter().chain(packages).collect::<Vec<Value>>(),
        "compositions": [{ "aggregate": if found.databases.is_empty() { "unknown" } else { "incomplete" }, "assemblies": ["image"] }],
        "properties": databases.chain(lacks).collect::<Vec<Value>>(),
    })
}

/// The statement that an image has this bill of materials.
pub fn about(subject: &Subject, document: &Value) -> Value {
    statement(subject, PREDICATE, document)
}

/// The bill of materials in a statement.
pub fn within(statement: &[u8]) -> Option<Value> {
    let mut statement: Value = serde_json::from_slice(statement).ok()?;
    Some(statement.get_mut("predicate")?.take()).filter(|document| document["bomFormat"] == "CycloneDX")
}

/// The packages a bill of materials lists, by name; none where its image has no list.
pub fn listed(document: &Value) -> Option<Vec<PackageVersion>> {
    if document["compositions"][0]["aggregate"] == "unknown" {
        return None;
    }
    let text = |component: &Value, field: &str| component[field].as_str().map(str::to_owned);
    let read = |component: &Value| Some(PackageVersion { name: text(component, "name")?, version: text(component, "version")? });
    let libraries = document["components"].as_array()?.iter().filter(|component| component["type"] == "library");
    let mut listed: Vec<PackageVersion> = libraries.filter_map(read).collect();
    listed.sort();
    Some(listed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::candidates::packages;

    fn subject() -> Subject {
        Subject { name: "shop/orders".into(), image: format!("sha256:{}", "0a".repeat(32)) }
    }

    #[test]
    fn packages_have_the_address_others_know_them_by() {
        let files = [
            ("/var/lib/dpkg/status".to_owned(), b"Package: libstdc++6\nVersion: 1:12.2+x~y\nArchitecture: amd64\n".to_vec()),
            ("/etc/os-release".to_owned(), b"ID=debian\nVERSION_ID=12\n".to_vec()),
        ];
        let document = document(&subject(), &packages::read(&files), "s", Timestamp(0));
        let library = &document["components"][1];
        assert_eq!(library["purl"], "pkg:deb/debian/libstdc%2B%2B6@1:12.2%2Bx~y?arch=amd64&distro=debian-12");
        assert_eq!(document["components"][0]["type"], "operating-system");
        assert_eq!(listed(&document).unwrap(), [PackageVersion { name: "libstdc++6".into(), version: "1:12.2+x~y".into() }]);
        let statement = about(&subject(), &document);
        assert_eq!(within(statement.to_string().as_bytes()), Some(document));
    }

    #[test]
    fn an_image_without_a_list_says_so() {
        let document = document(&subject(), &packages::read(&[]), "s", Timestamp(0));
        assert_eq!(document["compositions"][0]["aggregate"], "unknown");
        assert!(document["properties"][0]["value"].as_str().unwrap().contains("no package database"));
        assert_eq!(listed(&document), None);
        assert_eq!(within(b"{}"), None);
    }
}
