//! The audit: every frame is classified, every ESP packet decrypted, and nothing may be left over.
//!
//! A frame counts in exactly one class of its capture point. What refutes the cell becomes a
//! [`Finding`] with a [`Code`]: at once where a frame shows it, and at the end where something is
//! missing. Time grows with the frames and the probes, never with their product; memory with what the
//! [`Facts`] name, not with the frames: of what a capture tells one by one, so much is kept, and the rest
//! is counted.

mod account;
mod comments;
mod conversation;
mod finding;
mod frames;
mod in_order;
mod keyring;
mod negotiations;
mod probes;
mod quick_modes;
mod rekeys;
mod sequences;
mod strays;
#[cfg(test)]
mod tests;
mod tunnels;

pub use account::{
    Account, ChosenChild, ChosenTransform, Demanded, EncryptionKey, Expected, Facts, Finding, FlowAccount, IkeKeys,
    IkeMessage, LeftOut, Loss, Negotiation, PathMtu, PayloadShown, Pfs, PointAccount, ProbeSent, QuickMode, Rekey,
    SaAccount, SaKeys, Sealed, Secrecy, Side,
};
pub use comments::comments;
pub use finding::Code;

use std::{convert::Infallible, io::Read, num::NonZero, thread};

use crate::{
    Result,
    pcapng::{Capture, Frame, Point, Reader},
};
use frames::Auditor;
use in_order::in_order;
use keyring::{Attempts, Keyring};

/// Frames that are held together, and their bytes: enough for the ciphers, which take many packets at once, and little
/// enough to stay in a processor's own cache until they are accounted for.
const BATCH: (usize, usize) = (2048, 256 << 10);
/// Bytes of memory that a frame leaves to later ones: what long frames needed is not kept for short ones.
const KEPT: usize = 4096;

/// Explains every frame of a capture that is in memory.
pub fn audit(capture: &Capture, facts: &Facts) -> Account {
    audit_with(capture, facts, threads(), BATCH.0)
}

fn audit_with(capture: &Capture, facts: &Facts, threads: usize, batch: usize) -> Account {
    let mut points = capture.points.clone();
    let mut chunks = capture.frames.chunks(batch);
    let Ok(account) = audit_batches(facts, threads, |_| {
        // Points without frames are accounted for too.
        let chunk = chunks.next().or((!points.is_empty()).then_some(&[]));
        let batch = |frames: _| Batch::new(frames, std::mem::take(&mut points)).among(&capture.points);
        Ok::<_, Infallible>(chunk.map(batch))
    });
    account
}

/// Explains every frame of a capture while it is read.
pub fn audit_reader<R: Read>(mut reader: Reader<R>, facts: &Facts) -> Result<Account> {
    let (mut more, mut known) = (true, 0);
    audit_batches(facts, threads(), |memory: Option<Batch<Vec<Frame>>>| {
        if !more {
            return Ok(None);
        }
        let mut batch = memory.unwrap_or_default();
        let mut bytes = 0;
        batch.filled = 0;
        while batch.filled < BATCH.0 && bytes < BATCH.1 {
            if batch.filled == batch.frames.len() {
                batch.frames.push(Frame::default());
            }
            let frame = &mut batch.frames[batch.filled];
            if frame.data.capacity() > KEPT {
                frame.data = Vec::new();
            }
            more = reader.read_frame(frame)?;
            if !more {
                break;
            }
            bytes += frame.data.len();
            batch.filled += 1;
        }
        batch.points = reader.points()[known..].to_vec();
        known = reader.points().len();
        Ok(Some(batch.among(reader.points())))
    })
}

fn threads() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// While a batch is read, the ESP of those before it is opened by other threads, and they are accounted for in the order
/// of the file, so that the account does not depend on how many threads there were.
fn audit_batches<F: AsRef<[Frame]> + Send, E>(
    facts: &Facts,
    threads: usize,
    next: impl FnMut(Option<Batch<F>>) -> Result<Option<Batch<F>>, E>,
) -> Result<Account, E> {
    let mut auditor = Auditor::new(facts);
    let keyring = auditor.keyring();
    let account_for = |batch: &mut Batch<F>| {
        auditor.add_points(&batch.points);
        auditor.see(batch.frames(), &batch.attempts);
    };
    in_order(threads, next, |batch| batch.open(&keyring), account_for)?;
    Ok(auditor.finish())
}

/// Frames that go through the audit together, in memory that is used again.
#[derive(Default)]
struct Batch<F> {
    frames: F,
    filled: usize,
    /// That are new.
    points: Vec<Point>,
    /// Which frames may hold ESP.
    outside: Vec<usize>,
    attempts: Attempts,
}

impl<F: AsRef<[Frame]>> Batch<F> {
    fn new(frames: F, points: Vec<Point>) -> Self {
        let filled = frames.as_ref().len();
        Self { frames, filled, points, outside: Vec::new(), attempts: Attempts::default() }
    }

    fn frames(&self) -> &[Frame] {
        &self.frames.as_ref()[..self.filled]
    }

    /// With all points that there are so far.
    fn among(mut self, points: &[Point]) -> Self {
        let looks = |frame: &Frame| points.get(frame.point).map(side_of) == Some(Side::Internet) && frame.is_whole();
        let frames = self.frames.as_ref()[..self.filled].iter().enumerate();
        self.outside.clear();
        self.outside.extend(frames.filter(|(_, frame)| looks(frame)).map(|(index, _)| index));
        self
    }

    fn open(&mut self, keyring: &Keyring) {
        let attempts = std::mem::take(&mut self.attempts);
        self.attempts = keyring.open(self.frames(), &self.outside, attempts);
    }
}

/// A point whose side is not known counts as the internet, where the least is allowed.
fn side_of(point: &Point) -> Side {
    point.side.unwrap_or(Side::Internet)
}
