//! From a request to its answer: who asks, what, and how the command is carried out.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{Cloud, Failure, Request};
use crate::{
    command::{Action, Answer, Arguments, Call, Command, Kind, Work, page},
    signature,
    store::{Entity, job, journal},
};

/// The answer's root element, and what is in it.
pub(crate) async fn answer(cloud: &Arc<Cloud>, request: &Request) -> (String, Result<Value, Failure>) {
    // An unknown command fails verification, whoever sent it.
    let Some(command) = request.get("command").and_then(Command::find) else {
        return ("errorresponse".to_owned(), Err(Failure::unauthorized()));
    };
    let root = format!("{}response", command.wire_name());
    if !is_authentic(cloud, request) {
        return (root, Err(Failure::unauthorized()));
    }
    let bound = cloud.store.transaction(|db| Arguments::bind(db, command, request));
    let answer = match bound {
        Ok(arguments) => carry_out(Call { cloud: cloud.clone(), command, arguments: Arc::new(arguments) }).await,
        Err(failure) => Err(failure),
    };
    (root, answer)
}

fn is_authentic(cloud: &Cloud, request: &Request) -> bool {
    let (Some(key), Some(signature)) = (request.get("apikey"), request.get("signature")) else { return false };
    if request.get("signatureversion") == Some("3") && !request.get("expires").is_some_and(is_in_future) {
        return false;
    }
    let text = signature::string_to_sign(request.iter());
    key == cloud.credentials.api_key && signature::verify(&text, &cloud.credentials.secret_key, signature)
}

/// `2030-01-01T00:00:00+0000`, or with `Z` for the offset.
fn is_in_future(expires: &str) -> bool {
    expires.parse::<Timestamp>().is_ok_and(|time| time > Timestamp::now())
}

async fn carry_out(call: Call) -> Result<Value, Failure> {
    match call.command.action {
        Action::Read(read) => read(&call).map(Answer::into_json),
        Action::List { object, rows } => {
            let rows = rows(&call)?;
            page(&call, object, rows)
        }
        Action::Now(work) => now(call, work).await,
        Action::Job(work) => submit(&call, None, work),
        Action::Create { kind, entity, row, work } => match kind(&call.cloud) {
            Kind::Job => submit(&call, None, move |call| {
                Box::pin(async move {
                    let id = row(&call)?;
                    work(call, id).await
                })
            }),
            Kind::CreateThenJob => {
                let id = row(&call)?;
                submit(&call, Some((entity, id)), move |call| work(call, id))
            }
        },
    }
}

/// The work goes on even if the caller does not wait for it.
async fn now(call: Call, work: fn(Call) -> Work) -> Result<Value, Failure> {
    let turn = (call.command.vpc)(&call, None)?.map(|vpc| call.cloud.turns.queue(vpc));
    let (done, answer) = oneshot::channel();
    let cloud = call.cloud.clone();
    cloud.spawn(async move {
        let _turn = match turn {
            Some(turn) => Some(turn.come().await),
            None => None,
        };
        let _ = done.send(attempt(work(call)).await);
    });
    answer.await.map_err(|_| Failure::stopping())?.map(Answer::into_json)
}

fn submit(
    call: &Call,
    created: Option<(Entity, i64)>,
    work: impl FnOnce(Call) -> Work + Send + 'static,
) -> Result<Value, Failure> {
    let cloud = &call.cloud;
    let turn = (call.command.vpc)(call, created.map(|(_, id)| id))?.map(|vpc| cloud.turns.queue(vpc));
    let class = call.command.class(cloud.rules.command_package);
    let instance = created.map(|(_, id)| job::Instance { kind: "None".to_owned(), id });
    let (job, answer, scheduled) = cloud.store.transaction(|db| {
        let job = job::insert(db, &class, &call.arguments.to_json(), instance.as_ref())?;
        let mut answer = json!({ "jobid": job.uuid.to_string() });
        if let Some((entity, id)) = created {
            answer["id"] = json!(entity.uuid(db, id)?.to_string());
        }
        let scheduled = match &call.command.event {
            Some(event) => journal::event(db, event.kind, "Scheduled", "INFO", event.description, 0)?,
            None => 0,
        };
        Ok::<_, Failure>((job, answer, scheduled))
    })?;
    let call = call.clone();
    let cloud = cloud.clone();
    let task = cloud.clone();
    cloud.spawn(async move {
        let _turn = match turn {
            Some(turn) => Some(turn.come().await),
            None => None,
        };
        note(&task, call.command, "Started", "INFO", |what| what.to_owned(), scheduled);
        let command = call.command;
        let outcome = attempt(work(call)).await;
        finish(&task, command, job.id, outcome, scheduled);
    });
    Ok(answer)
}

/// Whoever waits for the work is told even if it panics.
async fn attempt(work: Work) -> Result<Answer, Failure> {
    let broke_off = |_| Err(Failure::internal("the work broke off: an error in the service"));
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(broke_off)
}

fn finish(cloud: &Cloud, command: &Command, job: i64, outcome: Result<Answer, Failure>, scheduled: i64) {
    let (status, code, result) = match outcome {
        Ok(answer) => (job::Status::Succeeded, 0, answer.into_json()),
        Err(failure) => (job::Status::Failed, failure.code, failure.to_job_result()),
    };
    match status {
        job::Status::Failed => {
            note(cloud, command, "Completed", "ERROR", |what| format!("Error while {what}"), scheduled)
        }
        _ => note(cloud, command, "Completed", "INFO", |what| format!("Successfully completed {what}"), scheduled),
    }
    // If the store cannot be written the job stays unfinished, and fails at the next start.
    let _ = cloud.store.transaction(|db| job::finish(db, job, status, code, &result));
}

/// An event that cannot be written down must not keep a job from being done.
fn note(cloud: &Cloud, command: &Command, state: &str, level: &str, text: impl Fn(&str) -> String, scheduled: i64) {
    if let Some(event) = &command.event {
        let text = text(event.description);
        let _ = cloud.store.transaction(|db| journal::event(db, event.kind, state, level, &text, scheduled));
    }
}
