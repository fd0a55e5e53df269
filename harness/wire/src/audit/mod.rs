//! The audit: every frame is classified, every ESP packet decrypted, and nothing may be left over.
//!
//! A frame counts in exactly one class of its capture point. What refutes the cell becomes a
//! [`Finding`] with a [`Code`]: at once where a frame shows it, and at the end where something is
//! missing. Time and memory grow with the frames and the probes, never with their product.

mod account;
mod comments;
mod conversation;
mod finding;
mod frames;
mod negotiations;
mod probes;
mod quick_modes;
#[cfg(test)]
mod tests;
mod tunnels;

pub use account::{
    Account, ChosenChild, ChosenTransform, Demanded, EncryptionKey, Expected, Facts, Finding, FlowAccount, IkeKeys,
    IkeMessage, Negotiation, PayloadShown, Pfs, PointAccount, ProbeSent, QuickMode, SaAccount, SaKeys, Sealed, Secrecy,
    Side,
};
pub use comments::comments;
pub use finding::Code;

use crate::pcapng::Capture;

/// Explains every frame of a capture. A point whose side is not known counts as the internet, where
/// the least is allowed.
pub fn audit(capture: &Capture, facts: &Facts) -> Account {
    let mut auditor = frames::Auditor::new(capture, facts);
    for frame in &capture.frames {
        auditor.see(frame);
    }
    auditor.finish(capture.frames.len() as u64)
}
