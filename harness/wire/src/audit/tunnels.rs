//! The SAs: which packets they carried, and that none was forged, damaged or replayed.

use std::{
    collections::{HashMap, HashSet},
    net::Ipv4Addr,
};

use super::{
    Code, Finding, SaAccount, SaKeys,
    frames::{Class, Defect},
};
use crate::{
    esp::{self, Keys, OpenError, Opened},
    ipv4, pcapng,
};

const CLASS: Class = "esp";

/// Index of an SA in the order of the facts, each once.
pub(super) type Sa = usize;

pub(super) struct Tunnels {
    tunnels: Vec<Tunnel>,
    /// Several SAs share an SPI if they go to different addresses, or one after the other.
    by_spi: HashMap<u32, Vec<Sa>>,
}

pub(super) struct Tunnel {
    /// Absent where they cannot be used, which is a finding of its own.
    keys: Option<Keys>,
    /// Kept at the point where the SA's packets appear first; the others see them again.
    account: SaAccount,
    first_point: Option<usize>,
    /// Per capture point, since each sees every packet once.
    sequences: HashMap<usize, Sequences>,
}

#[derive(Default)]
struct Sequences {
    highest: u32,
    seen: HashSet<u32>,
}

impl Tunnels {
    pub(super) fn new(sas: &[SaKeys], findings: &mut Vec<Finding>) -> Self {
        let mut unique = HashSet::new();
        let mut tunnels = Vec::new();
        let mut by_spi: HashMap<_, Vec<_>> = HashMap::new();
        for sa in sas {
            let SaKeys { spi, source, destination, encryption, integrity, .. } = *sa;
            // Both kernels hold the same SA.
            if !unique.insert((spi, destination, &sa.encryption_key, &sa.integrity_key)) {
                continue;
            }
            let keys = Keys::try_from(sa).map_err(|e| findings.push(Code::UnusableKeys.finding([], e.to_string())));
            by_spi.entry(spi).or_default().push(tunnels.len());
            let account = SaAccount {
                spi,
                source,
                destination,
                encryption,
                integrity,
                packets: 0,
                inner_bytes: 0,
                verified: 0,
                first_sequence: 0,
                last_sequence: 0,
                first_seen_ns: 0,
                last_seen_ns: 0,
                encapsulated: 0,
                added_ns: sa.added_ns,
                deleted_ns: sa.deleted_ns,
            };
            tunnels.push(Tunnel { keys: keys.ok(), account, first_point: None, sequences: HashMap::new() });
        }
        Self { tunnels, by_spi }
    }

    /// The inside of an ESP packet, or nothing where its SA's keys cannot be used.
    pub(super) fn open(
        &mut self,
        frame: &pcapng::Frame,
        outer: &ipv4::Packet<'_>,
        sealed: esp::Packet<'_>,
        encapsulated: bool,
    ) -> Result<Option<(Sa, Opened)>, Defect> {
        let ipv4::Packet { source, destination, .. } = *outer;
        let with_spi = self.by_spi.get(&sealed.spi).map_or(&[][..], Vec::as_slice);
        let addressed = |&sa: &Sa| self.tunnels[sa].account.destination == destination;
        let mut candidates: Vec<_> = with_spi.iter().copied().filter(addressed).collect();
        // Translation replaces the destination that the SA was made with (RFC 3948 section 2.1).
        if candidates.is_empty() && encapsulated {
            candidates = with_spi.to_vec();
        }
        // A kernel may give an SPI again after the SA is gone: the keys tell which one it is.
        let try_open = |&sa: &Sa| self.tunnels[sa].keys.as_ref().map(|keys| (sa, esp::open(keys, sealed.bytes)));
        let mut results = candidates.iter().filter_map(try_open);
        let first = results.next();
        let wrong = |result: &(Sa, Result<_, _>)| matches!(result.1, Err(OpenError::WrongIntegrity));
        let result = match first {
            Some(first) if wrong(&first) => Some(results.find(|other| !wrong(other)).unwrap_or(first)),
            first => first,
        };
        let sa = result.as_ref().map(|(sa, _)| *sa).or(candidates.first().copied()).ok_or_else(|| {
            let text = format!("SPI {:#010x} from {source} to {destination} is none of the SAs'", sealed.spi);
            Defect::new(CLASS, Code::UnknownSpi, text)
        })?;
        self.tunnels[sa].see(frame, &sealed, result.map(|(_, result)| result)).map(|opened| Some((sa, opened?)))
    }

    /// Source and destination of the SA.
    pub(super) fn ends(&self, sa: Sa) -> (Ipv4Addr, Ipv4Addr) {
        let SaAccount { source, destination, .. } = self.tunnels[sa].account;
        (source, destination)
    }

    pub(super) fn was_seen_at(&self, sa: Sa, point: usize) -> bool {
        self.tunnels[sa].sequences.contains_key(&point)
    }

    /// The accounts of those SAs that carried anything.
    pub(super) fn finish(self) -> Vec<SaAccount> {
        self.tunnels.into_iter().map(|tunnel| tunnel.account).filter(|account| account.packets > 0).collect()
    }
}

impl Tunnel {
    fn see(
        &mut self,
        frame: &pcapng::Frame,
        sealed: &esp::Packet<'_>,
        result: Option<Result<Opened, OpenError>>,
    ) -> Result<Option<Opened>, Defect> {
        let esp::Packet { spi, sequence, .. } = *sealed;
        let counts = *self.first_point.get_or_insert(frame.point) == frame.point;
        let account = &mut self.account;
        if counts {
            if account.packets == 0 {
                account.first_seen_ns = frame.time_ns;
            }
            account.packets += 1;
            account.last_seen_ns = frame.time_ns;
        }
        let describe = |e: &dyn std::fmt::Display| format!("SPI {spi:#010x}, sequence number {sequence}: {e}");
        let opened = match result.transpose() {
            Ok(opened) => opened,
            Err(e @ (OpenError::Padding { .. } | OpenError::PartialBlock { .. })) => {
                return Err(Defect::new(CLASS, Code::BadPadding, describe(&e)));
            }
            Err(e @ OpenError::WrongIntegrity) => return Err(Defect::new(CLASS, Code::WrongIntegrity, describe(&e))),
            Err(e @ OpenError::ShortPacket { .. }) => {
                return Err(Defect::new(CLASS, Code::MalformedPacket, describe(&e)));
            }
        };
        let Some(opened) = opened else { return Ok(None) };
        if counts {
            if account.verified == 0 {
                account.first_sequence = sequence;
            }
            account.verified += 1;
            account.last_sequence = sequence;
            account.inner_bytes += opened.inner.len() as u64;
        }
        // Only what is authentic moves the window (RFC 4303 section 3.4.3); 0 is never sent (section 2.2).
        let sequences = self.sequences.entry(frame.point).or_default();
        if sequence == 0 || !sequences.seen.insert(sequence) {
            let text = describe(&"this number was used before");
            return Err(Defect::new(CLASS, Code::ReplayedSequence, text));
        }
        if sequence < sequences.highest {
            let text = describe(&format_args!("it came behind {}", sequences.highest));
            return Err(Defect::new(CLASS, Code::ReorderedSequence, text));
        }
        sequences.highest = sequence;
        Ok(Some(opened))
    }
}
