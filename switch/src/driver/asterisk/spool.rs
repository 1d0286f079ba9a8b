//! The folder through which Asterisk gets what it is to play. A file is there as long as something
//! plays it.

use std::io;
use std::path::{Path, PathBuf};

use super::names;
use crate::driver::Clip;

/// The folder.
#[derive(Debug)]
pub(super) struct Spool {
    folder: PathBuf,
    /// Begins the names of one's own files.
    prefix: String,
}

/// A file in it, removed when dropped.
#[derive(Debug)]
pub(super) struct Spooled(PathBuf);

impl Drop for Spooled {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::debug!(%error, "what was played is not removed");
        }
    }
}

impl Spooled {
    /// What Asterisk calls it: the extension goes without saying.
    pub(super) fn media(&self) -> String {
        format!("sound:{}", self.0.with_extension("").display())
    }
}

impl Spool {
    /// Makes the folder when it is not there, and removes what an earlier process has left in it.
    pub(super) fn open(folder: &Path, app: &str) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        // As it is named, since Asterisk finds it under that name.
        let folder = std::path::absolute(folder)?;
        let prefix = format!("{app}-clip-");
        for file in std::fs::read_dir(&folder)? {
            let file = file?;
            let path = PathBuf::from(file.file_name()).with_extension("");
            if names::is_fresh(&path.to_string_lossy(), &prefix) {
                std::fs::remove_file(file.path())?;
            }
        }
        Ok(Self { folder, prefix })
    }

    /// Writes clips, each to a file of its own.
    pub(super) async fn write(&self, clips: &[Clip]) -> io::Result<Vec<Spooled>> {
        let mut files = Vec::new();
        for clip in clips {
            let (name, extension) = (names::fresh(&self.prefix), clip.content.extension());
            let spooled = Spooled(self.folder.join(format!("{name}.{extension}")));
            tokio::fs::write(&spooled.0, clip.content.bytes()).await?;
            files.push(spooled);
        }
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::driver::Content;

    #[tokio::test]
    async fn a_clip_is_there_as_long_as_it_is_played() {
        let folder = tempfile::tempdir().unwrap();
        let there = || std::fs::read_dir(folder.path()).unwrap().count();
        let left = |prefix| folder.path().join(names::fresh(prefix) + ".au");
        std::fs::write(left("a-clip-"), "left").unwrap();
        std::fs::write(left("b-clip-"), "another application's").unwrap();
        // Of one with the name `a-clip`.
        std::fs::write(left("a-clip-clip-"), "another application's").unwrap();
        let spool = Spool::open(folder.path(), "a").unwrap();
        let dotted = Spool::open(folder.path(), "a.b").unwrap();
        assert_eq!(there(), 2);
        let content = Content::new(b".snd and so on".to_vec());
        let (name, duration) = ("x".to_owned(), Duration::from_secs(1));
        let clip = Clip { name, duration, is_fetched: false, content };

        let files = spool.write(std::slice::from_ref(&clip)).await.unwrap();

        let media = files[0].media();
        let path = media.strip_prefix("sound:").unwrap().to_owned() + ".au";
        assert_eq!(std::fs::read(path).unwrap(), b".snd and so on");
        drop(files);
        assert_eq!(there(), 2);
        let two = dotted.write(&[clip.clone(), clip]).await.unwrap();
        assert_eq!(there(), 4, "each has a file of its own, whatever the application's name");
        drop(two);
        assert_eq!(there(), 2);
    }
}
