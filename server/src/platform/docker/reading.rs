//! Files of an image: read from a container of it that is never started.

use std::io::Read as _;

use bollard::query_parameters::DownloadFromContainerOptionsBuilder;
use bytes::Bytes;
use futures::{Stream, StreamExt as _};

use super::{
    super::{ImageRead, PlatformError, container},
    Docker,
    call::Call,
};

impl Docker {
    pub(super) async fn read_files(&self, read: &ImageRead) -> Result<Vec<(String, Vec<u8>)>, PlatformError> {
        let name = container::image_reader_name(&self.0.instance, &read.run, &read.image);
        let specification = container::reader(&self.0.instance, read)?;
        // One that is there is left of an attempt that was cut short, and of the same image.
        self.create(&name, specification).await?;
        let files = self.read_from(&name, read).await;
        let removed = self.force_remove(&name).await;
        let files = files?;
        removed?;
        Ok(files)
    }

    async fn read_from(&self, name: &str, read: &ImageRead) -> Result<Vec<(String, Vec<u8>)>, PlatformError> {
        let docker = self.client().await?;
        let mut files = Vec::new();
        let mut left = read.most;
        for path in &read.paths {
            let options = DownloadFromContainerOptionsBuilder::default().path(path).build();
            let archive = whole(docker.download_from_container(name, Some(options)), left);
            let archive = match self.within(Call::Download, path, archive).await {
                Ok(archive) => archive.ok_or_else(|| too_large(path, read.most))?,
                Err(failure) if failure.is(404) => continue,
                Err(failure) => return Err(failure.into()),
            };
            left -= archive.len();
            files.extend(unpacked(path, &archive).map_err(|error| PlatformError::Refused(format!("the archive of {path}: {error}")))?);
        }
        Ok(files)
    }
}

fn too_large(path: &str, most: usize) -> PlatformError {
    PlatformError::Refused(format!("{path} has more than the {} MiB that are read", most >> 20))
}

/// All of a stream; none where it is longer than this.
async fn whole<E>(stream: impl Stream<Item = Result<Bytes, E>>, most: usize) -> Result<Option<Vec<u8>>, E> {
    let mut stream = std::pin::pin!(stream);
    let mut all = Vec::new();
    while let Some(piece) = stream.next().await {
        all.extend_from_slice(&piece?);
        if all.len() > most {
            return Ok(None);
        }
    }
    Ok(Some(all))
}

/// The files of an archive, whose names begin with the last part of the path that was asked for. Links are not followed.
fn unpacked(asked: &str, archive: &[u8]) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let above = asked.rsplit_once('/').map_or("", |(above, _)| above);
    let mut files = Vec::new();
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = format!("{above}/{}", entry.path()?.display());
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        files.push((path, bytes));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    #[tokio::test]
    async fn no_more_is_read_than_asked_for() {
        let pieces = || stream::iter([Ok::<_, ()>(Bytes::from_static(b"12")), Ok(Bytes::from_static(b"345"))]);
        assert_eq!(whole(pieces(), 5).await, Ok(Some(b"12345".to_vec())));
        assert_eq!(whole(pieces(), 4).await, Ok(None));
    }

    #[test]
    fn files_have_their_path_in_the_image_and_links_are_left_out() {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(1);
        archive.append_data(&mut header, "status.d/base", &b"x"[..]).unwrap();
        let mut link = tar::Header::new_gnu();
        link.set_entry_type(tar::EntryType::Symlink);
        link.set_size(0);
        archive.append_link(&mut link, "status.d/shadow", "/etc/shadow").unwrap();
        let files = unpacked("/var/lib/dpkg/status.d", &archive.into_inner().unwrap()).unwrap();
        assert_eq!(files, [("/var/lib/dpkg/status.d/base".to_owned(), b"x".to_vec())]);
    }
}
