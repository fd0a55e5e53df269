//! Domains: trees of accounts, each with administrators of its own.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{Access, Action, Answer, Call, Command, Event, Parameter, Result, Rows, Type, account::path};
use crate::{
    profile::Release,
    server::Failure,
    store::{
        Entity,
        account::{self, Domain},
        select::Page,
    },
};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "createDomain",
        area: "admin.domain",
        access: Access::Root,
        about: "Creates a domain",
        parameters: &[
            Parameter::required("name", Type::Text),
            Parameter::optional("parentdomainid", Type::Id(Entity::Domain)),
        ],
        action: Action::Now(|call| Box::pin(async move { create(&call) })),
        event: Some(Event { kind: "DOMAIN.CREATE", description: "creating Domain" }),
        ..Command::BASE
    },
    Command {
        name: "listDomains",
        area: "admin.domain",
        access: Access::Admins,
        about: "Lists domains",
        parameters: &[Parameter::optional("id", Type::Id(Entity::Domain)), Parameter::optional("name", Type::Text)],
        action: Action::List { object: "domain", rows: list },
        ..Command::BASE
    },
];

fn create(call: &Call) -> Result<Answer> {
    let name = call.arguments.need_text("name")?;
    if name.contains('/') {
        return Err(Failure::invalid(format!("Invalid domain name: {name}")));
    }
    call.cloud.store.transaction(|db| {
        let domains = account::domains(db)?;
        let parent = call.arguments.id("parentdomainid").unwrap_or(account::ROOT);
        let unknown = || Failure::invalid("Unable to create domain, parent domain not found.");
        let parent = domains.iter().find(|domain| domain.id == parent).ok_or_else(unknown)?;
        if domains.iter().any(|domain| domain.parent == Some(parent.id) && domain.name == name) {
            return Err(Failure::invalid(format!(
                "Domain with name {name} already exists for the parent id={}",
                parent.id
            )));
        }
        let id = account::insert_domain(db, name, parent)?;
        let made = account::domains(db)?.into_iter().find(|domain| domain.id == id);
        let made = made.ok_or_else(|| Failure::internal("Failed to create domain"))?;
        Ok(Answer::Object("domain", view(call, db, &made)?))
    })
}

fn list(call: &Call, page: Page, rows: &mut Rows) -> Result<usize> {
    call.cloud.store.read(|db| {
        let mut views = Vec::new();
        for domain in account::domains(db)? {
            if call.caller.may_enter(db, domain.id)? && call.is("id", domain.id) && call.says("name", &domain.name) {
                views.push(view(call, db, &domain)?);
            }
        }
        Ok(rows.push_page(page, views))
    })
}

fn view(call: &Call, db: &Connection, domain: &Domain) -> Result<Value> {
    let level = domain.path.matches('/').count().saturating_sub(1);
    let mut view = json!({ "id": domain.uuid.to_string(), "name": domain.name, "level": level });
    if let Some(parent) = domain.parent {
        view["parentdomainid"] = json!(Entity::Domain.uuid(db, parent)?.to_string());
    }
    if call.is_since(Release::V4_22) {
        view["path"] = json!(path(&domain.path));
    }
    Ok(view)
}
