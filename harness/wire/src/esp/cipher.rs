//! The keys of an SA, made ready once for all its packets: CBC and truncated HMAC.

use aes::cipher::{
    BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, block_padding::NoPadding,
};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use policy::{Encryption, Hash};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};

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
    TripleDes(Box<des::TdesEde3>),
    Aes128(Box<aes::Aes128>),
    Aes192(Box<aes::Aes192>),
    Aes256(Box<aes::Aes256>),
}

#[derive(Clone)]
enum Authenticator {
    Md5(Box<Hmac<Md5>>),
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
            Encryption::TripleDes => KeyInit::new_from_slice(&cipher_key).map(Box::new).map(Cipher::TripleDes),
            Encryption::Aes128 => KeyInit::new_from_slice(&cipher_key).map(Box::new).map(Cipher::Aes128),
            Encryption::Aes192 => KeyInit::new_from_slice(&cipher_key).map(Box::new).map(Cipher::Aes192),
            Encryption::Aes256 => KeyInit::new_from_slice(&cipher_key).map(Box::new).map(Cipher::Aes256),
        };
        let mac = match integrity {
            Hash::Md5 => KeyInit::new_from_slice(&mac_key).map(Box::new).map(Authenticator::Md5),
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
    pub(super) fn decrypt(&self, iv: &[u8], text: &[u8]) -> Option<Vec<u8>> {
        fn cbc<C: BlockCipherDecrypt>(cipher: &C, iv: &[u8], text: &[u8]) -> Option<Vec<u8>> {
            let decryptor = cbc::Decryptor::inner_iv_slice_init(cipher, iv).ok()?;
            decryptor.decrypt_padded_vec::<NoPadding>(text).ok()
        }
        match &self.cipher {
            Cipher::TripleDes(cipher) => cbc(&**cipher, iv, text),
            Cipher::Aes128(cipher) => cbc(&**cipher, iv, text),
            Cipher::Aes192(cipher) => cbc(&**cipher, iv, text),
            Cipher::Aes256(cipher) => cbc(&**cipher, iv, text),
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
            Cipher::TripleDes(cipher) => cbc(&**cipher, iv, text),
            Cipher::Aes128(cipher) => cbc(&**cipher, iv, text),
            Cipher::Aes192(cipher) => cbc(&**cipher, iv, text),
            Cipher::Aes256(cipher) => cbc(&**cipher, iv, text),
        }
    }

    /// The integrity check value: the beginning of the HMAC, as long as its algorithm wants.
    pub(super) fn icv(&self, bytes: &[u8]) -> Vec<u8> {
        fn hmac<M: Mac + Clone>(mac: &M, bytes: &[u8]) -> Vec<u8> {
            mac.clone().chain_update(bytes).finalize().into_bytes().to_vec()
        }
        let mut icv = match &self.mac {
            Authenticator::Md5(mac) => hmac(&**mac, bytes),
            Authenticator::Sha1(mac) => hmac(&**mac, bytes),
            Authenticator::Sha256(mac) => hmac(&**mac, bytes),
            Authenticator::Sha384(mac) => hmac(&**mac, bytes),
            Authenticator::Sha512(mac) => hmac(&**mac, bytes),
        };
        icv.truncate(self.integrity.icv_len());
        icv
    }
}
