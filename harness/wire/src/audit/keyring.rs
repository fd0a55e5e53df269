//! The keys of all SAs, and what they open. Which key opens a packet follows from the packet alone, so that packets are
//! opened by several threads, and accounted for in the order of the file afterwards.

use std::{
    collections::{BTreeMap, HashSet},
    net::Ipv4Addr,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::{SaKeys, tunnels::Sa};
use crate::{
    esp::{self, Carried, Inside, Keys, OpenError},
    pcapng,
};

#[derive(Default)]
pub(super) struct Keyring {
    /// Absent where they cannot be used, which is a finding of its own.
    keys: Vec<Option<Keys>>,
    // Every packet is looked up. Of a few SAs an ordered map needs less time than a hash does, and of many not much more.
    by_address: BTreeMap<(u32, Ipv4Addr), Candidates>,
    by_spi: BTreeMap<u32, Candidates>,
}

/// Several SAs share an SPI if they go to different addresses, or one after the other.
#[derive(Default)]
struct Candidates {
    sas: Vec<Sa>,
    /// Of those whose keys can be used. Of two SAs with the same one only the first would ever be found.
    integrity_keys: HashSet<(&'static str, String)>,
    /// Which of them opened a packet last, and will open the next.
    latest: AtomicUsize,
}

impl Candidates {
    fn expected(&self, keys: &[Option<Keys>]) -> Option<Sa> {
        let latest = self.sas.get(self.latest.load(Ordering::Relaxed)).copied();
        latest.filter(|&sa| keys[sa].is_some())
    }
}

/// Whether the integrity was right, whatever else is wrong.
fn is_of_the_sa(result: &Result<esp::Verified<'_>, OpenError>) -> bool {
    matches!(result, Ok(_) | Err(OpenError::PartialBlock { .. }))
}

/// What became of the ESP packet in a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) sa: Sa,
    /// Absent where the SA's keys cannot be used.
    pub(super) result: Option<Result<Inside, OpenError>>,
}

/// Of a run of frames: for each what became of its ESP packet, if it has one that belongs to an SA.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Attempts {
    attempts: Vec<Option<Attempt>>,
    clear: Vec<u8>,
}

impl Attempts {
    pub(super) fn of(&self, index: usize) -> Option<&Attempt> {
        self.attempts.get(index)?.as_ref()
    }

    pub(super) fn inner(&self, inside: &Inside) -> &[u8] {
        &self.clear[inside.range.clone()]
    }
}

impl Keyring {
    /// SAs are numbered in the order in which they are added.
    pub(super) fn add(&mut self, sa: &SaKeys, keys: Option<Keys>) {
        let (number, usable) = (self.keys.len(), keys.is_some());
        self.keys.push(keys);
        let by_address = self.by_address.entry((sa.spi, sa.destination)).or_default();
        for candidates in [by_address, self.by_spi.entry(sa.spi).or_default()] {
            let key = (sa.integrity.name(), sa.integrity_key.clone());
            if !usable || candidates.integrity_keys.insert(key) {
                candidates.sas.push(number);
            }
        }
    }

    /// Opens what is in those of these frames that are outside; in the memory of earlier attempts.
    pub(super) fn open(
        &self,
        frames: &[pcapng::Frame],
        outside: &[usize],
        Attempts { mut attempts, mut clear }: Attempts,
    ) -> Attempts {
        attempts.clear();
        attempts.resize(frames.len(), None);
        clear.clear();
        // The SA that opened a packet last opens most of those that follow, and is faster with many of them than with each.
        let mut expected: BTreeMap<Sa, Vec<(usize, Carried<'_>)>> = BTreeMap::new();
        let mut others = Vec::new();
        for &index in outside {
            let Some(carried) = Carried::within(&frames[index]) else { continue };
            match self.candidates(&carried).and_then(|candidates| candidates.expected(&self.keys)) {
                Some(sa) => expected.entry(sa).or_default().push((index, carried)),
                None => others.push((index, carried)),
            }
        }
        let mut verified: BTreeMap<Sa, (Vec<usize>, Vec<esp::Verified<'_>>)> = BTreeMap::new();
        let mut add = |index, sa, result| match result {
            Some(Ok(packet)) => {
                let (indices, packets) = verified.entry(sa).or_default();
                indices.push(index);
                packets.push(packet);
            }
            Some(Err(e)) => attempts[index] = Some(Attempt { sa, result: Some(Err(e)) }),
            None => attempts[index] = Some(Attempt { sa, result: None }),
        };
        for (sa, carried) in expected {
            let Some(keys) = &self.keys[sa] else { continue };
            let packets: Vec<_> = carried.iter().map(|(_, carried)| carried.sealed.bytes).collect();
            for (packet, result) in carried.into_iter().zip(esp::verify_all(keys, &packets)) {
                if is_of_the_sa(&result) { add(packet.0, sa, Some(result)) } else { others.push(packet) }
            }
        }
        for (index, carried) in others {
            if let Some((sa, result)) = self.verify(&carried) {
                add(index, sa, result);
            }
        }
        for (sa, (indices, packets)) in verified {
            let Some(keys) = &self.keys[sa] else { continue };
            for (index, result) in indices.into_iter().zip(esp::open_all(keys, &packets, &mut clear)) {
                attempts[index] = Some(Attempt { sa, result: Some(result) });
            }
        }
        Attempts { attempts, clear }
    }

    /// The SAs that a packet may belong to.
    fn candidates(&self, Carried { outer, sealed, encapsulated }: &Carried<'_>) -> Option<&Candidates> {
        let addressed = self.by_address.get(&(sealed.spi, outer.destination));
        // Translation replaces the destination that the SA was made with (RFC 3948 section 2.1).
        addressed.or_else(|| self.by_spi.get(&sealed.spi).filter(|_| *encapsulated))
    }

    /// The SA of a packet, and whether its integrity value is right; nothing if no SA has its SPI and destination.
    fn verify<'a>(&self, carried: &Carried<'a>) -> Option<(Sa, Option<Result<esp::Verified<'a>, OpenError>>)> {
        let Candidates { sas, latest, .. } = self.candidates(carried)?;
        let verify = |&sa: &Sa| Some((sa, esp::verify(self.keys[sa].as_ref()?, carried.sealed.bytes)));
        // A kernel may give an SPI again after the SA is gone: the keys tell which one it is.
        let hint = latest.load(Ordering::Relaxed);
        for at in (hint..sas.len()).chain(0..hint) {
            if let Some((sa, result)) = verify(&sas[at]).filter(|(_, result)| is_of_the_sa(result)) {
                latest.store(at, Ordering::Relaxed);
                return Some((sa, Some(result)));
            }
        }
        // It is laid at the door of the first SA with keys, or else of the first.
        let blamed = sas.iter().find_map(verify).map(|(sa, result)| (sa, Some(result)));
        blamed.or(sas.first().map(|&sa| (sa, None)))
    }
}
