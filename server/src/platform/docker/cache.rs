//! What a build leaves beside its image: the ends of the stages that are not the image, and how far one came that failed.
//! They are kept under names of the service, so that the next build goes on from there, and nothing is without an owner.

use app::model::ServiceId;

use super::{super::PlatformError, Docker};

/// What the names begin with.
pub(super) const CACHE: &str = "berth-cache-";

/// How far a build came, as its progress tells.
#[derive(Debug, Default)]
pub(super) struct Stages {
    ends: Vec<String>,
    last: Option<String>,
    /// The next id is that of a base: somebody else's.
    base: bool,
}

impl Stages {
    /// A step begins.
    pub(super) fn step(&mut self, is_from: bool) {
        if is_from {
            self.ends.extend(self.last.take());
            self.base = true;
        }
    }

    /// A piece of progress that may name what a step made.
    pub(super) fn made(&mut self, text: &str) {
        let Some(id) = text.trim().strip_prefix("--->").map(str::trim) else { return };
        let is_id = id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if std::mem::take(&mut self.base) {
            return;
        }
        if is_id {
            self.last = Some(id.to_owned());
        }
    }

    /// What there is beside the image; none: there is no image, and the last end is one too.
    pub(super) fn beside(mut self, image: Option<&str>) -> Vec<String> {
        self.ends.extend(self.last.take().filter(|_| image.is_none()));
        self.ends
    }
}

impl Docker {
    fn cache_name(&self, service: &ServiceId) -> String {
        format!("{CACHE}{}/{service}", self.0.instance)
    }

    /// Keeps these as the ends of the service's newest build, and lets go of those before. Where it does not succeed the
    /// next build does it.
    pub(super) async fn keep_cache(&self, service: &ServiceId, ends: &[String]) {
        if let Err(error) = self.swap_cache(service, ends).await {
            tracing::warn!(%service, %error, "the cache of a build could not be kept");
        }
    }

    async fn swap_cache(&self, service: &ServiceId, ends: &[String]) -> Result<(), PlatformError> {
        let name = self.cache_name(service);
        for (index, id) in ends.iter().enumerate() {
            let reference = format!("{name}:{index}");
            match self.look_at(&reference).await? {
                Some(found) if found.id.as_ref().is_some_and(|there| there.trim_start_matches("sha256:").starts_with(id)) => continue,
                // A name that is only moved would leave what it named to nobody.
                Some(_) => self.drop_image(&reference).await?,
                None => {}
            }
            self.tag(id, &reference).await?;
        }
        self.drop_cache(service, ends.len()).await
    }

    /// Lets go of what is kept for a service, from this place on.
    pub(super) async fn drop_cache(&self, service: &ServiceId, from: usize) -> Result<(), PlatformError> {
        for index in from.. {
            let reference = format!("{}:{index}", self.cache_name(service));
            if self.look_at(&reference).await?.is_none() {
                break;
            }
            self.drop_image(&reference).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_beside_the_image_is_found() {
        let progress = |stages: &mut Stages| {
            for (from, lines) in [
                (true, vec![" ---> e915a5b6ae3a\n"]),
                (false, vec![" ---> Running in db9679c3b68f\n", " ---> 111111111111\n"]),
                (true, vec![" ---> e915a5b6ae3a\n"]),
                (true, vec![" ---> \n"]),
                (false, vec![" ---> Using cache\n", " ---> 222222222222\n"]),
            ] {
                stages.step(from);
                lines.into_iter().for_each(|line| stages.made(line));
            }
        };
        for (image, ends) in [(Some("222222222222"), vec!["111111111111"]), (None, vec!["111111111111", "222222222222"])] {
            let mut stages = Stages::default();
            progress(&mut stages);
            assert_eq!(stages.beside(image), ends);
        }
    }
}
