//! What those who write standards say of a policy today. That two gateways agree on it is another matter: group 2 works,
//! and should not be used.
//!
//! The measure is RFC 8247 for IKE, RFC 8221 for ESP, RFC 9395 for the version, and NIST SP 800-77 Rev. 1 for all three.
//! The two RFCs on algorithms speak of IKEv2; of a policy for IKEv1, which has had no such document since 2005, what they
//! say of the same algorithm is no less true.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Encryption, Group, Hash, Policy, Version};

/// From best to worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nobody advises against it.
    #[default]
    Acceptable,
    /// It is on its way out.
    Legacy,
    /// An authority forbids its use.
    Disallowed,
}

/// The level of a policy, which is that of its weakest part, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grade {
    pub level: Level,
    /// The worst first.
    pub remarks: Vec<Remark>,
}

/// What is said of one part of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    pub level: Level,
    /// The part, such as `ike group modp1024`.
    pub part: String,
    pub clause: String,
    pub sentence: String,
}

/// What is said, by whom.
type Said = (Level, &'static str, &'static str);

/// Grades all that a policy allows to be negotiated, in the version of IKE that is begun with.
pub fn grade(policy: &Policy, version: Version) -> Grade {
    let mut remarks: Vec<Remark> = Vec::new();
    let mut add = |part: String, said: Option<Said>| {
        let Some((level, clause, sentence)) = said else { return };
        let remark = Remark { level, part, clause: clause.to_owned(), sentence: sentence.to_owned() };
        // Several proposals may have it.
        if !remarks.contains(&remark) {
            remarks.push(remark);
        }
    };
    add(version.to_string(), of_version(version));
    for proposal in policy.ike.iter() {
        add(format!("ike encryption {}", proposal.encryption), in_ike(proposal.encryption));
        add(format!("ike hash {}", proposal.hash), hash_in_ike(proposal.hash));
        add(format!("ike group {}", proposal.ike_group()), of_group(proposal.ike_group()));
    }
    for proposal in policy.esp.iter() {
        add(format!("esp encryption {}", proposal.encryption), in_esp(proposal.encryption));
        add(format!("esp hash {}", proposal.hash), hash_in_esp(proposal.hash));
        if let Some(group) = proposal.group {
            add(format!("esp group {group}"), of_group(group));
        }
    }
    remarks.sort_by_key(|remark| std::cmp::Reverse(remark.level));
    Grade { level: remarks.first().map(|worst| worst.level).unwrap_or_default(), remarks }
}

fn of_version(version: Version) -> Option<Said> {
    match version {
        Version::V1 => Some((
            Level::Legacy,
            "RFC 9395 section 3",
            "IKEv1 is deprecated, its RFCs are historic, and whatever speaks it should be changed to IKEv2",
        )),
        Version::V2 => None,
    }
}

fn in_ike(encryption: Encryption) -> Option<Said> {
    match encryption {
        Encryption::TripleDes => Some((
            Level::Disallowed,
            "NIST SP 800-77 Rev. 1, SP 800-131A Rev. 2 section 2",
            "3DES is disallowed after 2023; RFC 8247 section 2.1 only says that it MAY be there",
        )),
        Encryption::Aes128 | Encryption::Aes192 | Encryption::Aes256 => None,
    }
}

fn in_esp(encryption: Encryption) -> Option<Said> {
    match encryption {
        Encryption::TripleDes => Some((
            Level::Disallowed,
            "NIST SP 800-77 Rev. 1, SP 800-131A Rev. 2 section 2",
            "3DES is disallowed after 2023; RFC 8221 section 5 says SHOULD NOT",
        )),
        Encryption::Aes128 | Encryption::Aes192 | Encryption::Aes256 => None,
    }
}

fn hash_in_ike(hash: Hash) -> Option<Said> {
    match hash {
        Hash::Md5 => Some((
            Level::Disallowed,
            "RFC 8247 sections 2.2 and 2.3",
            "HMAC-MD5 MUST NOT be used, as pseudo-random function or for integrity; NIST does not approve it",
        )),
        Hash::Sha1 => Some((
            Level::Legacy,
            "RFC 8247 sections 2.2 and 2.3",
            "HMAC-SHA-1 is MUST-: required still, and expected to be so no more",
        )),
        Hash::Sha256 | Hash::Sha384 | Hash::Sha512 => None,
    }
}

fn hash_in_esp(hash: Hash) -> Option<Said> {
    match hash {
        Hash::Md5 => {
            Some((Level::Disallowed, "RFC 8221 section 6", "HMAC-MD5-96 MUST NOT be used; NIST does not approve it"))
        }
        Hash::Sha1 => Some((
            Level::Legacy,
            "RFC 8221 section 6",
            "HMAC-SHA1-96 is MUST-: required still, and expected to be so no more",
        )),
        Hash::Sha256 | Hash::Sha384 | Hash::Sha512 => None,
    }
}

fn of_group(group: Group) -> Option<Said> {
    match group {
        Group::Modp1024 => Some((
            Level::Disallowed,
            "NIST SP 800-77 Rev. 1",
            "group 2 has less than 112 bits of security, and is thought to be breakable by a state; RFC 8247 section \
             2.4 says SHOULD NOT",
        )),
        Group::Modp1536 => Some((
            Level::Disallowed,
            "NIST SP 800-77 Rev. 1",
            "group 5 has less than 112 bits of security; RFC 8247 section 2.4 says SHOULD NOT",
        )),
        Group::Modp2048 | Group::Modp3072 | Group::Modp4096 | Group::Modp6144 | Group::Modp8192 => None,
    }
}

impl Level {
    pub fn name(self) -> &'static str {
        match self {
            Self::Acceptable => "acceptable",
            Self::Legacy => "legacy",
            Self::Disallowed => "disallowed",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.level.fmt(f)?;
        for (number, Remark { part, clause, sentence, .. }) in self.remarks.iter().enumerate() {
            let between = if number == 0 { ": " } else { "; " };
            write!(f, "{between}{part} ({clause}: {sentence})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn graded(ike: &str, esp: &str, version: Version) -> Grade {
        grade(&Policy::new(ike.parse().unwrap(), esp.parse().unwrap()), version)
    }

    #[test]
    fn a_policy_of_today_has_nothing_said_against_it() {
        let grade = graded("aes256-sha256;modp2048", "aes128-sha512;modp4096", Version::V2);
        assert_eq!((grade.to_string().as_str(), grade.remarks.len()), ("acceptable", 0));
        assert_eq!(graded("aes256-sha256;modp2048", "aes128-sha512", Version::V2).level, Level::Acceptable);
    }

    #[test]
    fn the_same_in_version_1_is_legacy() {
        let grade = graded("aes256-sha256;modp2048", "aes128-sha512;modp4096", Version::V1);
        assert_eq!(grade.level, Level::Legacy);
        assert!(grade.to_string().starts_with("legacy: IKEv1 (RFC 9395 section 3: "), "{grade}");
    }

    #[test]
    fn the_example_of_2012_is_disallowed_in_every_part() {
        let grade = graded("3des-md5;modp1536", "3des-md5", Version::V1);
        let parts: Vec<_> = grade.remarks.iter().map(|remark| (remark.level.name(), remark.part.as_str())).collect();
        let expected = [
            ("disallowed", "ike encryption 3des"),
            ("disallowed", "ike hash md5"),
            ("disallowed", "ike group modp1536"),
            ("disallowed", "esp encryption 3des"),
            ("disallowed", "esp hash md5"),
            ("legacy", "IKEv1"),
        ];
        assert_eq!(parts, expected);
    }

    #[test]
    fn a_group_that_is_not_named_is_the_one_that_is_used() {
        let grade = graded("aes128-sha256", "aes128-sha256", Version::V2);
        assert_eq!((grade.level, grade.remarks[0].part.as_str()), (Level::Disallowed, "ike group modp1536"));
    }

    #[test]
    fn the_weakest_alternative_decides_and_is_named_once() {
        let grade =
            graded("aes128-sha256;modp2048,aes256-sha256;modp1024,aes128-sha1;modp1024", "aes128-sha256", Version::V2);
        let parts: Vec<_> = grade.remarks.iter().map(|remark| remark.part.as_str()).collect();
        assert_eq!(parts, ["ike group modp1024", "ike hash sha1"]);
    }
}
