//! What a scenario's own faults excuse, and nothing else: each excuse is named in the check that it is part of.

use scenario::{
    Cell, Step,
    fault::{Action, LinkChange, Victim},
};
use wire::audit::Code;

/// What the steps of a cell do to packets and machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Disturbed {
    /// Packets vanish on their way, or their receiver is not there.
    pub loses: bool,
    pub doubles: bool,
    pub reorders: bool,
    /// What is on its way when an SA ends comes too late.
    pub delays: bool,
    /// Who counts bytes for the cloud begins anew.
    pub recounts: bool,
    pub corrupts: bool,
    /// A machine or a daemon ends without a word, so that its peer goes on alone.
    pub forgets: bool,
    /// Messages of IKE are worked on.
    pub operates: bool,
    /// The two ends are given other settings while they are connected.
    pub changes: bool,
}

impl Disturbed {
    pub fn by(cell: &Cell) -> Self {
        let mut all = Self::default();
        for step in &cell.steps {
            match step {
                Step::Link { change: LinkChange::Impaired { impairment, .. }, .. } => {
                    all.loses |= !impairment.loss.is_none() || impairment.rate_kbit.is_some();
                    all.doubles |= !impairment.duplicate.is_none();
                    all.reorders |= !impairment.reorder.is_none() || impairment.jitter_ms > 0;
                    all.corrupts |= !impairment.corrupt.is_none();
                    all.delays |= impairment.delay_ms > 0;
                }
                Step::Link { change: LinkChange::Down | LinkChange::Mtu { .. }, .. } | Step::Partition { .. } => {
                    all.loses = true;
                }
                Step::PowerOff(_)
                | Step::Kill(Victim::Daemon(_))
                | Step::StopRouter(_)
                | Step::RebootRouter(_)
                | Step::RestartVpc { .. } => {
                    all.loses = true;
                    all.forgets = true;
                }
                Step::Message(surgery) => {
                    all.operates = true;
                    all.doubles |= matches!(surgery.action, Action::Duplicate | Action::Replay(_));
                }
                Step::Change { .. } => all.changes = true,
                Step::Kill(Victim::Service) | Step::KillDuring(_) => all.recounts = true,
                _ => {}
            }
        }
        all.corrupts |= all.operates;
        all
    }

    /// Whether every packet that one end sends arrives at the other.
    pub fn is_lossless(&self) -> bool {
        !(self.loses || self.doubles || self.delays || self.corrupts || self.operates)
    }

    /// Whether both ends know at any time what the other knows.
    pub fn ends_agree(&self) -> bool {
        !(self.loses || self.corrupts || self.operates || self.forgets || self.changes)
    }

    /// Why a finding of the audit is no surprise.
    pub fn excuses(&self, code: &str) -> Option<&'static str> {
        let is = |codes: &[Code]| codes.iter().any(|known| known.name() == code);
        if self.doubles && is(&[Code::ReplayedSequence, Code::ProbeDuplicated, Code::ReorderedSequence]) {
            return Some("packets are doubled");
        }
        if self.reorders && is(&[Code::ReorderedSequence]) {
            return Some("packets overtake each other");
        }
        if self.delays && is(&[Code::PacketAfterDelete]) {
            return Some("packets are late");
        }
        // A bit that is turned over may be anywhere in a frame.
        let damaged = [
            Code::WrongIntegrity,
            Code::BadPadding,
            Code::MalformedPacket,
            Code::UnknownSpi,
            Code::WrongHash,
            Code::IpFragment,
            Code::ForeignIsakmp,
            Code::UnexplainedFrame,
        ];
        if self.corrupts && is(&damaged) {
            return Some("packets are damaged");
        }
        // A Quick Mode whose last message is lost leaves its SAs on one side; a machine that ends takes the others along.
        if !self.ends_agree() && is(&[Code::SaNotInstalled, Code::SaNotNegotiated, Code::IncompleteMessage]) {
            return Some("an exchange is cut off");
        }
        None
    }
}
