//! The codes of findings; docs/findings.md explains them to readers of a report.

use std::fmt;

use super::Finding;

/// What a finding says, under a name that does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    ClearText,
    UnknownSpi,
    PacketAfterDelete,
    WrongIntegrity,
    BadPadding,
    ReplayedSequence,
    ReorderedSequence,
    InnerOutsideSelectors,
    UnknownProbe,
    RewrittenProbe,
    ProbeNotSent,
    ProbeNotProtected,
    ProbeLost,
    ProbeDuplicated,
    AggressiveMode,
    AmbiguousAnswer,
    WrongTransform,
    WrongGroup,
    PfsMissing,
    PfsNotDemanded,
    WrongSelectors,
    WrongHash,
    KeysDiffer,
    SaNotInstalled,
    SaNotNegotiated,
    ForeignIsakmp,
    IncompleteMessage,
    IpFragment,
    MalformedPacket,
    TruncatedFrame,
    UnexplainedFrame,
    UnusableKeys,
}

impl Code {
    pub const ALL: [Self; 32] = [
        Self::ClearText,
        Self::UnknownSpi,
        Self::PacketAfterDelete,
        Self::WrongIntegrity,
        Self::BadPadding,
        Self::ReplayedSequence,
        Self::ReorderedSequence,
        Self::InnerOutsideSelectors,
        Self::UnknownProbe,
        Self::RewrittenProbe,
        Self::ProbeNotSent,
        Self::ProbeNotProtected,
        Self::ProbeLost,
        Self::ProbeDuplicated,
        Self::AggressiveMode,
        Self::AmbiguousAnswer,
        Self::WrongTransform,
        Self::WrongGroup,
        Self::PfsMissing,
        Self::PfsNotDemanded,
        Self::WrongSelectors,
        Self::WrongHash,
        Self::KeysDiffer,
        Self::SaNotInstalled,
        Self::SaNotNegotiated,
        Self::ForeignIsakmp,
        Self::IncompleteMessage,
        Self::IpFragment,
        Self::MalformedPacket,
        Self::TruncatedFrame,
        Self::UnexplainedFrame,
        Self::UnusableKeys,
    ];

    /// A finding with this code; of the frames, the one that refutes first.
    pub fn finding(self, frames: impl IntoIterator<Item = u64>, observed: impl Into<String>) -> Finding {
        let Rule { name, requirement, expected } = self.rule();
        Finding {
            code: name.to_owned(),
            requirement: requirement.to_owned(),
            expected: expected.to_owned(),
            frames: frames.into_iter().collect(),
            more: 0,
            observed: observed.into(),
        }
    }

    /// The name in [`Finding::code`].
    pub fn name(self) -> &'static str {
        self.rule().name
    }

    fn rule(self) -> Rule {
        let rule = |name, requirement, expected| Rule { name, requirement, expected };
        match self {
            Self::ClearText => rule(
                "clear-text",
                "RFC 4301 section 5.1",
                "no packet between the protected networks in clear on the internet",
            ),
            Self::UnknownSpi => {
                rule("unknown-spi", "RFC 4303 section 2.1", "each ESP packet belongs to an SA that a kernel held")
            }
            Self::PacketAfterDelete => rule(
                "packet-after-delete",
                "RFC 4301 section 4.4.2",
                "no packet of an SA that no kernel holds any more",
            ),
            Self::WrongIntegrity => rule(
                "wrong-integrity",
                "RFC 4303 section 3.4.4.1",
                "an integrity check value of these bytes and this key",
            ),
            Self::BadPadding => {
                rule("bad-padding", "RFC 4303 section 2.4", "whole blocks, padded with 1, 2, 3 and so on")
            }
            Self::ReplayedSequence => {
                rule("replayed-sequence", "RFC 4303 section 3.4.3", "each sequence number once, and none that is 0")
            }
            Self::ReorderedSequence => {
                rule("reordered-sequence", "RFC 4303 section 3.4.3", "sequence numbers that grow")
            }
            Self::InnerOutsideSelectors => {
                rule("inner-outside-selectors", "RFC 4301 section 5.2", "an IPv4 packet between the protected networks")
            }
            Self::UnknownProbe => rule("unknown-probe", "the laboratory", "probes that a guest was asked to send"),
            Self::RewrittenProbe => {
                rule("rewritten-probe", "RFC 4301 section 5.1.2", "the addresses that the probe was sent with")
            }
            Self::ProbeNotSent => rule("probe-not-sent", "the laboratory", "the probe in clear where it is sent"),
            Self::ProbeNotProtected => rule(
                "probe-not-protected",
                "RFC 4301 section 5.1",
                "the probe in ESP at each internet point on its way",
            ),
            Self::ProbeLost => rule("probe-lost", "RFC 4301 section 5.2", "the probe in clear where it is to arrive"),
            Self::ProbeDuplicated => {
                rule("probe-duplicated", "RFC 4303 section 3.4.3", "the probe once at each stage of its way")
            }
            Self::AggressiveMode => {
                rule("aggressive-mode", "RFC 2409 section 5.4", "main mode, which hides identities")
            }
            Self::AmbiguousAnswer => {
                rule("ambiguous-answer", "RFC 2408 section 4.2", "an answer that chooses one proposal and nothing else")
            }
            Self::WrongTransform => {
                rule("wrong-transform", "RFC 2409 sections 5 and 5.5", "the transform that the policy demands")
            }
            Self::WrongGroup => {
                rule("wrong-group", "RFC 2409 sections 5 and 6", "key exchange in the group that the policy demands")
            }
            Self::PfsMissing => rule(
                "pfs-missing",
                "RFC 2409 section 5.5",
                "a key exchange in each Quick Mode, since perfect forward secrecy is demanded",
            ),
            Self::PfsNotDemanded => rule(
                "pfs-not-demanded",
                "RFC 2409 section 5.5",
                "no key exchange in Quick Mode, since perfect forward secrecy is not demanded",
            ),
            Self::WrongSelectors => rule(
                "wrong-selectors",
                "RFC 2407 section 4.6.2, RFC 2409 section 5.5",
                "client identities that are networks of the two sides",
            ),
            Self::WrongHash => {
                rule("wrong-hash", "RFC 2409 sections 5.5 and 5.7", "a HASH payload of these bytes and this key")
            }
            Self::KeysDiffer => {
                rule("keys-differ", "RFC 2409 section 5.5", "kernels that use the keys which the Quick Mode leads to")
            }
            Self::SaNotInstalled => rule(
                "sa-not-installed",
                "RFC 2409 section 5.5",
                "an SA in a kernel for each SPI that a Quick Mode agreed on",
            ),
            Self::SaNotNegotiated => {
                rule("sa-not-negotiated", "RFC 4301 section 4.4.2", "a Quick Mode for each SA in a kernel")
            }
            Self::ForeignIsakmp => rule("foreign-isakmp", "RFC 2409 section 5", "IKE between the gateways only"),
            Self::IncompleteMessage => rule(
                "incomplete-message",
                "[MS-IKEE] section 2.2.3.1",
                "all pieces of each message of IKE that comes in pieces",
            ),
            Self::IpFragment => rule("ip-fragment", "RFC 4303 section 3.3.4", "whole packets"),
            Self::MalformedPacket => {
                rule("malformed-packet", "RFC 791, RFC 768, RFC 792, RFC 826, RFC 2408, RFC 4303", "headers that agree")
            }
            Self::TruncatedFrame => rule("truncated-frame", "the laboratory", "frames captured whole"),
            Self::UnexplainedFrame => {
                rule("unexplained-frame", "the laboratory", "nothing but what belongs at its capture point")
            }
            Self::UnusableKeys => rule(
                "unusable-keys",
                "RFC 2451, RFC 3602, RFC 2403, RFC 2404, RFC 4868",
                "keys as long as their algorithms want",
            ),
        }
    }
}

struct Rule {
    name: &'static str,
    /// What demands it.
    requirement: &'static str,
    /// What is to be, of which a finding observes the opposite.
    expected: &'static str,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
