//! The catalogue of base images: who may see and make them, and root file systems on their way in.

use std::{io, path::Path, time::Duration};

use app::{
    backend::{BaseSource, Bases, Upload},
    error::{Error, Result},
    model::{Actor, Base, BaseName, BaseShown},
    said,
};
use async_trait::async_trait;
use futures::StreamExt as _;
use tokio::{io::AsyncWriteExt as _, time::timeout};

use super::{Control, authorize, hint, platform::seen, services::description};
use crate::{
    auth::rights::Action,
    clock,
    pipelines::{
        bases::{path_of, refusal, upload},
        rootfs,
    },
    store::{
        bases::{self, BaseRow, NewVersion},
        events::{self, NewEvent},
    },
    wake::Duty,
};

/// The largest root file system, in bytes as it is sent.
const LARGEST: u64 = 2 << 30;
/// The longest Dockerfile, in bytes.
const LONGEST: usize = 64 << 10;
/// How many of its users a base shows, and how many of what a version set off.
const MOST_SHOWN: usize = 100;
/// How long whoever sends one may be silent.
const IDLE: Duration = Duration::from_secs(60);

fn dockerfile(text: &str) -> Result<String> {
    let text = text.replace("\r\n", "\n");
    let from = |line: &str| line.trim_start().get(..5).is_some_and(|word| word.eq_ignore_ascii_case("from "));
    let why = if text.len() > LONGEST {
        Some(format!("The Dockerfile of a base image has up to {} KiB.", LONGEST >> 10))
    } else if text.contains('\0') || !text.lines().any(from) {
        Some("The Dockerfile of a base image says what it starts from: `FROM debian:12`, for instance.".to_owned())
    } else {
        refusal(&text)
    };
    why.map_or(Ok(text), |why| Err(Error::invalid("invalid_dockerfile", why).at("dockerfile")))
}

fn too_large() -> Error {
    let sentence = format!("A root file system has up to {} MiB as it is sent. Leave out what services do not need.", LARGEST >> 20);
    Error::too_large("root_file_system_too_large", sentence)
}

/// Writes what comes to a file, as far as it may be.
async fn receive(upload: Upload, to: &Path, largest: u64) -> Result<()> {
    let Upload { size, mut pieces } = upload;
    if size.is_some_and(|size| size > largest) {
        return Err(too_large());
    }
    let broken = |cause: io::Error| {
        let sentence = "The transfer of the root file system broke off. Try again.";
        Error::invalid("transfer_broken", sentence).because(cause)
    };
    let mut file = tokio::fs::File::create(to).await.map_err(Error::internal)?;
    let mut size = 0_u64;
    loop {
        let silent = |_| broken(io::Error::from(io::ErrorKind::TimedOut));
        let Some(piece) = timeout(IDLE, pieces.next()).await.map_err(silent)? else { break };
        let piece = piece.map_err(broken)?;
        size += piece.len() as u64;
        if size > largest {
            return Err(too_large());
        }
        file.write_all(&piece).await.map_err(Error::internal)?;
    }
    file.sync_all().await.map_err(Error::internal)
}

impl Control {
    async fn base(&self, name: &BaseName) -> Result<BaseRow> {
        if let Some(found) = bases::by_name(&self.db, name).await? {
            return Ok(found);
        }
        let all = bases::all(&self.db).await?;
        let hint = hint(name.as_str(), all.iter().map(|one| one.name.as_str()), || "`berth base list` shows which there are.".to_owned());
        Err(Error::not_found("unknown_base", format!("There is no base image `{name}`. {hint}")))
    }

    /// Who builds what is asked for here: what was sent is on this Berth's disk.
    fn holder(&self) -> Result<&str> {
        let starting = || Error::unavailable("starting", "Berth is starting. Try again in a moment.");
        self.life.get().map(|life| life.holder.as_str()).ok_or_else(starting)
    }

    /// Takes what a version is made of: the Dockerfile; or none, once its root file system is where the version of this id looks
    /// for it.
    async fn take(&self, source: BaseSource, version: &str) -> Result<Option<String>> {
        let sent = match source {
            BaseSource::Dockerfile(text) => return dockerfile(&text).map(Some),
            BaseSource::RootFileSystem(sent) => sent,
        };
        let folder = self.config.bases();
        tokio::fs::create_dir_all(&folder).await.map_err(Error::internal)?;
        let (coming, place) = (folder.join(format!("{version}.part")), upload(&folder, version));
        let taken = async {
            receive(sent, &coming, LARGEST).await?;
            let archive = coming.clone();
            let looked = tokio::task::spawn_blocking(move || rootfs::refusal(&archive, rootfs::BOUNDS)).await;
            if let Some(why) = looked.map_err(Error::internal)?.map_err(Error::internal)? {
                return Err(Error::invalid("invalid_root_file_system", why));
            }
            tokio::fs::rename(&coming, &place).await.map_err(Error::internal)
        };
        let taken = taken.await;
        if taken.is_err() {
            let _ = tokio::fs::remove_file(&coming).await;
        }
        taken.map(|()| None)
    }

    /// Writes down that a version is asked for, and what with it; forgets its root file system where that fails.
    async fn ask_for(&self, actor: &Actor, base: &BaseRow, is_new: bool, version: NewVersion<'_>) -> Result<()> {
        let asked = async {
            let mut tx = self.db.begin().await?;
            let path = Some(path_of(&base.name));
            if is_new {
                bases::insert(&mut tx, base).await.map_err(|error| match error {
                    crate::store::StoreError::Taken(_) => taken(&base.name),
                    other => other.into(),
                })?;
            }
            let number = bases::next_version(&mut tx, &base.id, version).await?;
            let number = number.ok_or_else(|| busy(&base.name))?;
            let (action, subject) = match is_new {
                true => ("base.created", said::subject_base(&base.name)),
                false => ("base.rebuild_asked", said::subject_base_version(number, &base.name)),
            };
            events::insert(&mut tx, actor, NewEvent { action, subject, path, ..NewEvent::default() }).await?;
            tx.commit().await?;
            Ok::<(), Error>(())
        };
        let asked = asked.await;
        if asked.is_err() {
            let _ = tokio::fs::remove_file(upload(&self.config.bases(), version.id)).await;
        }
        asked?;
        self.wake.duty(Duty::Bases);
        self.wake.changed(None, format!("base:{}", base.name));
        self.wake.changed(None, "events");
        Ok(())
    }
}

fn taken(name: &BaseName) -> Error {
    let sentence = format!("There is a base image `{name}` already. `berth base rebuild {name}` makes a new version of it.");
    Error::conflict("name_taken", sentence).at("name")
}

fn busy(name: &BaseName) -> Error {
    Error::conflict("base_busy", format!("A version of `{name}` is still to be built. Wait for it, then ask for the next."))
}

#[async_trait]
impl Bases for Control {
    async fn list(&self, actor: &Actor) -> Result<Vec<Base>> {
        authorize(actor, Action::ViewPlatform, None)?;
        let mut all = Vec::new();
        let of = seen(actor);
        for base in bases::all(&self.db).await? {
            let users = bases::user_count(&self.db, &base.id, &of).await?;
            all.push(bases::shown(&base, &bases::versions(&self.db, &base).await?, users));
        }
        Ok(all)
    }

    async fn show(&self, actor: &Actor, name: &BaseName, version: Option<u64>) -> Result<BaseShown> {
        authorize(actor, Action::ViewPlatform, None)?;
        let base = self.base(name).await?;
        let versions = bases::versions(&self.db, &base).await?;
        let log_of = version.or_else(|| versions.first().map(|version| version.number));
        let log = match log_of {
            Some(number) => bases::log(&self.db, &base, number).await?.ok_or_else(|| {
                let sentence = format!("The base image `{name}` has no version {number}. `berth base show {name}` lists those it has.");
                Error::not_found("unknown_version", sentence)
            })?,
            None => String::new(),
        };
        let of = seen(actor);
        let users = bases::users(&self.db, &base.id, &of, MOST_SHOWN).await?;
        let rolls = bases::rolls(&self.db, &base.id, &of, MOST_SHOWN).await?;
        let shown = bases::shown(&base, &versions, bases::user_count(&self.db, &base.id, &of).await?);
        let rolled = bases::roll_count(&self.db, &base.id, &of).await?;
        Ok(BaseShown { base: shown, dockerfile: base.dockerfile, versions, users, rolls, rolled, log_of, log })
    }

    async fn create(&self, actor: &Actor, name: &BaseName, about: &str, source: BaseSource) -> Result<BaseShown> {
        authorize(actor, Action::AdminPlatform, None)?;
        let about = description(about)?;
        if bases::by_name(&self.db, name).await?.is_some() {
            return Err(taken(name));
        }
        let (id, version) = (clock::new_id(), clock::new_id());
        let dockerfile = self.take(source, &version).await?;
        let base = BaseRow {
            id,
            name: name.clone(),
            description: about,
            dockerfile: dockerfile.clone(),
            created_by: actor.name.clone(),
            created_at: clock::now(),
        };
        let (dockerfile, holder) = (dockerfile.as_deref(), self.holder()?);
        let new = NewVersion { id: &version, dockerfile, rolls: false, holder, by: &actor.name };
        self.ask_for(actor, &base, true, new).await?;
        self.show(actor, name, None).await
    }

    async fn rebuild(&self, actor: &Actor, name: &BaseName, source: Option<BaseSource>, roll: bool) -> Result<BaseShown> {
        authorize(actor, Action::AdminPlatform, None)?;
        let base = self.base(name).await?;
        if bases::versions(&self.db, &base).await?.first().is_some_and(|newest| !newest.state.ended()) {
            return Err(busy(name));
        }
        let version = clock::new_id();
        let dockerfile = match (source, &base.dockerfile) {
            (Some(source), _) => self.take(source, &version).await?,
            (None, Some(before)) => Some(before.clone()),
            (None, None) => {
                let sentence = format!(
                    "`{name}` is made of a root file system, and each version brings its own: `berth base rebuild {name} --root-file-system FILE`."
                );
                return Err(Error::invalid("root_file_system_needed", sentence));
            }
        };
        let (dockerfile, holder) = (dockerfile.as_deref(), self.holder()?);
        let new = NewVersion { id: &version, dockerfile, rolls: roll, holder, by: &actor.name };
        self.ask_for(actor, &base, false, new).await?;
        self.show(actor, name, None).await
    }

    async fn cancel(&self, actor: &Actor, name: &BaseName) -> Result<BaseShown> {
        authorize(actor, Action::AdminPlatform, None)?;
        let base = self.base(name).await?;
        let mut tx = self.db.begin().await?;
        let Some(version) = bases::ask_cancel(&mut tx, &base.id).await? else {
            let sentence = format!("No version of `{name}` is under way, so there is nothing to cancel.");
            return Err(Error::conflict("already_ended", sentence));
        };
        let subject = said::subject_base_version(version.number, name);
        let event = NewEvent { action: "base.cancel_asked", subject, path: Some(path_of(name)), ..NewEvent::default() };
        events::insert(&mut tx, actor, event).await?;
        tx.commit().await?;
        if version.ended {
            let _ = tokio::fs::remove_file(upload(&self.config.bases(), &version.id)).await;
        }
        self.wake.changed(None, format!("base:{name}"));
        self.wake.changed(None, "events");
        self.show(actor, name, None).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dockerfile_says_what_it_starts_from() {
        for good in ["FROM a", "# x\nARG A=1\n  from a AS b\nFROM scratch\nCOPY --from=b /x /x\n", "FROM a\r\nRUN b\r\n"] {
            assert!(dockerfile(good).is_ok_and(|text| !text.contains('\r')), "{good}");
        }
        for bad in ["", "RUN x", "FROM", "# syntax=x\nFROM a", "FROM a\0", &format!("FROM a\n{}", "#".repeat(LONGEST))] {
            assert_eq!(dockerfile(bad).unwrap_err().code, "invalid_dockerfile", "{bad:.40}");
        }
    }

    #[tokio::test]
    async fn no_more_is_written_down_than_may_be() {
        let folder = tempfile::tempdir().unwrap();
        let pieces = |count: usize| Upload { size: None, pieces: Box::pin(futures::stream::iter((0..count).map(|_| Ok(vec![0; 1_000])))) };
        let file = folder.path().join("x");
        receive(pieces(3), &file, 3_000).await.unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().len(), 3_000);
        assert_eq!(receive(pieces(usize::MAX), &file, 3_000).await.unwrap_err().code, "root_file_system_too_large");
        assert!(std::fs::metadata(&file).unwrap().len() <= 3_000);
        let said = Upload { size: Some(3_001), ..pieces(3) };
        assert_eq!(receive(said, &file, 3_000).await.unwrap_err().code, "root_file_system_too_large");
        let broken = Upload { size: None, pieces: Box::pin(futures::stream::iter([Err(io::Error::other("gone"))])) };
        assert_eq!(receive(broken, &file, 3_000).await.unwrap_err().code, "transfer_broken");
    }
}
