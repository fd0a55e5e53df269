//! Files that are replaced as a whole, so that no reader ever sees half of one.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::ReportError;

/// Writes beside the file and renames over it: a rename within one folder is atomic.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), ReportError> {
    Unfinished::beside(path)
        .and_then(|unfinished| unfinished.finish(path, content))
        .map_err(|source| ReportError::Write { path: path.to_owned(), source })
}

/// A file under a temporary name, which goes away unless it is finished.
struct Unfinished {
    path: PathBuf,
    file: File,
}

impl Unfinished {
    fn beside(path: &Path) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = path.with_file_name(format!(".{name}.{}.{number}", process::id()));
        // Never through a name that is already there: it may be a link to somewhere else.
        let file = File::create_new(&path)?;
        Ok(Self { path, file })
    }

    fn finish(mut self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.file.write_all(content)?;
        fs::rename(&self.path, path)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After the rename there is nothing left to remove, and a failure to remove hides no result.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_failure_leaves_no_temporary_file_and_keeps_what_was_there() {
        let dir = std::env::temp_dir().join(format!("tunnelproof-report-file-{}", process::id()));
        // A folder that is not empty cannot be replaced by a file.
        let target = dir.join("report.html");
        fs::create_dir_all(target.join("kept")).unwrap();
        let failed = replace(&target, b"new");
        let left: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        fs::remove_dir_all(&dir).unwrap();
        assert!(matches!(failed, Err(ReportError::Write { .. })), "{failed:?}");
        assert_eq!(left, ["report.html"]);
    }
}
