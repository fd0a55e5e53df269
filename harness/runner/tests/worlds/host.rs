//! The host world, proven by a guest that is the host: its kernel has ESP wherever these tests run.

use std::{
    ffi::{CString, OsString},
    fs, io,
    os::unix::{
        fs::{chown, symlink},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, exit},
    time::Duration,
};

use lab::{
    image::{Store, default_root},
    world::{self, Clock, Said, Worker, World, inside},
};
use libtest_mimic::Completion;
use runner::record::Verdict;
use rustix::mount::{MountFlags, mount, mount_bind};

use crate::{Made, Outcome, folder, program};

/// The program's name as the first process of such a guest.
pub const FIRST: &str = "first-process";

/// First argument of the program as a user that is not root.
pub const ORDINARY: &str = "ordinary-user";

const NOBODY: u32 = 65_534;

/// Whose run it is inside the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Root,
    Anyone,
}

/// A cell's id, verdict and reason.
type Told = Vec<(String, Verdict, String)>;

pub fn proves_cells(who: Who) -> Outcome {
    let made = match Made::find(Store::open(default_root()?)) {
        Ok(made) => made,
        Err(ignored) => return Ok(ignored),
    };
    let out = folder(&format!("host-{who:?}").to_lowercase());
    let first = out.join(FIRST);
    symlink(program(), &first)?;
    let place = inside::Place { writable: out.clone() };
    let mut guest = Worker::start(&World::Guest(made.kernel), Clock::Virtual, &first, &place)?;
    guest.send(&(who == Who::Root, made.store.root(), &out))?;
    let told: Result<Told, String> = match guest.receive(Duration::from_secs(120)) {
        Said::Message(told) => told,
        other => return Err(guest.ended(&format!("{other:?}")).into()),
    };
    for (id, verdict, reason) in told? {
        assert_eq!(verdict, Verdict::Proven, "{id}: {reason}; see {}", out.display());
    }
    Ok(Completion::Completed)
}

/// Runs as process 1 of a guest: a machine on which the host world is tried.
pub fn first_process(arguments: impl Iterator<Item = OsString>) -> ! {
    let channel = inside::enter(arguments).unwrap();
    if let Some((root, store, out)) = channel.receive::<(bool, PathBuf, PathBuf)>().unwrap() {
        let told = if root { prove(&store, &out) } else { as_nobody(&store) };
        channel.send(&told).unwrap();
    }
    inside::leave()
}

fn prove(store: &Path, out: &Path) -> Result<Told, String> {
    let store = Store::open(store.to_owned());
    world::choose(world::Choice::Host, &store, &program()).map_err(|e| e.to_string())?;
    let made = Made::find(store).map_err(|_| "the guest does not see the images".to_owned())?;
    let record = made.prove(World::Host, out, 1);
    Ok(record.cells.into_iter().map(|cell| (cell.id, cell.verdict, cell.reason)).collect())
}

/// The guest's root hands over to a user who made the images, and can write one folder besides.
fn as_nobody(store: &Path) -> Result<Told, String> {
    let root = Path::new("/mnt");
    let [images, changed, work, own, me] = ["images", "changed", "work", "own", "program"].map(|name| root.join(name));
    let lay_out = || -> io::Result<()> {
        mount("tmpfs", root, "tmpfs", MountFlags::empty(), None)?;
        for folder in [&images, &changed, &work, &own] {
            fs::create_dir(folder)?;
        }
        let layers = [("lowerdir", store), ("upperdir", &changed), ("workdir", &work)];
        let layers = layers.map(|(name, path)| format!("{name}={}", path.display())).join(",");
        // As many a /home is mounted.
        let flags = MountFlags::NOSUID | MountFlags::NODEV;
        mount("overlay", &images, "overlay", flags, Some(CString::new(layers)?.as_c_str()))?;
        // The only files that whoever made an image keeps to himself.
        for image in fs::read_dir(&images)? {
            for file in fs::read_dir(image?.path().join("root/var/lib/ipsec/nss")).into_iter().flatten() {
                chown(file?.path(), Some(NOBODY), Some(NOBODY))?;
            }
        }
        chown(&own, Some(NOBODY), Some(NOBODY))?;
        fs::write(&me, "")?;
        Ok(mount_bind(program(), &me)?)
    };
    lay_out().map_err(|e| format!("{}: {e}", root.display()))?;
    let mut command = Command::new(&me);
    command.arg(ORDINARY).arg(&images).arg(&own).uid(NOBODY).gid(NOBODY);
    let output = command.output().map_err(|e| e.to_string())?;
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).map_err(|e| format!("{e}: {}: {errors}", output.status))?
}

/// Runs as that user.
pub fn ordinary(mut arguments: impl Iterator<Item = OsString>) -> ! {
    let [store, out] = [(); 2].map(|()| PathBuf::from(arguments.next().unwrap_or_default()));
    println!("{}", serde_json::to_string(&prove(&store, &out)).unwrap());
    exit(0)
}

/// Whatever this machine's own kernel is, the answer is one that helps.
pub fn is_or_says_why_not() -> Outcome {
    let Err(why) = world::host(&program()) else { return Ok(Completion::Completed) };
    let known = ["CONFIG_", "namespaces are not allowed", "apt-get install"];
    assert!(known.iter().any(|word| why.contains(word)), "{why}");
    Ok(Completion::Completed)
}
