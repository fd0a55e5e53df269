//! What a foreign cloud tells of itself before the first cell is run against it.

use std::{collections::BTreeMap, net::Ipv4Addr, time::Duration};

use cloud::{Client, ClientError, Profile};
use scenario::{Cell, Diagnostic, Diagnostics, nearest};
use serde_json::Value;

use super::{Endpoint, Named};
use crate::{
    drive::{Choices, Interrupt, Session},
    limits::{self, Limits},
    record::CloudRecord,
};

/// Begins the name of every object that a run makes in a foreign cloud.
const MARK: &str = "tunnelproof-";

/// Jobs of a foreign cloud are asked about so often, and for so long.
const POLL: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// A foreign cloud, reached or not.
pub struct Foreign {
    endpoint: Endpoint,
    /// Or why there is nothing to run against, and what to do.
    reached: Result<Reached, String>,
}

struct Reached {
    client: Client,
    version: String,
    profile: Profile,
    owner: Vec<(&'static str, String)>,
    choices: Choices,
    /// What bears the mark of a run, which is not this one.
    leftovers: Vec<String>,
    /// Customer gateways that are there, by address.
    taken: BTreeMap<Ipv4Addr, String>,
}

enum Unreached {
    /// The file names something that the cloud does not have.
    Input(Diagnostic),
    Broken(String),
}

impl Foreign {
    /// Asks the cloud what it is. A cloud that cannot be reached breaks each cell; a file that names what the cloud
    /// does not have is wrong input.
    pub fn reach(endpoint: Endpoint) -> Result<Self, Diagnostics> {
        let asked = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Unreached::Broken(e.to_string()))
            .and_then(|runtime| runtime.block_on(ask(&endpoint)));
        match asked {
            Ok(reached) => Ok(Self { endpoint, reached: Ok(reached) }),
            Err(Unreached::Broken(reason)) => Ok(Self { endpoint, reached: Err(reason) }),
            Err(Unreached::Input(wrong)) => Err(wrong.into()),
        }
    }

    /// What it is, in words.
    pub fn describe(&self) -> String {
        let url = &self.endpoint.url;
        match &self.reached {
            Ok(reached) => format!("CloudStack {} at {url}, held to profile {}", reached.version, reached.profile),
            Err(_) => format!("a cloud at {url} that cannot be used"),
        }
    }

    /// What bears the mark of a run and was there before this one.
    pub fn leftovers(&self) -> &[String] {
        self.reached.as_ref().map_or(&[], |reached| &reached.leftovers)
    }

    pub(crate) fn record(&self) -> CloudRecord {
        let reached = self.reached.as_ref().ok();
        CloudRecord {
            url: self.endpoint.url.clone(),
            version: reached.map_or(String::new(), |reached| reached.version.clone()),
            profile: reached.map_or(String::new(), |reached| reached.profile.to_string()),
            leftovers: self.leftovers().to_vec(),
        }
    }

    /// What routers and customers are there.
    pub(crate) fn ends(&self) -> [String; 2] {
        let router = match &self.reached {
            Ok(reached) => format!("CloudStack {}", reached.version),
            Err(_) => "a foreign cloud".to_owned(),
        };
        let customer = if self.endpoint.answer { "gateways of others" } else { "no gateway" };
        [router, customer.to_owned()]
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits::Foreign { answer: self.endpoint.answer }
    }

    /// What the cell needs to run here, or why it cannot.
    pub(crate) fn admit(&self, cell: &Cell) -> Result<Admitted<'_>, NotHere> {
        let reached = self.reached.as_ref().map_err(|reason| NotHere::Broken(reason.clone()))?;
        let wanted = cell.cloud.profile.name();
        if wanted != reached.profile.name() {
            return Err(NotHere::Skipped(format!(
                "it is for profile {wanted}, and the cloud is CloudStack {}, which is held to profile {}",
                reached.version, reached.profile
            )));
        }
        let addresses = limits::addressed(cell, &self.endpoint.addresses).map_err(NotHere::Skipped)?;
        // Later releases allow any number of customer gateways for an address.
        let taken = addresses.values().find_map(|address| Some((address, reached.taken.get(address)?)));
        if let (Profile::Spec2012, Some((address, name))) = (reached.profile, taken) {
            return Err(NotHere::Broken(format!(
                "{address} is the customer gateway `{name}` already, which this run did not make, and a cloud of profile \
                 spec-2012 has one for an address: delete it, or name another address in {}",
                self.endpoint.file
            )));
        }
        Ok(Admitted { reached, addresses })
    }
}

/// Why a cell is not run against a cloud.
pub(crate) enum NotHere {
    Skipped(String),
    Broken(String),
}

/// A cell that can be run against a cloud.
pub(crate) struct Admitted<'f> {
    reached: &'f Reached,
    pub addresses: BTreeMap<String, Ipv4Addr>,
}

impl Admitted<'_> {
    /// `cell` tells the names of its objects from those of any other cell, of this run or of another.
    pub fn session(&self, cell: &str, interrupt: Interrupt) -> Session {
        let Reached { client, owner, choices, .. } = self.reached;
        Session {
            client: client.clone(),
            owner: owner.clone(),
            choices: choices.clone(),
            prefix: format!("{MARK}{cell}-"),
            interrupt,
            simulator: None,
        }
    }
}

async fn ask(endpoint: &Endpoint) -> Result<Reached, Unreached> {
    let client = Client::new(endpoint.url.clone(), endpoint.credentials.clone()).polling(POLL, PATIENCE);
    let asking = Asking { endpoint, client: &client };
    let capabilities = asking.call("listCapabilities", &[]).await?;
    let Some(version) = capabilities["capability"]["cloudstackversion"].as_str().map(str::to_owned) else {
        let file = &endpoint.file;
        return Err(Unreached::Broken(format!("listCapabilities tells no cloudstackversion; check `url` in {file}")));
    };
    let mut owner = Vec::new();
    if let Some(account) = &endpoint.account {
        owner.push(("account", account.name.clone()));
        owner.push(("domainid", asking.domain(&account.domain).await?));
    }
    let choices = Choices {
        zone: asking.choice("listZones", &[], "zone", endpoint.zone.as_ref()).await?,
        vpc_offering: asking.choice("listVPCOfferings", &[], "vpcoffering", endpoint.vpc_offering.as_ref()).await?,
        network_offering: asking
            .choice(
                "listNetworkOfferings",
                &[("forvpc", "true")],
                "networkoffering",
                endpoint.network_offering.as_ref(),
            )
            .await?,
    };
    let of_owner: Vec<_> = owner.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let vpcs = asking.list("listVPCs", &of_owner, "vpc").await?;
    let gateways = asking.list("listVpnCustomerGateways", &of_owner, "vpncustomergateway").await?;
    let named = |item: &Value| item["name"].as_str().unwrap_or_default().to_owned();
    let left = |kind: &str, items: &[Value]| -> Vec<String> {
        let marked = items.iter().map(named).filter(|name| name.starts_with(MARK));
        marked.map(|name| format!("{kind} {name}")).collect()
    };
    let taken = gateways.iter().filter_map(|item| Some((item["gateway"].as_str()?.parse().ok()?, named(item))));
    Ok(Reached {
        profile: profile(&version),
        version,
        choices,
        leftovers: [left("VPC", &vpcs), left("customer gateway", &gateways)].concat(),
        taken: taken.collect(),
        owner,
        client,
    })
}

/// The rules that a release is held to: those of 2012 up to 4.0, today's from then on.
fn profile(version: &str) -> Profile {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    let release = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if release < (4, 1) { Profile::Spec2012 } else { Profile::V4_22 }
}

struct Asking<'e> {
    endpoint: &'e Endpoint,
    client: &'e Client,
}

impl Asking<'_> {
    async fn call(&self, command: &str, parameters: &[(&str, &str)]) -> Result<Value, Unreached> {
        self.client.call(command, parameters).await.map_err(|error| {
            let file = &self.endpoint.file;
            let remedy = match error {
                ClientError::Api { code: 401, .. } => format!("check `api-key` and `secret-key` in {file}"),
                ClientError::Api { .. } => format!("see that the owner of the keys in {file} may do that"),
                _ => format!("check `url` in {file}"),
            };
            Unreached::Broken(format!("{error}; {remedy}"))
        })
    }

    async fn list(&self, command: &str, parameters: &[(&str, &str)], object: &str) -> Result<Vec<Value>, Unreached> {
        Ok(self.call(command, parameters).await?[object].as_array().cloned().unwrap_or_default())
    }

    /// The id of what the file names, if it names anything.
    async fn choice(
        &self,
        command: &str,
        parameters: &[(&str, &str)],
        object: &str,
        named: Option<&Named>,
    ) -> Result<Option<String>, Unreached> {
        match named {
            Some(named) => self.choose(command, parameters, object, named).await.map(Some),
            None => Ok(None),
        }
    }

    /// Only administrators may list domains; anybody else has to know an id.
    async fn domain(&self, named: &Named) -> Result<String, Unreached> {
        match self.client.call("listDomains", &[]).await {
            Err(ClientError::Api { code: 401 | 432, .. }) => Ok(named.text.clone()),
            _ => self.choose("listDomains", &[], "domain", named).await,
        }
    }

    async fn choose(
        &self,
        command: &str,
        parameters: &[(&str, &str)],
        object: &str,
        named: &Named,
    ) -> Result<String, Unreached> {
        let items = self.list(command, parameters, object).await?;
        let is = |item: &&Value| item["id"] == named.text.as_str() || item["name"] == named.text.as_str();
        if let Some(id) = items.iter().find(is).and_then(|item| item["id"].as_str()) {
            return Ok(id.to_owned());
        }
        let names: Vec<_> = items.iter().filter_map(|item| item["name"].as_str()).collect();
        let help = match nearest(&named.text, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("{command} lists {}", names.join(", ")),
        };
        Err(Unreached::Input(Diagnostic {
            file: self.endpoint.file.clone(),
            line: named.line,
            column: named.column,
            message: format!("the cloud has no {object} `{}`", named.text),
            help: Some(help),
            snippet: None,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_held_to_the_rules_of_its_time() {
        for (version, expected) in [
            ("4.0.2", Profile::Spec2012),
            ("4.0.0-incubating", Profile::Spec2012),
            ("3.0.7", Profile::Spec2012),
            ("4.1.0", Profile::V4_22),
            ("4.22.0.0", Profile::V4_22),
            ("5.0", Profile::V4_22),
        ] {
            assert_eq!(profile(version), expected, "{version}");
        }
    }
}
