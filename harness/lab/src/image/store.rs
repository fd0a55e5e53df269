//! The cache folder: finished images, unfinished ones, locks, logs and downloads.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    thread,
};

use super::{
    Image, ImageError, Made, Name, Progress, Result, apt, build::Workshop, chroot, doctor, lock::Lock,
    manifest::Recipe, read,
};

/// Where images are kept; see [`default_root`].
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// `TUNNELPROOF_CACHE`, else `tunnelproof` in `XDG_CACHE_HOME` or in `~/.cache`.
pub fn default_root() -> Result<PathBuf> {
    root_from(|name| env::var_os(name).filter(|value| !value.is_empty()))
}

fn root_from(variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf> {
    if let Some(own) = variable("TUNNELPROOF_CACHE") {
        return std::path::absolute(&own).map_err(ImageError::file(PathBuf::from(own)));
    }
    // The XDG specification has relative paths ignored.
    let xdg = variable("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = xdg.or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".cache")));
    caches.map(|caches| caches.join("tunnelproof")).ok_or(ImageError::NoHome)
}

impl Store {
    /// Nothing is created before something is made.
    pub fn open(root: PathBuf) -> Self {
        Self { root }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The image if it is ready.
    pub fn lookup(&self, name: Name) -> Option<Image> {
        let digest = Recipe::of(name).digest().ok()?;
        let path = self.finished(name, &digest);
        let made: Made = serde_json::from_slice(&read(&path.join("made.json")).ok()?).ok()?;
        (made.image == name && made.digest == digest).then_some(Image { name, digest, path, made })
    }

    /// Makes what is not ready yet and returns all that is wanted, in the order asked for.
    ///
    /// Several processes may do this at once: each image is made by one of them, the others wait. What an
    /// interrupted run had fetched or compiled is used by the next.
    pub fn ensure(&self, wanted: &[Name], progress: &dyn Progress) -> Result<Vec<Image>> {
        let mut missing: Vec<Name> = wanted.iter().copied().filter(|name| self.lookup(*name).is_none()).collect();
        missing.sort();
        missing.dedup();
        if !missing.is_empty() {
            self.ready_to_make(&missing)?;
            let workshop = Workshop::new(self, progress)?;
            // The kernel takes longer than all others together, so it has a thread of its own.
            let lanes: (Vec<Name>, Vec<Name>) = missing.iter().partition(|name| **name == Name::Kernel);
            let failures: Vec<ImageError> = thread::scope(|scope| {
                let threads = [lanes.0, lanes.1].map(|lane| {
                    let workshop = &workshop;
                    scope.spawn(move || {
                        let done = lane.into_iter().try_for_each(|name| workshop.ready(name).map(drop));
                        done.inspect_err(|_| workshop.stop())
                    })
                });
                threads.into_iter().filter_map(|thread| thread.join().ok().and_then(std::result::Result::err)).collect()
            });
            let mut failures = failures;
            failures.sort_by_key(|failure| matches!(failure, ImageError::Stopped));
            if let Some(first) = failures.into_iter().next() {
                return Err(first);
            }
            self.tidy()?;
        }
        let absent = |name: &Name| ImageError::File {
            path: self.root.join(name.as_str()),
            source: std::io::Error::other("the image was removed while others were made: run again"),
        };
        wanted.iter().map(|name| self.lookup(*name).ok_or_else(|| absent(name))).collect()
    }

    /// What this machine has and lacks for making images.
    pub fn facts(&self) -> Vec<super::Fact> {
        doctor::facts(self)
    }

    pub(super) fn finished(&self, name: Name, digest: &str) -> PathBuf {
        self.root.join(format!("{name}-{digest}"))
    }

    pub(super) fn making(&self, name: Name, digest: &str) -> PathBuf {
        self.root.join(format!(".making-{name}-{digest}"))
    }

    pub(super) fn downloads(&self) -> PathBuf {
        self.root.join("downloads")
    }

    pub(super) fn log(&self, name: Name) -> PathBuf {
        self.root.join("logs").join(format!("{name}.log"))
    }

    pub(super) fn lock(&self, what: &str, waiting: impl FnOnce(&str)) -> Result<Lock> {
        Lock::take(&self.root.join(format!(".lock-{what}")), waiting)
    }

    /// Megabytes that making these images takes at most, beyond what unfinished ones already took.
    pub(super) fn megabytes(&self, missing: &[Name]) -> Result<u64> {
        let mut all = missing.to_vec();
        for name in missing {
            all.extend(Recipe::of(*name).manifest()?.builds_with.filter(|with| self.lookup(*with).is_none()));
        }
        all.sort();
        all.dedup();
        let mut sum = 0;
        for name in all {
            let recipe = Recipe::of(name);
            if !self.making(name, &recipe.digest()?).exists() {
                sum += recipe.manifest()?.megabytes;
            }
        }
        Ok(sum)
    }

    /// Megabytes free where the cache is or would be.
    pub(super) fn free_megabytes(&self) -> Result<u64> {
        let existing = self.root.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
        let stat = rustix::fs::statvfs(existing).map_err(|e| ImageError::file(existing)(e.into()))?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize) >> 20)
    }

    fn ready_to_make(&self, missing: &[Name]) -> Result<()> {
        self.can_make(missing)?;
        for path in [self.root.clone(), self.root.join("logs")] {
            fs::create_dir_all(&path).map_err(|source| ImageError::Cache { path, source })?;
        }
        Ok(())
    }

    /// Why these images cannot be made here, without making anything.
    pub fn can_make(&self, missing: &[Name]) -> Result<()> {
        for (tool, package) in doctor::TOOLS {
            if !doctor::is_here(tool) {
                return Err(ImageError::Tool { tool, package });
            }
        }
        if !Path::new(apt::HELPER).exists() {
            return Err(ImageError::Tool { tool: apt::HELPER, package: "apt" });
        }
        let (needed_mb, free) = (self.megabytes(missing)?, self.free_megabytes()?);
        if free < needed_mb {
            return Err(ImageError::Room { cache: self.root.clone(), needed_mb, missing_mb: needed_mb - free });
        }
        chroot::probe()
    }

    /// Once every image is ready, nobody needs what they were made from.
    fn tidy(&self) -> Result<()> {
        if Name::ALL.into_iter().all(|name| self.lookup(name).is_some()) {
            let _lock = self.lock("downloads", |_| ())?;
            let downloads = self.downloads();
            if downloads.exists() {
                fs::remove_dir_all(&downloads).map_err(ImageError::file(&downloads))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_cache_is_where_the_environment_says() {
        let of = |set: &'static [(&str, &str)]| {
            root_from(move |name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into()))
        };
        assert_eq!(of(&[("HOME", "/h")]).unwrap(), Path::new("/h/.cache/tunnelproof"));
        assert_eq!(of(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")]).unwrap(), Path::new("/x/tunnelproof"));
        assert_eq!(of(&[("HOME", "/h"), ("XDG_CACHE_HOME", "x")]).unwrap(), Path::new("/h/.cache/tunnelproof"));
        assert_eq!(of(&[("HOME", "/h"), ("TUNNELPROOF_CACHE", "/t")]).unwrap(), Path::new("/t"));
        assert!(matches!(of(&[]), Err(ImageError::NoHome)));
    }

    #[test]
    fn a_half_made_image_is_never_used() {
        let root = env::temp_dir().join(format!("tunnelproof-store-{}", std::process::id()));
        let store = Store::open(root.clone());
        let digest = Recipe::of(Name::Strongswan).digest().unwrap();
        let mut made = Made {
            image: Name::Strongswan,
            digest: digest.clone(),
            version: "strongSwan 6.0.1".to_owned(),
            packages: Vec::new(),
            sources: Vec::new(),
            facts: BTreeMap::new(),
        };
        let put = |folder: PathBuf, made: &Made| {
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("made.json"), serde_json::to_vec(made).unwrap()).unwrap();
        };
        put(store.making(Name::Strongswan, &digest).join("image"), &made);
        fs::create_dir_all(store.finished(Name::Strongswan, &digest)).unwrap();
        assert_eq!(store.lookup(Name::Strongswan), None);
        made.digest = "0".repeat(16);
        put(store.finished(Name::Strongswan, &digest), &made);
        assert_eq!(store.lookup(Name::Strongswan), None);
        made.digest = digest.clone();
        put(store.finished(Name::Strongswan, &digest), &made);
        let image = store.lookup(Name::Strongswan).unwrap();
        assert_eq!(image.root(), root.join(format!("strongswan-{digest}/root")));
        assert_eq!(image.made, made);
        fs::remove_dir_all(&root).unwrap();
    }
}
