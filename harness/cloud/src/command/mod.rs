//! The commands of the API, one file per group, each command one row of a table.

mod access;
mod account;
mod argument;
mod capability;
mod connection;
mod customer_gateway;
mod describe;
mod domain;
mod guest;
mod job;
mod journal;
mod list;
mod network;
mod router;
mod usage;
mod vpc;
mod vpn_gateway;
mod zone;

use std::{pin::Pin, sync::Arc};

use serde_json::{Value, json};

pub(crate) use access::{Access, Caller};
pub(crate) use account::finish_deletions;
pub(crate) use argument::{Arguments, Binding, Parameter, Type};
pub(crate) use list::{Rows, page};

use crate::{
    profile::{Release, Rules},
    server::{Cloud, Failure},
    store::{Entity, select::Page},
};

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;
pub(crate) type Refresh = Pin<Box<dyn Future<Output = ()> + Send>>;
/// Adds the rows of a page; returns how many there are on all pages.
pub(crate) type List = fn(&Call, Page, &mut Rows) -> Result<usize>;
pub(crate) type Work = Pin<Box<dyn Future<Output = Result<Answer>> + Send>>;

pub(crate) struct Command {
    pub name: &'static str,
    /// Where CloudStack keeps its class.
    pub area: &'static str,
    pub since: Release,
    pub access: Access,
    /// One line for listApis.
    pub about: &'static str,
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
    /// A page of the objects of a kind that the parameters leave, in the list's order.
    List {
        object: &'static str,
        rows: List,
    },
    /// A list for which routers are asked first.
    FreshList {
        object: &'static str,
        refresh: fn(Arc<Cloud>) -> Refresh,
        rows: List,
    },
    /// Done while the caller waits.
    Now(fn(Call) -> Work),
    Job(fn(Call) -> Work),
    /// A row, then a job that makes it true. The kind decides whether the row comes before the answer.
    Create {
        kind: fn(&Rules) -> Kind,
        entity: Entity,
        row: fn(&Call) -> Result<i64>,
        work: fn(Call, i64) -> Work,
    },
}

impl Action {
    pub(crate) fn is_list(&self) -> bool {
        matches!(self, Self::List { .. } | Self::FreshList { .. })
    }

    pub(crate) fn is_async(&self) -> bool {
        matches!(self, Self::Job(_) | Self::Create { .. })
    }
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

/// A command, what it was called with, and by whom.
#[derive(Clone)]
pub(crate) struct Call {
    pub cloud: Arc<Cloud>,
    pub command: &'static Command,
    pub arguments: Arc<Arguments>,
    pub caller: Caller,
}

/// What a command has to say.
pub(crate) enum Answer {
    Object(&'static str, Value),
    Success,
    /// The answer has no object in it: its fields are the answer's own.
    Fields(Value),
    /// A job that has no result, although it succeeded.
    Nothing,
}

impl Answer {
    /// None if there is nothing to say.
    pub(crate) fn into_json(self) -> Option<Value> {
        match self {
            Self::Object(key, value) => Some(json!({ key: value })),
            Self::Success => Some(json!({ "success": true })),
            Self::Fields(value) => Some(value),
            Self::Nothing => None,
        }
    }
}

const ALL: [&[Command]; 15] = [
    zone::COMMANDS,
    account::COMMANDS,
    domain::COMMANDS,
    vpc::COMMANDS,
    network::COMMANDS,
    guest::COMMANDS,
    router::COMMANDS,
    customer_gateway::COMMANDS,
    vpn_gateway::COMMANDS,
    connection::COMMANDS,
    job::COMMANDS,
    journal::COMMANDS,
    usage::COMMANDS,
    capability::COMMANDS,
    network::ADDRESSES,
];

impl Command {
    /// What most commands are: for everyone, since the beginning, without a router.
    const BASE: Self = Self {
        name: "",
        area: "",
        since: Release::V4_0,
        access: Access::Everyone,
        about: "",
        parameters: &[],
        action: Action::Read(|_| Ok(Answer::Nothing)),
        vpc: no_vpc,
        event: None,
    };

    pub(crate) fn all(release: Release) -> impl Iterator<Item = &'static Self> {
        ALL.into_iter().flatten().filter(move |command| command.since <= release)
    }

    pub(crate) fn find(release: Release, name: &str) -> Option<&'static Self> {
        Self::all(release).find(|command| command.name == name)
    }

    /// The command's name in texts and, with `response` after it, around its answer.
    pub(crate) fn wire_name(&self) -> String {
        self.name.to_ascii_lowercase()
    }

    /// The Java class that CloudStack has for it.
    pub(crate) fn class(&self, rules: &Rules) -> String {
        let (first, rest) = self.name.split_at(1);
        format!("{}.{}{rest}Cmd", (rules.package)(self.area), first.to_ascii_uppercase())
    }
}

impl Call {
    /// What later releases show and earlier ones do not have.
    pub(crate) fn is_since(&self, release: Release) -> bool {
        self.cloud.rules.release >= release
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
    use crate::Profile;

    #[test]
    fn the_table_is_sound() {
        let mut names: Vec<_> = Command::all(Release::V4_22).map(|command| command.name).collect();
        for command in Command::all(Release::V4_22) {
            assert!(command.parameters.iter().all(|p| p.name == p.name.to_ascii_lowercase()), "{}", command.name);
            assert!(!command.about.is_empty() && !command.area.is_empty(), "{}", command.name);
            for parameter in command.parameters {
                assert!(!describe::parameter(parameter.name).is_empty(), "{} {}", command.name, parameter.name);
            }
        }
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "a command is in the table twice");
    }

    #[test]
    fn classes() {
        let command = Command::find(Release::V4_0, "createVPC").unwrap();
        assert_eq!(command.class(Profile::Spec2012.rules()), "com.cloud.api.commands.CreateVPCCmd");
        let class = "org.apache.cloudstack.api.command.user.vpc.CreateVPCCmd";
        assert_eq!(command.class(Profile::V4_22.rules()), class);
        assert!(Command::find(Release::V4_0, "createvpc").is_none());
        assert!(Command::find(Release::V4_0, "updateVpnConnection").is_none());
    }
}
