//! What people do with Berth, each as something that can be prepared, done, cut short anywhere, and judged afterwards.

use async_trait::async_trait;

use super::{
    backing, basing, caching, changing, forgetting, mirroring, moving, pushing, spoiling, starting, timing, together, world::World,
};

/// One of them.
#[async_trait(?Send)]
pub(super) trait Operation {
    /// Its name.
    fn name(&self) -> String;

    /// What else is armed while it is done.
    fn beside(&self) -> String {
        String::new()
    }

    /// Whether it is not Berth itself that is cut short, but something beside it.
    fn aside(&self) -> bool {
        false
    }

    /// What must be there before.
    async fn prepare(&mut self, _world: &mut World) {}

    /// Asks for it; an answer may not come.
    async fn act(&mut self, world: &mut World);

    /// Whether what was to be cut short was.
    fn died(&mut self, world: &mut World) -> bool {
        world.berth.is_over()
    }

    /// Starts again what was cut short.
    async fn restart(&mut self, world: &mut World) {
        world.berth.start().await;
    }

    /// Whether what was asked for was taken: if not, it is asked for again, as people do.
    async fn taken(&mut self, _world: &World) -> bool {
        true
    }

    /// Holds the end against what is promised.
    async fn judge(&mut self, world: &World);
}

/// All of them, in the order in which they are tried: what a later one shares with one before is cut short there.
pub(super) fn all() -> Vec<Box<dyn Operation>> {
    let mut all = pushing::all();
    all.extend(changing::all());
    all.extend(forgetting::all());
    all.extend(moving::all());
    all.extend(starting::all());
    all.extend(together::all());
    all.extend(mirroring::all());
    all.extend(basing::all());
    all.extend(caching::all());
    all.extend(spoiling::all());
    all.extend(timing::all());
    all.extend(backing::all());
    all
}
