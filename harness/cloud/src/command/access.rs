//! Who may do what: roles, owners, and what of a list a caller may see.

use std::sync::Arc;

use rusqlite::Connection;

use super::{Call, Result};
use crate::{
    server::Failure,
    store::{
        Entity,
        account::{self, Account, Actor, Owner, Role},
        select::Scope,
    },
};

/// Who sent a request.
#[derive(Clone)]
pub(crate) struct Caller {
    pub actor: Actor,
    pub role: Role,
    pub account: Arc<str>,
}

/// Roles that a command is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Everyone,
    /// Administrators of the whole cloud or of a domain.
    Admins,
    Root,
}

impl Access {
    pub(crate) fn allows(self, role: Role) -> bool {
        match self {
            Self::Everyone => true,
            Self::Admins => role != Role::User,
            Self::Root => role == Role::RootAdmin,
        }
    }
}

impl Caller {
    pub(crate) fn of(account: &Account, user: i64) -> Self {
        Self {
            actor: Actor { user, owner: account.owner() },
            role: account.role,
            account: account.name.as_str().into(),
        }
    }

    pub(crate) fn is_root(&self) -> bool {
        self.role == Role::RootAdmin
    }

    /// Whether the caller may do anything with what this owner has.
    pub(crate) fn may_touch(&self, db: &Connection, owner: Owner) -> Result<bool> {
        Ok(match self.role {
            Role::RootAdmin => true,
            // Root administrators may be in its domain too, and are not below it.
            Role::DomainAdmin => {
                account::tree(db, self.actor.owner.domain)?.contains(&owner.domain)
                    && account::get(db, owner)?.role != Role::RootAdmin
            }
            Role::User => owner == self.actor.owner,
        })
    }

    /// Whether a domain is the caller's own or, for an administrator, below it.
    pub(crate) fn may_enter(&self, db: &Connection, domain: i64) -> Result<bool> {
        Ok(match self.role {
            Role::RootAdmin => true,
            Role::DomainAdmin => account::tree(db, self.actor.owner.domain)?.contains(&domain),
            Role::User => domain == self.actor.owner.domain,
        })
    }

    /// CloudStack's PermissionDeniedException.
    pub(crate) fn denied(&self, what: &str) -> Failure {
        Failure::denied(format!("Acct[{}] does not have permission to operate with {what}", self.account))
    }

    /// A row that a parameter names must be the caller's to touch.
    pub(crate) fn check(&self, db: &Connection, entity: Entity, id: i64, what: &str) -> Result<()> {
        match entity.owner(db, id)? {
            Some(owner) if !self.may_touch(db, owner)? => Err(self.denied(&format!("resource {what}"))),
            _ => Ok(()),
        }
    }
}

impl Call {
    /// What the parameters leave of what the caller may see. Without `listall` or an `id`, an
    /// administrator too sees only what it owns.
    pub(super) fn scope(&self, db: &Connection) -> Result<Scope> {
        let (arguments, caller) = (&self.arguments, &self.caller);
        let domain = arguments.id("domainid");
        if let Some(domain) = domain
            && !caller.may_enter(db, domain)?
        {
            return Err(caller.denied("domain"));
        }
        if let Some(name) = arguments.text("account") {
            let domain = domain.unwrap_or(caller.actor.owner.domain);
            let Some(account) = account::find(db, name, domain)? else {
                let domain = Entity::Domain.uuid(db, domain)?;
                return Err(Failure::invalid(format!("could not find account {name} in domain {domain}")));
            };
            if !caller.may_touch(db, account.owner())? {
                return Err(caller.denied(&format!("account {name}")));
            }
            return Ok(Scope::Account(account.id));
        }
        if caller.role == Role::User {
            return Ok(Scope::Account(caller.actor.owner.account));
        }
        if let Some(domain) = domain {
            let below = arguments.flag("isrecursive").unwrap_or(false) || arguments.flag("listall").unwrap_or(false);
            return Ok(Scope::Domains(if below { account::tree(db, domain)? } else { vec![domain] }));
        }
        let everything = arguments.flag("listall").unwrap_or(false) || arguments.id("id").is_some();
        Ok(match (everything, caller.role) {
            (false, _) => Scope::Account(caller.actor.owner.account),
            (true, Role::RootAdmin) => Scope::All,
            (true, _) => Scope::Domains(account::tree(db, caller.actor.owner.domain)?),
        })
    }

    /// Who a new object will belong to: the caller, or the account that is named.
    pub(super) fn owner(&self, db: &Connection) -> Result<Owner> {
        match (self.arguments.text("account"), self.arguments.id("domainid")) {
            (None, _) => Ok(self.caller.actor.owner),
            (Some(_), None) => Err(Failure::invalid("Account must be specified with domainId parameter")),
            (Some(name), Some(domain)) => {
                let account = account::find(db, name, domain)?.ok_or_else(|| {
                    Failure::invalid(format!("Unable to find account by name {name} in domain with specified id"))
                })?;
                if !self.caller.may_touch(db, account.owner())? {
                    return Err(self.caller.denied(&format!("account {name}")));
                }
                if account.state != "enabled" {
                    let state = account.state;
                    return Err(Failure::account(format!(
                        "Can't add resources to the account {name} in state={state}"
                    )));
                }
                Ok(account.owner())
            }
        }
    }
}
