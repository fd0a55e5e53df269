//! What a link does to its packets, told to the kernel's netem by netlink.
//!
//! Numbers and layout: the kernel's `linux/pkt_sched.h` and `linux/rtnetlink.h`. Which packets are lost, carried twice or
//! held for how long follows from the seed and their order; which bit of a corrupted one is turned over does not.

use std::io;

use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_REPLACE, NLM_F_REQUEST};
use scenario::fault::Impairment;

use crate::{
    Result,
    machine::Machine,
    netlink::{self, ROUTE, attribute, attributes, field, message},
};

const NEW: u16 = 36;
const DELETE: u16 = 37;
const GET: u16 = 38;
const ROOT: u32 = 0xffff_ffff;
const KIND: u16 = 1;
const OPTIONS: u16 = 2;
/// `tcmsg`.
const HEADER: usize = 20;
const NAME: &[u8] = b"netem\0";

const REORDER: u16 = 3;
const CORRUPT: u16 = 4;
const RATE: u16 = 6;
const RATE64: u16 = 8;
const LATENCY64: u16 = 10;
const JITTER64: u16 = 11;
const SEED: u16 = 14;

/// As many packets wait; a link that delays must not lose what it was not told to lose.
const QUEUE: u32 = 10_000;

/// Has an interface treat so what leaves by it, whatever it did before.
pub(super) async fn impair(machine: &Machine, interface: &str, impairment: Impairment, seed: u64) -> Result<()> {
    let index = machine.interface_index(interface).await?;
    let action = format!("impair {interface}");
    let work = move || match impairment == Impairment::default() {
        true => remove(index),
        false => {
            // One that is there would only be changed, and go on with its old seed.
            remove(index)?;
            let flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
            ask(NEW, flags, index, |out| {
                attribute(out, KIND, |out| out.extend(NAME));
                attribute(out, OPTIONS, |out| options(out, impairment, seed));
            })
        }
    };
    machine.attempt(&action, work).await
}

/// Leaves the interface as it was at first. What waits there is lost.
fn remove(index: u32) -> io::Result<()> {
    match ask(DELETE, NLM_F_REQUEST | NLM_F_ACK, index, |_| ()) {
        Err(e) if e.raw_os_error() != Some(libc::ENOENT) => Err(e),
        _ => Ok(()),
    }
}

/// Of all interfaces of the calling thread's namespace.
pub(super) fn remove_all() -> io::Result<()> {
    impaired()?.into_iter().try_for_each(remove)
}

/// The interfaces that treat their packets so, in the calling thread's namespace.
pub(crate) fn impaired() -> io::Result<Vec<u32>> {
    let mut found = Vec::new();
    let mut request = Vec::new();
    message(&mut request, GET, NLM_F_REQUEST | NLM_F_DUMP, 0, |out| header(out, 0, 0));
    netlink::request(&netlink::open(ROUTE, 0)?, &request, |told| {
        let kind =
            attributes(told.payload.get(HEADER..).unwrap_or_default())?.into_iter().find(|(kind, _)| *kind == KIND);
        if kind.is_some_and(|(_, name)| name == NAME) {
            found.push(u32::from_ne_bytes(field(told.payload, 4)?));
        }
        Ok(())
    })?;
    Ok(found)
}

fn ask(kind: u16, flags: u16, index: u32, body: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
    let mut request = Vec::new();
    message(&mut request, kind, flags, 0, |out| {
        header(out, index, ROOT);
        body(out);
    });
    netlink::request(&netlink::open(ROUTE, 0)?, &request, |_| Ok(()))
}

/// `tcmsg`: family, the interface, a handle that the kernel chooses, the parent, and nothing.
fn header(out: &mut Vec<u8>, index: u32, parent: u32) {
    [0, index, 0, parent, 0].into_iter().for_each(|field| out.extend(field.to_ne_bytes()));
}

/// `tc_netem_qopt`, then attributes.
fn options(out: &mut Vec<u8>, impairment: Impairment, seed: u64) {
    let Impairment { loss, duplicate, corrupt, reorder, delay_ms, jitter_ms, rate_kbit } = impairment;
    let part = |share: scenario::fault::Share| (share.fraction() * f64::from(u32::MAX)).round() as u32;
    // With a gap of one every packet may overtake, by its own chance.
    let gap = u32::from(!reorder.is_none());
    // Delays are told below, in nanoseconds.
    for field in [0, QUEUE, part(loss), gap, part(duplicate), 0] {
        out.extend(field.to_ne_bytes());
    }
    let time = |out: &mut Vec<u8>, kind, ms: u32| {
        attribute(out, kind, |out| out.extend((u64::from(ms) * 1_000_000).to_ne_bytes()));
    };
    time(out, LATENCY64, delay_ms);
    time(out, JITTER64, jitter_ms);
    for (kind, share) in [(REORDER, reorder), (CORRUPT, corrupt)] {
        if !share.is_none() {
            // A chance, and its correlation with the last one.
            attribute(out, kind, |out| [part(share), 0].into_iter().for_each(|field| out.extend(field.to_ne_bytes())));
        }
    }
    if let Some(kbit) = rate_kbit {
        let bytes = u64::from(kbit) * 1000 / 8;
        // `tc_netem_rate`: bytes a second, and what a packet and a cell add. The kernel takes the larger of the two rates.
        attribute(out, RATE, |out| {
            [u32::try_from(bytes).unwrap_or(u32::MAX), 0, 0, 0]
                .into_iter()
                .for_each(|field| out.extend(field.to_ne_bytes()));
        });
        attribute(out, RATE64, |out| out.extend(bytes.to_ne_bytes()));
    }
    attribute(out, SEED, |out| out.extend(seed.to_ne_bytes()));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use scenario::fault::Share;

    use super::*;

    #[test]
    fn an_impairment_is_told_in_shares_of_32_bits_nanoseconds_and_bytes_a_second() {
        let half = Share::new(5_000).unwrap();
        let impairment = Impairment {
            loss: Share::WHOLE,
            duplicate: half,
            reorder: half,
            delay_ms: 5_000,
            rate_kbit: Some(64),
            ..Impairment::default()
        };
        let mut told = Vec::new();
        options(&mut told, impairment, 7);
        let fields: Vec<u32> =
            told[..24].chunks(4).map(|field| u32::from_ne_bytes(field.try_into().unwrap())).collect();
        assert_eq!(fields, [0, QUEUE, u32::MAX, 1, 1 << 31, 0]);
        let told = attributes(&told[24..]).unwrap();
        let of = |kind| told.iter().find(|(found, _)| *found == kind).map(|(_, value)| value.to_vec());
        assert_eq!(of(LATENCY64), Some(5_000_000_000_u64.to_ne_bytes().to_vec()));
        assert_eq!(of(RATE).unwrap()[..4], 8_000_u32.to_ne_bytes());
        assert_eq!(of(SEED), Some(7_u64.to_ne_bytes().to_vec()));
        assert_eq!(of(CORRUPT), None);
    }
}
