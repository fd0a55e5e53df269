//! Makes one image: fetch, unpack, build in the toolchain, ask the result what it is, move it into place.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use super::{
    Image, ImageError, Made, Name, Progress, Result, SourceFile, Store,
    apt::{Apt, Deb, Errand, Fetched},
    child::{Children, Log, run},
    chroot,
    manifest::{Fragment, Manifest, Question, Recipe, Source, SourceKind, Step, upstream},
    tree,
};

/// Arguments: the package, the folder, the path in the package.
const TAKE_OUT: &str = r#"dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" -f - "./$3""#;

/// All that is needed to make images; shared by the threads that do it.
pub(super) struct Workshop<'a> {
    store: &'a Store,
    progress: &'a dyn Progress,
    children: Children,
    apt: Apt,
}

/// One image that is being made.
struct Job<'a> {
    shop: &'a Workshop<'a>,
    recipe: &'static Recipe,
    manifest: Manifest,
    digest: String,
    /// Everything below is removed when the image is done.
    making: PathBuf,
    log: Log,
}

impl<'a> Workshop<'a> {
    pub fn new(store: &'a Store, progress: &'a dyn Progress) -> Result<Self> {
        Ok(Self { store, progress, children: Children::default(), apt: Apt::new(store.downloads())? })
    }

    pub fn stop(&self) {
        self.children.stop();
    }

    /// The image, made now if nobody has made it yet.
    pub fn ready(&self, name: Name) -> Result<Image> {
        if let Some(image) = self.store.lookup(name) {
            return Ok(image);
        }
        let say = |text: &str| self.progress.step(name.as_str(), text, None);
        let _lock = self.store.lock(name.as_str(), |holder| say(&waiting(holder)))?;
        if let Some(image) = self.store.lookup(name) {
            return Ok(image);
        }
        if self.children.stopped() {
            return Err(ImageError::Stopped);
        }
        let recipe = Recipe::of(name);
        let digest = recipe.digest()?;
        let job = Job {
            shop: self,
            recipe,
            manifest: recipe.manifest()?,
            making: self.store.making(name, &digest),
            digest,
            log: Log::create(&self.store.log(name))?,
        };
        job.make()
    }
}

fn waiting(holder: &str) -> String {
    if holder == std::process::id().to_string() {
        "waiting for another image of this run".to_owned()
    } else {
        format!("waiting for process {holder}, which is at it")
    }
}

impl Job<'_> {
    fn make(mut self) -> Result<Image> {
        self.clear_old()?;
        let (debs, fetched) = self.fetch()?;
        let toolchain = self.manifest.builds_with.map(|with| self.shop.ready(with)).transpose()?;

        let image = self.making.join("image");
        remove(&image)?;
        create(&image)?;
        if self.manifest.tree.is_some() {
            self.unpack(&image.join("root"), &debs)?;
        }
        if let (Some(toolchain), Some(fetched)) = (&toolchain, &fetched) {
            self.build(&toolchain.root(), &image, fetched)?;
        }
        let facts = self.ask(&image, toolchain.as_ref())?;
        let made = self.account(debs, fetched.map(|fetched| fetched.source), facts);
        self.finish(&image, made)
    }

    fn say(&self, text: &str, done: Option<(u64, u64)>) {
        self.shop.progress.step(self.recipe.name.as_str(), text, done);
    }

    /// Removes what was left of this image when it was made in another way.
    fn clear_old(&self) -> Result<()> {
        let root = self.shop.store.root();
        let start = format!(".making-{}-", self.recipe.name);
        for entry in fs::read_dir(root).map_err(ImageError::file(root))?.flatten() {
            let (name, path) = (entry.file_name(), entry.path());
            // `strongswan` also starts the name of `strongswan-5.9`: the rest has to be a digest.
            let stale = name.to_str().and_then(|name| name.strip_prefix(&start)).is_some_and(|rest| rest.len() == 16);
            if stale && path != self.making {
                remove(&path)?;
            }
        }
        create(&self.making)
    }

    fn fetch(&mut self) -> Result<(Vec<Deb>, Option<Fetched>)> {
        let (image, progress) = (self.recipe.name.as_str(), self.shop.progress);
        let tell = move |text: &str, done| progress.step(image, text, done);
        let _lock = self.shop.store.lock("downloads", |holder| tell(&waiting(holder), None))?;
        let mut errand = Errand { image, children: &self.shop.children, log: &mut self.log, tell: &tell };
        let (apt, suites) = (&self.shop.apt, &self.manifest.suites);
        let mut debs = Vec::new();
        if let Some(tree) = &self.manifest.tree {
            debs = apt.packages(&mut errand, suites, &tree.packages)?;
            debs.retain(|deb| !tree.leave_out.contains(&deb.package.name));
        }
        let source = self.manifest.source.as_ref();
        let fetched = source.map(|source| apt.source(&mut errand, suites, source)).transpose()?;
        Ok((debs, fetched))
    }

    fn unpack(&mut self, root: &Path, debs: &[Deb]) -> Result<()> {
        let Some(tree) = &self.manifest.tree else { return Ok(()) };
        let (image, progress) = (self.recipe.name.as_str(), self.shop.progress);
        let tell = move |text: &str, done| progress.step(image, text, done);
        if !tree::make(&self.shop.children, &mut self.log, root, &self.making, tree, debs, &tell)? {
            return Err(self.failed("unpacking packages"));
        }
        self.run("making the library cache", chroot::command(root, &[], &BTreeMap::new(), "ldconfig"), |_| ())
    }

    fn build(&mut self, toolchain: &Path, image: &Path, fetched: &Fetched) -> Result<()> {
        let sources = self.making.join("build");
        let resumes = self.manifest.source.as_ref().is_some_and(|source| source.resumes);
        if !resumes {
            remove(&sources)?;
        }
        if !sources.exists() {
            self.unpack_source(toolchain, &sources, fetched)?;
        }
        let mut environment = self.manifest.environment.clone();
        let processors = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        environment.insert("JOBS".to_owned(), processors.to_string());
        // Not this machine's names and clock, so that the same sources give the same kernel.
        for (name, value) in [("USER", "tunnelproof"), ("HOST", "tunnelproof"), ("TIMESTAMP", "@0")] {
            environment.insert(format!("KBUILD_BUILD_{name}"), value.to_owned());
        }
        let steps = std::mem::take(&mut self.manifest.steps);
        let built = steps.iter().try_for_each(|step| self.step(step, toolchain, image, &sources, &environment));
        if matches!(built, Err(ImageError::Build { .. } | ImageError::Options { .. })) {
            // What does not build now does not build later: the next run starts afresh.
            remove(&sources)?;
        }
        built
    }

    /// The source tree appears under its name only when all of it is there.
    fn unpack_source(&mut self, toolchain: &Path, sources: &Path, fetched: &Fetched) -> Result<()> {
        const DOING: &str = "unpacking the source";
        self.say(DOING, None);
        let Some(Source { kind, file, leave_out, .. }) = &self.manifest.source else { return Ok(()) };
        let (archive, part) = (self.making.join("archive"), self.making.join("build.part"));
        for folder in [&archive, &part] {
            remove(folder)?;
            create(folder)?;
        }
        let name = match kind {
            SourceKind::Archive => {
                let copy = archive.join(&fetched.source.file);
                fs::hard_link(&fetched.path, &copy).map_err(ImageError::file(&copy))?;
                fetched.source.file.clone()
            }
            SourceKind::Package => file.clone(),
        };
        let excludes: String = leave_out.iter().map(|pattern| format!(" '--exclude={pattern}'")).collect();
        let unpack = format!("tar -x -C /src --strip-components=1 --no-same-owner{excludes} -f '/archive/{name}'");
        if *kind == SourceKind::Package {
            let mut command = Command::new("/bin/sh");
            command.args(["-euc", TAKE_OUT, "take-out"]).arg(&fetched.path).arg(&archive).arg(file);
            self.run(DOING, command, |_| ())?;
        }
        // xz uses several processors where the archive has several blocks.
        let environment = BTreeMap::from([("XZ_OPT".to_owned(), "-T0".to_owned())]);
        let binds: [(&Path, &str); 2] = [(&part, "/src"), (&archive, "/archive")];
        self.run(DOING, chroot::command(toolchain, &binds, &environment, &unpack), |_| ())?;
        remove(&archive)?;
        fs::rename(&part, sources).map_err(ImageError::file(&part))
    }

    fn step(
        &mut self,
        step: &Step,
        toolchain: &Path,
        image: &Path,
        sources: &Path,
        environment: &BTreeMap<String, String>,
    ) -> Result<()> {
        if let Some(Fragment { text, path, .. }) = &step.fragment {
            let path = sources.join(path);
            fs::write(&path, self.recipe.text(text).unwrap_or_default()).map_err(ImageError::file(&path))?;
        }
        let (name, progress) = (self.recipe.name.as_str(), self.shop.progress);
        let (mut so_far, lines) = (0, step.lines);
        progress.step(name, &step.says, lines.map(|lines| (0, lines)));
        let binds = [(sources, "/src"), (image, "/image")];
        self.run(&step.says, chroot::command(toolchain, &binds, environment, &step.run), |_| {
            so_far += 1;
            if let Some(lines) = lines {
                progress.step(name, &step.says, Some((so_far.min(lines), lines)));
            }
        })?;
        match &step.fragment {
            Some(fragment) => self.check_options(fragment, sources),
            None => Ok(()),
        }
    }

    /// allnoconfig drops without a word what lacks a dependency.
    fn check_options(&self, fragment: &Fragment, sources: &Path) -> Result<()> {
        let path = sources.join(&fragment.result);
        let result = fs::read_to_string(&path).map_err(ImageError::file(&path))?;
        let missing = missing_options(self.recipe.text(&fragment.text).unwrap_or_default(), &result);
        if missing.is_empty() {
            return Ok(());
        }
        Err(ImageError::Options { image: self.recipe.name.to_string(), options: missing.join(", ") })
    }

    /// Runs the finished image's own programs: in its tree, or in the toolchain when it has none.
    fn ask(&mut self, image: &Path, toolchain: Option<&Image>) -> Result<BTreeMap<String, String>> {
        let root = image.join("root");
        let (tree, binds) = match toolchain {
            Some(toolchain) if !root.exists() => (toolchain.root(), vec![(image, "/image")]),
            _ => (root, Vec::new()),
        };
        let mut facts = BTreeMap::new();
        for Question { name, run: script, answer } in std::mem::take(&mut self.manifest.facts) {
            self.say(&format!("asking it for `{name}`"), None);
            let mut first = None;
            let command = chroot::command(&tree, &binds, &BTreeMap::new(), &script);
            let yes = run(&self.shop.children, &mut self.log, command, |line| {
                let line = line.trim();
                if first.is_none() && !line.is_empty() {
                    first = Some(line.to_owned());
                }
            })?;
            let value = match (answer, yes) {
                (true, yes) => if yes { "yes" } else { "no" }.to_owned(),
                (false, true) => first.unwrap_or_default(),
                (false, false) => return Err(self.failed(&format!("asking it for `{name}`"))),
            };
            facts.insert(name, value);
        }
        Ok(facts)
    }

    fn account(&self, debs: Vec<Deb>, source: Option<SourceFile>, facts: BTreeMap<String, String>) -> Made {
        let headline = &self.manifest.headline;
        let of_source = source.as_ref().filter(|source| source.package == headline.of).map(|source| &source.version);
        let of_package = debs.iter().map(|deb| &deb.package).find(|p| p.name == headline.of).map(|p| &p.version);
        let version = of_source.or(of_package).map_or("", |version| upstream(version));
        Made {
            image: self.recipe.name,
            digest: self.digest.clone(),
            version: format!("{} {version}", headline.name).trim_end().to_owned(),
            packages: debs.into_iter().map(|deb| deb.package).collect(),
            sources: source.into_iter().collect(),
            facts,
        }
    }

    /// Everything is on the disk before the name is there.
    fn finish(self, image: &Path, made: Made) -> Result<Image> {
        self.say("finishing", None);
        let path = image.join("made.json");
        let mut text = serde_json::to_string_pretty(&made)
            .map_err(|e| ImageError::File { path: path.clone(), source: e.into() })?;
        text.push('\n');
        let mut file = File::create(&path).map_err(ImageError::file(&path))?;
        file.write_all(text.as_bytes()).map_err(ImageError::file(&path))?;
        rustix::fs::syncfs(&file).map_err(|e| ImageError::file(&path)(e.into()))?;
        let target = self.shop.store.finished(self.recipe.name, &self.digest);
        // A folder of this name without a readable made.json is nobody's image.
        remove(&target)?;
        fs::rename(image, &target).map_err(ImageError::file(&target))?;
        let root = self.shop.store.root();
        File::open(root).and_then(|folder| folder.sync_all()).map_err(ImageError::file(root))?;
        remove(&self.making)?;
        self.say("ready", None);
        Ok(Image { name: self.recipe.name, digest: self.digest, path: target, made })
    }

    fn run(&mut self, doing: &str, command: Command, each: impl FnMut(&str)) -> Result<()> {
        if run(&self.shop.children, &mut self.log, command, each)? { Ok(()) } else { Err(self.failed(doing)) }
    }

    fn failed(&self, doing: &str) -> ImageError {
        ImageError::Build {
            image: self.recipe.name.to_string(),
            doing: doing.to_owned(),
            last: self.log.last(),
            log: self.log.path.clone(),
        }
    }
}

/// The lines of a fragment that a configuration does not have.
fn missing_options<'a>(fragment: &'a str, configuration: &str) -> Vec<&'a str> {
    let has: std::collections::HashSet<&str> = configuration.lines().map(str::trim).collect();
    let wanted = fragment.lines().map(str::trim).filter(|line| line.starts_with("CONFIG_"));
    wanted.filter(|line| !has.contains(line)).collect()
}

fn create(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|source| ImageError::Cache { path: path.to_owned(), source })
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(ImageError::file(path)(e)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn options_that_were_dropped_are_named() {
        let fragment = "# why\nCONFIG_NET=y\nCONFIG_VETH=y\n";
        assert_eq!(missing_options(fragment, "CONFIG_NET=y\n# CONFIG_VETH is not set\n"), ["CONFIG_VETH=y"]);
        assert!(missing_options(fragment, "CONFIG_VETH=y\nCONFIG_NET=y\n").is_empty());
    }

    #[test]
    fn one_waits_for_a_process_or_for_oneself() {
        assert!(waiting("17").contains("process 17"));
        assert!(waiting(&std::process::id().to_string()).contains("this run"));
    }

    proptest! {
        #[test]
        fn a_configuration_lacks_nothing_of_itself(text in "(CONFIG_[A-Z]{1,3}=[yn]\n|# x\n|\\PC)*") {
            prop_assert!(missing_options(&text, &text).is_empty());
        }
    }
}
