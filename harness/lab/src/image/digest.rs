//! SHA-256 of texts and files, in hexadecimal.

use std::{fs::File, io::Read, path::Path};

use sha2::{Digest, Sha256};

use super::{ImageError, Result};

pub fn of_file(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(ImageError::file(path))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).map_err(ImageError::file(path))? {
            0 => return Ok(hex(&hasher.finalize())),
            length => hasher.update(&buffer[..length]),
        }
    }
}

/// Each part is preceded by its length, so that moving text from one to the next changes the digest.
pub fn of_parts<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hex(&hasher.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
