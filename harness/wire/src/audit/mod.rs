//! The audit: every frame is classified, every ESP packet decrypted, and nothing may be left over.
//!
//! A frame counts in exactly one class of its capture point. What refutes the cell becomes a
//! [`Finding`] with a [`Code`]: at once where a frame shows it, and at the end where something is
//! missing. Time grows with the frames and the probes, never with their product; memory with what the
//! [`Facts`] name and with the messages of IKE, which are told one by one, not with the frames.

mod account;
mod comments;
mod conversation;
mod finding;
mod frames;
mod keyring;
mod negotiations;
mod probes;
mod quick_modes;
mod sequences;
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
pub use frames::Auditor;

use std::io::Read;

use crate::{
    Result,
    pcapng::{Capture, Frame, Reader},
};

/// Frames that are held at once, and their bytes: enough work to share, and little memory.
const BATCH: (usize, usize) = (8192, 2 << 20);

/// Explains every frame of a capture that is in memory.
pub fn audit(capture: &Capture, facts: &Facts) -> Account {
    let mut auditor = Auditor::new(facts);
    auditor.add_points(&capture.points);
    capture.frames.chunks(BATCH.0).for_each(|frames| auditor.see(frames));
    auditor.finish()
}

/// Explains every frame of a capture while it is read.
pub fn audit_reader<R: Read>(mut reader: Reader<R>, facts: &Facts) -> Result<Account> {
    let mut auditor = Auditor::new(facts);
    // Their memory is used again.
    let mut frames: Vec<Frame> = Vec::new();
    loop {
        let (mut filled, mut bytes) = (0, 0);
        let mut more = true;
        while filled < BATCH.0 && bytes < BATCH.1 {
            if filled == frames.len() {
                frames.push(Frame::default());
            }
            more = reader.read_frame(&mut frames[filled])?;
            if !more {
                break;
            }
            bytes += frames[filled].data.len();
            filled += 1;
        }
        auditor.add_points(reader.points());
        auditor.see(&frames[..filled]);
        if !more {
            return Ok(auditor.finish());
        }
    }
}
