//! The SAs: which packets they carried, and that none was forged, damaged or replayed.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    net::Ipv4Addr,
    sync::Arc,
    time::Duration,
};

use super::{
    Code, Facts, Finding, Negotiation, Rekey, SaAccount, SaKeys,
    frames::{Class, Defect, pair},
    keyring::{Attempt, Keyring},
    rekeys::{Spans, Used, rekeys},
    sequences::Sequences,
};
use crate::{
    esp::{self, Inside, Keys, OpenError},
    pcapng,
};

const CLASS: Class = "esp";

/// Index of an SA in the order of the facts, each once.
pub(super) type Sa = usize;

pub(super) struct Tunnels {
    tunnels: Vec<Tunnel>,
    keyring: Arc<Keyring>,
    /// For each direction between two gateways.
    used: Vec<Used>,
    /// Ends of the SAs, the lower address first.
    pairs: BTreeSet<[Ipv4Addr; 2]>,
}

pub(super) struct Tunnel {
    /// Kept at the point where the SA's packets appear first; the others see them again.
    account: SaAccount,
    first_point: Option<usize>,
    /// Per capture point, since each sees every packet once.
    sequences: BTreeMap<usize, Sequences>,
    /// From when on nobody sends with it.
    over_ns: Option<u64>,
    /// Place in [`Tunnels::used`].
    direction: usize,
    spans: Spans,
}

/// A peer sends until it has heard that an SA is deleted, and what it sent is on its way.
const IN_FLIGHT_NS: u64 = 1_000_000_000;

impl Tunnels {
    pub(super) fn new(sas: &[SaKeys], findings: &mut Vec<Finding>) -> Self {
        let mut unique = HashSet::new();
        let mut tunnels = Vec::new();
        let mut keyring = Keyring::default();
        let mut directions = BTreeMap::new();
        for sa in sas {
            let SaKeys { spi, source, destination, encryption, integrity, .. } = *sa;
            // Both kernels hold the same SA.
            if !unique.insert((spi, destination, &sa.encryption_key, &sa.integrity_key)) {
                continue;
            }
            let keys = Keys::try_from(sa).map_err(|e| findings.push(Code::UnusableKeys.finding([], e.to_string())));
            keyring.add(sa, keys.ok());
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
                first_frame: 0,
                first_seen_ns: 0,
                last_seen_ns: 0,
                encapsulated: 0,
                added_ns: sa.added_ns,
                deleted_ns: sa.deleted_ns,
            };
            let over_ns = sa.deleted_ns;
            let next = directions.len();
            let direction = *directions.entry((source, destination)).or_insert(next);
            let (sequences, spans) = (BTreeMap::new(), Spans::default());
            tunnels.push(Tunnel { account, first_point: None, sequences, over_ns, direction, spans });
        }
        let pairs = sas.iter().map(|sa| pair(sa.source, sa.destination)).collect();
        Self { tunnels, keyring: Arc::new(keyring), used: vec![0; directions.len()], pairs }
    }

    pub(super) fn keyring(&self) -> Arc<Keyring> {
        Arc::clone(&self.keyring)
    }

    /// The inside of an ESP packet, or nothing where its SA's keys cannot be used.
    pub(super) fn see(
        &mut self,
        frame: &pcapng::Frame,
        sealed: esp::Packet<'_>,
        encapsulated: bool,
        Attempt { sa, result }: &Attempt,
    ) -> Result<Option<(Sa, Inside)>, Defect> {
        let tunnel = &mut self.tunnels[*sa];
        let used = &mut self.used[tunnel.direction];
        tunnel.see(frame, &sealed, encapsulated, used, result.clone()).map(|inside| Some((*sa, inside?)))
    }

    /// The end that receives with this SPI says that it does so no more.
    pub(super) fn delete(&mut self, spi: u32, receiver: Ipv4Addr, time_ns: u64) {
        for Tunnel { account, over_ns, .. } in &mut self.tunnels {
            let unwatched = account.added_ns.is_none() && account.deleted_ns.is_none();
            if unwatched && account.spi == spi && account.destination == receiver {
                over_ns.get_or_insert(time_ns.saturating_add(IN_FLIGHT_NS));
            }
        }
    }

    /// Source and destination of the SA.
    pub(super) fn ends(&self, sa: Sa) -> (Ipv4Addr, Ipv4Addr) {
        let SaAccount { source, destination, .. } = self.tunnels[sa].account;
        (source, destination)
    }

    /// Whether an SA has these ends, the lower address first.
    pub(super) fn are_between(&self, ends: &[Ipv4Addr; 2]) -> bool {
        self.pairs.contains(ends)
    }

    pub(super) fn was_seen_at(&self, sa: Sa, point: usize) -> bool {
        self.tunnels[sa].sequences.contains_key(&point)
    }

    /// Which SA followed which, of those that carried anything.
    pub(super) fn rekeys(&self, negotiations: &[Negotiation], facts: &Facts) -> Vec<Rekey> {
        let used = self.tunnels.iter().filter(|tunnel| tunnel.account.packets > 0);
        rekeys(used.map(|tunnel| (&tunnel.account, &tunnel.spans)), negotiations, facts)
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
        encapsulated: bool,
        used: &mut Used,
        result: Option<Result<Inside, OpenError>>,
    ) -> Result<Option<Inside>, Defect> {
        let esp::Packet { spi, sequence, .. } = *sealed;
        let counts = *self.first_point.get_or_insert(frame.point) == frame.point;
        let account = &mut self.account;
        if counts {
            if account.packets == 0 {
                account.first_seen_ns = frame.time_ns;
                account.first_frame = frame.number;
            }
            account.packets += 1;
            self.spans.count(used);
            account.encapsulated += u64::from(encapsulated);
            account.last_seen_ns = frame.time_ns;
        }
        let describe = |e: &dyn std::fmt::Display| format!("SPI {spi:#010x}, sequence number {sequence}: {e}");
        let inside = match result.transpose() {
            Ok(inside) => inside,
            Err(e @ (OpenError::Padding { .. } | OpenError::PartialBlock { .. })) => {
                return Err(Defect::new(CLASS, Code::BadPadding, describe(&e)));
            }
            Err(e @ OpenError::WrongIntegrity) => return Err(Defect::new(CLASS, Code::WrongIntegrity, describe(&e))),
            Err(e @ OpenError::ShortPacket { .. }) => {
                return Err(Defect::new(CLASS, Code::MalformedPacket, describe(&e)));
            }
        };
        let Some(inside) = inside else { return Ok(None) };
        if counts {
            if account.verified == 0 {
                account.first_sequence = sequence;
            }
            account.verified += 1;
            account.last_sequence = sequence;
            account.inner_bytes += inside.range.len() as u64;
        }
        // Only what is authentic moves the window (RFC 4303 section 3.4.3); 0 is never sent (section 2.2).
        let sequences = self.sequences.entry(frame.point).or_default();
        if sequence == 0 || !sequences.insert(sequence) {
            let text = describe(&"this number was used before");
            return Err(Defect::new(CLASS, Code::ReplayedSequence, text));
        }
        if sequence < sequences.highest {
            let text = describe(&format_args!("it came behind {}", sequences.highest));
            return Err(Defect::new(CLASS, Code::ReorderedSequence, text));
        }
        sequences.highest = sequence;
        // Another point may see a packet a little after it was sent.
        if let Some(over_ns) = self.over_ns.filter(|over_ns| counts && *over_ns < frame.time_ns) {
            let late = Duration::from_nanos(frame.time_ns - over_ns);
            let text = describe(&format_args!("it was sent {late:?} after the SA was deleted"));
            return Err(Defect::new(CLASS, Code::PacketAfterDelete, text));
        }
        Ok(Some(inside))
    }
}
