//! What an audit says: the account of every captured frame, and the findings that refute a cell.

use std::{collections::BTreeMap, net::Ipv4Addr};

use ipnet::Ipv4Net;
use policy::{Encryption, Group, Hash, Version};
use serde::{Deserialize, Serialize};

/// What the auditor is told besides the capture.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Facts {
    /// The VPC's side: traffic between it and `remote` must never be seen in clear on the internet.
    pub local: Vec<Ipv4Net>,
    /// The customer's subnets.
    pub remote: Vec<Ipv4Net>,
    /// Public addresses of the two gateways: the router's and the customer's.
    pub gateways: Vec<Ipv4Addr>,
    /// Every SA that either kernel held during the capture, once per SPI and direction.
    pub sas: Vec<SaKeys>,
    /// Every probe that a guest was asked to send.
    pub probes: Vec<ProbeSent>,
}

/// A kernel SA with its keys, as netlink XFRM tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaKeys {
    pub spi: u32,
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub encryption: Encryption,
    /// In hexadecimal.
    pub encryption_key: String,
    pub integrity: Hash,
    /// In hexadecimal.
    pub integrity_key: String,
}

/// One numbered packet that a guest sent, and whether it was meant to arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeSent {
    pub exchange: u32,
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub sequence: u32,
    pub expected: Expected,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expected {
    /// Once in clear where it was sent, once in ESP on the internet, once in clear where it arrived.
    Delivered,
    /// It may be dropped anywhere before the internet, and must not be seen there in clear.
    NotInClear,
}

/// The role of a capture point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Between the router and the customer gateway, where nothing protected may be in clear.
    Internet,
    /// In a tier of the VPC, at a guest's interface.
    Local,
    /// In a customer's subnet, at a host's interface.
    Remote,
}

/// The account of one capture.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// All frames of the capture; equal to the sum over `points` and their classes.
    pub frames: u64,
    pub points: Vec<PointAccount>,
    pub flows: Vec<FlowAccount>,
    pub sas: Vec<SaAccount>,
    pub negotiations: Vec<Negotiation>,
    pub findings: Vec<Finding>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointAccount {
    pub name: String,
    pub side: Side,
    /// Frames in each class: `esp`, `isakmp`, `probe`, `arp`, `icmp`, `marker` ...
    pub classes: BTreeMap<String, u64>,
}

/// The probes of one exchange in one direction between two hosts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowAccount {
    pub exchange: u32,
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub sent: u64,
    /// Found once in ESP on the internet, decrypted and equal to what was sent.
    pub protected: u64,
    /// Found once on the far inside.
    pub received: u64,
}

/// What one SA carried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaAccount {
    pub spi: u32,
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub encryption: Encryption,
    pub integrity: Hash,
    pub packets: u64,
    /// Bytes of the inner IP packets.
    pub inner_bytes: u64,
    /// Packets whose integrity check value was recomputed and equal.
    pub verified: u64,
    pub first_sequence: u32,
    pub last_sequence: u32,
    /// Capture time of the first and last packet, in nanoseconds since 1970 of the captured clock.
    pub first_seen_ns: u64,
    pub last_seen_ns: u64,
}

/// One negotiation of an IKE SA, as far as its clear payloads tell: phase 1, or IKE_SA_INIT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Negotiation {
    pub initiator: Ipv4Addr,
    pub responder: Ipv4Addr,
    /// Cookies in hexadecimal: initiator's, then responder's. Version 2 calls them SPIs.
    pub cookies: [String; 2],
    pub version: Version,
    /// `main mode`, `aggressive mode`, `IKE_SA_INIT`, or `exchange type N`.
    pub exchange: String,
    /// Number of the frame that holds the responder's choice, from 1, as Wireshark counts.
    pub answer_frame: Option<u64>,
    pub chosen: Option<ChosenTransform>,
    /// Transforms of which the responder has to choose one; proposals in version 2.
    pub offered: usize,
    /// Vendor IDs by name, or in hexadecimal where the name is not known.
    pub vendor_ids: Vec<String>,
    pub quick_modes: u64,
}

/// The transform of an answer (RFC 2409 appendix A), or the proposal of one (RFC 7296 section 3.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChosenTransform {
    pub encryption: Option<Encryption>,
    /// In version 2 of both integrity and pseudo-random function, if they have the same.
    pub hash: Option<Hash>,
    pub group: Option<Group>,
    /// True for authentication method 1, pre-shared key. Version 2 does not tell it in clear.
    pub pre_shared_key: bool,
    /// Not negotiated in version 2.
    pub lifetime_seconds: Option<u64>,
    /// All attributes in words, for those whom the fields above do not tell enough.
    pub text: String,
}

/// Something in the capture that refutes the cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// A stable name, such as `clear-text`: see docs/findings.md.
    pub code: String,
    /// Number of the frame, from 1, as Wireshark counts; absent for something that is missing.
    pub frame: Option<u64>,
    pub text: String,
}
