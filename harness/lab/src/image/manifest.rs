//! Recipes: `images/<name>/image.toml`, compiled in, parsed strictly.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{ImageError, Name, Result, digest};

/// The texts an image is made by.
pub(super) struct Recipe {
    pub name: Name,
    pub manifest: &'static str,
    /// Files the manifest speaks of, by name.
    pub texts: &'static [(&'static str, &'static str)],
}

macro_rules! folder {
    ($file:literal) => {
        include_str!(concat!("../../../../images/", $file))
    };
}

const BASE: &str = folder!("base.toml");

const RECIPES: [Recipe; 5] = [
    Recipe { name: Name::Toolchain, manifest: folder!("toolchain/image.toml"), texts: &[] },
    Recipe {
        name: Name::Kernel,
        manifest: folder!("kernel/image.toml"),
        texts: &[("config.fragment", folder!("kernel/config.fragment"))],
    },
    Recipe { name: Name::Libreswan, manifest: folder!("libreswan/image.toml"), texts: &[] },
    Recipe { name: Name::Strongswan, manifest: folder!("strongswan/image.toml"), texts: &[] },
    Recipe { name: Name::Strongswan59, manifest: folder!("strongswan-5.9/image.toml"), texts: &[] },
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Manifest {
    pub name: Name,
    pub about: String,
    /// Debian suites; packages are taken from all of them, sources from the first.
    pub suites: Vec<String>,
    /// Room needed while it is made.
    pub megabytes: u64,
    pub headline: Headline,
    pub builds_with: Option<Name>,
    pub tree: Option<Tree>,
    pub source: Option<Source>,
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    #[serde(default)]
    pub steps: Vec<Step>,
    #[serde(default)]
    pub facts: Vec<Question>,
}

/// The version that reports show: the upstream part of one package's version.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Headline {
    pub name: String,
    pub of: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Tree {
    /// Their dependencies come with them.
    pub packages: Vec<String>,
    /// Dependencies that are not unpacked.
    #[serde(default)]
    pub leave_out: Vec<String>,
    /// Paths that are not unpacked.
    #[serde(default)]
    pub strip: Vec<String>,
    #[serde(default)]
    pub layout: Layout,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Layout {
    #[serde(default)]
    pub directories: Vec<String>,
    #[serde(default)]
    pub links: Vec<Link>,
    #[serde(default)]
    pub files: Vec<TextFile>,
    #[serde(default)]
    pub strip: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Link {
    pub path: String,
    pub to: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TextFile {
    pub path: String,
    pub text: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Source {
    pub kind: SourceKind,
    pub name: String,
    /// What is known to build: `7.2.*`.
    pub version: String,
    /// The archive: a path in the package, or a pattern among the source package's files.
    pub file: String,
    #[serde(default)]
    pub leave_out: Vec<String>,
    /// Whether an interrupted build can go on where it stopped.
    #[serde(default)]
    pub resumes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SourceKind {
    /// A binary package that contains the archive.
    Package,
    /// The upstream archive of a source package.
    Archive,
}

/// One shell command in the toolchain: sources at /src, the image's folder at /image, `$JOBS` processors.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    pub says: String,
    pub run: String,
    /// How many lines it prints, for progress.
    pub lines: Option<u64>,
    pub fragment: Option<Fragment>,
}

/// A kernel configuration to write before a step, and to find in its result after it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fragment {
    pub text: String,
    pub path: String,
    pub result: String,
}

/// A command whose first line of output is worth remembering, run in the finished tree.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    pub name: String,
    pub run: String,
    /// Whether its exit status is the answer, yes or no; otherwise it has to succeed.
    #[serde(default)]
    pub answer: bool,
}

impl Recipe {
    pub fn of(name: Name) -> &'static Self {
        let index = match name {
            Name::Toolchain => 0,
            Name::Kernel => 1,
            Name::Libreswan => 2,
            Name::Strongswan => 3,
            Name::Strongswan59 => 4,
        };
        &RECIPES[index]
    }

    pub fn manifest(&self) -> Result<Manifest> {
        let file = format!("images/{}/image.toml", self.name);
        let manifest = parse::<Manifest>(&file, self.manifest)?;
        let wrong = |reason: String| Err(ImageError::Recipe { file: file.clone(), reason });
        if manifest.name != self.name {
            return wrong(format!("it is called `{}`", manifest.name));
        }
        if manifest.suites.is_empty() {
            return wrong("no suite is named".to_owned());
        }
        if manifest.builds_with.is_none() && !manifest.steps.is_empty() {
            return wrong("steps need `builds-with`".to_owned());
        }
        if let Some(text) = manifest
            .steps
            .iter()
            .filter_map(|step| step.fragment.as_ref())
            .map(|f| &f.text)
            .find(|t| self.text(t).is_none())
        {
            return wrong(format!("there is no file `{text}` beside it"));
        }
        Ok(manifest)
    }

    pub fn text(&self, name: &str) -> Option<&'static str> {
        self.texts.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }

    /// Changes whenever anything the image is made by changes, the image it is built with included.
    pub fn digest(&self) -> Result<String> {
        let with = match self.manifest()?.builds_with {
            Some(name) => Self::of(name).digest()?,
            None => String::new(),
        };
        let texts = self.texts.iter().flat_map(|(name, text)| [*name, *text]);
        let whole = digest::of_parts([BASE, self.manifest, &with].into_iter().chain(texts));
        Ok(whole[..16].to_owned())
    }
}

/// What every tree has.
pub(super) fn base() -> Result<Layout> {
    parse("images/base.toml", BASE)
}

fn parse<T: for<'de> Deserialize<'de>>(file: &str, text: &str) -> Result<T> {
    toml::from_str(text).map_err(|e| ImageError::Recipe { file: file.to_owned(), reason: e.to_string() })
}

/// `1:2.3+dfsg-4~bpo13+1` is upstream's 2.3 (Debian Policy 5.6.12: epoch, upstream version, revision).
pub(super) fn upstream(version: &str) -> &str {
    let version = version.split_once(':').map_or(version, |(_, rest)| rest);
    let version = version.rsplit_once('-').map_or(version, |(upstream, _)| upstream);
    version.split(['+', '~']).next().unwrap_or(version)
}

/// A pattern in which one `*` stands for any text.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, end)) => text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_recipe_parses_and_has_a_digest_of_its_own() {
        let mut digests = Vec::new();
        for name in Name::ALL {
            let recipe = Recipe::of(name);
            assert_eq!(recipe.name, name);
            let manifest = recipe.manifest().unwrap();
            assert!(!manifest.about.is_empty());
            let digest = recipe.digest().unwrap();
            assert_eq!(digest, recipe.digest().unwrap());
            assert!(digest.len() == 16 && digest.bytes().all(|b| b.is_ascii_hexdigit()), "{digest}");
            assert!(!digests.contains(&digest));
            digests.push(digest);
        }
        assert!(base().unwrap().links.iter().any(|link| link.path == "/lib64"));
    }

    #[test]
    fn a_digest_follows_the_texts_and_the_image_it_is_built_with() {
        let original = Recipe::of(Name::Kernel);
        let changed = Recipe { texts: &[("config.fragment", "CONFIG_64BIT=y\n")], ..*original };
        assert_ne!(original.digest().unwrap(), changed.digest().unwrap());
        let alone = digest::of_parts([BASE, original.manifest]);
        assert_ne!(original.digest().unwrap(), alone[..16]);
    }

    #[test]
    fn an_unknown_field_is_an_error_that_names_it() {
        let recipe = Recipe {
            name: Name::Kernel,
            manifest: "name = \"kernel\"\nabout = \"\"\nsuites = [\"trixie\"]\nmegabytes = 1\nsuit = 3\n\
                       headline = { name = \"Linux\", of = \"linux\" }\n",
            texts: &[],
        };
        let error = recipe.manifest().unwrap_err().to_string();
        assert!(error.contains("images/kernel/image.toml") && error.contains("suit"), "{error}");
    }

    #[test]
    fn upstream_versions_are_what_people_say() {
        assert_eq!(upstream("6.0.1-6+deb13u7"), "6.0.1");
        assert_eq!(upstream("7.2.12-1~bpo13+1"), "7.2.12");
        assert_eq!(upstream("2:6.3.0+dfsg-3"), "6.3.0");
        assert_eq!(upstream("5.2"), "5.2");
    }

    proptest! {
        #[test]
        fn a_pattern_matches_what_its_star_was_replaced_by(start in "[a-z.]*", middle in "[a-z*]*", end in "[a-z.]*") {
            let pattern = format!("{start}*{end}");
            let text = format!("{start}{middle}{end}");
            prop_assert!(matches(&pattern, &text));
        }

        #[test]
        fn no_version_and_no_pattern_panics(a in ".*", b in ".*") {
            let _ = (upstream(&a), matches(&a, &b));
        }
    }
}
