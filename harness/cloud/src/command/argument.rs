//! From a request's texts to a command's typed arguments.

use std::{collections::BTreeMap, fmt};

use policy::PreSharedKey;
use rusqlite::Connection;
use serde_json::{Map, Value, json};

use super::{Action, Command, LIST_PARAMETERS, Result};
use crate::{
    server::{Failure, Request},
    store::Entity,
};

/// The longest text a parameter may hold, in characters.
const MAX_LENGTH: usize = 255;

pub(crate) struct Parameter {
    pub name: &'static str,
    kind: Type,
    required: bool,
    /// CloudStack's field behind the parameter; its texts mention it.
    field: &'static str,
}

#[derive(Clone, Copy)]
pub(crate) enum Type {
    Text,
    /// A text that is never written down.
    Secret,
    Long,
    Bool,
    Id(Entity),
}

impl Parameter {
    pub(crate) const fn required(name: &'static str, kind: Type) -> Self {
        Self { name, kind, required: true, field: name }
    }

    pub(crate) const fn optional(name: &'static str, kind: Type) -> Self {
        Self { name, kind, required: false, field: name }
    }

    pub(crate) const fn field(mut self, field: &'static str) -> Self {
        self.field = field;
        self
    }
}

enum Bound {
    Text(String),
    Secret(PreSharedKey),
    Long(i64),
    Bool(bool),
    Id(i64),
}

pub(crate) struct Arguments {
    command: &'static Command,
    bound: BTreeMap<&'static str, Bound>,
}

impl Arguments {
    /// Parameters that the command does not know are ignored.
    pub(crate) fn bind(db: &Connection, command: &'static Command, request: &Request) -> Result<Self> {
        if let Some((name, _)) = request.iter().find(|(_, value)| value.chars().any(is_control)) {
            let text = format!("Received value containing illegal ASCII non-printable characters for parameter {name}");
            return Err(Failure::parameter(text));
        }
        let common = if matches!(command.action, Action::List { .. }) { LIST_PARAMETERS } else { &[] };
        let mut arguments = Self { command, bound: BTreeMap::new() };
        for parameter in command.parameters.iter().chain(common) {
            match request.get(parameter.name) {
                None if parameter.required => return Err(missing(command, parameter.name)),
                Some("") if parameter.required => {
                    return Err(Failure::invalid(format!("Invalid value provided for API arg: {}", parameter.name)));
                }
                None | Some("") => {}
                Some(text) => {
                    arguments.bound.insert(parameter.name, value(db, command, parameter, text)?);
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
        };
        Value::Object(self.bound.iter().map(|(name, bound)| ((*name).to_owned(), value(bound))).collect::<Map<_, _>>())
    }
}

impl fmt::Debug for Arguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.command.name, self.to_json())
    }
}

fn value(db: &Connection, command: &Command, parameter: &Parameter, text: &str) -> Result<Bound> {
    let name = parameter.name;
    let refused = || format!("Unable to execute API command {} due to invalid value", command.wire_name());
    if matches!(parameter.kind, Type::Text | Type::Secret) && text.chars().count() > MAX_LENGTH {
        let field = parameter.field;
        let text = format!("{}. Value greater than max allowed length {MAX_LENGTH} for param: {field}", refused());
        return Err(Failure::parameter(text));
    }
    match parameter.kind {
        Type::Text => Ok(Bound::Text(text.to_owned())),
        Type::Secret => Ok(Bound::Secret(PreSharedKey::new(text))),
        Type::Bool => Ok(Bound::Bool(text.eq_ignore_ascii_case("true"))),
        Type::Long => {
            let number = text.parse();
            let wrong = |_| Failure::parameter(format!("{} {text} for parameter {name}", refused()));
            number.map(Bound::Long).map_err(wrong)
        }
        Type::Id(entity) => entity.resolve(db, text)?.map(Bound::Id).ok_or_else(|| {
            Failure::parameter(format!(
                "{}. Invalid parameter {name} value={text} due to incorrect long value format, or entity does not \
                 exist or due to incorrect parameter annotation for the field in api cmd class.",
                refused()
            ))
        }),
    }
}

fn missing(command: &Command, name: &str) -> Failure {
    let command = command.wire_name();
    Failure::parameter(format!("Unable to execute API command {command} due to missing parameter {name}"))
}

/// What CloudStack calls non-printable; line ends and carriage returns pass.
fn is_control(c: char) -> bool {
    c.is_ascii_control() && !matches!(c, '\n' | '\r')
}
