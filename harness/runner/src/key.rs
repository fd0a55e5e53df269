//! What the verdict of a cell depends on, as one digest: a cell whose key is that of an earlier record need not be run
//! again.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use lab::image::{Image, Name, digest};
use scenario::Cell;

use crate::{Ground, images};

impl Ground {
    /// The key of a cell that is run here by the program with this identity. A cloud of others has none: nobody knows
    /// what changed there.
    pub fn key(&self, cell: &Cell, program: &str) -> Option<String> {
        let (kernel, images) = match self {
            Self::Machines(machines) => (machines.kernel(), relevant(&machines.images, cell)),
            Self::Modelled => (String::new(), Vec::new()),
            Self::Foreign(_) => return None,
        };
        let cell = serde_json::to_string(cell).ok()?;
        let parts = [program, self.name(), &kernel, &cell].map(str::to_owned);
        let defect = self.sabotage().map(|defect| format!("sabotaged: {defect}"));
        let parts: Vec<String> = parts.into_iter().chain(images).chain(defect).collect();
        Some(digest::of_parts(parts.iter().map(String::as_str)))
    }
}

/// The images of its daemons, and those that every cell has in common: the kernel's.
fn relevant(all: &[Image], cell: &Cell) -> Vec<String> {
    let own = images(std::slice::from_ref(cell));
    let daemons = policy::Daemon::ALL.map(Name::from);
    let relevant = all.iter().filter(|image| own.contains(&image.name) || !daemons.contains(&image.name));
    relevant.map(|image| format!("{} {}", image.name, image.digest)).collect()
}

/// Of the linker's note in an executable, all but the build's own 20 bytes: their length, its kind, and its owner.
const BUILD_ID: [u8; 16] = [4, 0, 0, 0, 20, 0, 0, 0, 3, 0, 0, 0, b'G', b'N', b'U', 0];
const BUILD_ID_LENGTH: usize = 20;
/// The note stands behind the program headers, before anything that is long.
const HEAD: u64 = 1 << 16;

/// What tells one build of a program from another: the build id, which is the linker's digest of all it linked, or
/// else a digest of the file.
pub fn program_identity(program: &Path) -> io::Result<String> {
    let mut head = Vec::new();
    File::open(program)?.take(HEAD).read_to_end(&mut head)?;
    let note = head.windows(BUILD_ID.len()).position(|window| window == BUILD_ID).map(|at| at + BUILD_ID.len());
    match note.and_then(|at| head.get(at..at + BUILD_ID_LENGTH)) {
        Some(id) => Ok(id.iter().map(|byte| format!("{byte:02x}")).collect()),
        None => digest::of_file(program).map_err(io::Error::other),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{collections::BTreeSet, fs};

    use super::*;

    const QUICKSTART: &str = include_str!("../../../scenarios/quickstart.yaml");

    #[test]
    fn a_key_changes_with_whatever_the_verdict_depends_on() {
        let cells = |text: &str| scenario::parse("scenarios/quickstart.yaml", text).unwrap().cells();
        let key = |cell: &Cell, program: &str| Ground::Modelled.key(cell, program).unwrap();
        let [one, other] = cells(QUICKSTART).try_into().unwrap();
        let longer = cells(&QUICKSTART.replace("hold: 2h", "hold: 3h")).remove(0);
        let secret = cells(&QUICKSTART.replace("psk: \"123123\"", "psk: \"321321\"")).remove(0);
        let keys = [key(&one, "a"), key(&one, "b"), key(&other, "a"), key(&longer, "a"), key(&secret, "a")];
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), 5);
        assert_eq!(key(&one, "a"), key(&cells(&format!("# a comment\n{QUICKSTART}")).remove(0), "a"));
    }

    #[test]
    fn a_program_is_known_by_its_build_id_or_else_by_its_content() {
        let path = std::env::temp_dir().join(format!("tunnelproof-identity-{}", std::process::id()));
        let identity = |content: &[u8]| {
            fs::write(&path, content).unwrap();
            program_identity(&path).unwrap()
        };
        let built = [b"\x7fELF".as_slice(), &BUILD_ID, &[0xab; BUILD_ID_LENGTH], b"code"].concat();
        assert_eq!(identity(&built), "ab".repeat(BUILD_ID_LENGTH));
        let (cut, other) = (identity(&built[..30]), identity(b"a script"));
        fs::remove_file(&path).unwrap();
        assert!(cut.len() == 64 && other.len() == 64 && cut != other);
        assert!(program_identity(&path).is_err());
    }
}
