//! The keys of an SA, made ready once for all its packets: CBC and truncated HMAC.

use aes::cipher::{
    BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, block_padding::NoPadding,
};
use hmac::{
    Hmac, KeyInit, Mac,
    digest::{self, InvalidLength},
};
use md5::Md5;
use policy::{Encryption, Hash};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};

use super::{bitslice, hmac_md5::HmacMd5};
use crate::{Error, Result, audit::SaKeys, hex};

/// The keys of an SA with their schedules computed.
#[derive(Clone)]
pub struct Keys {
    pub(super) encryption: Encryption,
    cipher: Cipher,
    pub(super) integrity: Hash,
    mac: Authenticator,
}

#[derive(Clone)]
enum Cipher {
    /// One that encrypts, and one that decrypts many blocks at once.
    TripleDes(Box<(des::TdesEde3, bitslice::TripleDes)>),
    Aes128(Box<aes::Aes128>),
    Aes192(Box<aes::Aes192>),
    Aes256(Box<aes::Aes256>),
}

#[derive(Clone)]
enum Authenticator {
    /// One of a single text, and one of many at once.
    Md5(Box<(Hmac<Md5>, HmacMd5)>),
    Sha1(Box<Hmac<Sha1>>),
    Sha256(Box<Hmac<Sha256>>),
    Sha384(Box<Hmac<Sha384>>),
    Sha512(Box<Hmac<Sha512>>),
}

impl TryFrom<&SaKeys> for Keys {
    type Error = Error;

    fn try_from(sa: &SaKeys) -> Result<Self> {
        let SaKeys { spi, encryption, integrity, .. } = *sa;
        let key = |what, text, algorithm, needs| {
            let key: Vec<u8> = hex::decode(text).ok_or(Error::KeyDigits { spi, what })?;
            let found = key.len();
            if found == needs { Ok(key) } else { Err(Error::KeyLength { spi, what, algorithm, found, needs }) }
        };
        let cipher_key = key("encryption", &sa.encryption_key, encryption.name(), encryption.key_len())?;
        let mac_key = key("integrity", &sa.integrity_key, integrity.name(), integrity.digest_len())?;
        let cipher = match encryption {
            Encryption::TripleDes => cipher_key
                .first_chunk()
                .ok_or(InvalidLength)
                .map(|key| Cipher::TripleDes(Box::new((KeyInit::new(key.into()), bitslice::TripleDes::new(key))))),
            Encryption::Aes128 => KeyInit::new_from_slice(&cipher_key).map(Box::new).map(Cipher::Aes128),
            Encryption::Aes192 => KeyInit::new_from_slice(&cipher_key).map(Box::new).map(Cipher::Aes192),
            Encryption::Aes256 => KeyInit::new_from_slice(&cipher_key).map(Box::new).map(Cipher::Aes256),
        };
        let mac = match integrity {
            Hash::Md5 => mac_key
                .first_chunk()
                .ok_or(InvalidLength)
                .and_then(|key| Ok(Authenticator::Md5(Box::new((KeyInit::new_from_slice(key)?, HmacMd5::new(key)))))),
            Hash::Sha1 => KeyInit::new_from_slice(&mac_key).map(Box::new).map(Authenticator::Sha1),
            Hash::Sha256 => KeyInit::new_from_slice(&mac_key).map(Box::new).map(Authenticator::Sha256),
            Hash::Sha384 => KeyInit::new_from_slice(&mac_key).map(Box::new).map(Authenticator::Sha384),
            Hash::Sha512 => KeyInit::new_from_slice(&mac_key).map(Box::new).map(Authenticator::Sha512),
        };
        // The lengths were checked above; the ciphers' own answer is the same one.
        let length = |what, algorithm, found, needs| move |_| Error::KeyLength { spi, what, algorithm, found, needs };
        let cipher = cipher.map_err(length("encryption", encryption.name(), cipher_key.len(), encryption.key_len()))?;
        let mac = mac.map_err(length("integrity", integrity.name(), mac_key.len(), integrity.digest_len()))?;
        Ok(Self { encryption, cipher, integrity, mac })
    }
}

impl Keys {
    /// Whole blocks in, whole blocks out; absent if `iv` or `text` have a wrong length.
    pub fn decrypt(&self, iv: &[u8], text: &[u8]) -> Option<Vec<u8>> {
        let block = self.encryption.block_len();
        let whole = iv.len() == block && text.len().is_multiple_of(block);
        let mut clear = Vec::with_capacity(text.len());
        whole.then(|| self.decrypt_all(&[(iv, text)], &mut clear)).map(|()| clear)
    }

    /// Appends the insides of several texts of whole blocks, each with its initialisation vector of one block.
    pub(super) fn decrypt_all(&self, texts: &[(&[u8], &[u8])], clear: &mut Vec<u8>) {
        fn cbc<C: BlockCipherDecrypt>(cipher: &C, texts: &[(&[u8], &[u8])], clear: &mut Vec<u8>) {
            for (iv, text) in texts {
                let begin = clear.len();
                clear.extend_from_slice(text);
                // The caller saw to both lengths.
                if let Ok(decryptor) = cbc::Decryptor::inner_iv_slice_init(cipher, iv) {
                    let _ = decryptor.decrypt_padded::<NoPadding>(&mut clear[begin..]);
                }
            }
        }
        match &self.cipher {
            Cipher::TripleDes(ciphers) => ciphers.1.decrypt_cbc(texts, clear),
            Cipher::Aes128(cipher) => cbc(&**cipher, texts, clear),
            Cipher::Aes192(cipher) => cbc(&**cipher, texts, clear),
            Cipher::Aes256(cipher) => cbc(&**cipher, texts, clear),
        }
    }

    /// `text` must be whole blocks, or the last, incomplete one is an error of the caller.
    pub(super) fn encrypt(&self, iv: &[u8], text: &[u8]) -> Option<Vec<u8>> {
        fn cbc<C: BlockCipherEncrypt>(cipher: &C, iv: &[u8], text: &[u8]) -> Option<Vec<u8>> {
            let encryptor = cbc::Encryptor::inner_iv_slice_init(cipher, iv).ok()?;
            let mut buffer = text.to_vec();
            encryptor.encrypt_padded::<NoPadding>(&mut buffer, text.len()).ok()?;
            Some(buffer)
        }
        match &self.cipher {
            Cipher::TripleDes(ciphers) => cbc(&ciphers.0, iv, text),
            Cipher::Aes128(cipher) => cbc(&**cipher, iv, text),
            Cipher::Aes192(cipher) => cbc(&**cipher, iv, text),
            Cipher::Aes256(cipher) => cbc(&**cipher, iv, text),
        }
    }

    /// The integrity check value: the beginning of the HMAC, as long as its algorithm wants.
    pub fn icv(&self, bytes: &[u8]) -> Vec<u8> {
        self.with_hmac(bytes, |hmac| hmac[..self.integrity.icv_len()].to_vec())
    }

    pub(super) fn is_authentic(&self, bytes: &[u8], icv: &[u8]) -> bool {
        self.with_hmac(bytes, |hmac| hmac[..self.integrity.icv_len()] == *icv)
    }

    /// Of each text and its check value whether they belong together: faster for many of them than for each.
    pub(super) fn are_authentic(&self, sealed: &[(&[u8], &[u8])]) -> Vec<bool> {
        let Authenticator::Md5(macs) = &self.mac else {
            return sealed.iter().map(|(bytes, icv)| self.is_authentic(bytes, icv)).collect();
        };
        let texts: Vec<_> = sealed.iter().map(|(bytes, _)| *bytes).collect();
        let digests = macs.1.of_all(&texts);
        sealed.iter().zip(digests).map(|((_, icv), hmac)| hmac[..self.integrity.icv_len()] == **icv).collect()
    }

    fn with_hmac<T>(&self, bytes: &[u8], then: impl FnOnce(&[u8]) -> T) -> T {
        // With the key's own blocks hashed once for all.
        fn hmac<M: Mac + Clone>(mac: &M, bytes: &[u8]) -> digest::Output<M> {
            mac.clone().chain_update(bytes).finalize().into_bytes()
        }
        match &self.mac {
            Authenticator::Md5(macs) => then(&hmac(&macs.0, bytes)),
            Authenticator::Sha1(mac) => then(&hmac(&**mac, bytes)),
            Authenticator::Sha256(mac) => then(&hmac(&**mac, bytes)),
            Authenticator::Sha384(mac) => then(&hmac(&**mac, bytes)),
            Authenticator::Sha512(mac) => then(&hmac(&**mac, bytes)),
        }
    }
}
