//! The commands of the API, one file per group, each command one row of a table.

mod argument;
mod connection;
mod customer_gateway;
mod job;
mod journal;
mod list;
mod network;
mod vpc;
mod vpn_gateway;
mod zone;

use std::{pin::Pin, sync::Arc};

use serde_json::{Value, json};

pub(crate) use argument::{Arguments, Parameter, Type};
pub(crate) use list::{COMMON as LIST_PARAMETERS, page};

use crate::{
    server::{Cloud, Failure},
    store::Entity,
};

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;
pub(crate) type Work = Pin<Box<dyn Future<Output = Result<Answer>> + Send>>;

pub(crate) struct Command {
    pub name: &'static str,
    pub parameters: &'static [Parameter],
    pub action: Action,
    /// The VPC, if any, whose router the command works on; the second argument is the row it created.
    pub vpc: fn(&Call, Option<i64>) -> Result<Option<i64>>,
    pub event: Option<Event>,
}

/// How a command is carried out.
pub(crate) enum Action {
    /// Answered from the store.
    Read(fn(&Call) -> Result<Answer>),
    /// Every object of a kind that the parameters leave, in the list's order; paging is not its concern.
    List {
        object: &'static str,
        rows: fn(&Call) -> Result<Vec<Value>>,
    },
    /// Done while the caller waits.
    Now(fn(Call) -> Work),
    Job(fn(Call) -> Work),
    /// A row, then a job that makes it true. The kind decides whether the row comes before the answer.
    Create {
        kind: fn(&Cloud) -> Kind,
        entity: Entity,
        row: fn(&Call) -> Result<i64>,
        work: fn(Call, i64) -> Work,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The answer names the job alone, and all validation is the job's.
    Job,
    /// The answer names the new object too, and validation comes before it.
    CreateThenJob,
}

/// How the command appears in the `event` table.
pub(crate) struct Event {
    pub kind: &'static str,
    pub description: &'static str,
}

/// A command and what it was called with.
#[derive(Clone)]
pub(crate) struct Call {
    pub cloud: Arc<Cloud>,
    pub command: &'static Command,
    pub arguments: Arc<Arguments>,
}

/// What a command has to say.
pub(crate) enum Answer {
    Object(&'static str, Value),
    Success,
    /// The answer has no object in it: its fields are the answer's own.
    Fields(Value),
}

impl Answer {
    pub(crate) fn into_json(self) -> Value {
        match self {
            Self::Object(key, value) => json!({ key: value }),
            Self::Success => json!({ "success": true }),
            Self::Fields(value) => value,
        }
    }
}

const ALL: [&[Command]; 8] = [
    zone::COMMANDS,
    vpc::COMMANDS,
    network::COMMANDS,
    customer_gateway::COMMANDS,
    vpn_gateway::COMMANDS,
    connection::COMMANDS,
    job::COMMANDS,
    journal::COMMANDS,
];

impl Command {
    pub(crate) fn all() -> impl Iterator<Item = &'static Self> {
        ALL.into_iter().flatten()
    }

    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        Self::all().find(|command| command.name == name)
    }

    /// The command's name in texts and, with `response` after it, around its answer.
    pub(crate) fn wire_name(&self) -> String {
        self.name.to_ascii_lowercase()
    }

    /// The Java class that CloudStack has for it.
    pub(crate) fn class(&self, package: &str) -> String {
        let (first, rest) = self.name.split_at(1);
        format!("{package}.{}{rest}Cmd", first.to_ascii_uppercase())
    }
}

/// For commands that no router has to do with.
const fn no_vpc(_: &Call, _: Option<i64>) -> Result<Option<i64>> {
    Ok(None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_table_is_sound() {
        let mut names: Vec<_> = Command::all().map(|command| command.name).collect();
        for command in Command::all() {
            assert!(command.parameters.iter().all(|p| p.name == p.name.to_ascii_lowercase()), "{}", command.name);
        }
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "a command is in the table twice");
    }

    #[test]
    fn classes() {
        let command = Command::find("createVPC").unwrap();
        assert_eq!(command.class("com.cloud.api.commands"), "com.cloud.api.commands.CreateVPCCmd");
        assert!(Command::find("createvpc").is_none());
    }
}
