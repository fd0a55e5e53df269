//! A file tree out of packages, without running their maintainer scripts.

use std::{
    fs::{self, DirBuilder},
    os::unix::fs::{DirBuilderExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    ImageError, Result,
    apt::{Deb, Tell},
    child::{Children, Log, run},
    manifest::{self, Layout, Tree},
};

/// Arguments: the tree, the file of patterns that are not unpacked, the packages.
/// tar, not `dpkg-deb -x`: that one replaces the link /lib by a folder when an older package ships /lib/x.
const UNPACK: &str = r#"
tree=$1 strip=$2
shift 2
for deb in "$@"; do
    echo "unpack $deb"
    dpkg-deb --fsys-tarfile "$deb" |
        tar -x -p --numeric-owner -C "$tree" --keep-directory-symlink --anchored --wildcards --exclude-from="$strip" -f -
done
"#;

/// Unpacks into `root`, which must not exist; `scratch` is a folder for a file of our own.
pub(super) fn make(
    children: &Children,
    log: &mut Log,
    root: &Path,
    scratch: &Path,
    tree: &Tree,
    debs: &[Deb],
    tell: Tell<'_>,
) -> Result<bool> {
    let base = manifest::base()?;
    lay(root, &base)?;
    let strip = scratch.join("strip");
    let patterns = base.strip.iter().chain(&tree.strip).map(|pattern| format!("{pattern}\n")).collect::<String>();
    fs::write(&strip, patterns).map_err(ImageError::file(&strip))?;
    let mut command = Command::new("/bin/sh");
    command.args(["-euc", UNPACK, "unpack"]).arg(root).arg(&strip).args(debs.iter().map(|deb| &deb.path));
    let (mut so_far, all) = (0, debs.len() as u64);
    let done = run(children, log, command, |line| {
        if line.starts_with("unpack ") {
            tell("unpacking packages", Some((so_far, all)));
            so_far += 1;
        }
    })?;
    lay(root, &tree.layout)?;
    Ok(done)
}

fn lay(root: &Path, layout: &Layout) -> Result<()> {
    for directory in &layout.directories {
        let path = inside(root, directory);
        DirBuilder::new().recursive(true).mode(0o755).create(&path).map_err(ImageError::file(&path))?;
    }
    for link in &layout.links {
        let path = inside(root, &link.path);
        if path.symlink_metadata().is_ok() {
            fs::remove_file(&path).map_err(ImageError::file(&path))?;
        }
        symlink(&link.to, &path).map_err(ImageError::file(&path))?;
    }
    for file in &layout.files {
        let path = inside(root, &file.path);
        fs::write(&path, file.text.trim_start()).map_err(ImageError::file(&path))?;
    }
    Ok(())
}

/// Links of the tree are not followed out of it, because the layout only names paths below real folders.
fn inside(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_base_has_the_links_of_a_merged_usr_and_its_files() {
        let root = std::env::temp_dir().join(format!("tunnelproof-tree-{}", std::process::id()));
        lay(&root, &manifest::base().unwrap()).unwrap();
        lay(&root, &manifest::base().unwrap()).unwrap();
        assert_eq!(fs::read_link(root.join("lib64")).unwrap(), Path::new("usr/lib64"));
        assert!(fs::read_to_string(root.join("etc/passwd")).unwrap().starts_with("root:x:0:0:"));
        assert!(root.join("var/log").is_dir());
        fs::remove_dir_all(&root).unwrap();
    }
}
