//! What an audit says: the account of every captured frame, and the findings that refute a cell.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddrV4},
};

use ipnet::Ipv4Net;
use policy::{Encryption, Group, Hash, Proposal, Version};
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
    /// What opens the encrypted part of IKE.
    #[serde(default)]
    pub ike: IkeKeys,
    /// What the gateways are to agree on, where it is known.
    #[serde(default)]
    pub demanded: Option<Demanded>,
}

/// Keys of IKE SAs, as far as a daemon gave them away. Which of them belongs to which SA is found by trying: a wrong
/// one does not open a message. All in hexadecimal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IkeKeys {
    /// Of the authentication in phase 1.
    pub pre_shared_keys: Vec<String>,
    /// What Diffie-Hellman exchanges came to, `g^xy` (RFC 2409 section 5): of phase 1 and of Quick Modes.
    pub shared_secrets: Vec<String>,
    /// Ready keys of the cipher, as Wireshark's table has them. They open messages and authenticate none.
    pub encryption_keys: Vec<EncryptionKey>,
}

/// A line of Wireshark's `ikev1_decryption_table`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncryptionKey {
    /// In hexadecimal.
    pub initiator_cookie: String,
    /// In hexadecimal.
    pub key: String,
}

/// What the gateways are to agree on. Lifetimes are no part of it: where they differ, the shorter one rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demanded {
    pub version: Version,
    pub ike: Proposal,
    /// Its group is the one of perfect forward secrecy.
    pub esp: Proposal,
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
    /// When the first kernel had it, in nanoseconds since 1970 of the captured clock; absent where nobody watched.
    #[serde(default)]
    pub added_ns: Option<u64>,
    /// When no kernel had it any more; absent where one still had it, or nobody watched.
    #[serde(default)]
    pub deleted_ns: Option<u64>,
}

/// One numbered packet that a guest sent, and whether it was meant to arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeSent {
    pub exchange: u32,
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub sequence: u32,
    pub expected: Expected,
    /// When its guest was asked to send it, in nanoseconds since 1970, if that is known: where nobody tells the guest the
    /// way, it is never seen.
    #[serde(default)]
    pub asked_ns: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expected {
    /// Once in clear where it was sent, once in ESP on the internet, once in clear where it arrived.
    Delivered,
    /// It may be dropped anywhere before the internet, and must not be seen there in clear.
    NotInClear,
    /// It may be lost anywhere; whether it arrives is told, and judged by others.
    Counted,
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
    /// What routers said of the longest packet that gets through: what the frames of class `pmtu` tell.
    #[serde(default)]
    pub path_mtus: Vec<PathMtu>,
    pub flows: Vec<FlowAccount>,
    pub sas: Vec<SaAccount>,
    #[serde(default)]
    pub rekeys: Vec<Rekey>,
    pub negotiations: Vec<Negotiation>,
    /// The conversation: each message of IKE once, in the order of the capture.
    #[serde(default)]
    pub messages: Vec<IkeMessage>,
    /// Of IKE, what is not listed, since there is too much of it.
    #[serde(default)]
    pub left_out: LeftOut,
    pub findings: Vec<Finding>,
    /// Keys of the ciphers of those IKE SAs that were opened, for Wireshark's table. An account is shown to everyone, and
    /// so they are never written with it.
    #[serde(skip)]
    pub encryption_keys: Vec<EncryptionKey>,
}

/// What there was more than is kept: 10,000 of each. A capture that is nothing else must not fill the memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Messages, retransmissions and what only repeats itself not counted.
    pub messages: u64,
    /// Messages that begin a negotiation, or belong to one, that is not followed.
    pub of_negotiations: u64,
    /// Messages of Quick Modes that are not followed.
    pub of_quick_modes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointAccount {
    pub name: String,
    pub side: Side,
    /// Frames in each class: `esp`, `isakmp`, `probe`, `arp`, `icmp`, `marker` ...
    pub classes: BTreeMap<String, u64>,
}

/// "Fragmentation needed" with one MTU at one capture point (RFC 1191 section 4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathMtu {
    pub point: String,
    /// In bytes; 0 where the router does not tell.
    pub mtu: u16,
    pub frames: u64,
    /// Number of the first of them.
    pub first_frame: u64,
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
    /// When the first and the last were sent, in nanoseconds since 1970; 0 if none was seen.
    #[serde(default)]
    pub first_sent_ns: u64,
    #[serde(default)]
    pub last_sent_ns: u64,
    /// Of probes whose arrival is [`Expected::Counted`], those that did not arrive, in the order of time.
    #[serde(default)]
    pub losses: Vec<Loss>,
}

/// Probes of a flow that followed one another and did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// Number of the first.
    pub sequence: u32,
    pub packets: u64,
    /// When the first was sent, in nanoseconds since 1970.
    pub from_ns: u64,
    /// When the next one was sent that arrived; none if no later one did.
    pub until_ns: Option<u64>,
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
    /// Number of the frame with its first packet.
    #[serde(default)]
    pub first_frame: u64,
    /// Capture time of the first and last packet, in nanoseconds since 1970 of the captured clock.
    pub first_seen_ns: u64,
    pub last_seen_ns: u64,
    /// Packets of it that came inside UDP (RFC 3948).
    #[serde(default)]
    pub encapsulated: u64,
    /// As the kernels had it: see [`SaKeys`].
    #[serde(default)]
    pub added_ns: Option<u64>,
    #[serde(default)]
    pub deleted_ns: Option<u64>,
}

/// How the traffic went over from one SA to the next, in one direction between two gateways with the same selectors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rekey {
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    /// The networks in words, the same way round in both directions.
    pub selectors: [String; 2],
    /// The old SA's, then the new one's.
    pub spis: [u32; 2],
    /// Number of the frame with the first packet of the new one.
    pub frame: u64,
    /// From the first packet of the new SA to the last of the old one, in nanoseconds; negative where nothing was sent
    /// between them.
    pub overlap_ns: i64,
    /// Packets of the old SA behind the first one of the new.
    pub late_packets: u64,
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
    pub secrecy: Secrecy,
    /// Identities in words, initiator's and responder's, where they could be read.
    pub identities: [Option<String>; 2],
    pub quick_modes: Vec<QuickMode>,
    /// Dead peer detection (RFC 3706): probes, and their answers.
    pub dpd: [u64; 2],
    /// Messages that could be read and whose hash was computed and equal.
    pub authenticated: u64,
}

/// How much of an IKE SA's encrypted messages could be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Secrecy {
    /// All that was captured.
    Decrypted,
    /// Nothing is encrypted, as when the negotiation broke off.
    NothingEncrypted,
    NotDecrypted {
        /// Why, in words: no key, or a message that a key did not open.
        reason: String,
    },
}

/// A Quick Mode (RFC 2409 section 5.5), as far as it could be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuickMode {
    pub message_id: u32,
    /// Who began it; either end of the IKE SA can.
    pub initiator: Ipv4Addr,
    /// Numbers of its frames, retransmissions and other capture points left out.
    pub frames: Vec<u64>,
    pub chosen: Option<ChosenChild>,
    pub pfs: Pfs,
    /// Client identities in words, of the initiator's side and the responder's: what the SAs are for.
    pub selectors: Option<[String; 2]>,
    /// SPIs that the initiator and the responder receive with.
    pub spis: [Option<u32>; 2],
    /// Whether the keys that the exchange leads to (KEYMAT) are those of the kernels; absent where they cannot be
    /// computed.
    pub keys_match: Option<bool>,
}

/// The transform of the answer in a Quick Mode (RFC 2407 section 4.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChosenChild {
    pub encryption: Option<Encryption>,
    pub integrity: Option<Hash>,
    /// Group description, which announces perfect forward secrecy.
    pub group: Option<Group>,
    pub lifetime_seconds: Option<u64>,
    pub lifetime_kilobytes: Option<u64>,
    /// All attributes in words.
    pub text: String,
}

/// Whether a Quick Mode had a key exchange of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Pfs {
    /// Both messages have a KE payload; the group is absent if its length fits none.
    Seen {
        group: Option<Group>,
    },
    /// Decrypted, and there is no KE payload.
    None,
    /// Not decrypted: the lengths of the messages leave room for the KE payloads of this group, or for none.
    Inferred {
        group: Option<Group>,
    },
    Unknown,
}

/// A message of IKE, of either version. A pair of messages that only repeats the one before, as dead peer detection
/// does, is counted there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IkeMessage {
    pub frame: u64,
    /// Since 1970, of the captured clock.
    pub time_ns: u64,
    pub source: SocketAddrV4,
    pub destination: SocketAddrV4,
    /// In hexadecimal: initiator's, then responder's.
    pub cookies: [String; 2],
    pub version: Version,
    /// `main mode`, `quick mode`, `informational`, `IKE_AUTH` ...
    pub exchange: String,
    pub message_id: u32,
    /// In bytes, with the header.
    pub length: u32,
    /// Which message of its exchange it is, from 1.
    pub ordinal: u32,
    pub sealed: Sealed,
    /// The payloads in their order; those of a message that stays closed are not known.
    pub payloads: Vec<PayloadShown>,
    /// Numbers of the frames with its pieces, if it did not come whole; the last one is `frame`.
    #[serde(default)]
    pub pieces: Vec<u64>,
    /// How often it was sent again.
    pub retransmissions: u64,
    /// How many more pairs like this one and its answer follow, up to `last_frame`.
    pub repeats: u64,
    pub last_frame: Option<u64>,
}

/// Whether a message was encrypted, and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sealed {
    Clear,
    /// Read, and its hash is the right one.
    Authenticated,
    /// Read, but its hash could not be computed.
    Opened,
    Closed,
}

/// A payload in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayloadShown {
    /// Its short name, as RFC 2408 and Wireshark have it: `SA`, `KE`, `NONCE`, `ID`, `HASH`, `N`, `D`, `VID`, `NAT-D` ...
    pub name: String,
    /// What it says, one thing each: a transform, a notification's type, a vendor's name.
    pub details: Vec<String>,
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
    /// The section of the RFC, or the clause, that demands it.
    pub requirement: String,
    /// What is to be.
    pub expected: String,
    /// Numbers of the frames that show it, from 1, as Wireshark counts, the one that refutes first; none for something
    /// that is missing.
    pub frames: Vec<u64>,
    /// How many more frames show it.
    #[serde(default)]
    pub more: u64,
    /// What was observed instead.
    pub observed: String,
}

impl Finding {
    /// Where to look first.
    pub fn frame(&self) -> Option<u64> {
        self.frames.first().copied()
    }
}
