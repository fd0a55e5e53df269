//! What follows from a key exchange of version 1 with a pre-shared key: keys, vectors, hashes (RFC 2409 section 5 and
//! appendix B).

use aes::cipher::{BlockCipherDecrypt, BlockModeDecrypt, InnerIvInit, block_padding::NoPadding};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use policy::{Encryption, Hash};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// What both ends of phase 1 say in clear, and is hashed again and again.
#[derive(Clone, Debug, Default)]
pub(super) struct Clear {
    /// Initiator's, then responder's, as everything here.
    pub cookies: [[u8; 8]; 2],
    /// Public values of the key exchange.
    pub public: [Vec<u8>; 2],
    pub nonces: [Vec<u8>; 2],
    /// The initiator's SA payload, without its generic header.
    pub offer: Vec<u8>,
    /// Bodies of the identification payloads, which only Aggressive Mode has in clear (RFC 2409 section 5.4).
    pub identifications: [Vec<u8>; 2],
}

impl Clear {
    pub fn is_whole(&self) -> bool {
        self.public.iter().chain(&self.nonces).chain([&self.offer]).all(|part| !part.is_empty())
    }

    /// What a second responder has of the same initiator: the offer, and in Aggressive Mode all that stands beside it.
    pub fn offered(&self, aggressive: bool) -> Self {
        let offer = self.offer.clone();
        let of_initiator = |parts: &[Vec<u8>; 2]| [if aggressive { parts[0].clone() } else { Vec::new() }, Vec::new()];
        Self {
            cookies: self.cookies,
            public: of_initiator(&self.public),
            nonces: of_initiator(&self.nonces),
            offer,
            identifications: of_initiator(&self.identifications),
        }
    }

    /// SKEYID of authentication with a pre-shared key.
    pub fn skeyid(&self, hash: Hash, pre_shared_key: &[u8]) -> Vec<u8> {
        let [initiator, responder] = &self.nonces;
        prf(hash, pre_shared_key, &[initiator, responder])
    }

    /// HASH_I for end 0, HASH_R for end 1, over the body of the identification payload that stands beside it.
    pub fn authentication(&self, hash: Hash, skeyid: &[u8], end: usize, identification: &[u8]) -> Vec<u8> {
        let other = 1 - end;
        let parts = [
            &self.public[end][..],
            &self.public[other],
            &self.cookies[end],
            &self.cookies[other],
            &self.offer,
            identification,
        ];
        prf(hash, skeyid, &parts)
    }

    /// The vector of the first encrypted message.
    pub fn first_vector(&self, hash: Hash, encryption: Encryption) -> Vec<u8> {
        let [initiator, responder] = &self.public;
        truncated(digest(hash, &[initiator, responder]), encryption.block_len())
    }
}

/// The keys of an IKE SA: SKEYID_d, SKEYID_a, and the cipher's, which comes of SKEYID_e.
#[derive(Clone)]
pub(super) struct Skeyids {
    pub derivation: Vec<u8>,
    pub authentication: Vec<u8>,
    pub cipher: Vec<u8>,
}

impl Skeyids {
    pub fn new(hash: Hash, encryption: Encryption, skeyid: &[u8], shared: &[u8], cookies: &[[u8; 8]; 2]) -> Self {
        let [initiator, responder] = cookies;
        let next = |before: &[u8], number: u8| prf(hash, skeyid, &[before, shared, initiator, responder, &[number]]);
        let derivation = next(&[], 0);
        let authentication = next(&derivation, 1);
        let cipher = expand(hash, &next(&authentication, 2), encryption.key_len());
        Self { derivation, authentication, cipher }
    }
}

/// SKEYID_e, made as long as the cipher wants it (appendix B).
fn expand(hash: Hash, skeyid_e: &[u8], length: usize) -> Vec<u8> {
    if skeyid_e.len() >= length {
        return skeyid_e[..length].to_vec();
    }
    let mut block = prf(hash, skeyid_e, &[&[0]]);
    let mut key = block.clone();
    while key.len() < length {
        block = prf(hash, skeyid_e, &[&block]);
        key.extend(&block);
    }
    truncated(key, length)
}

/// What a Quick Mode adds to the keys of its SAs.
pub(super) struct KeyMaterial<'a> {
    /// g(qm)^xy, with perfect forward secrecy.
    pub shared: Option<&'a [u8]>,
    pub protocol: u8,
    pub spi: [u8; 4],
    pub nonces: &'a [Vec<u8>; 2],
}

impl KeyMaterial<'_> {
    /// KEYMAT (section 5.5): the key of the cipher, then that of integrity.
    pub fn derive(&self, hash: Hash, derivation: &[u8], length: usize) -> Vec<u8> {
        let shared = self.shared.unwrap_or_default();
        let [initiator, responder] = self.nonces;
        let mut block = Vec::new();
        let mut material = Vec::new();
        while material.len() < length {
            block = prf(hash, derivation, &[&block, shared, &[self.protocol], &self.spi, initiator, responder]);
            material.extend(&block);
        }
        truncated(material, length)
    }
}

/// The vector of the first message of an exchange inside an IKE SA, from the last block of phase 1.
pub(super) fn vector(hash: Hash, encryption: Encryption, last_block: &[u8], message_id: u32) -> Vec<u8> {
    truncated(digest(hash, &[last_block, &message_id.to_be_bytes()]), encryption.block_len())
}

/// The negotiated pseudo-random function: HMAC of the negotiated hash (section 4).
pub(super) fn prf(hash: Hash, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    fn hmac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        // HMAC takes a key of any length.
        let Ok(mac) = <M as KeyInit>::new_from_slice(key) else { return Vec::new() };
        parts.iter().fold(mac, |mac, part| mac.chain_update(part)).finalize().into_bytes().to_vec()
    }
    match hash {
        Hash::Md5 => hmac::<Hmac<Md5>>(key, parts),
        Hash::Sha1 => hmac::<Hmac<Sha1>>(key, parts),
        Hash::Sha256 => hmac::<Hmac<Sha256>>(key, parts),
        Hash::Sha384 => hmac::<Hmac<Sha384>>(key, parts),
        Hash::Sha512 => hmac::<Hmac<Sha512>>(key, parts),
    }
}

fn digest(hash: Hash, parts: &[&[u8]]) -> Vec<u8> {
    fn of<D: Digest>(parts: &[&[u8]]) -> Vec<u8> {
        parts.iter().fold(D::new(), |digest, part| digest.chain_update(part)).finalize().to_vec()
    }
    match hash {
        Hash::Md5 => of::<Md5>(parts),
        Hash::Sha1 => of::<Sha1>(parts),
        Hash::Sha256 => of::<Sha256>(parts),
        Hash::Sha384 => of::<Sha384>(parts),
        Hash::Sha512 => of::<Sha512>(parts),
    }
}

/// Whole blocks in, whole blocks out; absent if key, vector or text have a wrong length.
pub(super) fn decrypt(encryption: Encryption, key: &[u8], vector: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    fn cbc<C: BlockCipherDecrypt + KeyInit>(key: &[u8], vector: &[u8], text: &[u8]) -> Option<Vec<u8>> {
        let cipher = <C as KeyInit>::new_from_slice(key).ok()?;
        let decryptor = cbc::Decryptor::<C>::inner_iv_slice_init(cipher, vector).ok()?;
        decryptor.decrypt_padded_vec::<NoPadding>(text).ok()
    }
    match encryption {
        Encryption::TripleDes => cbc::<des::TdesEde3>(key, vector, text),
        Encryption::Aes128 => cbc::<aes::Aes128>(key, vector, text),
        Encryption::Aes192 => cbc::<aes::Aes192>(key, vector, text),
        Encryption::Aes256 => cbc::<aes::Aes256>(key, vector, text),
    }
}

fn truncated(mut bytes: Vec<u8>, length: usize) -> Vec<u8> {
    bytes.truncate(length);
    bytes
}
