//! The newest lines of the log in the data folder, never more than two small files of them.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead as _, BufReader, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use tracing_subscriber::fmt::MakeWriter;

/// A file is put aside when it is this large; the one that was put aside before is gone then.
const LARGEST: u64 = 2 << 20;

const NAME: &str = "berth.log";
const ASIDE: &str = "berth.log.1";

/// Writes lines to the end of the file. A disk that does not take them is no reason to stop: the standard error has them too.
#[derive(Clone, Debug)]
pub struct Tail {
    folder: PathBuf,
    open: Arc<Mutex<Option<(File, u64)>>>,
}

impl Tail {
    /// In this folder, which may come later.
    pub fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), open: Arc::default() }
    }

    fn open(&self) -> io::Result<(File, u64)> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(self.folder.join(NAME))?;
        let size = file.metadata()?.len();
        Ok((file, size))
    }

    fn append(&self, line: &[u8]) -> io::Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.as_ref().is_some_and(|(_, size)| *size >= LARGEST) {
            *open = None;
            fs::rename(self.folder.join(NAME), self.folder.join(ASIDE))?;
        }
        let (mut file, size) = match open.take() {
            Some(open) => open,
            None => self.open()?,
        };
        file.write_all(line)?;
        *open = Some((file, size + line.len() as u64));
        Ok(())
    }
}

/// One line on its way.
#[derive(Debug)]
pub struct Line<'a>(&'a Tail);

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _ = self.0.append(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Tail {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

/// The last `count` lines that were kept in this folder, oldest first; none where nothing was.
pub fn last(folder: &Path, count: usize) -> Vec<String> {
    let mut lines = std::collections::VecDeque::with_capacity(count);
    for name in [ASIDE, NAME] {
        let Ok(file) = File::open(folder.join(name)) else { continue };
        for line in BufReader::new(file).split(b'\n').map_while(Result::ok) {
            if lines.len() == count {
                lines.pop_front();
            }
            lines.push_back(String::from_utf8_lossy(&line).into_owned());
        }
    }
    lines.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_small_files_hold_the_newest_lines() {
        let folder = tempfile::tempdir().unwrap();
        let (tail, line) = (Tail::in_folder(folder.path()), "x".repeat(64 << 10));
        for n in 0..200 {
            writeln!(tail.make_writer(), "{n} {line}").unwrap();
        }
        let kept: u64 = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
        assert!(kept <= 2 * LARGEST + (128 << 10), "{kept}");
        let last = last(folder.path(), 3);
        assert_eq!(last.iter().map(|line| line.split(' ').next().unwrap()).collect::<Vec<_>>(), ["197", "198", "199"]);
    }

    #[test]
    fn a_folder_that_comes_later_is_no_trouble() {
        let folder = tempfile::tempdir().unwrap();
        let later = folder.path().join("data");
        let tail = Tail::in_folder(&later);
        writeln!(tail.make_writer(), "lost").unwrap();
        assert!(last(&later, 9).is_empty());
        fs::create_dir(&later).unwrap();
        writeln!(tail.make_writer(), "kept").unwrap();
        assert_eq!(last(&later, 9), ["kept"]);
    }
}
