//! How long cells took on this machine, kept in the cache folder: the longest are begun first.

use std::{
    fs,
    path::{Path, PathBuf},
    process,
};

use lab::image::default_root;
use runner::{Times, record::Record};

const FILE: &str = "times.json";

pub struct Kept {
    pub times: Times,
    /// None if there is no cache folder: this alone does not make one.
    file: Option<PathBuf>,
}

/// What was kept. A file that cannot be read costs nothing but the order of the cells.
pub fn known() -> Kept {
    let root = default_root().ok().filter(|root| root.is_dir());
    let file = root.map(|root| root.join(FILE));
    let text = file.as_ref().and_then(|file| fs::read(file).ok());
    let times = text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    Kept { times, file }
}

impl Kept {
    /// Takes over what an earlier run says; and if nothing is known at all, the one that left its record where this
    /// one goes.
    pub fn learn_from(&mut self, earlier: Option<&Record>, out: &Path) {
        if let Some(earlier) = earlier {
            self.times.learn(earlier);
        } else if self.times == Times::default()
            && let Ok(record) = ::report::read(out)
        {
            self.times.learn(&record);
        }
    }

    /// Adds what a run took. Several runs may do that at once: each leaves a whole file.
    pub fn keep(&mut self, record: &Record) {
        self.times.learn(record);
        let Some(file) = &self.file else { return };
        let unfinished = file.with_extension(process::id().to_string());
        let kept = serde_json::to_vec(&self.times).map_err(std::io::Error::from);
        let kept = kept.and_then(|text| fs::write(&unfinished, text)).and_then(|()| fs::rename(&unfinished, file));
        if kept.is_err() {
            // The next run is a little longer, no more.
            let _ = fs::remove_file(&unfinished);
        }
    }
}
