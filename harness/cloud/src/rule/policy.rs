//! Policy strings, accepted and rejected exactly as CloudStack does, oddities included.

/// The algorithms a profile knows.
pub(crate) struct Grammar {
    pub ciphers: &'static [&'static str],
    pub hashes: &'static [&'static str],
    pub groups: &'static [&'static str],
    pub ike_needs_group: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Ike,
    Esp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Accept,
    Reject,
    /// CloudStack reads an array past its end: an internal error, not a rejection.
    Crash,
}

impl Grammar {
    pub(crate) fn judge(&self, phase: Phase, text: &str) -> Answer {
        for proposal in split(text, ',') {
            if proposal.is_empty() {
                return Answer::Reject;
            }
            let parts = split(proposal, ';');
            let Some(transform) = parts.first() else { return Answer::Crash };
            let transform = split(transform, '-');
            let [cipher, hash] = transform[..] else { return Answer::Reject };
            if !self.ciphers.contains(&cipher) || !self.hashes.contains(&hash) {
                return Answer::Reject;
            }
            // CloudStack looks for the separator before it splits, and then trusts the split.
            match (proposal.contains(';'), parts.get(1)) {
                (true, Some(group)) if !self.groups.contains(group) => return Answer::Reject,
                (true, None) => return Answer::Crash,
                (false, _) if phase == Phase::Ike && self.ike_needs_group => return Answer::Reject,
                _ => {}
            }
        }
        Answer::Accept
    }
}

/// Java's `String.split`: empty parts at the end are dropped, and an empty text is one empty part.
fn split(text: &str, separator: char) -> Vec<&str> {
    if text.is_empty() {
        return vec![""];
    }
    let mut parts: Vec<_> = text.split(separator).collect();
    while parts.last().is_some_and(|part| part.is_empty()) {
        parts.pop();
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::{
        Answer::{Accept, Crash, Reject},
        *,
    };
    use crate::Profile;

    #[test]
    fn truth_table() {
        // Value; IKE and ESP in 4.0 to 4.9; IKE and ESP from 4.10.
        let table = [
            ("aes128-sha1", [Accept, Accept, Reject, Accept]),
            ("aes128-sha1;modp1536", [Accept; 4]),
            ("3des-md5;modp1024", [Accept; 4]),
            ("3des-sha1,aes256-sha1", [Accept, Accept, Reject, Accept]),
            ("3des-sha1;modp1024,aes128-sha1;modp1536", [Accept; 4]),
            ("3des-sha1,aes128-sha1;modp1536", [Accept, Accept, Reject, Accept]),
            ("aes-sha1", [Reject; 4]),
            ("des-md5", [Reject; 4]),
            ("AES128-SHA1;modp1536", [Reject; 4]),
            ("aes256-sha256;modp2048", [Reject, Reject, Accept, Accept]),
            ("aes256-sha512;modp8192", [Reject, Reject, Accept, Accept]),
            ("aes256-sha512;modp768", [Reject; 4]),
            ("aes256-sha512;ecp256", [Reject; 4]),
            ("aes128gcm16-sha256;modp2048", [Reject; 4]),
            ("aes128-sha1;", [Crash; 4]),
            ("aes128-sha1;;modp1536", [Reject; 4]),
            ("aes128-sha1;modp1536;x", [Accept; 4]),
            (";modp1536", [Reject; 4]),
            (";", [Crash; 4]),
            (",", [Accept; 4]),
            (",,,", [Accept; 4]),
            ("aes128-sha1,", [Accept, Accept, Reject, Accept]),
            (",aes128-sha1", [Reject; 4]),
            ("aes128-sha1-", [Accept, Accept, Reject, Accept]),
            ("aes128--sha1", [Reject; 4]),
            ("aes128-sha1-modp1536", [Reject; 4]),
            ("aes128-sha1; modp1536", [Reject; 4]),
            (" aes128-sha1;modp1536", [Reject; 4]),
            ("aes128-sha1;modp1536,", [Accept; 4]),
            ("", [Reject; 4]),
        ];
        let [older, newer] = Profile::ALL.map(|profile| &profile.rules().policy);
        for (text, expected) in table {
            let found = [
                older.judge(Phase::Ike, text),
                older.judge(Phase::Esp, text),
                newer.judge(Phase::Ike, text),
                newer.judge(Phase::Esp, text),
            ];
            assert_eq!(found, expected, "`{text}`");
        }
    }

    #[test]
    fn every_policy_of_a_profile_is_accepted_in_both_phases_and_can_be_told_to_a_router() {
        for profile in Profile::ALL {
            let grammar = &profile.rules().policy;
            let groups: Vec<_> = grammar.groups.iter().map(|group| format!(";{group}")).collect();
            for (cipher, hash) in grammar.ciphers.iter().flat_map(|c| grammar.hashes.iter().map(move |h| (c, h))) {
                for group in groups.iter().map(String::as_str).chain([""]) {
                    let text = format!("{cipher}-{hash}{group}");
                    let bare = group.is_empty() && grammar.ike_needs_group;
                    let ike = if bare { Reject } else { Accept };
                    assert_eq!(grammar.judge(Phase::Ike, &text), ike, "{text}");
                    assert_eq!(grammar.judge(Phase::Esp, &text), Accept, "{text}");
                    assert!(text.parse::<policy::Proposals>().is_ok(), "{text}");
                }
            }
        }
    }
}
