//! What this machine has and lacks for making images.

use std::{env, path::Path};

use serde::Serialize;

use super::{Name, Store, apt, chroot, manifest::Recipe, sources};

/// Tools of the machine that are used, with the Debian package of each.
pub(super) const TOOLS: [(&str, &str); 7] = [
    ("apt-get", "apt"),
    ("apt-config", "apt"),
    ("dpkg-deb", "dpkg"),
    ("tar", "tar"),
    ("unshare", "util-linux"),
    ("mount", "mount"),
    ("chroot", "coreutils"),
];

/// One line of `tunnelproof doctor`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    pub name: String,
    pub present: bool,
    pub detail: String,
    /// The exact thing to do when it is not present.
    pub remedy: Option<String>,
}

pub(super) fn is_here(tool: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(Into::into);
    env::split_paths(&path).chain(system).any(|folder| folder.join(tool).is_file())
}

pub(super) fn facts(store: &Store) -> Vec<Fact> {
    let fact = |name: &str, problem: Option<(String, String)>, detail: String| match problem {
        None => Fact { name: name.to_owned(), present: true, detail, remedy: None },
        Some((detail, remedy)) => Fact { name: name.to_owned(), present: false, detail, remedy: Some(remedy) },
    };
    let mut facts: Vec<Fact> = TOOLS
        .iter()
        .map(|(tool, package)| {
            let problem = (!is_here(tool)).then(|| ("not found".to_owned(), format!("apt-get install {package}")));
            fact(tool, problem, "found".to_owned())
        })
        .collect();

    let keyring = Path::new(apt::KEYRING);
    let problem =
        (!keyring.exists()).then(|| ("not found".to_owned(), "apt-get install debian-archive-keyring".to_owned()));
    facts.push(fact("Debian archive keys", problem, apt::KEYRING.to_owned()));

    let mirror = sources::mirror(Path::new("/etc/apt"));
    let remedy = "set TUNNELPROOF_MIRROR to the address of a Debian archive".to_owned();
    let problem = mirror.as_ref().err().map(|e| (e.to_string(), remedy));
    facts.push(fact("Debian mirror", problem, mirror.unwrap_or_default()));

    let problem = chroot::probe().err().map(|error| match error {
        super::ImageError::Namespaces { detail, remedy } => (detail, remedy),
        other => (other.to_string(), "apt-get install util-linux".to_owned()),
    });
    facts.push(fact("namespaces for building", problem, "allowed".to_owned()));

    let missing: Vec<Name> = Name::ALL.into_iter().filter(|name| store.lookup(*name).is_none()).collect();
    let (needed, free) = (store.megabytes(&missing).unwrap_or(0), store.free_megabytes().unwrap_or(0));
    let place = store.root().display();
    let remedy = "set TUNNELPROOF_CACHE to a folder on a larger disk".to_owned();
    let problem = (free < needed).then(|| (format!("{free} MB free in {place}, {needed} MB needed"), remedy));
    facts.push(fact("room for images", problem, format!("{free} MB free in {place}, {needed} MB needed")));

    for name in Name::ALL {
        let image = store.lookup(name);
        let about = Recipe::of(name).manifest().map_or(String::new(), |manifest| manifest.about);
        let missing = (format!("not made yet: {about}"), "tunnelproof setup".to_owned());
        let detail = image.as_ref().map_or(String::new(), |i| format!("{} in {}", i.made.version, i.path.display()));
        facts.push(fact(&format!("image {name}"), image.is_none().then_some(missing), detail));
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_absent_thing_has_a_remedy() {
        let store = Store::open(env::temp_dir().join(format!("tunnelproof-none-{}", std::process::id())));
        let facts = facts(&store);
        assert!(facts.iter().all(|fact| fact.present == fact.remedy.is_none()), "{facts:?}");
        assert!(facts.iter().any(|fact| fact.name == "image kernel" && !fact.present));
        assert!(is_here("sh") && !is_here("no such tool"));
    }
}
