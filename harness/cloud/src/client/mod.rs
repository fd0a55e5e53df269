//! A client of CloudStack's API: signs, sends, and waits for jobs.

mod error;
mod http;
mod redact;

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use serde_json::Value;
use tokio::time::{Instant, sleep};

pub use error::ClientError;
use http::Wire;

use crate::{Credentials, signature};

type Observer = dyn Fn(&Call) + Send + Sync;

/// One account's way to one endpoint. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    wire: Arc<Wire>,
    credentials: Arc<Credentials>,
    observer: Option<Arc<Observer>>,
    poll: Duration,
    patience: Duration,
    holds_time: bool,
}

/// A request and its answer, fit to be written down: no credentials, and `***` for pre-shared keys.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub command: String,
    pub parameters: Vec<(String, String)>,
    pub status: u16,
    /// The whole answer, wrapper included.
    pub answer: Value,
}

/// An asynchronous command that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    pub command: String,
    pub job: String,
    /// The id of what is being made, by clouds that tell it before it is there.
    pub id: Option<String>,
}

impl Client {
    /// For an endpoint such as `http://127.0.0.1:8080/client/api`. A proxy in the environment is not used.
    pub fn new(endpoint: String, credentials: Credentials) -> Self {
        Self {
            wire: Wire::new(endpoint),
            credentials: Arc::new(credentials),
            observer: None,
            poll: Duration::from_secs(1),
            patience: Duration::from_secs(30 * 60),
            holds_time: false,
        }
    }

    /// Shows every call, polls of jobs included, to `observer`.
    #[must_use]
    pub fn on_call(mut self, observer: impl Fn(&Call) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Asks for a job every `poll`, one second unless told, and gives up after `patience`, half an hour.
    #[must_use]
    pub fn polling(mut self, poll: Duration, patience: Duration) -> Self {
        (self.poll, self.patience) = (poll, patience);
        self
    }

    /// For a runtime whose clock is paused: it stands still while a request is under way, which otherwise looks to it as if
    /// there were nothing to do but to let time pass.
    #[must_use]
    pub fn holding_time(mut self) -> Self {
        self.holds_time = true;
        self
    }

    /// Sends a command and returns what its answer wraps.
    pub async fn call(&self, command: &str, parameters: &[(&str, &str)]) -> Result<Value, ClientError> {
        let form = self.signed_form(command, parameters);
        let held = self.holds_time.then(hold_time);
        let sent = self.wire.post(form).await;
        drop(held);
        let (status, body) = sent.map_err(|reason| ClientError::Transport {
            command: command.to_owned(),
            endpoint: self.wire.endpoint().to_owned(),
            reason,
        })?;
        let unexpected = |what: String| ClientError::Unexpected { command: command.to_owned(), status, what };
        let answer: Value =
            serde_json::from_slice(&body).map_err(|error| unexpected(format!("is not JSON: {error}")))?;
        if let Some(observer) = &self.observer {
            observer(&Call {
                command: command.to_owned(),
                parameters: redact::parameters(parameters),
                status,
                answer: redact::answer(answer.clone()),
            });
        }
        // One key: the command's, or `errorresponse`.
        let body = match answer {
            Value::Object(fields) if fields.len() == 1 => fields.into_values().next().unwrap_or_default(),
            _ => return Err(unexpected("does not have exactly one key".to_owned())),
        };
        if let Some(code) = body["errorcode"].as_i64() {
            let text = body["errortext"].as_str().unwrap_or_default().to_owned();
            return Err(ClientError::Api { command: command.to_owned(), status, code, text });
        }
        if status != 200 { Err(unexpected("has no error code".to_owned())) } else { Ok(body) }
    }

    /// Sends an asynchronous command, waits for its job and returns the job's result.
    pub async fn run(&self, command: &str, parameters: &[(&str, &str)]) -> Result<Value, ClientError> {
        let begun = self.begin(command, parameters).await?;
        self.finish(&begun).await
    }

    /// Sends an asynchronous command.
    pub async fn begin(&self, command: &str, parameters: &[(&str, &str)]) -> Result<Begun, ClientError> {
        let answer = self.call(command, parameters).await?;
        let Some(job) = answer["jobid"].as_str() else {
            let what = "names no job: the command is synchronous, so call it".to_owned();
            return Err(ClientError::Unexpected { command: command.to_owned(), status: 200, what });
        };
        let id = answer["id"].as_str().map(str::to_owned);
        Ok(Begun { command: command.to_owned(), job: job.to_owned(), id })
    }

    /// Waits for the job of a command and returns its result.
    pub async fn finish(&self, Begun { command, job, .. }: &Begun) -> Result<Value, ClientError> {
        let started = Instant::now();
        loop {
            let mut result = self.call("queryAsyncJobResult", &[("jobid", job)]).await?;
            match result["jobstatus"].as_i64() {
                Some(0) if started.elapsed() < self.patience => sleep(self.poll).await,
                Some(0) => {
                    let (command, job) = (command.clone(), job.clone());
                    return Err(ClientError::Unfinished { command, job, waited: started.elapsed() });
                }
                Some(1) => return Ok(result["jobresult"].take()),
                _ => {
                    let code = result["jobresult"]["errorcode"].as_i64().or(result["jobresultcode"].as_i64());
                    return Err(ClientError::Job {
                        command: command.clone(),
                        job: job.clone(),
                        code: code.unwrap_or_default(),
                        text: result["jobresult"]["errortext"].as_str().unwrap_or_default().to_owned(),
                    });
                }
            }
        }
    }

    /// The form to post, for those who post it themselves. The pre-shared key is in it, so it must not
    /// become part of an address that somebody logs.
    pub fn signed_form(&self, command: &str, parameters: &[(&str, &str)]) -> String {
        let fixed = [("apiKey", self.credentials.api_key.as_str()), ("command", command), ("response", "json")];
        let all = || fixed.iter().chain(parameters).copied();
        let signature = signature::sign(&signature::string_to_sign(all()), &self.credentials.secret_key);
        let pairs = all().chain([("signature", signature.as_str())]);
        let pairs: Vec<_> =
            pairs.map(|(name, value)| format!("{}={}", signature::encode(name), signature::encode(value))).collect();
        pairs.join("&")
    }
}

/// A paused clock waits for threads of this kind, until what is returned is dropped.
fn hold_time() -> mpsc::Sender<()> {
    let (held, until) = mpsc::channel();
    tokio::task::spawn_blocking(move || until.recv());
    held
}
