//! Accounts and their users, and the keys that users sign with.

use std::sync::Arc;

use rusqlite::Connection;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Access, Action, Answer, Call, Command, Event, Parameter, Result, Rows, Type, vpc};
use crate::{
    Credentials,
    profile::Release,
    server::{Cloud, Failure},
    store::{
        Entity,
        account::{self, Account, Owner, Role, User},
        api_time, customer_gateway,
        select::Page,
        vpc as vpcs,
    },
};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "createAccount",
        area: "admin.account",
        access: Access::Admins,
        about: "Creates an account, with its first user and that user's keys",
        parameters: &[
            Parameter::required("username", Type::Text),
            Parameter::required("password", Type::Secret),
            Parameter::required("email", Type::Text),
            Parameter::required("firstname", Type::Text),
            Parameter::required("lastname", Type::Text),
            Parameter::required("accounttype", Type::Long).optional_since(Release::V4_22),
            Parameter::optional("account", Type::Text).field("accountName"),
            Parameter::optional("domainid", Type::Id(Entity::Domain)),
        ],
        action: Action::Now(|call| Box::pin(async move { create(&call) })),
        event: Some(Event { kind: "ACCOUNT.CREATE", description: "creating Account" }),
        ..Command::BASE
    },
    Command {
        name: "deleteAccount",
        area: "admin.account",
        access: Access::Admins,
        about: "Deletes an account, and all that it owns",
        parameters: &[Parameter::required("id", Type::Id(Entity::Account))],
        action: Action::Job(|call| Box::pin(delete(call))),
        event: Some(Event { kind: "ACCOUNT.DELETE", description: "deleting Account" }),
        ..Command::BASE
    },
    Command {
        name: "listAccounts",
        area: "user.account",
        about: "Lists accounts",
        parameters: &[
            Parameter::optional("id", Type::Id(Entity::Account)),
            Parameter::optional("name", Type::Text),
            Parameter::optional("accounttype", Type::Long),
            Parameter::optional("state", Type::Text),
        ],
        action: Action::List { object: "account", rows: list },
        ..Command::BASE
    },
    Command {
        name: "listUsers",
        area: "admin.user",
        access: Access::Admins,
        about: "Lists users",
        parameters: &[
            Parameter::optional("id", Type::Id(Entity::User)),
            Parameter::optional("username", Type::Text),
            Parameter::optional("state", Type::Text),
            Parameter::optional("accounttype", Type::Long),
        ],
        action: Action::List { object: "user", rows: list_users },
        ..Command::BASE
    },
    Command {
        name: "registerUserKeys",
        area: "admin.user",
        about: "Gives a user new keys; the old ones are good no more",
        parameters: &[Parameter::required("id", Type::Id(Entity::User))],
        action: Action::Now(|call| Box::pin(async move { register(&call) })),
        event: Some(Event { kind: "REGISTER.USER.KEY", description: "register for the developer API keys" }),
        ..Command::BASE
    },
];

fn create(call: &Call) -> Result<Answer> {
    let (arguments, caller) = (&call.arguments, &call.caller);
    let username = arguments.need_text("username")?;
    let name = arguments.text("account").unwrap_or(username);
    let role = arguments.long("accounttype").unwrap_or(Role::User.number());
    let role = Role::of(role).ok_or_else(|| Failure::invalid(format!("Invalid account type {role}")))?;
    call.cloud.store.transaction(|db| {
        let domain = arguments.id("domainid").unwrap_or(caller.actor.owner.domain);
        if !caller.may_enter(db, domain)? || (role == Role::RootAdmin && !caller.is_root()) {
            return Err(caller.denied("domain"));
        }
        if role == Role::RootAdmin && domain != account::ROOT {
            return Err(Failure::invalid("A root administrator can only be in the domain ROOT"));
        }
        if account::find(db, name, domain)?.is_some() {
            return Err(Failure::invalid(format!("The specified account: {name} already exists")));
        }
        for user in account::users(db)? {
            if user.username == username && account::of_user(db, user.id)?.domain_id == domain {
                return Err(Failure::invalid(format!("The user {username} already exists in domain {domain}")));
            }
        }
        let id = account::insert(db, name, role, domain)?;
        let user = account::NewUser {
            username,
            first_name: arguments.need_text("firstname")?,
            last_name: arguments.need_text("lastname")?,
            email: arguments.need_text("email")?,
        };
        let user = account::insert_user(db, &user, id)?;
        let keys = new_keys(db, user)?;
        let account = account::of_user(db, user)?;
        let mut view = view(call, db, &account)?;
        view["user"][0]["apikey"] = json!(keys.api_key);
        view["user"][0]["secretkey"] = json!(keys.secret_key);
        Ok(Answer::Object("account", view))
    })
}

fn new_keys(db: &Connection, user: i64) -> Result<Credentials> {
    let keys = Credentials::generate();
    account::set_keys(db, user, &keys)?;
    Ok(keys)
}

fn register(call: &Call) -> Result<Answer> {
    let id = call.arguments.need_id("id")?;
    call.cloud.store.transaction(|db| {
        if !account::users(db)?.iter().any(|user| user.id == id) {
            return Err(Failure::invalid(format!("unable to find user by id {id}")));
        }
        let keys = new_keys(db, id)?;
        Ok(Answer::Object("userkeys", json!({ "apikey": keys.api_key, "secretkey": keys.secret_key })))
    })
}

async fn delete(call: Call) -> Result<Answer> {
    let id = call.arguments.need_id("id")?;
    call.cloud.store.transaction(|db| {
        let unknown = || Failure::invalid(format!("Unable to find account by id {id}"));
        let account = account::list(db)?.into_iter().find(|account| account.id == id).ok_or_else(unknown)?;
        if account.id == account::ADMIN.owner.account || account.id == call.caller.actor.owner.account {
            let name = account.name;
            return Err(Failure::invalid(format!("The account {name} is in use by its own caller or the system")));
        }
        // Its users are nobody from here on.
        Ok(account::set_state(db, id, "removing")?)
    })?;
    clear(&call.cloud, id).await?;
    Ok(Answer::Success)
}

/// VPCs first, with their connections; then what those used.
async fn clear(cloud: &Arc<Cloud>, id: i64) -> Result<()> {
    loop {
        let Some(vpc) = cloud.store.read(|db| vpcs::any_of(db, id))? else { break };
        let _turn = cloud.turns.queue(vpc).come().await;
        vpc::take_apart(cloud, vpc).await?;
    }
    cloud.store.transaction(|db| {
        customer_gateway::remove_of(db, id)?;
        Ok(account::remove(db, id)?)
    })
}

/// Accounts that were being deleted when the service ended are deleted now.
pub(crate) fn finish_deletions(cloud: &Arc<Cloud>) {
    let Ok(accounts) = cloud.store.read(account::half_removed) else { return };
    for account in accounts {
        let task = cloud.clone();
        cloud.spawn(async move {
            // What fails now is tried again at the next start.
            let _ = clear(&task, account.id).await;
        });
    }
}

fn list(call: &Call, page: Page, rows: &mut Rows) -> Result<usize> {
    call.cloud.store.read(|db| {
        let scope = call.scope(db)?;
        let wanted = account::list(db)?.into_iter().filter(|account| {
            scope.shows(account.owner())
                && call.is("id", account.id)
                && call.says("name", &account.name)
                && call.says("state", &account.state)
                && call.arguments.long("accounttype").is_none_or(|role| role == account.role.number())
                && call.mentions(&account.name)
        });
        let views: Vec<_> = wanted.map(|account| view(call, db, &account)).collect::<Result<_>>()?;
        Ok(rows.push_page(page, views))
    })
}

fn list_users(call: &Call, page: Page, rows: &mut Rows) -> Result<usize> {
    call.cloud.store.read(|db| {
        let scope = call.scope(db)?;
        let mut views = Vec::new();
        for user in account::users(db)? {
            let account = account::of_user(db, user.id)?;
            if scope.shows(account.owner())
                && call.is("id", user.id)
                && call.says("username", &user.username)
                && call.says("state", &user.state)
                && call.arguments.long("accounttype").is_none_or(|role| role == account.role.number())
                && call.mentions(&user.username)
            {
                views.push(user_view(&user, &account));
            }
        }
        Ok(rows.push_page(page, views))
    })
}

fn view(call: &Call, db: &Connection, account: &Account) -> Result<Value> {
    let users = account::users(db)?;
    let users: Vec<_> =
        users.iter().filter(|user| user.account == account.id).map(|user| user_view(user, account)).collect();
    let mut view = json!({
        "id": account.uuid.to_string(),
        "name": account.name,
        "accounttype": account.role.number(),
        "domainid": account.domain_uuid.to_string(),
        "domain": account.domain,
        "state": account.state,
        "isdefault": account.id == account::ADMIN.owner.account,
        "user": users,
    });
    if call.is_since(Release::V4_22) {
        view["domainpath"] = json!(path(&account.domain_path));
        view["created"] = json!(api_time(&account.created));
    }
    Ok(view)
}

fn user_view(user: &User, account: &Account) -> Value {
    json!({
        "id": user.uuid.to_string(),
        "username": user.username,
        "firstname": user.first_name,
        "lastname": user.last_name,
        "email": user.email,
        "created": api_time(&user.created),
        "state": user.state,
        "account": account.name,
        "accountid": account.uuid.to_string(),
        "accounttype": account.role.number(),
        "domainid": account.domain_uuid.to_string(),
        "domain": account.domain,
    })
}

/// `ROOT/sales`, for what the store has as `/sales/`.
pub(super) fn path(stored: &str) -> String {
    format!("ROOT{}", stored.trim_end_matches('/'))
}

/// Who an object belongs to, in its fields.
pub(super) fn add_owner(call: &Call, db: &Connection, view: &mut Value, owner: Owner) -> Result<()> {
    OwnerFields::of(call, db, owner)?.add(view);
    Ok(())
}

/// The fields, for the objects of one owner.
#[derive(Serialize)]
pub(super) struct OwnerFields {
    #[serde(skip)]
    owner: Owner,
    account: String,
    domainid: String,
    domain: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    domainpath: Option<String>,
}

impl OwnerFields {
    pub(super) fn of(call: &Call, db: &Connection, owner: Owner) -> Result<Self> {
        let account = account::get(db, owner)?;
        Ok(Self {
            owner,
            domainpath: call.is_since(Release::V4_22).then(|| path(&account.domain_path)),
            account: account.name,
            domainid: account.domain_uuid.to_string(),
            domain: account.domain,
        })
    }

    fn add(self, view: &mut Value) {
        view["account"] = self.account.into();
        view["domainid"] = self.domainid.into();
        view["domain"] = self.domain.into();
        if let Some(path) = self.domainpath {
            view["domainpath"] = path.into();
        }
    }
}

/// The owners of a list's rows, most of which belong to whom the row before belongs to.
pub(super) struct Owners<'a> {
    call: &'a Call,
    db: &'a Connection,
    last: Option<OwnerFields>,
}

impl<'a> Owners<'a> {
    pub(super) fn new(call: &'a Call, db: &'a Connection) -> Self {
        Self { call, db, last: None }
    }

    pub(super) fn get(&mut self, owner: Owner) -> Result<&OwnerFields> {
        let known = match self.last.take().filter(|last| last.owner == owner) {
            Some(known) => known,
            None => OwnerFields::of(self.call, self.db, owner)?,
        };
        Ok(self.last.insert(known))
    }
}
