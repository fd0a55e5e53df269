//! The codes of findings; docs/findings.md explains them to readers of a report.

use std::fmt;

use super::Finding;

/// What a finding says, under a name that does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    ClearText,
    UnknownSpi,
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
    ForeignIsakmp,
    IpFragment,
    MalformedPacket,
    TruncatedFrame,
    UnexplainedFrame,
    UnusableKeys,
}

impl Code {
    pub const ALL: [Self; 21] = [
        Self::ClearText,
        Self::UnknownSpi,
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
        Self::ForeignIsakmp,
        Self::IpFragment,
        Self::MalformedPacket,
        Self::TruncatedFrame,
        Self::UnexplainedFrame,
        Self::UnusableKeys,
    ];

    /// The name in [`Finding::code`].
    pub fn name(self) -> &'static str {
        match self {
            Self::ClearText => "clear-text",
            Self::UnknownSpi => "unknown-spi",
            Self::WrongIntegrity => "wrong-integrity",
            Self::BadPadding => "bad-padding",
            Self::ReplayedSequence => "replayed-sequence",
            Self::ReorderedSequence => "reordered-sequence",
            Self::InnerOutsideSelectors => "inner-outside-selectors",
            Self::UnknownProbe => "unknown-probe",
            Self::RewrittenProbe => "rewritten-probe",
            Self::ProbeNotSent => "probe-not-sent",
            Self::ProbeNotProtected => "probe-not-protected",
            Self::ProbeLost => "probe-lost",
            Self::ProbeDuplicated => "probe-duplicated",
            Self::AggressiveMode => "aggressive-mode",
            Self::AmbiguousAnswer => "ambiguous-answer",
            Self::ForeignIsakmp => "foreign-isakmp",
            Self::IpFragment => "ip-fragment",
            Self::MalformedPacket => "malformed-packet",
            Self::TruncatedFrame => "truncated-frame",
            Self::UnexplainedFrame => "unexplained-frame",
            Self::UnusableKeys => "unusable-keys",
        }
    }

    /// A finding with this code; of the frames, the one that refutes first.
    pub fn finding(self, frames: impl IntoIterator<Item = u64>, observed: impl Into<String>) -> Finding {
        Finding {
            code: self.name().to_owned(),
            requirement: self.requirement().to_owned(),
            expected: self.expected().to_owned(),
            frames: frames.into_iter().collect(),
            observed: observed.into(),
        }
    }

    /// What demands it.
    pub fn requirement(self) -> &'static str {
        self.rule().0
    }

    /// What is to be, of which a finding observes the opposite.
    pub fn expected(self) -> &'static str {
        self.rule().1
    }

    fn rule(self) -> (&'static str, &'static str) {
        match self {
            Self::ClearText => {
                ("RFC 4301 section 5.1", "no packet between the protected networks in clear on the internet")
            }
            Self::UnknownSpi => ("RFC 4303 section 2.1", "each ESP packet belongs to an SA that a kernel held"),
            Self::WrongIntegrity => {
                ("RFC 4303 section 3.4.4.1", "an integrity check value of these bytes and this key")
            }
            Self::BadPadding => ("RFC 4303 section 2.4", "whole blocks, padded with 1, 2, 3 and so on"),
            Self::ReplayedSequence => ("RFC 4303 section 3.4.3", "each sequence number once, and none that is 0"),
            Self::ReorderedSequence => ("RFC 4303 section 3.4.3", "sequence numbers that grow"),
            Self::InnerOutsideSelectors => ("RFC 4301 section 5.2", "an IPv4 packet between the protected networks"),
            Self::UnknownProbe => ("the laboratory", "probes that a guest was asked to send"),
            Self::RewrittenProbe => ("RFC 4301 section 5.1.2", "the addresses that the probe was sent with"),
            Self::ProbeNotSent => ("the laboratory", "the probe in clear where it is sent"),
            Self::ProbeNotProtected => ("RFC 4301 section 5.1", "the probe in ESP at each internet point on its way"),
            Self::ProbeLost => ("RFC 4301 section 5.2", "the probe in clear where it is to arrive"),
            Self::ProbeDuplicated => ("RFC 4303 section 3.4.3", "the probe once at each stage of its way"),
            Self::AggressiveMode => ("RFC 2409 section 5.4", "main mode, which hides identities"),
            Self::AmbiguousAnswer => ("RFC 2408 section 4.2", "an answer that chooses one proposal and nothing else"),
            Self::ForeignIsakmp => ("RFC 2409 section 5", "IKE between the gateways only"),
            Self::IpFragment => ("RFC 4303 section 3.3.4", "whole packets"),
            Self::MalformedPacket => ("RFC 791, RFC 768, RFC 792, RFC 826, RFC 2408, RFC 4303", "headers that agree"),
            Self::TruncatedFrame => ("the laboratory", "frames captured whole"),
            Self::UnexplainedFrame => ("the laboratory", "nothing but what belongs at its capture point"),
            Self::UnusableKeys => {
                ("RFC 2451, RFC 3602, RFC 2403, RFC 2404, RFC 4868", "keys as long as their algorithms want")
            }
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
