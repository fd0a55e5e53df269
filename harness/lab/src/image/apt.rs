//! apt with a private state: the machine's mirror and proxy, Debian's keys, and nothing else of the machine's.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};

use super::{
    ImageError, Package, Result, SourceFile,
    child::{Children, Log, run},
    digest,
    manifest::{Source, SourceKind, matches},
    sources,
};

pub(super) const HELPER: &str = "/usr/lib/apt/apt-helper";
pub(super) const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Told of a download: what, bytes so far, bytes in all.
pub(super) type Tell<'a> = &'a dyn Fn(&str, Option<(u64, u64)>);

#[derive(Debug)]
pub(super) struct Apt {
    downloads: PathBuf,
    mirror: String,
    /// The machine's own `Acquire` settings that concern the network.
    acquire: String,
    /// Lists that were brought up to date by this value.
    updated: Mutex<HashSet<String>>,
}

/// A package whose file is in the archive cache.
#[derive(Debug, Clone)]
pub(super) struct Deb {
    pub package: Package,
    pub path: PathBuf,
}

#[derive(Debug)]
pub(super) struct Fetched {
    pub source: SourceFile,
    pub path: PathBuf,
}

/// One line of `--print-uris`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Offer {
    uri: String,
    file: String,
    size: u64,
    sha256: String,
}

#[derive(Debug, Clone, Copy)]
enum Lists {
    Packages,
    Sources,
}

/// Where and for whom one image's packages are fetched.
pub(super) struct Errand<'a> {
    pub image: &'a str,
    pub children: &'a Children,
    pub log: &'a mut Log,
    pub tell: Tell<'a>,
}

impl Apt {
    pub fn new(downloads: PathBuf) -> Result<Self> {
        if !Path::new(KEYRING).exists() {
            return Err(ImageError::NoKeyring { path: KEYRING.into() });
        }
        let dump = Command::new("apt-config")
            .args(["dump", "Acquire"])
            .output()
            .map_err(|_| ImageError::Tool { tool: "apt-config", package: "apt" })?;
        Ok(Self {
            downloads,
            mirror: sources::mirror(Path::new("/etc/apt"))?,
            acquire: network_settings(&String::from_utf8_lossy(&dump.stdout)),
            updated: Mutex::default(),
        })
    }

    /// The packages and all they depend on, from these suites.
    pub fn packages(&self, errand: &mut Errand<'_>, suites: &[String], names: &[String]) -> Result<Vec<Deb>> {
        let configuration = self.lists(errand, suites, Lists::Packages)?;
        // From an archive folder that is always empty, so that every package is listed.
        let empty = self.downloads.join("empty");
        folder(&empty.join("partial"))?;
        let mut command = apt_get(&configuration, &["install", "-y", "--print-uris"]);
        command.arg("-o").arg(format!("Dir::Cache::archives={}", empty.display())).args(names);
        let offers = self.offers(errand, "resolving packages", command)?;

        let archives = self.downloads.join("archives");
        let missing: u64 =
            offers.iter().filter(|offer| !archives.join(&offer.file).exists()).map(|offer| offer.size).sum();
        if missing > 0 {
            let mut command =
                apt_get(&configuration, &["install", "-y", "--download-only", "-qq", "-o", "APT::Status-Fd=1"]);
            command.args(names);
            fetch(errand, "downloading packages", command, missing)?;
        }
        let mut debs = Vec::new();
        for offer in offers {
            let path = archives.join(&offer.file);
            verify(&path, &offer.sha256)?;
            let (name, version) = name_and_version(&offer.file);
            debs.push(Deb { package: Package { name, version, sha256: offer.sha256 }, path });
        }
        Ok(debs)
    }

    /// The file that holds the sources: a package, or the upstream archive of a source package.
    pub fn source(&self, errand: &mut Errand<'_>, suites: &[String], source: &Source) -> Result<Fetched> {
        let (lists, arguments) = match source.kind {
            SourceKind::Package => (Lists::Packages, ["download", "--print-uris"]),
            SourceKind::Archive => (Lists::Sources, ["source", "--print-uris"]),
        };
        let configuration = self.lists(errand, suites, lists)?;
        let mut command = apt_get(&configuration, &arguments);
        command.arg(&source.name);
        let offers = self.offers(errand, "resolving the source", command)?;
        let described = match source.kind {
            SourceKind::Package => offers.first(),
            SourceKind::Archive => offers.iter().find(|offer| offer.file.ends_with(".dsc")),
        };
        let version = described.map_or(String::new(), |o| name_and_version(o.file.trim_end_matches(".dsc")).1);
        let wanted = match source.kind {
            SourceKind::Package => described,
            SourceKind::Archive => offers.iter().find(|offer| matches(&source.file, &offer.file)),
        };
        let Some(offer) = wanted.filter(|_| matches(&source.version, &version)) else {
            let found = if version.is_empty() { "none".to_owned() } else { version };
            let (package, wanted) = (source.name.clone(), source.version.clone());
            return Err(ImageError::Version { package, wanted, found });
        };

        let folder_of_sources = self.downloads.join("sources");
        folder(&folder_of_sources)?;
        let path = folder_of_sources.join(&offer.file);
        if !path.exists() {
            let part = folder_of_sources.join(format!("{}.part", offer.file));
            let mut command = Command::new(HELPER);
            command.env("APT_CONFIG", &configuration).args(["-o", "APT::Status-Fd=1", "download-file", &offer.uri]);
            command.arg(&part).arg(format!("SHA256:{}", offer.sha256));
            fetch(errand, "downloading the source", command, offer.size)?;
            fs::rename(&part, &path).map_err(ImageError::file(&part))?;
        }
        verify(&path, &offer.sha256)?;
        let source = SourceFile {
            package: source.name.clone(),
            version,
            file: offer.file.clone(),
            sha256: offer.sha256.clone(),
        };
        Ok(Fetched { source, path })
    }

    /// Brings the lists up to date once, and returns the configuration that reads them.
    fn lists(&self, errand: &mut Errand<'_>, suites: &[String], lists: Lists) -> Result<PathBuf> {
        let kind = match lists {
            Lists::Packages => "deb",
            Lists::Sources => "deb-src",
        };
        let key = format!("{kind}-{}", suites.join("-"));
        let state = self.downloads.join(&key);
        let configuration = state.join("apt.conf");
        let mut updated = self.updated.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if updated.contains(&key) {
            return Ok(configuration);
        }
        let archives = self.downloads.join("archives");
        for path in [state.join("lists/partial"), state.join("cache"), archives.join("partial")] {
            folder(&path)?;
        }
        let sources: String =
            suites.iter().map(|suite| format!("{kind} [signed-by={KEYRING}] {} {suite} main\n", self.mirror)).collect();
        write(&state.join("status"), "")?;
        write(&state.join("sources.list"), &sources)?;
        write(&configuration, &self.configuration(&state, &archives))?;
        (errand.tell)("reading the package lists", None);
        let mut command = apt_get(&configuration, &["update", "-q"]);
        command.args(["-o", "APT::Update::Error-Mode=any"]);
        if !run(errand.children, errand.log, command, |_| ())? {
            return Err(network(errand, "reading the package lists"));
        }
        updated.insert(key);
        Ok(configuration)
    }

    fn configuration(&self, state: &Path, archives: &Path) -> String {
        let (state, archives) = (state.display(), archives.display());
        format!(
            "Dir::State \"{state}\";\nDir::State::status \"{state}/status\";\nDir::State::lists \"{state}/lists\";\n\
             Dir::Cache \"{state}/cache\";\nDir::Cache::archives \"{archives}\";\n\
             Dir::Etc::main \"/dev/null\";\nDir::Etc::parts \"/dev/null\";\nDir::Etc::preferences \"/dev/null\";\n\
             Dir::Etc::preferencesparts \"/dev/null\";\nDir::Etc::sourcelist \"{state}/sources.list\";\n\
             Dir::Etc::sourceparts \"/dev/null\";\nAPT::Sandbox::User \"\";\nAPT::Install-Recommends \"false\";\n\
             Acquire::Languages \"none\";\nAcquire::ForceHash \"SHA256\";\n{}",
            self.acquire
        )
    }

    fn offers(&self, errand: &mut Errand<'_>, doing: &str, command: Command) -> Result<Vec<Offer>> {
        let mut offers = Vec::new();
        if run(errand.children, errand.log, command, |line| offers.extend(offer(line)))? {
            Ok(offers)
        } else {
            Err(network(errand, doing))
        }
    }
}

fn apt_get(configuration: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.env("APT_CONFIG", configuration).env("LC_ALL", "C").args(arguments);
    command
}

fn fetch(errand: &mut Errand<'_>, doing: &str, command: Command, total: u64) -> Result<()> {
    let tell = errand.tell;
    tell(doing, Some((0, total)));
    let done = run(errand.children, errand.log, command, |line| {
        if let Some(percent) = download_percent(line) {
            tell(doing, Some(((total as f64 * percent / 100.0) as u64, total)));
        }
    })?;
    if done { Ok(()) } else { Err(network(errand, doing)) }
}

fn network(errand: &Errand<'_>, doing: &str) -> ImageError {
    ImageError::Network {
        image: errand.image.to_owned(),
        doing: doing.to_owned(),
        last: errand.log.last(),
        log: errand.log.path.clone(),
    }
}

fn verify(path: &Path, expected: &str) -> Result<()> {
    let found = digest::of_file(path)?;
    if found == expected {
        return Ok(());
    }
    Err(ImageError::Digest { file: path.display().to_string(), found, expected: expected.to_owned() })
}

fn folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|source| ImageError::Cache { path: path.to_owned(), source })
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|source| ImageError::Cache { path: path.to_owned(), source })
}

/// `'http://...' file 1234 SHA256:...`
fn offer(line: &str) -> Option<Offer> {
    let (uri, rest) = line.strip_prefix('\'')?.split_once("' ")?;
    let mut words = rest.split_whitespace();
    let (file, size) = (words.next()?, words.next()?.parse().ok()?);
    let sha256 = words.next()?.strip_prefix("SHA256:")?.to_owned();
    // The name is joined to folders of ours.
    (!file.contains('/')).then(|| Offer { uri: uri.to_owned(), file: file.to_owned(), size, sha256 })
}

/// `dlstatus:<item>:<percent>:<what>`
fn download_percent(line: &str) -> Option<f64> {
    let percent: f64 = line.strip_prefix("dlstatus:")?.split(':').nth(1)?.parse().ok()?;
    percent.is_finite().then(|| percent.clamp(0.0, 100.0))
}

/// `name_epoch%3aversion_arch.deb`
fn name_and_version(file: &str) -> (String, String) {
    let mut parts = file.split('_');
    let name = parts.next().unwrap_or_default();
    (name.to_owned(), parts.next().unwrap_or_default().replace("%3a", ":"))
}

/// The lines of `apt-config dump Acquire` that say how the network is reached: proxies, time-outs, expiry checks.
fn network_settings(dump: &str) -> String {
    const KEPT: [&str; 10] = [
        "http",
        "https",
        "ftp",
        "tor",
        "retries",
        "forceipv4",
        "forceipv6",
        "check-valid-until",
        "check-date",
        "max-validtime",
    ];
    let kept = |line: &&str| {
        line.split([' ', ';']).next().is_some_and(|key| {
            let mut parts = key.split("::").map(str::to_ascii_lowercase);
            parts.next().as_deref() == Some("acquire") && parts.next().is_some_and(|part| KEPT.contains(&part.as_str()))
        })
    };
    dump.lines().filter(kept).map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn offers_are_read_from_what_apt_prints() {
        let line = "'http://m.example/debian/pool/main/d/dash/dash_0.5.12-12_amd64.deb' dash_0.5.12-12_amd64.deb 98504 \
                    SHA256:a8902c";
        let read = offer(line).unwrap();
        assert_eq!(
            (read.file.as_str(), read.size, read.sha256.as_str()),
            ("dash_0.5.12-12_amd64.deb", 98504, "a8902c")
        );
        assert_eq!(offer("'http://m.example/x' ../x 1 SHA256:a"), None);
        assert_eq!(offer("Need to get 4151 kB of source archives."), None);
    }

    #[test]
    fn file_names_tell_name_and_version() {
        let (name, version) = name_and_version("libnss3_2%3a3.110-1+deb13u5_amd64.deb");
        assert_eq!((name.as_str(), version.as_str()), ("libnss3", "2:3.110-1+deb13u5"));
    }

    #[test]
    fn only_settings_of_the_network_are_taken_over() {
        let dump = "Acquire \"\";\nAcquire::http::Proxy \"http://p.example:3128\";\nAcquire::IndexTargets \"\";\n\
                    Acquire::Check-Valid-Until \"false\";\nAPT::Foo \"1\";\n";
        let kept = "Acquire::http::Proxy \"http://p.example:3128\";\nAcquire::Check-Valid-Until \"false\";\n";
        assert_eq!(network_settings(dump), kept);
    }

    proptest! {
        #[test]
        fn no_line_panics(line in "('|dlstatus:|SHA256:|:| |_|%3a|[0-9.a-z])*", other in "\\PC*") {
            for line in [line.as_str(), &other] {
                let _ = (offer(line), name_and_version(line), network_settings(line));
                prop_assert!(download_percent(line).is_none_or(|percent| (0.0..=100.0).contains(&percent)));
            }
        }
    }
}
