//! `berth backup` beside a Berth that serves, and `berth restore` in another place.

use std::fs;

use async_trait::async_trait;
use server::{
    args,
    store::{Db, Query as _},
};
use tempfile::TempDir;

use super::{operations::Operation, world::World};

pub(super) fn all() -> Vec<Box<dyn Operation>> {
    [false, true].map(|restores| Box::new(Backing { restores, died: false, folder: tempfile::tempdir().unwrap() }) as _).into()
}

struct Backing {
    restores: bool,
    died: bool,
    /// Where the backup is, and the place to restore to.
    folder: TempDir,
}

impl Backing {
    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn back_up(&self, world: &World) -> bool {
        world.run(&format!("backup {}", self.path("file")), "", &[]).0
    }

    fn restore(&self, world: &World) -> bool {
        let key = world.berth.folder.path().join("root.key");
        let words = format!("restore {} --key {}", self.path("file"), key.display());
        world.run(&words, "", &[("BERTH_DATA", &self.path("there"))]).0
    }

    /// Whether everybody is there again.
    async fn restored(&self, world: &World) -> bool {
        let Ok(db) = Db::open(&format!("sqlite:{}", self.path("there/berth.db"))).await else { return false };
        let users = "SELECT COUNT(*) AS number FROM users";
        let there = db.fetch_all(users, args![]).await.unwrap()[0].int("number").unwrap();
        db.close().await;
        there > 0 && there == world.number(users).await
    }
}

#[async_trait(?Send)]
impl Operation for Backing {
    fn name(&self) -> String {
        if self.restores { "berth restore".into() } else { "berth backup".into() }
    }

    fn aside(&self) -> bool {
        true
    }

    async fn prepare(&mut self, world: &mut World) {
        (self.died, self.folder) = (false, tempfile::tempdir().unwrap());
        if self.restores {
            assert!(self.back_up(world));
        }
    }

    async fn act(&mut self, world: &mut World) {
        self.died = !if self.restores { self.restore(world) } else { self.back_up(world) };
    }

    fn died(&mut self, _world: &mut World) -> bool {
        self.died
    }

    async fn restart(&mut self, _world: &mut World) {}

    async fn judge(&mut self, world: &World) {
        if !self.restores {
            assert!(self.back_up(world), "made again");
            let names: Vec<_> = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(names, ["file"], "nothing half made is left");
            return;
        }
        // All is there, or nobody takes it for a Berth: then the place is cleared and it is done again.
        if !self.restored(world).await {
            fs::remove_dir_all(self.path("there")).unwrap();
            assert!(self.restore(world), "restored again");
            assert!(self.restored(world).await);
        }
    }
}
