//! Asynchronous jobs.

use rusqlite::{Connection, Row};
use serde_json::Value;
use uuid::Uuid;

use super::{
    Result,
    account::{Actor, Owner},
    execute, new_uuid, now, one, parsed,
    select::Select,
};

pub(crate) struct Job {
    pub id: i64,
    pub uuid: Uuid,
    pub user: i64,
    pub owner: Owner,
    pub instance: Option<Instance>,
    pub command: String,
    pub status: Status,
    pub result_code: i64,
    pub result: Option<Value>,
    pub created: String,
    /// Unless it is still under way.
    pub completed: Option<String>,
}

/// What the job is about, if its command created something.
pub(crate) struct Instance {
    pub kind: String,
    pub id: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i64)]
pub(crate) enum Status {
    InProgress = 0,
    Succeeded = 1,
    Failed = 2,
}

pub(crate) fn read(row: &Row<'_>) -> Result<Job> {
    let kind: Option<String> = row.get("instance_type")?;
    let id: Option<i64> = row.get("instance_id")?;
    let result: Option<String> = row.get("job_result")?;
    Ok(Job {
        id: row.get("id")?,
        uuid: parsed(row, "uuid")?,
        user: row.get("user_id")?,
        owner: Owner { account: row.get("account_id")?, domain: row.get("domain_id")? },
        instance: kind.zip(id).map(|(kind, id)| Instance { kind, id }),
        command: row.get("job_cmd")?,
        status: match row.get("job_status")? {
            0 => Status::InProgress,
            1 => Status::Succeeded,
            _ => Status::Failed,
        },
        result_code: row.get("job_result_code")?,
        result: result.and_then(|text| serde_json::from_str(&text).ok()),
        created: row.get("created")?,
        completed: row.get("last_updated")?,
    })
}

const JOBS: &str = "SELECT async_job.*, domain_id FROM async_job JOIN account ON account.id = async_job.account_id";

/// A job that has not begun. `parameters` must hold no secret. The client may have chosen its id.
pub(crate) fn insert(
    db: &Connection,
    actor: Actor,
    uuid: Option<Uuid>,
    command: &str,
    parameters: &Value,
    instance: Option<&Instance>,
) -> Result<Job> {
    execute(db,
        "INSERT INTO async_job (uuid, user_id, account_id, instance_type, instance_id, job_cmd, job_cmd_info, job_status,
                                created)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        (
            uuid.map_or_else(new_uuid, |uuid| uuid.to_string()),
            actor.user,
            actor.owner.account,
            instance.map(|i| &i.kind),
            instance.map(|i| i.id),
            command,
            parameters.to_string(),
            Status::InProgress as i64,
            now(),
        ),
    )?;
    let sql = format!("{JOBS} WHERE async_job.id = ?1");
    db.prepare_cached(&sql)?.query_row([db.last_insert_rowid()], read)
}

pub(crate) fn find(db: &Connection, id: i64) -> Result<Option<Job>> {
    one(db, &format!("{JOBS} WHERE async_job.id = ?1"), [id], read)
}

/// Newest first.
pub(crate) fn select() -> Select {
    Select::of(
        "async_job.*, account.domain_id AS domain_id",
        "async_job JOIN account ON account.id = async_job.account_id",
        "async_job.id DESC",
    )
}

pub(crate) fn finish(db: &Connection, id: i64, status: Status, code: u16, result: Option<&Value>) -> Result<()> {
    execute(
        db,
        "UPDATE async_job SET job_status = ?1, job_result_code = ?2, job_result = ?3, last_updated = ?4 WHERE id = ?5",
        (status as i64, code, result.map(Value::to_string), now(), id),
    )
}

/// Ends every job that was under way, with one result for all.
pub(crate) fn fail_unfinished(db: &Connection, code: u16, result: &Value) -> Result<()> {
    execute(
        db,
        "UPDATE async_job SET job_status = ?1, job_result_code = ?2, job_result = ?3, last_updated = ?4
         WHERE job_status = ?5",
        (Status::Failed as i64, code, result.to_string(), now(), Status::InProgress as i64),
    )
}
