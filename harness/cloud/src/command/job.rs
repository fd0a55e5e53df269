//! What has become of an asynchronous command.

use serde_json::json;

use super::{Action, Answer, Call, Command, Parameter, Result, Type, no_vpc};
use crate::{
    server::Failure,
    store::{Entity, account, api_time, job},
};

pub(super) const COMMANDS: &[Command] = &[Command {
    name: "queryAsyncJobResult",
    parameters: &[Parameter::required("jobid", Type::Id(Entity::Job))],
    action: Action::Read(query),
    vpc: no_vpc,
    event: None,
}];

fn query(call: &Call) -> Result<Answer> {
    let id = call.arguments.need_id("jobid")?;
    call.cloud.store.transaction(|db| {
        let job = job::find(db, id)?.ok_or_else(|| Failure::invalid(format!("Unable to find a job by id {id}")))?;
        let mut view = json!({
            "jobid": job.uuid.to_string(),
            "accountid": account::get(db, job.owner)?.uuid.to_string(),
            "userid": account::user_uuid(db, job.user)?.to_string(),
            "cmd": job.command,
            "jobstatus": job.status as i64,
            "jobprocstatus": 0,
            "jobresultcode": job.result_code,
            "created": api_time(&job.created),
        });
        if let Some(result) = job.result {
            view["jobresulttype"] = json!("object");
            view["jobresult"] = result;
        }
        if let Some(instance) = job.instance {
            let package = call.cloud.rules.command_package;
            let made_by = Command::all().find(|command| command.class(package) == job.command);
            if let Some(Action::Create { entity, .. }) = made_by.map(|command| &command.action) {
                view["jobinstancetype"] = json!(instance.kind);
                view["jobinstanceid"] = json!(entity.uuid(db, instance.id)?.to_string());
            }
        }
        Ok(Answer::Fields(view))
    })
}
