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

    pub(super) fn finding(self, frame: impl Into<Option<u64>>, text: impl Into<String>) -> Finding {
        Finding { code: self.name().to_owned(), frame: frame.into(), text: text.into() }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
