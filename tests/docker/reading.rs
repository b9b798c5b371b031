//! Files of an image, read without starting it.

use app::model::{RunId, TeamId};
use server::{
    candidates::packages,
    platform::{ImageRead, Platform, PlatformError},
};

use crate::support::{images, platform::TestPlatform, proof};

fn read(image: &str, most: usize) -> ImageRead {
    ImageRead {
        image: image.into(),
        run: RunId::from_text("1"),
        team: TeamId::from_text("a"),
        paths: packages::PATHS.map(str::to_owned).into(),
        most,
    }
}

#[tokio::test]
async fn the_packages_of_an_image_are_read_and_nothing_is_left_over() {
    let status = "Package: bash\nStatus: install ok installed\nVersion: 5.2-1\nArchitecture: amd64\n\nPackage: gone\nStatus: deinstall ok config-files\n";
    let part = "Package: tzdata\nVersion: 2026a-1\nArchitecture: all\n";
    let apk = "P:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\n\n";
    let lines = [
        "COPY status /var/lib/dpkg/status",
        "COPY part /var/lib/dpkg/status.d/tzdata",
        "COPY apk /lib/apk/db/installed",
        "COPY release /usr/lib/os-release",
        // What an image says of itself makes a reader no copy of a service, and leaves no volume.
        "LABEL berth.slot=0 berth.target=x berth.release=1",
        "VOLUME /data",
    ];
    let files = [("status", status), ("part", part), ("apk", apk), ("release", "ID=debian\nVERSION_ID=12\n")];
    let image = images::image(&lines, &files).await;
    let platform = TestPlatform::new();
    let found = packages::read(&platform.read_image(&read(&image, 1 << 20)).await.unwrap());
    let names: Vec<String> =
        found.packages.iter().map(|package| format!("{}:{}={}", package.kind, package.name, package.version)).collect();
    assert_eq!(names, ["apk:musl=1.2.5-r0", "deb:bash=5.2-1", "deb:tzdata=2026a-1"]);
    assert_eq!((found.databases.len(), found.lacks), (3, None));
    assert_eq!(found.distribution.unwrap().id, "debian");
    assert_eq!(platform.things().await, Vec::<String>::new());

    let small = platform.read_image(&read(&image, 64)).await.unwrap_err();
    assert!(matches!(&small, PlatformError::Refused(why) if why.contains("more than")), "{small}");
    let bare = platform.read_image(&read(&images::web_image("bare").await, 1 << 20)).await.unwrap();
    assert_eq!(packages::read(&bare).count(), None, "an image without a database says so");
    proof("bill of materials", "3 databases of an image on the engine read without starting it, 3 packages, 0 containers left");
    platform.finish().await;
}
