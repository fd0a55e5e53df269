//! The book of all SAs that a machine ever held. Pure: events and times in.

use std::net::IpAddr;

use super::{
    Sa, SaLife, Seen,
    message::{Entry, Event},
};

pub(super) struct Ledger {
    machine: String,
    seen: Seen,
    listing: Option<Listing>,
}

/// A listing of all SAs that is under way.
struct Listing {
    /// Whether notifications were lost before it, so that an SA it does not name is gone.
    repairs: bool,
    /// Places of lives that had not ended when it began, and were not named so far.
    missing: Vec<usize>,
}

impl Ledger {
    pub fn new(machine: &str) -> Self {
        Self { machine: machine.into(), seen: Seen::default(), listing: None }
    }

    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Writes down that something may be missing.
    pub fn gap(&mut self, text: String) {
        if !self.seen.gaps.contains(&text) {
            self.seen.gaps.push(text);
        }
    }

    pub fn listing_begins(&mut self, repairs: bool) {
        let lives = self.seen.lives.iter().enumerate();
        let missing = lives.filter(|(_, life)| life.deleted_ns.is_none()).map(|(place, _)| place).collect();
        self.listing = Some(Listing { repairs, missing });
    }

    pub fn listing_ends(&mut self, now_ns: u64) {
        for place in self.listing.take().filter(|listing| listing.repairs).map_or(Vec::new(), |l| l.missing) {
            let life = &mut self.seen.lives[place];
            if life.deleted_ns.is_none() {
                life.deleted_ns = Some(now_ns);
                let text = format!("SA 0x{:08x} was deleted unseen: its counters may be too low", life.sa.spi);
                self.gap(text);
            }
        }
    }

    /// An SA that a listing named. The listing may have been written before a deletion that was read first,
    /// so it brings nothing back to life.
    pub fn listed(&mut self, entry: Entry) {
        match entry {
            Entry::Esp(sa) => {
                let same = |life: &&mut SaLife| life.sa.keys == sa.keys && named_alike(&life.sa, &sa);
                if let Some(life) = self.seen.lives.iter_mut().rev().find(same) {
                    update(&mut life.sa, &sa);
                } else {
                    self.add(&sa, sa.added.saturating_mul(1_000_000_000));
                }
                if let Some(listing) = &mut self.listing {
                    listing.missing.retain(|place| !named_alike(&self.seen.lives[*place].sa, &sa));
                }
            }
            other => self.other(other),
        }
    }

    /// Something that the kernel announced.
    pub fn note(&mut self, event: Event, now_ns: u64) {
        match event {
            Event::Held(Entry::Esp(sa)) => match self.living(sa.spi, sa.source.into(), sa.destination.into()) {
                Some(life) if life.sa.keys == sa.keys => update(&mut life.sa, &sa),
                replaced => {
                    if let Some(life) = replaced {
                        life.deleted_ns = Some(now_ns);
                        let text = format!("SA 0x{:08x} was replaced unseen: its counters may be too low", sa.spi);
                        self.gap(text);
                    }
                    self.add(&sa, now_ns);
                }
            },
            Event::Gone(Entry::Esp(sa)) => {
                if let Some(life) = self.living(sa.spi, sa.source.into(), sa.destination.into()) {
                    update(&mut life.sa, &sa);
                    life.deleted_ns = Some(now_ns);
                } else {
                    // A repair may have taken it for deleted already; otherwise its beginning was lost.
                    self.listed(Entry::Esp(sa.clone()));
                    if let Some(life) = self.seen.lives.iter_mut().rev().find(|life| named_alike(&life.sa, &sa)) {
                        life.deleted_ns.get_or_insert(now_ns);
                    }
                }
            }
            Event::Held(other) | Event::Gone(other) => self.other(other),
            Event::Expired { spi, source, destination, bytes, packets, hard } => {
                if let Some(life) = self.living(spi, source, destination) {
                    life.sa.bytes = life.sa.bytes.max(bytes);
                    life.sa.packets = life.sa.packets.max(packets);
                    life.deleted_ns = hard.then_some(now_ns);
                }
            }
            Event::Flushed => {
                let mut flushed = 0;
                for life in self.seen.lives.iter_mut().filter(|life| life.deleted_ns.is_none()) {
                    life.deleted_ns = Some(now_ns);
                    flushed += 1;
                }
                if flushed > 0 {
                    self.gap(format!("{flushed} SAs were flushed at once: their counters may be too low"));
                }
            }
        }
    }

    fn add(&mut self, sa: &Sa, added_ns: u64) {
        self.seen.lives.push(SaLife { sa: sa.clone(), machine: self.machine.clone(), added_ns, deleted_ns: None });
    }

    fn other(&mut self, entry: Entry) {
        if let Entry::Other(text) = entry
            && !self.seen.others.contains(&text)
        {
            self.seen.others.push(text);
        }
    }

    fn living(&mut self, spi: u32, source: IpAddr, destination: IpAddr) -> Option<&mut SaLife> {
        self.seen.lives.iter_mut().find(|life| {
            life.deleted_ns.is_none()
                && life.sa.spi == spi
                && source == life.sa.source
                && destination == life.sa.destination
        })
    }
}

fn named_alike(one: &Sa, other: &Sa) -> bool {
    one.spi == other.spi && one.source == other.source && one.destination == other.destination
}

/// Takes over what may change. Counters never fall, although an update announces zeros.
fn update(known: &mut Sa, told: &Sa) {
    known.bytes = known.bytes.max(told.bytes);
    known.packets = known.packets.max(told.packets);
    known.added = known.added.min(told.added);
    known.reqid = told.reqid;
    known.encapsulated = told.encapsulated;
}
