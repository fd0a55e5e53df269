//! Conversations of version 1 read in their order: which IKE SA a message belongs to, and what is in it where a key opens
//! it. Which key that is shows itself: a wrong one does not lead to the hash that authenticates an end.

use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash as _, Hasher},
    net::Ipv4Addr,
};

use policy::{Encryption, Hash};

use super::{
    Body, ByCookies, Cookie, Message, Payloads, UNKNOWN, exchange,
    keys::{self, Clear, KeyMaterial, Skeyids, prf},
    offer::protocol,
    payload,
};
use crate::{
    Error, Result,
    audit::{EncryptionKey, IkeKeys, Sealed},
    hex,
};

/// SAs that are followed, and Quick Modes of each: a capture that begins one after another must not fill the memory.
const MOST: usize = 10_000;

/// Messages of an SA among which one that was sent again is known: it comes soon, or never.
const REMEMBERED: usize = 100_000;

/// All IKE SAs of a capture.
pub struct Sessions {
    ring: Ring,
    sas: Vec<Sa>,
    by_cookies: ByCookies,
}

/// What a message turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Index of its IKE SA, in the order of their first messages; none for a message of an SA whose beginning is not
    /// there.
    pub sa: Option<usize>,
    pub sealed: Sealed,
    /// Why it stays closed, in words.
    pub closed: Option<String>,
    /// It was opened, and its HASH payload is not the right one.
    pub wrong_hash: bool,
    /// In their order; of a closed message none.
    pub payloads: Vec<Body>,
    /// Which message of its exchange it is, from 1.
    pub ordinal: u32,
    /// Byte for byte a message of this SA that was seen before.
    pub retransmission: bool,
}

/// The keys that were given.
#[derive(Default)]
struct Ring {
    pre_shared_keys: Vec<Vec<u8>>,
    /// Each belongs to one exchange, so that those which were used are not tried again.
    shared_secrets: Vec<Vec<u8>>,
    encryption_keys: HashMap<Cookie, Vec<u8>>,
}

struct Sa {
    initiator: Ipv4Addr,
    clear: Clear,
    suite: Option<Suite>,
    lock: Lock,
    /// Of phase 1: that of its next message, at the end that which all later ones come from.
    vector: Vec<u8>,
    /// Phase 1 was Aggressive Mode, which need not encrypt anything (RFC 2409 section 5.4).
    aggressive: bool,
    /// Messages of phase 1.
    count: u32,
    seen: HashSet<u64>,
    quick_modes: HashMap<u32, QuickMode>,
}

#[derive(Clone, Copy)]
struct Suite {
    encryption: Encryption,
    hash: Hash,
    pre_shared_key: bool,
}

enum Lock {
    /// Nothing was encrypted so far.
    Untried,
    /// SKEYID is kept for the responder's hash.
    Open {
        keys: Skeyids,
        skeyid: Vec<u8>,
    },
    /// Wireshark's way: nothing can be authenticated.
    Cipher(Vec<u8>),
    Closed(String),
}

/// What is remembered of a Quick Mode between its messages.
#[derive(Default)]
struct QuickMode {
    vector: Vec<u8>,
    count: u32,
    nonces: [Vec<u8>; 2],
    key_exchange: bool,
    /// g(qm)^xy, once it is known which.
    shared: Option<Vec<u8>>,
}

impl Sessions {
    /// Also says which of the keys cannot be read.
    pub fn new(keys: &IkeKeys) -> (Self, Vec<Error>) {
        let mut errors = Vec::new();
        let mut decode = |what, text: &str| {
            let bytes = hex::decode(text);
            if bytes.is_none() {
                errors.push(Error::IkeKeyDigits { what });
            }
            bytes
        };
        let mut all = |what, texts: &[String]| -> Vec<Vec<u8>> {
            let mut found: Vec<_> = texts.iter().filter_map(|text| decode(what, text)).collect();
            // Both ends tell the same secret.
            let mut unique = HashSet::new();
            found.retain(|bytes| unique.insert(bytes.clone()));
            found
        };
        let mut ring = Ring {
            pre_shared_keys: all("pre-shared key", &keys.pre_shared_keys),
            shared_secrets: all("shared secret", &keys.shared_secrets),
            encryption_keys: HashMap::new(),
        };
        for EncryptionKey { initiator_cookie, key } in &keys.encryption_keys {
            let cookie = decode("initiator cookie", initiator_cookie).and_then(|cookie| cookie.try_into().ok());
            if let (Some(cookie), Some(key)) = (cookie, decode("encryption key", key)) {
                ring.encryption_keys.insert(cookie, key);
            }
        }
        (Self { ring, sas: Vec::new(), by_cookies: ByCookies::default() }, errors)
    }

    /// The next message, of which `source` is the sender. Of version 2 only what is in clear is read.
    pub fn see(&mut self, source: Ipv4Addr, message: &Message<'_>) -> Result<Seen> {
        if message.is_ikev2() {
            return version_2(message);
        }
        let known = self.by_cookies.find(message);
        let begins = [exchange::MAIN_MODE, exchange::AGGRESSIVE_MODE].contains(&message.exchange);
        let begins = begins && self.sas.len() < MOST;
        let Some(index) = known.or_else(|| begins.then(|| self.begin(source, message))) else {
            return match message.encrypted {
                false => clear(message, None, 1),
                true => Ok(closed(None, 1, "the beginning of its negotiation was not captured")),
            };
        };
        let sa = &mut self.sas[index];
        if sa.seen.len() >= REMEMBERED {
            sa.seen.clear();
        }
        let mut hasher = DefaultHasher::new();
        (message.exchange, message.message_id, source, message.body).hash(&mut hasher);
        if !sa.seen.insert(hasher.finish()) {
            let ordinal = match message.exchange {
                exchange::QUICK_MODE => sa.quick_modes.get(&message.message_id).map_or(1, |mode| mode.count),
                _ if message.message_id == 0 => sa.count,
                _ => 1,
            };
            return Ok(Seen { retransmission: true, ..closed(Some(index), ordinal, "it was sent again") });
        }
        self.by_cookies.learn(message, index);
        if message.responder_cookie != UNKNOWN {
            sa.clear.cookies[1] = message.responder_cookie;
        }
        match message.exchange {
            _ if !message.encrypted => sa.in_clear(index, source, message),
            exchange::MAIN_MODE | exchange::AGGRESSIVE_MODE => {
                sa.count += 1;
                sa.in_phase_1(index, source, message, &mut self.ring)
            }
            exchange::QUICK_MODE => sa.in_quick_mode(index, message, &mut self.ring),
            _ => sa.in_phase_2(index, message, &mut self.ring),
        }
    }

    /// The cipher's key of an IKE SA, if it is known, as Wireshark wants it.
    pub fn encryption_key(&self, sa: usize) -> Option<EncryptionKey> {
        let sa = self.sas.get(sa)?;
        let key = match &sa.lock {
            Lock::Open { keys, .. } => &keys.cipher,
            Lock::Cipher(key) => key,
            Lock::Untried | Lock::Closed(_) => return None,
        };
        Some(EncryptionKey { initiator_cookie: hex::encode(&sa.clear.cookies[0]), key: hex::encode(key) })
    }

    /// Whether the key material of a Quick Mode for the ESP SA with this SPI is what `fits` takes; nothing where it
    /// cannot be computed. With perfect forward secrecy one of the secrets that were given has to lead to it.
    pub fn key_material_fits(
        &mut self,
        sa: usize,
        message_id: u32,
        spi: u32,
        length: usize,
        fits: impl Fn(&[u8]) -> bool,
    ) -> Option<bool> {
        let Sa { lock: Lock::Open { keys, .. }, suite: Some(suite), quick_modes, .. } = self.sas.get_mut(sa)? else {
            return None;
        };
        let mode = quick_modes.get_mut(&message_id)?;
        let leads_to_it = |shared: Option<&[u8]>| {
            let material =
                KeyMaterial { shared, protocol: protocol::ESP, spi: spi.to_be_bytes(), nonces: &mode.nonces };
            fits(&material.derive(suite.hash, &keys.derivation, length))
        };
        if !mode.key_exchange {
            return Some(leads_to_it(None));
        }
        if let Some(shared) = &mode.shared {
            return Some(leads_to_it(Some(shared)));
        }
        let secrets = &mut self.ring.shared_secrets;
        if secrets.is_empty() {
            return None;
        }
        let Some(found) = secrets.iter().position(|secret| leads_to_it(Some(secret))) else { return Some(false) };
        mode.shared = Some(secrets.remove(found));
        Some(true)
    }

    fn begin(&mut self, source: Ipv4Addr, message: &Message<'_>) -> usize {
        // An answer that comes from a second responder goes with the offer that the first one answered.
        let first = self.by_cookies.first(message).map(|first| &self.sas[first]);
        let cookies = [message.initiator_cookie, message.responder_cookie];
        let aggressive = message.exchange == exchange::AGGRESSIVE_MODE;
        let offered = first.map_or_else(Clear::default, |first| first.clear.offered(aggressive));
        let sa = Sa {
            initiator: first.map_or(source, |first| first.initiator),
            clear: Clear { cookies, ..offered },
            aggressive,
            suite: None,
            lock: Lock::Untried,
            vector: Vec::new(),
            // The offer that both answer was the first message.
            count: u32::from(first.is_some()),
            seen: HashSet::new(),
            quick_modes: HashMap::new(),
        };
        self.by_cookies.learn(message, self.sas.len());
        self.sas.push(sa);
        self.sas.len() - 1
    }
}

impl Sa {
    /// 0 for the initiator of the IKE SA.
    fn end(&self, source: Ipv4Addr) -> usize {
        usize::from(source != self.initiator)
    }

    fn in_clear(&mut self, index: usize, source: Ipv4Addr, message: &Message<'_>) -> Result<Seen> {
        let phase_1 = [exchange::MAIN_MODE, exchange::AGGRESSIVE_MODE].contains(&message.exchange);
        if !phase_1 {
            return clear(message, Some(index), 1);
        }
        self.count += 1;
        let seen = clear(message, Some(index), self.count)?;
        let end = self.end(source);
        for (body, raw) in seen.payloads.iter().zip(message.payloads()) {
            match body {
                Body::SecurityAssociation(_) if end == 0 => self.clear.offer = raw?.body.to_vec(),
                Body::SecurityAssociation(sa) => self.suite = sa.transforms().next().and_then(Suite::of),
                Body::KeyExchange(public) => self.clear.public[end].clone_from(public),
                Body::Nonce(nonce) => self.clear.nonces[end].clone_from(nonce),
                Body::Identification(_) => self.clear.identifications[end] = raw?.body.to_vec(),
                _ => {}
            }
        }
        // Where phase 1 encrypts nothing, what is behind it begins with the vector that phase 1 would have begun with.
        if let (true, Some(Suite { hash, encryption, .. })) = (self.aggressive && self.clear.is_whole(), self.suite) {
            self.vector = self.clear.first_vector(hash, encryption);
        }
        Ok(seen)
    }

    fn in_phase_1(&mut self, index: usize, source: Ipv4Addr, message: &Message<'_>, ring: &mut Ring) -> Result<Seen> {
        let ordinal = self.count;
        if matches!(self.lock, Lock::Untried) {
            let end = self.end(source);
            self.unlock(message, ring, |sa, found, opened| {
                sa.clear.is_authenticated(found.hash, &found.skeyid, end, opened).unwrap_or(false)
            });
        }
        let opened = match self.open(&self.vector, message) {
            Ok(opened) => opened,
            Err(reason) => return Ok(closed(Some(index), ordinal, reason)),
        };
        let authentic = self.authenticates(self.end(source), &opened);
        if authentic != Some(false) {
            self.vector = last_block(message, self.suite);
        }
        opened.seen(index, ordinal, authentic)
    }

    fn in_quick_mode(&mut self, index: usize, message: &Message<'_>, ring: &mut Ring) -> Result<Seen> {
        if self.quick_modes.len() >= MOST && !self.quick_modes.contains_key(&message.message_id) {
            return Ok(closed(Some(index), 1, "too many Quick Modes were before it"));
        }
        self.unlock_behind_phase_1(message, ring);
        let first = self.suite.map(|suite| self.vector_of(suite, message.message_id));
        let mode = self.quick_modes.entry(message.message_id).or_default();
        if mode.count == 0 {
            mode.vector = first.unwrap_or_default();
        }
        let (ordinal, vector) = (mode.count + 1, mode.vector.clone());
        let [initiator, responder] = mode.nonces.clone();
        let opened = match self.open(&vector, message) {
            Ok(opened) => opened,
            Err(reason) => {
                if matches!(self.lock, Lock::Closed(_) | Lock::Untried) {
                    self.quick_modes.entry(message.message_id).or_default().count += 1;
                }
                return Ok(closed(Some(index), ordinal, reason));
            }
        };
        let id = &message.message_id.to_be_bytes()[..];
        // The third says nothing but that it is there.
        let authentic = self.is_hash(&opened, |rest| match ordinal {
            1 | 4.. => vec![id, rest],
            2 => vec![id, &initiator, rest],
            _ => vec![&[0], id, &initiator, &responder],
        });
        // What its receiver drops moves nothing: the exchange goes on from the message before.
        if authentic != Some(false) {
            let last = last_block(message, self.suite);
            let mode = self.quick_modes.entry(message.message_id).or_default();
            (mode.count, mode.vector) = (ordinal, last);
            for (kind, body) in &opened.payloads {
                match *kind {
                    payload::NONCE => mode.nonces[usize::from(ordinal > 1)].clone_from(body),
                    payload::KEY_EXCHANGE => mode.key_exchange = true,
                    _ => {}
                }
            }
        }
        opened.seen(index, ordinal, authentic)
    }

    /// Informational messages, and what else is alone in its exchange.
    fn in_phase_2(&mut self, index: usize, message: &Message<'_>, ring: &mut Ring) -> Result<Seen> {
        self.unlock_behind_phase_1(message, ring);
        let vector = self.suite.map(|suite| self.vector_of(suite, message.message_id)).unwrap_or_default();
        let opened = match self.open(&vector, message) {
            Ok(opened) => opened,
            Err(reason) => return Ok(closed(Some(index), 1, reason)),
        };
        let id = message.message_id.to_be_bytes();
        let authentic = self.is_hash(&opened, |rest| vec![&id[..], rest]);
        opened.seen(index, 1, authentic)
    }

    /// Finds the keys where Aggressive Mode has encrypted nothing: the first message behind it begins with the hash of what
    /// follows (RFC 2409 sections 5.5 and 5.7).
    fn unlock_behind_phase_1(&mut self, message: &Message<'_>, ring: &mut Ring) {
        if matches!(self.lock, Lock::Untried) && self.aggressive && !self.vector.is_empty() {
            let id = message.message_id.to_be_bytes();
            self.unlock(message, ring, |_, found, opened| {
                let Some((payload::HASH, hash)) = opened.payloads.first() else { return false };
                prf(found.hash, &found.keys.authentication, &[&id, opened.behind_the_first()]) == *hash
            });
        }
        self.try_given_key(ring);
    }

    /// Finds the keys to the first message that is encrypted, which `right` tells by a hash in it.
    fn unlock(&mut self, message: &Message<'_>, ring: &mut Ring, right: impl Fn(&Self, &Found, &Opened) -> bool) {
        let reason = |reason: &str| Lock::Closed(reason.to_owned());
        let Some(suite) = self.suite.filter(|_| self.clear.is_whole()) else {
            self.lock =
                reason("the beginning of its negotiation was not captured, or has an algorithm that is not known");
            return;
        };
        let Suite { encryption, hash, .. } = suite;
        self.vector = self.clear.first_vector(hash, encryption);
        self.try_given_key(ring);
        if !suite.pre_shared_key {
            if matches!(self.lock, Lock::Untried) {
                self.lock = reason("its ends do not authenticate with a pre-shared key");
            }
            return;
        }
        let vector = match message.message_id {
            0 => self.vector.clone(),
            id => self.vector_of(suite, id),
        };
        for pre_shared_key in &ring.pre_shared_keys {
            let skeyid = self.clear.skeyid(hash, pre_shared_key);
            for (number, secret) in ring.shared_secrets.iter().enumerate() {
                // A library may have stripped what the exchange has not (RFC 2409 section 5).
                let mut shared = vec![0; self.clear.public[0].len().saturating_sub(secret.len())];
                shared.extend(secret);
                let keys = Skeyids::new(hash, encryption, &skeyid, &shared, &self.clear.cookies);
                let found = Found { hash, skeyid: skeyid.clone(), keys };
                if suite.opens(&found.keys.cipher, &vector, message).is_some_and(|opened| right(self, &found, &opened))
                {
                    self.lock = Lock::Open { keys: found.keys, skeyid };
                    ring.shared_secrets.remove(number);
                    return;
                }
            }
        }
        if matches!(self.lock, Lock::Untried) {
            self.lock = match (ring.pre_shared_keys.is_empty(), ring.shared_secrets.is_empty()) {
                (_, true) => reason("no daemon gave the secret of its key exchange"),
                (true, _) => reason("no pre-shared key was given"),
                _ => reason("none of the keys that were given opens it"),
            };
        }
    }

    /// A key from Wireshark's table; what can be derived is better, since it authenticates too.
    fn try_given_key(&mut self, ring: &Ring) {
        if let (Lock::Untried, Some(key)) = (&self.lock, ring.encryption_keys.get(&self.clear.cookies[0])) {
            self.lock = Lock::Cipher(key.clone());
        }
    }

    fn open(&self, vector: &[u8], message: &Message<'_>) -> Result<Opened, String> {
        let key = match &self.lock {
            Lock::Open { keys, .. } => &keys.cipher,
            Lock::Cipher(key) => key,
            Lock::Closed(reason) => return Err(reason.clone()),
            Lock::Untried => return Err("the encrypted part of phase 1 was not captured".to_owned()),
        };
        let Some(suite) = self.suite else { return Err("its cipher is not known".to_owned()) };
        suite.opens(key, vector, message).ok_or_else(|| {
            "its key does not open it: it is damaged, or a message before it was not captured".to_owned()
        })
    }

    /// Whether phase 1's hash is right; nothing where it cannot be computed.
    fn authenticates(&self, end: usize, opened: &Opened) -> Option<bool> {
        let (Lock::Open { skeyid, .. }, Some(suite)) = (&self.lock, self.suite) else { return None };
        self.clear.is_authenticated(suite.hash, skeyid, end, opened)
    }

    /// Whether the HASH payload in front is of these parts, one of which may be what is behind it.
    fn is_hash<'o>(&self, opened: &'o Opened, parts: impl FnOnce(&'o [u8]) -> Vec<&'o [u8]>) -> Option<bool> {
        let (Lock::Open { keys, .. }, Some(suite)) = (&self.lock, self.suite) else { return None };
        let Some((payload::HASH, found)) = opened.payloads.first() else { return Some(false) };
        Some(prf(suite.hash, &keys.authentication, &parts(opened.behind_the_first())) == *found)
    }

    fn vector_of(&self, Suite { hash, encryption, .. }: Suite, message_id: u32) -> Vec<u8> {
        keys::vector(hash, encryption, &self.vector, message_id)
    }
}

/// Keys on trial.
struct Found {
    hash: Hash,
    skeyid: Vec<u8>,
    keys: Skeyids,
}

impl Clear {
    /// Whether an end's hash of phase 1 is right; nothing where what it is of is not there.
    fn is_authenticated(&self, hash: Hash, skeyid: &[u8], end: usize, opened: &Opened) -> Option<bool> {
        let in_clear = Some(&self.identifications[end][..]).filter(|body| !body.is_empty());
        let identification = opened.first(payload::IDENTIFICATION).or(in_clear)?;
        Some(self.authentication(hash, skeyid, end, identification) == opened.hash()?)
    }
}

impl Suite {
    fn of(transform: &super::Transform) -> Option<Self> {
        let chosen = transform.phase_1();
        Some(Self { encryption: chosen.encryption?, hash: chosen.hash?, pre_shared_key: chosen.pre_shared_key })
    }

    /// A message that a key opens. Most wrong keys show themselves in the first block, by a length that no payload has.
    fn opens(self, key: &[u8], vector: &[u8], message: &Message<'_>) -> Option<Opened> {
        let decrypt = |text| keys::decrypt(self.encryption, key, vector, text);
        let first = decrypt(message.body.get(..self.encryption.block_len())?)?;
        let length = usize::from(u16::from_be_bytes([*first.get(2)?, *first.get(3)?]));
        if !(4..=message.body.len()).contains(&length) {
            return None;
        }
        Opened::parse(message.first_payload, decrypt(message.body)?)
    }
}

/// A message in clear text.
struct Opened {
    text: Vec<u8>,
    payloads: Vec<(u8, Vec<u8>)>,
    /// Where the last payload ends, and padding begins.
    end: usize,
}

impl Opened {
    fn parse(first: u8, text: Vec<u8>) -> Option<Self> {
        let mut chain = Payloads::new(first, &text);
        let mut payloads = Vec::new();
        for payload in chain.by_ref() {
            let payload = payload.ok()?;
            payloads.push((payload.kind, payload.body.to_vec()));
        }
        let end = text.len() - chain.rest().len();
        (!payloads.is_empty()).then_some(Self { payloads, end, text })
    }

    fn first(&self, kind: u8) -> Option<&[u8]> {
        self.payloads.iter().find(|(found, _)| *found == kind).map(|(_, body)| body.as_slice())
    }

    fn hash(&self) -> Option<&[u8]> {
        self.first(payload::HASH)
    }

    /// The chain without its first payload and without padding.
    fn behind_the_first(&self) -> &[u8] {
        let first = self.payloads.first().map_or(0, |(_, body)| body.len() + 4);
        self.text.get(first..self.end).unwrap_or_default()
    }

    fn seen(self, sa: usize, ordinal: u32, authentic: Option<bool>) -> Result<Seen> {
        let payloads: Result<_> = self.payloads.iter().map(|(kind, body)| Body::parse(*kind, body)).collect();
        let payloads = match (payloads, authentic) {
            (Ok(payloads), _) => payloads,
            (Err(e), Some(true)) => return Err(e),
            // Decrypted with a key that fits nothing, anything can come out.
            (Err(_), _) => return Ok(closed(Some(sa), ordinal, "its key does not open it")),
        };
        let sealed = if authentic == Some(true) { Sealed::Authenticated } else { Sealed::Opened };
        let wrong_hash = authentic == Some(false);
        Ok(Seen { sa: Some(sa), sealed, closed: None, wrong_hash, payloads, ordinal, retransmission: false })
    }
}

/// What the next vector comes from: the last block of the cipher's text (RFC 2409 appendix B).
fn last_block(message: &Message<'_>, suite: Option<Suite>) -> Vec<u8> {
    let length = suite.map_or(0, |suite| suite.encryption.block_len());
    message.body[message.body.len().saturating_sub(length)..].to_vec()
}

fn clear(message: &Message<'_>, sa: Option<usize>, ordinal: u32) -> Result<Seen> {
    let payloads = message.payloads().map(|payload| payload.and_then(|found| Body::parse(found.kind, found.body)));
    let payloads = payloads.collect::<Result<_>>()?;
    Ok(Seen { sealed: Sealed::Clear, closed: None, payloads, ..closed(sa, ordinal, "") })
}

fn version_2(message: &Message<'_>) -> Result<Seen> {
    let ordinal = if message.response { 2 } else { 1 };
    if message.exchange != exchange::IKE_SA_INIT {
        return Ok(closed(None, ordinal, "version 2 is not decrypted"));
    }
    let payloads = message.payloads().map(|payload| payload.map(|found| Body::of_version_2(found.kind, found.body)));
    let payloads = payloads.collect::<Result<_>>()?;
    Ok(Seen { sealed: Sealed::Clear, closed: None, payloads, ..closed(None, ordinal, "") })
}

fn closed(sa: Option<usize>, ordinal: u32, reason: impl Into<String>) -> Seen {
    Seen {
        sa,
        sealed: Sealed::Closed,
        closed: Some(reason.into()),
        wrong_hash: false,
        payloads: Vec::new(),
        ordinal,
        retransmission: false,
    }
}
