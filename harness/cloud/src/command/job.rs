//! What has become of asynchronous commands.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{Action, Answer, Call, Command, Parameter, Result, Rows, Type, account::path};
use crate::{
    profile::Release,
    server::Failure,
    store::{Entity, account, api_time, job, select::Page},
};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "queryAsyncJobResult",
        area: "user.job",
        about: "Tells what has become of a job",
        parameters: &[Parameter::required("jobid", Type::Id(Entity::Job))],
        action: Action::Read(query),
        ..Command::BASE
    },
    Command {
        name: "listAsyncJobs",
        area: "user.job",
        about: "Lists jobs",
        parameters: &[Parameter::optional("startdate", Type::Text).field("startDate")],
        action: Action::List { object: "asyncjobs", rows: list },
        ..Command::BASE
    },
];

fn query(call: &Call) -> Result<Answer> {
    let id = call.arguments.need_id("jobid")?;
    call.cloud.store.read(|db| {
        let job = job::find(db, id)?.ok_or_else(|| Failure::invalid(format!("Unable to find a job by id {id}")))?;
        Ok(Answer::Fields(view(call, db, job)?))
    })
}

fn list(call: &Call, page: Page, rows: &mut Rows) -> Result<usize> {
    // Both begin with the date, and dates are compared as texts.
    let since = call.arguments.text("startdate").map(|text| text.replace('T', " ").chars().take(19).collect());
    call.cloud.store.read(|db| {
        let wanted = job::select()
            .owned(&call.scope(db)?, "async_job.account_id", "account.domain_id")
            .since("async_job.created", since);
        wanted.page(db, page, job::read, |job| {
            rows.push(&view(call, db, job)?);
            Ok(())
        })
    })
}

fn view(call: &Call, db: &Connection, job: job::Job) -> Result<Value> {
    let owner = account::get(db, job.owner)?;
    let mut view = json!({
        "jobid": job.uuid.to_string(),
        "accountid": owner.uuid.to_string(),
        "userid": account::user_uuid(db, job.user)?.to_string(),
        "cmd": job.command,
        "jobstatus": job.status as i64,
        "jobprocstatus": 0,
        "jobresultcode": job.result_code,
        "created": api_time(&job.created),
    });
    if call.is_since(Release::V4_22) {
        view["account"] = json!(owner.name);
        view["domainid"] = json!(owner.domain_uuid.to_string());
        view["domainpath"] = json!(path(&owner.domain_path));
        if let Some(completed) = &job.completed {
            view["completed"] = json!(api_time(completed));
        }
    }
    if let Some(result) = job.result {
        view["jobresulttype"] = json!("object");
        view["jobresult"] = result;
    }
    if let Some(instance) = job.instance {
        let rules = call.cloud.rules;
        let made_by = Command::all(rules.release).find(|command| command.class(rules) == job.command);
        let entity = match made_by.map(|command| &command.action) {
            Some(Action::Create { entity, .. }) => Some(*entity),
            _ if rules.customer_gateway_instance == Some(&instance.kind) => Some(Entity::CustomerGateway),
            _ => None,
        };
        if let Some(entity) = entity {
            view["jobinstancetype"] = json!(instance.kind);
            view["jobinstanceid"] = json!(entity.uuid(db, instance.id)?.to_string());
        }
    }
    Ok(view)
}
