//! Wireshark's tables of keys, as its dialogues write them and as [`super::esp_sa_table`] does.
//!
//! What is not a table is an error with its place. A line that is right but asks for more than the audit can do is
//! left out, with a remark that says so.

use std::net::Ipv4Addr;

use policy::{Encryption, Hash};

use super::{
    Remark,
    fields::{self, Field},
    pattern::{Addresses, SaPattern, Spis},
};
use crate::{Error, Result, audit::EncryptionKey, hex};

/// What a table holds, and what of it had to be left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table<T> {
    pub rows: Vec<T>,
    pub left_out: Vec<Remark>,
}

/// Reads the file `esp_sa`.
pub fn parse_esp_sa(table: &str) -> Result<Table<SaPattern>> {
    parse(table, esp_sa)
}

/// Reads the file `ikev1_decryption_table`: the initiator's cookie and the key of the cipher.
pub fn parse_ikev1_decryption_table(table: &str) -> Result<Table<EncryptionKey>> {
    parse(table, |fields| {
        let [cookie, key] = &fields[..] else { return Err(number_of_columns(&fields, "two: cookie and key")) };
        let initiator_cookie = hexadecimal(cookie, &format!("a cookie, which is {COOKIE_LEN} bytes"))?;
        if initiator_cookie.len() != COOKIE_LEN {
            let found = initiator_cookie.len();
            return Err(Stop::Wrong(cookie.remark(format!("a cookie of {found} bytes: write {COOKIE_LEN}"))));
        }
        let key_bytes = hexadecimal(key, "a key")?;
        if !Encryption::ALL.iter().any(|encryption| encryption.key_len() == key_bytes.len()) {
            let found = key_bytes.len();
            return Err(Stop::Beyond(key.remark(format!("a key of {found} bytes: 3DES and AES have 16, 24 or 32"))));
        }
        Ok(EncryptionKey { initiator_cookie: hex::encode(&initiator_cookie), key: hex::encode(&key_bytes) })
    })
}

const COOKIE_LEN: usize = 8;

/// Why a line gives no row.
enum Stop {
    /// It is not a line of this table.
    Wrong(Remark),
    /// It asks for what the audit cannot do.
    Beyond(Remark),
}

fn parse<T>(table: &str, row: impl Fn(Vec<Field>) -> Result<T, Stop>) -> Result<Table<T>> {
    let mut parsed = Table { rows: Vec::new(), left_out: Vec::new() };
    for fields in fields::rows(table) {
        match row(fields.map_err(Error::Table)?) {
            Ok(row) => parsed.rows.push(row),
            Err(Stop::Beyond(remark)) => parsed.left_out.push(remark),
            Err(Stop::Wrong(remark)) => return Err(Error::Table(remark)),
        }
    }
    Ok(parsed)
}

fn esp_sa(fields: Vec<Field>) -> Result<SaPattern, Stop> {
    let [protocol, source, destination, spi, encryption, encryption_key, integrity, integrity_key, more @ ..] =
        &fields[..]
    else {
        return Err(number_of_columns(&fields, "eight, or nine: protocol, addresses, SPI, algorithms and keys"));
    };
    match protocol.text.to_ascii_lowercase().as_str() {
        "ipv4" | "any" | "*" => {}
        "ipv6" => return Err(Stop::Beyond(protocol.remark("tunnels between IPv6 addresses are not opened"))),
        _ => return Err(Stop::Wrong(protocol.remark("write IPv4"))),
    }
    match more {
        [] => {}
        [numbers] if numbers.text.starts_with("32") => {}
        [numbers] if numbers.text.starts_with("64") => {
            return Err(Stop::Beyond(
                numbers.remark("extended sequence numbers (RFC 4303 section 2.2.1) are not opened"),
            ));
        }
        [numbers] => return Err(Stop::Wrong(numbers.remark("write 32-bit or 64-bit sequence numbers"))),
        [_, next, ..] => return Err(Stop::Wrong(next.remark("a tenth column: the table has eight, or nine"))),
    }
    let (source, destination, spi) = (addresses(source)?, addresses(destination)?, spis(spi)?);
    let key = key(encryption_key)?;
    let encryption_name = name(encryption);
    let encryption = match encryption_name {
        "TripleDES-CBC" => Encryption::TripleDes,
        "AES-CBC" => {
            let fits = |aes: &Encryption| *aes != Encryption::TripleDes && aes.key_len() == key.len();
            // Of another length is no AES: then the length is what is told.
            Encryption::ALL.into_iter().find(fits).unwrap_or(Encryption::Aes128)
        }
        _ => return Err(Stop::Beyond(unknown(encryption, "TripleDES-CBC and AES-CBC"))),
    };
    let authentication = self::key(integrity_key)?;
    let integrity_name = name(integrity);
    let integrity = match integrity_name {
        "HMAC-MD5-96" => Hash::Md5,
        "HMAC-SHA-1-96" => Hash::Sha1,
        "HMAC-SHA-256-128" => Hash::Sha256,
        "HMAC-SHA-384-192" => Hash::Sha384,
        "HMAC-SHA-512-256" => Hash::Sha512,
        _ => return Err(Stop::Beyond(unknown(integrity, "HMAC with MD5, SHA-1 and SHA-2"))),
    };
    let of_length = |field: &Field, name: &str, key: &[u8], needs: usize| match key.len() {
        found if found == needs => Ok(()),
        found => Err(Stop::Wrong(field.remark(format!("a key of {found} bytes: {name} needs {needs}")))),
    };
    of_length(encryption_key, encryption_name, &key, encryption.key_len())?;
    of_length(integrity_key, integrity_name, &authentication, integrity.digest_len())?;
    Ok(SaPattern {
        source,
        destination,
        spi,
        encryption,
        encryption_key: hex::encode(&key),
        integrity,
        integrity_key: hex::encode(&authentication),
    })
}

fn number_of_columns(fields: &[Field], needs: &str) -> Stop {
    let text = format!("{} columns: the table has {needs}", fields.len());
    // A row has a field at least, since blank lines are none.
    Stop::Wrong(fields.last().map_or(Remark { line: 1, column: 1, text: text.clone() }, |last| last.remark(text)))
}

/// An algorithm without the RFC that Wireshark puts behind it in brackets.
fn name(field: &Field) -> &str {
    field.text.split(" [").next().unwrap_or_default().trim()
}

fn unknown(field: &Field, known: &str) -> Remark {
    field.remark(format!("`{}` is not opened: {known} are", field.text))
}

fn addresses(field: &Field) -> Result<Addresses, Stop> {
    if field.text == "*" {
        return Ok(Addresses::ANY);
    }
    let octet = |text: &str| if text == "*" { Some(None) } else { text.parse().ok().map(Some) };
    let octets: Option<Vec<Option<u8>>> = field.text.split('.').map(octet).collect();
    let octets = octets.and_then(|octets| <[Option<u8>; 4]>::try_from(octets).ok());
    match octets {
        Some(octets) => Ok(Addresses(octets)),
        None if field.text.parse::<std::net::Ipv6Addr>().is_ok() => {
            Err(Stop::Beyond(field.remark("tunnels between IPv6 addresses are not opened")))
        }
        None => {
            let example = Ipv4Addr::new(192, 0, 2, 1);
            Err(Stop::Wrong(field.remark(format!("`{}` is no address: write one such as {example}, or *", field.text))))
        }
    }
}

fn spis(field: &Field) -> Result<Spis, Stop> {
    let wrong = || Stop::Wrong(field.remark(format!("`{}` is no SPI: write one such as 0x0000c0de, or *", field.text)));
    if field.text == "*" {
        return Ok(Spis::ANY);
    }
    match field.text.strip_prefix("0x").or(field.text.strip_prefix("0X")) {
        Some(digits) if !digits.is_empty() && digits.len() <= 8 => {
            digits.chars().try_fold(Spis::exactly(0), |spis, c| {
                let digit = if c == '*' { None } else { Some(c.to_digit(16).ok_or_else(wrong)?) };
                Ok(spis.then(digit))
            })
        }
        Some(_) => Err(wrong()),
        None => field.text.parse().map(Spis::exactly).map_err(|_| wrong()),
    }
}

/// Hexadecimal after `0x`, and otherwise the characters themselves.
fn key(field: &Field) -> Result<Vec<u8>, Stop> {
    match field.text.starts_with("0x") || field.text.starts_with("0X") {
        true => hexadecimal(field, "a key"),
        false => Ok(field.text.clone().into_bytes()),
    }
}

fn hexadecimal(field: &Field, what: &str) -> Result<Vec<u8>, Stop> {
    let digits = field.text.strip_prefix("0X").unwrap_or(&field.text);
    hex::decode(digits).ok_or_else(|| {
        Stop::Wrong(
            field.remark(format!("`{}` is not {what} in hexadecimal: write two digits for each byte", field.text)),
        )
    })
}
