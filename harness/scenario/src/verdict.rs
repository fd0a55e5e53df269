//! What is said of a cell in the end.

use std::fmt;

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Proven,
    Refuted,
    /// A daemon lacks the algorithm.
    Unsupported,
    /// This world cannot do it: the reason says why.
    Skipped,
    /// The laboratory failed, not the tunnel.
    Broken,
}

impl Verdict {
    pub const ALL: [Self; 5] = [Self::Proven, Self::Refuted, Self::Unsupported, Self::Skipped, Self::Broken];

    pub fn name(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Refuted => "refuted",
            Self::Unsupported => "unsupported",
            Self::Skipped => "skipped",
            Self::Broken => "broken",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
