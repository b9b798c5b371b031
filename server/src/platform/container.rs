//! The one builder of every container specification: copies of services, tasks, helpers. All the hardening is here, and
//! no argument weakens it: what is not written below cannot be asked for.
//!
//! A specification is the body of the engine's `POST /containers/create` (Docker Engine API 1.41, `ContainerCreate`).

use std::{collections::BTreeMap, path::Path};

use app::model::{CacheId, Profile, RunId, TargetId, TeamId};
use serde_json::{Map, Value, json};

use super::{ImageInfo, Limits, PlatformError, Task, Workload, WorkloadId, Workspace};

/// Which Berth this is: several may share an engine and never touch each other's things.
pub const INSTANCE: &str = "berth.instance";
/// The team something belongs to.
pub const TEAM: &str = "berth.team";
/// The target a copy serves.
pub const TARGET: &str = "berth.target";
/// The number of the release a copy runs.
pub const RELEASE: &str = "berth.release";
/// The process a copy is.
pub const PROCESS: &str = "berth.process";
/// The slot of a copy; only copies have it.
pub const SLOT: &str = "berth.slot";
/// The fence of the attempt that made a copy.
pub const FENCE: &str = "berth.fence";
/// The run something belongs to.
pub const RUN: &str = "berth.run";
/// The name of a task.
pub const TASK: &str = "berth.task";
/// The name of a base image of the catalogue; empty on what is built on one.
pub const BASE: &str = "berth.base";
/// The number of its version.
pub const VERSION: &str = "berth.base.version";
/// The id of a cache; only its volume has it.
pub const CACHE: &str = "berth.cache";
/// The environment a network belongs to.
pub const ENVIRONMENT: &str = "berth.environment";
/// The name of the network a container is on.
pub const NETWORK: &str = "berth.network";

/// All capabilities an ordinary official image needs to start: to take ownership of its files and drop to its own user.
const BASELINE_CAPABILITIES: [&str; 7] = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETUID", "SETGID", "KILL", "NET_BIND_SERVICE"];

/// Who a container of the restricted profile is, where the image would make it root or names a user whose number is not
/// known: the `nonroot` of many minimal images.
const NOBODY: &str = "65532:65532";

/// Everything of the host's part of a specification that is ever sent. Tests hold the builder to it.
pub const OF_THE_HOST: [&str; 16] = [
    "NetworkMode",
    "RestartPolicy",
    "SecurityOpt",
    "CapDrop",
    "CapAdd",
    "IpcMode",
    "CgroupnsMode",
    "Memory",
    "MemorySwap",
    "NanoCpus",
    "PidsLimit",
    "Ulimits",
    "LogConfig",
    "ReadonlyRootfs",
    "Tmpfs",
    "Mounts",
];

/// Where a helper has the volume it fills or reads.
pub const HELPER_MOUNT: &str = "/workspace";

/// The engine's name of something of this Berth.
fn name(instance: &str, parts: &[&str]) -> String {
    let mut name = format!("berth-{instance}");
    for part in parts {
        name.push('-');
        name.extend(part.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-') { c } else { '_' }));
    }
    name
}

/// The name of a copy's container: always the same for the same copy, so that two are never made.
pub fn copy_name(instance: &str, id: &WorkloadId) -> String {
    name(instance, &[id.target.as_str(), &format!("r{}", id.release), &id.process, &id.slot.to_string()])
}

/// The name of a task's container.
pub fn task_name(instance: &str, task: &str) -> String {
    name(instance, &["task", task])
}

/// The name of the volume of a run's workspace.
pub fn workspace_name(instance: &str, run: &RunId) -> String {
    name(instance, &["workspace", run.as_str()])
}

/// The name of the volume of a cache.
pub fn cache_name(instance: &str, cache: &CacheId) -> String {
    name(instance, &["cache", cache.as_str()])
}

/// The name of the helper that fills a run's workspace.
pub fn helper_name(instance: &str, run: &RunId) -> String {
    name(instance, &["fill", run.as_str()])
}

/// The name of the container that files of an image are read from.
pub fn image_reader_name(instance: &str, run: &RunId, image: &str) -> String {
    let digest = image.strip_prefix("sha256:").unwrap_or(image);
    name(instance, &["read", run.as_str(), digest.get(..12).unwrap_or(digest)])
}

/// The name of a helper that reads a run's workspace; `mark` tells several apart.
pub fn reader_name(instance: &str, run: &RunId, mark: &str) -> String {
    name(instance, &["read", run.as_str(), mark])
}

/// The name of a network.
pub fn network_name(instance: &str, network: &super::Network) -> Option<String> {
    match network {
        super::Network::Target { team, environment } => Some(name(instance, &["net", team.as_str(), environment.as_str()])),
        super::Network::Run(run) => Some(name(instance, &["net-run", run.as_str()])),
        super::Network::None => None,
    }
}

/// Labels of everything of this Berth.
pub fn labels<const N: usize>(instance: &str, more: [(&str, &str); N]) -> BTreeMap<String, String> {
    let own = (INSTANCE.to_owned(), instance.to_owned());
    more.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).chain([own]).collect()
}

/// The labels of a copy.
fn copy_labels(instance: &str, workload: &Workload) -> BTreeMap<String, String> {
    let id = &workload.id;
    labels(
        instance,
        [
            (TEAM, id.team.as_str()),
            (TARGET, id.target.as_str()),
            (RELEASE, &id.release.to_string()),
            (PROCESS, &id.process),
            (SLOT, &id.slot.to_string()),
            (FENCE, &workload.fence.to_string()),
            // A container inherits its image's labels. What an image says must not make a copy of a service look like what
            // a run left behind, …
            (RUN, ""),
            (TASK, ""),
        ],
    )
}

/// Reads which copy a container is from its labels, and its fence. `None`: it is none.
pub fn read_labels(labels: &std::collections::HashMap<String, String>) -> Option<(WorkloadId, i64)> {
    let id = WorkloadId {
        team: TeamId::from_text(labels.get(TEAM)?),
        target: TargetId::from_text(labels.get(TARGET)?),
        release: labels.get(RELEASE)?.parse().ok()?,
        process: labels.get(PROCESS)?.clone(),
        slot: labels.get(SLOT)?.parse().ok()?,
    };
    Some((id, labels.get(FENCE)?.parse().ok()?))
}

/// Where a container is: the name of its network (a label) and what the engine is told.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// On this network, by name and id.
    On {
        /// Its name.
        name: &'a str,
        /// Its id: names need not be unique on an engine.
        id: &'a str,
    },
    /// On none.
    Nowhere,
}

/// What differs between the kinds of containers. Private: nobody outside fills this in.
struct Parts<'a> {
    image: &'a str,
    user: &'a str,
    command: Option<&'a [String]>,
    env: &'a BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
    limits: Limits,
    profile: Profile,
    place: Place<'a>,
    alias: Option<&'a str>,
    writable_root: bool,
    writable: &'a [String],
    host_name: String,
    workspace: Option<(String, &'a str)>,
    /// Volumes with where they are.
    caches: Vec<(String, &'a str)>,
}

/// The specification of a copy of a service.
///
/// # Errors
/// [`PlatformError::Refused`] where a writable path is none.
pub fn copy(instance: &str, workload: &Workload, image: &ImageInfo, place: Place<'_>) -> Result<Value, PlatformError> {
    let id = &workload.id;
    Parts {
        image: &image.id,
        user: &image.user,
        command: workload.command.as_deref(),
        env: &workload.env,
        labels: copy_labels(instance, workload),
        limits: workload.limits,
        profile: workload.profile,
        place,
        alias: None,
        writable_root: false,
        writable: &workload.writable,
        host_name: format!("{}-{}-{}", workload.service, id.process, id.slot),
        workspace: None,
        caches: Vec::new(),
    }
    .build()
}

/// The specification of a task: a step, a release command.
///
/// # Errors
/// [`PlatformError::Refused`] where a writable path, or the workspace's, is none.
pub fn task(instance: &str, task: &Task, image: &ImageInfo, place: Place<'_>) -> Result<Value, PlatformError> {
    // … nor a task like a copy of a service.
    let mut labels = labels(instance, [(TEAM, task.team.as_str()), (TASK, &task.name), (RUN, ""), (TARGET, ""), (RELEASE, "")]);
    labels.extend(task.run.as_ref().map(|run| (RUN.to_owned(), run.as_str().to_owned())));
    Parts {
        image: &image.id,
        user: &image.user,
        command: Some(task.command.as_slice()).filter(|command| !command.is_empty()),
        env: &task.env,
        labels,
        limits: task.limits,
        profile: task.profile,
        place,
        alias: task.alias.as_deref(),
        writable_root: task.writable_root,
        writable: &task.writable,
        host_name: task.alias.clone().unwrap_or_else(|| "task".into()),
        workspace: task.workspace.as_ref().map(|(workspace, path)| (workspace_name(instance, &workspace.run), path.as_str())),
        caches: task.caches.iter().map(|cache| (cache_name(instance, &cache.id), cache.path.as_str())).collect(),
    }
    .build()
}

/// The specification of a helper: it holds a volume, such as a run's workspace, while an archive is put into it or read from it, and
/// is never started. It is known as something of the run that reads or fills.
///
/// # Errors
/// None in truth.
pub fn helper(instance: &str, reader: &Workspace, volume: String, image: &str) -> Result<Value, PlatformError> {
    Parts {
        image,
        user: "",
        command: Some(&["never".to_owned()]),
        env: &BTreeMap::new(),
        labels: labels(instance, [(TEAM, reader.team.as_str()), (RUN, reader.run.as_str())]),
        limits: Limits { memory: 32 << 20, cpu_millis: 100, pids: 1 },
        profile: Profile::Restricted,
        place: Place::Nowhere,
        alias: None,
        writable_root: true,
        writable: &[],
        host_name: "helper".into(),
        workspace: Some((volume, HELPER_MOUNT)),
        caches: Vec::new(),
    }
    .build()
}

/// The specification of a container that holds an image's files while they are read, and is never started.
///
/// # Errors
/// None in truth.
pub fn reader(instance: &str, read: &super::ImageRead) -> Result<Value, PlatformError> {
    Parts {
        image: &read.image,
        user: "",
        command: Some(&["never".to_owned()]),
        env: &BTreeMap::new(),
        // What the image says of itself makes it no task, nor a copy of a service.
        labels: labels(instance, [(TEAM, read.team.as_str()), (RUN, read.run.as_str()), (TASK, ""), (TARGET, ""), (RELEASE, "")]),
        limits: Limits { memory: 32 << 20, cpu_millis: 100, pids: 1 },
        profile: Profile::Restricted,
        place: Place::Nowhere,
        alias: None,
        writable_root: true,
        writable: &[],
        host_name: "reader".into(),
        workspace: None,
        caches: Vec::new(),
    }
    .build()
}

impl Parts<'_> {
    fn build(self) -> Result<Value, PlatformError> {
        let user = user(self.profile, self.user);
        let host = self.host(user.as_deref().unwrap_or(self.user))?;
        let mut labels = self.labels;
        let mut body = Map::new();
        if let Place::On { name, id } = self.place {
            labels.insert(NETWORK.into(), name.into());
            if let Some(alias) = self.alias {
                body.insert("NetworkingConfig".into(), json!({ "EndpointsConfig": { id: { "Aliases": [alias] } } }));
            }
        }
        body.insert("Image".into(), self.image.into());
        body.insert("Hostname".into(), self.host_name.chars().take(63).collect::<String>().into());
        body.insert("Env".into(), self.env.iter().map(|(key, value)| format!("{key}={value}")).collect());
        body.insert("Labels".into(), json!(labels));
        // Berth asks for health itself; a check of the image's own would run beside it, unseen.
        body.insert("Healthcheck".into(), json!({ "Test": ["NONE"] }));
        body.insert("HostConfig".into(), host);
        if let Some(command) = self.command {
            // As the entry point, so that it is run as it stands, whatever entry point the image has.
            body.insert("Entrypoint".into(), json!(command));
        }
        if let Some(user) = user {
            body.insert("User".into(), user.into());
        }
        if let Some((_, path)) = self.workspace {
            body.insert("WorkingDir".into(), path.into());
        }
        Ok(Value::Object(body))
    }

    fn host(&self, user: &str) -> Result<Value, PlatformError> {
        let memory = i64::try_from(self.limits.memory).unwrap_or(i64::MAX);
        let (tmpfs, mounts) = self.writable_paths(is_root(user))?;
        let mut host = json!({
            "NetworkMode": match self.place { Place::On { id, .. } => id, Place::Nowhere => "none" },
            "RestartPolicy": { "Name": "no" },
            "SecurityOpt": ["no-new-privileges:true"],
            "CapDrop": ["ALL"],
            "IpcMode": "private",
            "CgroupnsMode": "private",
            "Memory": memory,
            // Memory and swap together: the same number, no swap.
            "MemorySwap": memory,
            "NanoCpus": i64::from(self.limits.cpu_millis) * 1_000_000,
            "PidsLimit": self.limits.pids.max(1),
            "Ulimits": [{ "Name": "core", "Soft": 0, "Hard": 0 }],
            "LogConfig": { "Type": "json-file", "Config": { "max-size": "10m", "max-file": "3" } },
            "ReadonlyRootfs": !self.writable_root,
            "Tmpfs": tmpfs,
            "Mounts": mounts,
        });
        if self.profile == Profile::Baseline {
            host["CapAdd"] = json!(BASELINE_CAPABILITIES);
        }
        Ok(host)
    }

    /// What can be written to where the root cannot: tmpfs at the usual places, and what is asked for beside them. Root gets
    /// a volume of the container's own, filled from the image as a declared one is; everybody else a tmpfs open to all,
    /// because a volume at a path that the image lacks belongs to root.
    fn writable_paths(&self, root: bool) -> Result<(Map<String, Value>, Vec<Value>), PlatformError> {
        let (mut tmpfs, mut mounts) = (Map::new(), Vec::new());
        if let Some((volume, path)) = &self.workspace {
            // Without what the image has at this path: the workspace is what it was filled with.
            mounts.push(json!({
                "Type": "volume", "Source": volume, "Target": absolute(path)?,
                "VolumeOptions": { "NoCopy": *path != HELPER_MOUNT },
            }));
        }
        for (volume, path) in &self.caches {
            let path = absolute(path)?;
            // In the place of the workspace, or of another, it would hide that.
            if mounts.iter().any(|mount| mount["Target"] == path) {
                return Err(PlatformError::Refused(format!("`{path}` cannot be a cache: something else is there")));
            }
            // An empty one begins with what the image has there.
            mounts.push(json!({ "Type": "volume", "Source": volume, "Target": path }));
        }
        if self.writable_root {
            return Ok((tmpfs, mounts));
        }
        // Half of the memory each; what is written counts towards the container's memory either way.
        let options = format!("rw,exec,nosuid,nodev,mode=1777,size={}", self.limits.memory / 2);
        for path in ["/tmp", "/run", "/var/tmp"] {
            tmpfs.insert(path.into(), options.clone().into());
        }
        for path in self.writable {
            let path = absolute(path)?;
            if tmpfs.contains_key(path) || mounts.iter().any(|mount| mount["Target"] == path) {
                continue;
            }
            if root {
                mounts.push(json!({ "Type": "volume", "Target": path, "VolumeOptions": { "Labels": self.labels } }));
            } else {
                tmpfs.insert(path.into(), options.clone().into());
            }
        }
        Ok((tmpfs, mounts))
    }
}

/// A path that may be mounted at: absolute, plain, and none of the kernel's.
fn absolute(path: &str) -> Result<&str, PlatformError> {
    let trimmed = path.strip_suffix('/').unwrap_or(path);
    let plain = trimmed.starts_with('/')
        && trimmed.split('/').skip(1).all(|part| !matches!(part, "" | "." | ".."))
        && !trimmed.contains([',', ':', '\\'])
        && !trimmed.contains(char::is_control);
    if plain && !is_of_the_kernel(trimmed) {
        return Ok(trimmed);
    }
    Err(PlatformError::Refused(format!(
        "`{path}` cannot be made writable: name an absolute path such as `/var/cache/app`, not one below /proc, /sys or /dev"
    )))
}

/// Whether an absolute path is one of the kernel's own, where nothing can be put.
pub fn is_of_the_kernel(path: &str) -> bool {
    ["/proc", "/sys", "/dev"].iter().any(|of| Path::new(path).starts_with(of))
}

/// Whether the engine would run this user as root.
fn is_root(user: &str) -> bool {
    let name = user.split(':').next().unwrap_or_default();
    name.is_empty() || name == "root" || name.parse() == Ok(0_u32)
}

/// Who a container is where the image does not decide. Of a restricted one only a number other than 0 is believed: a name
/// may stand for root in the image's own `/etc/passwd`.
fn user(profile: Profile, of_image: &str) -> Option<String> {
    let (name, group) = of_image.split_once(':').unwrap_or((of_image, ""));
    let number = |text: &str| text.parse::<u32>().ok().filter(|number| *number != 0);
    match profile {
        Profile::Baseline => None,
        Profile::Restricted => Some(match (number(name), number(group)) {
            (Some(user), Some(group)) => format!("{user}:{group}"),
            (Some(user), None) => format!("{user}:{user}"),
            (None, _) => NOBODY.into(),
        }),
    }
}

#[cfg(test)]
mod tests;
