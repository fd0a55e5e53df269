//! A Python that has the clients: the one that the environment names, or one that is made from the
//! Python registry, once, and kept beside the images.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use sha2::{Digest, Sha256};

const VARIABLE: &str = "TUNNELPROOF_CLIENTS";

/// Why there is none.
#[derive(Clone)]
pub enum Missing {
    /// This machine cannot have it.
    Cannot(String),
    /// The environment names one that is not right.
    Wrong(String),
}

/// Prints what of `name==version ...` is not installed just so.
const CHECK: &str = "
import importlib.metadata as metadata, sys
for wanted in sys.argv[1:]:
    name, _, version = wanted.partition('==')
    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:
        found = 'nothing'
    if found != version:
        print(f'{wanted} is needed, and {found} is there')
";

/// Unpacks one collection of a wheel to where pip would have unpacked them all.
const UNPACK: &str = "
import glob, sys, sysconfig, zipfile
wanted = ('ansible_collections/ngine_io/cloudstack/', 'ansible-')
for path in glob.glob(sys.argv[1] + '/*.whl'):
    with zipfile.ZipFile(path) as wheel:
        names = [name for name in wheel.namelist() if name.startswith(wanted)]
        wheel.extractall(sysconfig.get_paths()['purelib'], names)
";

/// What is needed, by name, version and hash.
struct Requirements {
    packages: PathBuf,
    collections: PathBuf,
    text: String,
}

impl Requirements {
    fn read(folder: &Path) -> Result<Self, String> {
        let [packages, collections] = ["requirements.txt", "collections.txt"].map(|name| folder.join(name));
        let read = |path: &Path| fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()));
        let text = read(&packages)? + &read(&collections)?;
        Ok(Self { packages, collections, text })
    }

    /// What a Python lacks, in words; empty if nothing.
    fn lacking(&self, python: &Path) -> Result<String, String> {
        let versions = self.text.split_whitespace().filter(|word| word.contains("=="));
        run(Command::new(python).args(["-E", "-c", CHECK]).args(versions))
    }
}

pub fn python(folder: &Path) -> Result<PathBuf, Missing> {
    let requirements = Requirements::read(folder).map_err(Missing::Wrong)?;
    if let Some(own) = env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
        let own = PathBuf::from(own);
        return match requirements.lacking(&own) {
            Ok(lacking) if lacking.is_empty() => Ok(own),
            Ok(lacking) | Err(lacking) => Err(Missing::Wrong(format!("{VARIABLE}={}: {lacking}", own.display()))),
        };
    }
    made(&requirements).map_err(Missing::Cannot)
}

/// Kept by what is in it and by the Python that it is for.
fn made(requirements: &Requirements) -> Result<PathBuf, String> {
    let install = |error| format!("{error} (apt-get install python3-venv python3-pip)");
    let version = run(Command::new("python3").arg("--version")).map_err(install)?;
    let digest = Sha256::new().chain_update(&requirements.text).chain_update(UNPACK).chain_update(version).finalize();
    let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let cache = lab::image::default_root().map_err(|error| error.to_string())?;
    let folder = cache.join(format!("clients-{digest}"));
    let program = folder.join("bin/python");
    if program.exists() && requirements.lacking(&program)?.is_empty() {
        return Ok(program);
    }
    let tell = |what: &str| eprintln!("clients: {what}");
    tell(&format!("64 MB from the Python registry into {}, once", folder.display()));
    fs::create_dir_all(&cache).map_err(|error| format!("{}: {error}", cache.display()))?;
    let half = Half(cache.join(format!(".clients-{digest}-{}", std::process::id())));
    run(Command::new("python3").args(["-m", "venv"]).arg(&half.0)).map_err(install)?;
    let python = half.0.join("bin/python");
    let pip = |command: &str, file: &Path| {
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", command, "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"]);
        pip.args(["--require-hashes", "--only-binary", ":all:", "-r"]).arg(file);
        pip
    };
    tell("installing the packages of requirements.txt");
    run(&mut pip("install", &requirements.packages))?;
    tell("unpacking Ansible's collection");
    let wheels = half.0.join("wheels");
    run(pip("download", &requirements.collections).arg("-d").arg(&wheels))?;
    run(Command::new(&python).args(["-E", "-c", UNPACK]).arg(&wheels))?;
    fs::remove_dir_all(&wheels).map_err(|error| format!("{}: {error}", wheels.display()))?;
    // What is there is incomplete, or another process was first: then the same is put in its place.
    let _ = fs::remove_dir_all(&folder);
    fs::rename(&half.0, &folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    tell("ready");
    Ok(program)
}

/// An environment that is being made; what is left of it when something fails is removed.
struct Half(PathBuf);

impl Drop for Half {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn run(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let Output { status, stdout, stderr } = command.output().map_err(|error| format!("{program}: {error}"))?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).trim().to_owned());
    }
    // Of many lines the last one that is not empty says what was wrong.
    let said = [String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)].concat();
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().to_owned();
    Err(format!("{program} ended with {status}: {last}"))
}
