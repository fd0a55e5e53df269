//! From a request's texts to a command's typed arguments.

use std::{collections::BTreeMap, fmt};

use policy::PreSharedKey;
use rusqlite::Connection;
use serde_json::{Map, Value, json};

use super::{Caller, Command, Result, list};
use crate::{
    profile::{Release, Rules},
    server::{Failure, Request},
    store::Entity,
};

/// The longest text a parameter may hold, in characters.
const MAX_LENGTH: usize = 255;

/// So many ids a parameter may hold; each is looked up.
const MAX_IDS: usize = 100;

#[derive(Clone, Copy)]
pub(crate) struct Parameter {
    pub name: &'static str,
    pub kind: Type,
    /// Needed in releases before this one, or in all.
    needed: Needed,
    /// CloudStack's field behind the parameter, which texts mention: in 4.0, and now.
    field: [&'static str; 2],
    since: Release,
    /// Ignored unless a root administrator sends it.
    for_root: bool,
    /// Present but empty is refused, although the parameter is not needed.
    not_empty: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Needed {
    Never,
    Always,
    Before(Release),
}

#[derive(Clone, Copy)]
pub(crate) enum Type {
    Text,
    /// A text that is never written down.
    Secret,
    Long,
    Bool,
    Id(Entity),
    /// Several, with commas.
    Ids(Entity),
    /// There are no projects here, so no id of one exists; -1 means all of them.
    Project,
}

impl Type {
    /// As listApis calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text | Self::Secret => "string",
            Self::Long => "long",
            Self::Bool => "boolean",
            Self::Id(_) | Self::Project => "uuid",
            Self::Ids(_) => "list",
        }
    }
}

impl Parameter {
    pub(crate) const fn required(name: &'static str, kind: Type) -> Self {
        Self { needed: Needed::Always, ..Self::optional(name, kind) }
    }

    pub(crate) const fn optional(name: &'static str, kind: Type) -> Self {
        Self {
            name,
            kind,
            needed: Needed::Never,
            field: [name; 2],
            since: Release::V4_0,
            for_root: false,
            not_empty: false,
        }
    }

    pub(crate) const fn field(mut self, field: &'static str) -> Self {
        self.field = [field; 2];
        self
    }

    /// What CloudStack calls the field now.
    pub(crate) const fn now_field(mut self, field: &'static str) -> Self {
        self.field[1] = field;
        self
    }

    /// Releases before do not know it, and ignore it.
    pub(crate) const fn since(mut self, release: Release) -> Self {
        self.since = release;
        self
    }

    /// No longer needed since.
    pub(crate) const fn optional_since(mut self, release: Release) -> Self {
        self.needed = Needed::Before(release);
        self
    }

    pub(crate) const fn for_root(mut self) -> Self {
        self.for_root = true;
        self
    }

    pub(crate) const fn not_empty(mut self) -> Self {
        self.not_empty = true;
        self
    }

    pub(crate) fn is_in(&self, release: Release) -> bool {
        self.since <= release
    }

    pub(crate) fn is_needed(&self, release: Release) -> bool {
        match self.needed {
            Needed::Never => false,
            Needed::Always => true,
            Needed::Before(later) => release < later,
        }
    }
}

/// What a command is bound with, besides the request.
pub(crate) struct Binding<'a> {
    pub db: &'a Connection,
    pub rules: &'static Rules,
    pub command: &'static Command,
    pub caller: &'a Caller,
}

enum Bound {
    Text(String),
    Secret(PreSharedKey),
    Long(i64),
    Bool(bool),
    Id(i64),
    Ids(Vec<i64>),
}

pub(crate) struct Arguments {
    command: &'static Command,
    bound: BTreeMap<&'static str, Bound>,
}

impl Arguments {
    /// Parameters that the command does not know are ignored.
    pub(crate) fn bind(binding: &Binding<'_>, request: &Request) -> Result<Self> {
        let (command, release) = (binding.command, binding.rules.release);
        if let Some((name, _)) = request.iter().find(|(_, value)| value.chars().any(is_control)) {
            let text = format!("Received value containing illegal ASCII non-printable characters for parameter {name}");
            return Err(Failure::parameter(text));
        }
        let mut arguments = Self { command, bound: BTreeMap::new() };
        for parameter in parameters(command).filter(|parameter| parameter.is_in(release)) {
            if parameter.for_root && !binding.caller.is_root() {
                continue;
            }
            let name = parameter.name;
            match request.get(name) {
                None if parameter.is_needed(release) => return Err(missing(command, name)),
                Some("") if parameter.is_needed(release) => {
                    return Err(Failure::invalid(format!("Invalid value provided for API arg: {name}")));
                }
                Some("") if parameter.not_empty => {
                    let text = format!("Invalid value provided for API arg: {name}");
                    return Err(Failure::parameter(format!("{}. {text}", refused(command))));
                }
                None | Some("") => {}
                Some(text) => {
                    if let Some(value) = value(binding, parameter, text)? {
                        arguments.bound.insert(name, value);
                    }
                }
            }
        }
        Ok(arguments)
    }

    pub(crate) fn text(&self, name: &'static str) -> Option<&str> {
        match self.bound.get(name) {
            Some(Bound::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn id(&self, name: &'static str) -> Option<i64> {
        match self.bound.get(name) {
            Some(Bound::Id(id)) => Some(*id),
            _ => None,
        }
    }

    pub(crate) fn ids(&self, name: &'static str) -> &[i64] {
        match self.bound.get(name) {
            Some(Bound::Ids(ids)) => ids,
            _ => &[],
        }
    }

    pub(crate) fn long(&self, name: &'static str) -> Option<i64> {
        match self.bound.get(name) {
            Some(Bound::Long(number)) => Some(*number),
            _ => None,
        }
    }

    pub(crate) fn flag(&self, name: &'static str) -> Option<bool> {
        match self.bound.get(name) {
            Some(Bound::Bool(flag)) => Some(*flag),
            _ => None,
        }
    }

    pub(crate) fn need_text(&self, name: &'static str) -> Result<&str> {
        self.text(name).ok_or_else(|| missing(self.command, name))
    }

    pub(crate) fn need_id(&self, name: &'static str) -> Result<i64> {
        self.id(name).ok_or_else(|| missing(self.command, name))
    }

    pub(crate) fn need_secret(&self, name: &'static str) -> Result<PreSharedKey> {
        match self.bound.get(name) {
            Some(Bound::Secret(key)) => Ok(key.clone()),
            _ => Err(missing(self.command, name)),
        }
    }

    /// For the job's row; without secrets.
    pub(crate) fn to_json(&self) -> Value {
        let value = |bound: &Bound| match bound {
            Bound::Text(text) => json!(text),
            Bound::Secret(_) => json!("***"),
            Bound::Long(number) | Bound::Id(number) => json!(number),
            Bound::Bool(flag) => json!(flag),
            Bound::Ids(ids) => json!(ids),
        };
        Value::Object(self.bound.iter().map(|(name, bound)| ((*name).to_owned(), value(bound))).collect::<Map<_, _>>())
    }
}

impl fmt::Debug for Arguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.command.name, self.to_json())
    }
}

/// The command's own parameters, then what commands of its kind share.
pub(crate) fn parameters(command: &Command) -> impl Iterator<Item = &'static Parameter> {
    let common = if command.action.is_list() { list::COMMON } else { &[] };
    let jobs = if command.action.is_async() { JOBS } else { &[] };
    command.parameters.iter().chain(common).chain(jobs)
}

/// Of every asynchronous command.
const JOBS: &[Parameter] = &[Parameter::optional("customjobid", Type::Text).since(Release::V4_22)];

fn refused(command: &Command) -> String {
    format!("Unable to execute API command {} due to invalid value", command.wire_name())
}

fn value(binding: &Binding<'_>, parameter: &Parameter, text: &str) -> Result<Option<Bound>> {
    let name = parameter.name;
    let refused = || refused(binding.command);
    let unknown = |text: &str| {
        Failure::parameter(format!(
            "{}. Invalid parameter {name} value={text} due to incorrect long value format, or entity does not exist or \
             due to incorrect parameter annotation for the field in api cmd class.",
            refused()
        ))
    };
    let resolve = |entity: Entity, text: &str| {
        // Parameters that came later never took numbers.
        let numbers = parameter.since == Release::V4_0;
        let id = entity.resolve(binding.db, text, numbers)?.ok_or_else(|| unknown(text))?;
        // Lists leave out what is not the caller's, instead of refusing it.
        if !binding.command.action.is_list() {
            binding.caller.check(binding.db, entity, id, &format!("{name} {text}"))?;
        }
        Ok::<_, Failure>(id)
    };
    if matches!(parameter.kind, Type::Text | Type::Secret) && text.chars().count() > MAX_LENGTH {
        let field = parameter.field[usize::from(binding.rules.release > Release::V4_0)];
        let text = format!("{}. Value greater than max allowed length {MAX_LENGTH} for param: {field}", refused());
        return Err(Failure::parameter(text));
    }
    Ok(Some(match parameter.kind {
        Type::Text => Bound::Text(text.to_owned()),
        Type::Secret => Bound::Secret(PreSharedKey::new(text)),
        Type::Bool => Bound::Bool(text.eq_ignore_ascii_case("true")),
        Type::Long => {
            let wrong = |_| Failure::parameter(format!("{} {text} for parameter {name}", refused()));
            Bound::Long(text.parse().map_err(wrong)?)
        }
        Type::Id(entity) => Bound::Id(resolve(entity, text)?),
        Type::Ids(_) if text.split(',').nth(MAX_IDS).is_some() => {
            return Err(Failure::parameter(format!("{}. More than {MAX_IDS} values for parameter {name}", refused())));
        }
        Type::Ids(entity) => Bound::Ids(text.split(',').map(|text| resolve(entity, text)).collect::<Result<_>>()?),
        Type::Project if text == "-1" => return Ok(None),
        Type::Project => return Err(unknown(text)),
    }))
}

fn missing(command: &Command, name: &str) -> Failure {
    let command = command.wire_name();
    Failure::parameter(format!("Unable to execute API command {command} due to missing parameter {name}"))
}

/// What CloudStack calls non-printable; line ends and carriage returns pass.
fn is_control(c: char) -> bool {
    c.is_ascii_control() && !matches!(c, '\n' | '\r')
}
