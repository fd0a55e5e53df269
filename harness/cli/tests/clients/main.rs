//! Existing CloudStack clients, as they are in the Python registry, against `tunnelproof serve`.
//!
//! Each story of `test_*.py` is a test for each profile, and has a cloud of its own that ends in order.
//! Where the clients cannot be had, the tests are ignored, with the reason.

mod endpoint;
mod environment;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Output},
    sync::{Arc, OnceLock},
};

use cloud::Profile;
use libtest_mimic::{Arguments, Completion, Failed, Trial};

use endpoint::Endpoint;
use environment::Missing;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let python = Arc::<Python>::default();
    let mut trials = Vec::new();
    for story in stories(&folder) {
        for profile in Profile::ALL {
            let (python, folder, story) = (Arc::clone(&python), folder.clone(), story.clone());
            let name = format!("{}/{profile}/{}", story.client, story.name);
            trials.push(Trial::ignorable_test(name, move || story.is_true(&python, &folder, profile)));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Where the clients are; looked for, and made, when the first story wants them.
#[derive(Default)]
struct Python(OnceLock<Result<PathBuf, Missing>>);

impl Python {
    fn path(&self, folder: &Path) -> Result<&PathBuf, &Missing> {
        self.0.get_or_init(|| environment::python(folder)).as_ref()
    }
}

#[derive(Clone)]
struct Story {
    client: String,
    name: String,
    /// As Python's unittest names it.
    id: String,
}

/// In Python's files: a class, and its methods whose names begin with `test_`.
fn stories(folder: &Path) -> Vec<Story> {
    let entries = fs::read_dir(folder).expect("the folder of the suite can be read");
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut stories = Vec::new();
    for file in files {
        let module = file.file_stem().unwrap_or_default().to_string_lossy();
        let Some(client) = module.strip_prefix("test_") else { continue };
        let text = fs::read_to_string(&file).expect("a file of the suite can be read");
        let mut class = "";
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("class ") {
                class = rest.split('(').next().unwrap_or_default();
            } else if let Some(rest) = line.strip_prefix("    def test_") {
                let name = rest.split('(').next().unwrap_or_default();
                let id = format!("{module}.{class}.test_{name}");
                stories.push(Story { client: client.to_owned(), name: name.to_owned(), id });
            }
        }
    }
    assert!(!stories.is_empty(), "{} has no stories", folder.display());
    stories
}

impl Story {
    fn is_true(&self, python: &Python, folder: &Path, profile: Profile) -> Result<Completion, Failed> {
        let python = match python.path(folder) {
            Ok(python) => python,
            Err(Missing::Cannot(reason)) => return Ok(Completion::ignored_with(reason)),
            Err(Missing::Wrong(reason)) => return Err(reason.into()),
        };
        let endpoint = Endpoint::serve(profile)?;
        let told = self.tell(python, folder, profile, &endpoint)?;
        let log = endpoint.end()?;
        let said = String::from_utf8_lossy(&told.stderr);
        // A story that Python skipped would end with `OK (skipped=1)`.
        if told.status.success() && said.contains("Ran 1 test ") && said.trim_end().ends_with("\nOK") {
            return Ok(Completion::Completed);
        }
        Err(format!("{}{said}\n-- the service said:\n{log}", String::from_utf8_lossy(&told.stdout)).into())
    }

    fn tell(&self, python: &Path, folder: &Path, profile: Profile, endpoint: &Endpoint) -> Result<Output, Failed> {
        let mut command = Command::new(python);
        // Neither the user's settings of Python nor compiled files in the source tree.
        command.args(["-E", "-B", "-m", "unittest", "-q", &self.id]).current_dir(folder);
        command
            .env("TUNNELPROOF_URL", &endpoint.url)
            .env("TUNNELPROOF_API_KEY", &endpoint.api_key)
            .env("TUNNELPROOF_SECRET_KEY", &endpoint.secret_key)
            .env("TUNNELPROOF_PROFILE", profile.to_string())
            // The service is on loopback, where no proxy leads.
            .env("NO_PROXY", "*")
            .env("no_proxy", "*");
        Ok(command.output().map_err(|error| format!("{}: {error}", python.display()))?)
    }
}
