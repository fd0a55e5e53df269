//! A cloud that others run: the file that says where it is, and what it tells of itself.
//!
//! Objects are made there under names of their own, one cell after another, and deleted again.

mod file;
mod foreign;

use std::{net::Ipv4Addr, path::Path};

use cloud::Credentials;
use scenario::{Diagnostic, Diagnostics};

pub use foreign::Foreign;
pub(crate) use foreign::{Admitted, NotHere};

/// What an endpoint file says; see docs/endpoints.md.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The path of the file, for messages.
    pub(crate) file: String,
    pub(crate) url: String,
    pub(crate) credentials: Credentials,
    pub(crate) zone: Option<Named>,
    pub(crate) vpc_offering: Option<Named>,
    pub(crate) network_offering: Option<Named>,
    pub(crate) account: Option<Account>,
    /// Public addresses that stand for the customers of a scenario.
    pub(crate) addresses: Vec<Ipv4Addr>,
    /// Whether an IPsec gateway answers there, configured as the scenario says.
    pub(crate) answer: bool,
}

/// Whose the objects are to be, if not the caller's.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub name: String,
    pub domain: Named,
}

/// The name or id of something in the cloud, and where the file names it.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub text: String,
    pub line: u32,
    pub column: u32,
}

impl Endpoint {
    /// Reads an endpoint file, and reports all that is wrong with it at once.
    pub fn load(path: &Path) -> Result<Self, Diagnostics> {
        let file = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => file::parse(&file, &text),
            Err(error) => {
                let message = format!("cannot be read: {error}");
                let help = "name an endpoint file, such as `tunnelproof serve` prints".to_owned();
                Err(Diagnostic { file, line: 0, column: 0, message, help: Some(help), snippet: None }.into())
            }
        }
    }
}
