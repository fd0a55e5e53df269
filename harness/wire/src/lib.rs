//! From a capture to an account of every frame in it. Pure: bytes in, facts out.
//!
//! | module | holds |
//! |---|---|
//! | [`pcapng`] | captures: a streaming writer, and a streaming reader of ours and of foreign ones, pcap too |
//! | [`link`] | what frames begin with: Ethernet with its tags, Linux cooked, loopback, raw IP |
//! | [`ethernet`], [`arp`], [`ipv4`], [`ipv6`], [`udp`], [`icmp`] | views of packets: checked once, then read in place |
//! | [`esp`] | ESP, also inside UDP; opening and sealing with the keys of a kernel's SA |
//! | [`isakmp`] | both versions of IKE as far as they are in clear: header, payloads, offers and answers, vendor IDs |
//! | [`probe`], [`marker`] | the numbered packet that guests exchange, and the frame that ends a capture |
//! | [`wireshark`] | the keys, as Wireshark wants them and as it has them |
//! | [`audit`] | the judgement: every frame in one class, every ESP packet decrypted, nothing left over |
//!
//! ```
//! # use tunnelproof_wire as wire;
//! use wire::{audit, marker, pcapng};
//!
//! let mut writer = pcapng::Writer::new(Vec::new())?;
//! let point = writer.add_point("internet", audit::Side::Internet)?;
//! let frame = marker::frame(7);
//! writer.write_frame(point, 1_700_000_000_000_000_000, frame.len() as u32, &frame)?;
//!
//! let capture = pcapng::read(&writer.into_inner())?;
//! let account = audit::audit(&capture, &audit::Facts::default());
//! assert_eq!(account.points[0].classes["marker"], 1);
//! assert!(account.findings.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod arp;
pub mod audit;
mod error;
pub mod esp;
pub mod ethernet;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod hex;
pub mod icmp;
pub mod ipv4;
pub mod ipv6;
pub mod isakmp;
pub mod link;
pub mod marker;
pub mod pcapng;
pub mod probe;
pub mod udp;
pub mod wireshark;

pub use error::{Error, Result};
