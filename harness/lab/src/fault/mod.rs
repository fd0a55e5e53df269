//! Faults: what is done to links, daemons and messages of a laboratory while everything else runs as it is.
//!
//! All of it is done on the internet and on the gateways' links to it, and all of it ends with the capture at the
//! latest: a cell is undone on links that are whole. [`remains`] tells what did not end.

mod netem;
mod path;
#[cfg(test)]
mod router_tests;
mod surgery;
#[cfg(test)]
pub(crate) mod tests;

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use scenario::fault::{Impairment, LinkChange, Share, Surgery, Way};
use tokio::sync::Mutex as AsyncMutex;

pub(crate) use self::path::Link;
pub use self::surgery::Operation;
use self::surgery::{Log, Theatre};
use crate::{
    Result,
    machine::Machine,
    meter::{self, Work},
    nft,
    topology::{Lab, WAN},
};

/// A gateway and its link to the internet.
pub(crate) struct Place {
    pub link: Link,
    /// What the link leads to: the gateway, or its NAT.
    pub outside: Arc<Machine>,
    #[cfg(test)]
    pub machine: Arc<Machine>,
}

/// The faults of a laboratory.
pub(crate) struct Faults {
    internet: Arc<Machine>,
    /// Whether there were any: what was never done needs not be undone.
    any: AtomicBool,
    state: AsyncMutex<State>,
    operations: Log,
}

#[derive(Default)]
struct State {
    links: Vec<Link>,
    narrow: BTreeMap<Link, Narrow>,
    /// The names of each two that do not hear each other, and their addresses.
    apart: BTreeMap<[String; 2], [std::net::Ipv4Addr; 2]>,
    /// Gateways whose way out is not as it was.
    impaired: Vec<Weak<Machine>>,
    theatre: Option<Theatre>,
}

#[derive(Clone, Copy)]
struct Narrow {
    bytes: u16,
    told: bool,
}

impl Lab {
    /// Changes a VPC's router's or a customer's link to the internet. With the same seed the same packets are lost.
    pub async fn change_link(&self, party: &str, change: LinkChange, seed: u64) -> Result<()> {
        let _clock = meter::start(Work::Laboratory);
        self.faults().change(&self.place(party).await?, change, seed).await
    }

    /// The internet forwards nothing between two gateways, by the addresses that they have now.
    pub async fn partition(&self, one: &str, other: &str) -> Result<()> {
        let _clock = meter::start(Work::Laboratory);
        let addresses = [self.place(one).await?.link.address, self.place(other).await?.link.address];
        let faults = self.faults();
        let mut state = faults.begin().await;
        state.apart.insert(pair(one, other), addresses);
        faults.renew(&state).await
    }

    /// Two gateways that were apart hear each other again.
    pub async fn heal(&self, one: &str, other: &str) -> Result<()> {
        let _clock = meter::start(Work::Laboratory);
        let faults = self.faults();
        let mut state = faults.begin().await;
        state.apart.remove(&pair(one, other));
        faults.renew(&state).await
    }

    /// Works on messages of IKE on their way across the internet, from now on: messages are counted from the first
    /// surgery of a cell.
    pub async fn operate(&self, surgery: &Surgery) -> Result<()> {
        let _clock = meter::start(Work::Laboratory);
        let faults = self.faults();
        let mut state = faults.begin().await;
        let theatre = match &mut state.theatre {
            Some(theatre) => theatre,
            none => none.insert(Theatre::open(&faults.internet, Arc::clone(&faults.operations)).await?),
        };
        theatre.order(surgery.clone());
        Ok(())
    }

    /// What was done to messages so far.
    pub fn operations(&self) -> Vec<Operation> {
        surgery::lock(&self.faults().operations).clone()
    }
}

impl Faults {
    pub fn new(internet: Arc<Machine>) -> Self {
        Self { internet, any: AtomicBool::new(false), state: AsyncMutex::default(), operations: Log::default() }
    }

    /// Whether there were faults so far, and so nobody can be sure of an answer.
    pub fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// A fault that is not done here, and so not undone here.
    pub fn note(&self) {
        self.any.store(true, Ordering::Relaxed);
    }

    async fn begin(&self) -> tokio::sync::MutexGuard<'_, State> {
        self.note();
        self.state.lock().await
    }

    async fn change(&self, Place { link, outside, .. }: &Place, change: LinkChange, seed: u64) -> Result<()> {
        let nothing = Impairment::default();
        let (way, impairment) = match change {
            // The cable is cut somewhere in the middle: neither end sees it, and routes stay.
            LinkChange::Down => (Way::Both, Impairment { loss: Share::WHOLE, ..nothing }),
            LinkChange::Up => (Way::Both, nothing),
            LinkChange::Impaired { way, impairment } => (way, impairment),
            LinkChange::Mtu { bytes, told } => {
                let mut state = self.begin().await;
                state.narrow.insert(link.clone(), Narrow { bytes, told });
                return self.renew(&state).await;
            }
        };
        let mut state = self.begin().await;
        if way != Way::Out {
            netem::impair(&self.internet, &link.interface, impairment, seed_of(seed, Way::In)).await?;
        }
        if way != Way::In {
            netem::impair(outside, WAN, impairment, seed_of(seed, Way::Out)).await?;
            state.impaired.push(Arc::downgrade(outside));
        }
        if change == LinkChange::Up && state.narrow.remove(link).is_some() {
            self.renew(&state).await?;
        }
        Ok(())
    }

    /// Lays all narrow paths anew, and severs what is apart.
    async fn renew(&self, state: &State) -> Result<()> {
        self.internet.attempt("take narrow paths away", || path::remove(path::NARROW)).await?;
        for (link, narrow) in &state.narrow {
            path::narrow(&self.internet, link, narrow.bytes, &state.links).await?;
        }
        let apart: Vec<_> = state.apart.values().copied().collect();
        let untold: Vec<_> =
            state.narrow.iter().filter(|(_, narrow)| !narrow.told).map(|(link, _)| link.address).collect();
        nft::sever(&self.internet, &apart, &untold).await
    }

    /// A gateway has come, or its link has: narrow paths lead to it too.
    pub async fn join(&self, link: Link) -> Result<()> {
        let mut state = self.state.lock().await;
        state.links.push(link);
        if state.narrow.is_empty() { Ok(()) } else { self.renew(&state).await }
    }

    /// A gateway goes, with a link that is whole.
    pub async fn part(&self, place: &Place) -> Result<()> {
        if self.any() {
            self.change(place, LinkChange::Up, 0).await?;
        }
        self.state.lock().await.links.retain(|known| *known != place.link);
        Ok(())
    }

    /// Everything is as it was at first.
    pub async fn undo(&self) -> Result<()> {
        if !self.any() {
            return Ok(());
        }
        let mut state = self.state.lock().await;
        for machine in state.impaired.drain(..).filter_map(|machine| machine.upgrade()) {
            machine.attempt("mend its link", netem::remove_all).await?;
        }
        (state.narrow, state.apart) = Default::default();
        if let Some(theatre) = state.theatre.take() {
            theatre.close().await;
        }
        self.internet.attempt("mend the internet", mend).await
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        if !self.any() {
            return;
        }
        drop(self.state.get_mut().theatre.take());
        // Whether it came to pass is looked at before the next cell begins.
        for machine in self.state.get_mut().impaired.drain(..).filter_map(|machine| machine.upgrade()) {
            machine.leave_to_it(|| drop(netem::remove_all()));
        }
        self.internet.leave_to_it(|| drop(mend()));
    }
}

fn mend() -> io::Result<()> {
    path::remove(path::ALL)?;
    netem::remove_all()?;
    nft::remove_all()
}

/// What is left of faults on the internet, in words.
pub(crate) async fn remains(internet: &Machine) -> Result<Option<String>> {
    let is_link =
        |name: &str| name.strip_prefix('g').is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    let mut interfaces = internet.interfaces().await?;
    interfaces.retain(|name| name != "lo" && !is_link(name));
    let counted = || {
        let path::Left { rules, routes } = path::left(path::ALL)?;
        Ok([
            (rules.len(), "rules of routing"),
            (routes.len(), "narrow paths"),
            (netem::impaired()?.len(), "impaired links"),
            (nft::tables()?, "filters"),
        ])
    };
    let counted = internet.attempt("look for what faults left", counted).await?;
    let left = counted.into_iter().chain([(interfaces.len(), "devices")]).find(|(count, _)| *count > 0);
    Ok(left.map(|(count, what)| format!("{count} {what}")))
}

/// How many of a gateway's interfaces are impaired.
pub(crate) async fn impaired(machine: &Machine) -> Result<usize> {
    machine.attempt("look for impaired links", || netem::impaired().map(|found| found.len())).await
}

fn pair(one: &str, other: &str) -> [String; 2] {
    let mut pair = [one.to_owned(), other.to_owned()];
    pair.sort();
    pair
}

/// Each way of a link has chances of its own (the last step of SplitMix64).
fn seed_of(seed: u64, way: Way) -> u64 {
    let mixed = seed.wrapping_add((way as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}
