//! Whose objects a cell makes, where, and under which names.

use std::sync::Arc;

use cloud::Client;

use crate::drive::{Interrupt, simulator::Simulator};

/// A client of one cloud, with what it has to know beforehand.
#[derive(Clone)]
pub(crate) struct Session {
    pub client: Client,
    /// `account` and `domainid` of whom the objects belong to, if that is not the caller.
    pub owner: Vec<(&'static str, String)>,
    /// Ids of what is not simply the first that the cloud lists.
    pub choices: Choices,
    /// Begins the names of all objects.
    pub prefix: String,
    pub interrupt: Interrupt,
    /// The service itself, if it is ours.
    pub simulator: Option<Arc<Simulator>>,
}

#[derive(Clone, Default)]
pub(crate) struct Choices {
    pub zone: Option<String>,
    pub vpc_offering: Option<String>,
    pub network_offering: Option<String>,
}

impl Session {
    /// All of a simulator is the cell's own, so objects are called as in the scenario.
    pub fn of_the_simulator(simulator: &Arc<Simulator>) -> Self {
        Self {
            client: Client::new(simulator.endpoint().to_owned(), simulator.credentials().clone()),
            owner: Vec::new(),
            choices: Choices::default(),
            prefix: String::new(),
            interrupt: Interrupt::never(),
            simulator: Some(Arc::clone(simulator)),
        }
    }

    /// What an object of the scenario is called in the cloud.
    pub fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Parameters, and whose objects they are about.
    pub fn owned<'p>(&'p self, parameters: &[(&'p str, &'p str)]) -> Vec<(&'p str, &'p str)> {
        let owner = self.owner.iter().map(|(name, value)| (*name, value.as_str()));
        parameters.iter().copied().chain(owner).collect()
    }
}
