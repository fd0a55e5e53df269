//! Which Debian mirror this machine uses: apt's own source lists, in both of their formats.

use std::{fs, path::Path};

use super::{ImageError, Result};

/// Suites and codenames of the Debian archive (a third party may use the same words, hence [`Entry::rank`]).
const SUITES: [&str; 14] = [
    "stretch",
    "buster",
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "duke",
    "sid",
    "oldoldstable",
    "oldstable",
    "stable",
    "testing",
    "unstable",
    "experimental",
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub uri: String,
    pub suites: Vec<String>,
    pub components: Vec<String>,
    pub signed_by: String,
}

/// The machine's mirror: `TUNNELPROOF_MIRROR`, else the best entry of apt's lists.
pub(super) fn mirror(etc_apt: &Path) -> Result<String> {
    if let Some(mirror) = std::env::var("TUNNELPROOF_MIRROR").ok().filter(|m| !m.is_empty()) {
        return Ok(mirror.trim_end_matches('/').to_owned());
    }
    let mut entries = Vec::new();
    if let Ok(text) = fs::read_to_string(etc_apt.join("sources.list")) {
        entries.extend(one_line(&text));
    }
    let parts = etc_apt.join("sources.list.d");
    let mut files: Vec<_> = fs::read_dir(&parts).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.sort();
    for file in files {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("list") => entries.extend(one_line(&text)),
            Some("sources") => entries.extend(deb822(&text)),
            _ => {}
        }
    }
    choose(&entries).ok_or_else(|| ImageError::NoMirror {
        looked_at: format!("{} and {}", etc_apt.join("sources.list").display(), parts.display()),
    })
}

fn choose(entries: &[Entry]) -> Option<String> {
    let mut best: Option<(u8, &Entry)> = None;
    for entry in entries {
        let rank = entry.rank();
        if rank > 0 && best.is_none_or(|(other, _)| rank > other) {
            best = Some((rank, entry));
        }
    }
    best.map(|(_, entry)| entry.uri.trim_end_matches('/').to_owned())
}

impl Entry {
    /// 0: not the Debian archive; more: more certainly.
    fn rank(&self) -> u8 {
        let debian = self.suites.iter().any(|suite| {
            let name = suite.split_once('-').map_or(suite.as_str(), |(name, _)| name);
            SUITES.contains(&name) && !suite.contains("security") && suite.matches('-').count() <= 1
        });
        let fits = debian
            && self.components.iter().any(|component| component == "main")
            && !self.uri.starts_with("cdrom:")
            && !self.uri.contains("debian-security");
        if !fits {
            return 0;
        }
        let path = self.uri.trim_end_matches('/');
        1 + u8::from(path.ends_with("/debian") || path.ends_with("/debian.list"))
            + 2 * u8::from(self.signed_by.contains("debian-archive"))
    }
}

/// `deb [ option=value ] uri suite component ...`
fn one_line(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let Some(mut rest) = line.strip_prefix("deb").filter(|rest| rest.starts_with([' ', '\t'])).map(str::trim)
        else {
            continue;
        };
        let mut signed_by = String::new();
        if let Some(options) = rest.strip_prefix('[') {
            let Some((options, after)) = options.split_once(']') else { continue };
            for option in options.split_whitespace() {
                if let Some(value) = option.strip_prefix("signed-by=") {
                    value.clone_into(&mut signed_by);
                }
            }
            rest = after;
        }
        let mut words = rest.split_whitespace().map(str::to_owned);
        let (Some(uri), Some(suite)) = (words.next(), words.next()) else { continue };
        entries.push(Entry { uri, suites: vec![suite], components: words.collect(), signed_by });
    }
    entries
}

/// deb822(5) stanzas: `Types:`, `URIs:`, `Suites:`, `Components:`, `Signed-By:`, `Enabled:`.
fn deb822(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut stanza: Vec<(String, String)> = Vec::new();
    for line in text.lines().chain([""]) {
        if line.trim().is_empty() {
            entries.extend(entry(&stanza));
            stanza.clear();
        } else if line.starts_with('#') {
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = stanza.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((field, value)) = line.split_once(':') {
            stanza.push((field.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    entries
}

fn entry(stanza: &[(String, String)]) -> Vec<Entry> {
    let field = |name: &str| stanza.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value.as_str());
    let words = |name: &str| field(name).split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    if !words("types").iter().any(|word| word == "deb") || matches!(field("enabled"), "no" | "false" | "0") {
        return Vec::new();
    }
    let (suites, components) = (words("suites"), words("components"));
    let signed_by = field("signed-by");
    let of =
        |uri| Entry { uri, suites: suites.clone(), components: components.clone(), signed_by: signed_by.to_owned() };
    words("uris").into_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_one_line_format_is_read() {
        let text = "# a comment\n\ndeb [arch=amd64 signed-by=/k/debian-archive-keyring.gpg] http://mirror.example/debian \
                    bookworm main contrib # why not\ndeb-src http://other.example/debian bookworm main\ndebug x y\n";
        let entries = one_line(text);
        assert_eq!(
            entries,
            [Entry {
                uri: "http://mirror.example/debian".to_owned(),
                suites: vec!["bookworm".to_owned()],
                components: vec!["main".to_owned(), "contrib".to_owned()],
                signed_by: "/k/debian-archive-keyring.gpg".to_owned(),
            }]
        );
    }

    #[test]
    fn the_deb822_format_is_read() {
        let text = "Types: deb deb-src\n# http://comment.example/\nURIs: http://a.example/debian\n http://b.example/debian\n\
                    Suites: trixie trixie-updates\nComponents: main\n\nTypes: deb\nEnabled: no\n\
                    URIs: http://off.example/debian\nSuites: trixie\nComponents: main\n";
        let entries = deb822(text);
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[1].uri, "http://b.example/debian");
        assert_eq!(entries[0].suites, ["trixie", "trixie-updates"]);
    }

    #[test]
    fn the_archive_is_preferred_to_security_and_third_parties() {
        let text = "deb https://vendor.example/debian/12/prod bookworm main\n\
                    deb http://s.example/debian-security bookworm-security main\n\
                    deb https://cloud.example/apt cloud-sdk-bookworm main\n\
                    deb http://m.example/debian/ bookworm main\n";
        assert_eq!(choose(&one_line(text)).unwrap(), "http://m.example/debian");
        assert_eq!(choose(&one_line("deb http://u.example/ubuntu noble main")), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(deb|Types|URIs|\\[|\\]|:| |\n|#|[a-z/])*", other in "\\PC*") {
            for text in [text, other] {
                let _ = choose(&one_line(&text));
                let _ = choose(&deb822(&text));
            }
        }
    }
}
