//! What a request, or a job, is told when it fails: CloudStack's error object.

use serde_json::{Value, json};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Status of the HTTP answer and `errorcode` in it.
    pub code: u16,
    /// `cserrorcode`: which of CloudStack's exceptions it was.
    pub exception: Option<u32>,
    pub text: String,
}

impl Failure {
    fn new(code: u16, exception: u32, text: impl Into<String>) -> Self {
        Self { code, exception: Some(exception), text: text.into() }
    }

    /// A value that the service refuses: InvalidParameterValueException.
    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::new(431, 4350, text)
    }

    /// A request that cannot even be read: ServerApiException with PARAM_ERROR.
    pub(crate) fn parameter(text: impl Into<String>) -> Self {
        Self::new(431, 9999, text)
    }

    /// CloudStack does not say what was wrong, and neither does it tell a wrong key from a wrong signature.
    pub(crate) fn unauthorized() -> Self {
        let text = "unable to verify user credentials and/or request signature";
        Self { code: 401, exception: None, text: text.to_owned() }
    }

    /// What a servlet container refuses before CloudStack hears of it.
    pub(crate) fn http(status: hyper::StatusCode, text: impl Into<String>) -> Self {
        Self { code: status.as_u16(), exception: None, text: text.into() }
    }

    /// CloudRuntimeException, and everything CloudStack did not expect.
    pub(crate) fn internal(text: impl Into<String>) -> Self {
        Self::new(530, 4250, text)
    }

    /// PermissionDeniedException.
    pub(crate) fn denied(text: impl Into<String>) -> Self {
        Self::new(531, 4365, text)
    }

    /// An account that must not have more.
    pub(crate) fn account(text: impl Into<String>) -> Self {
        Self::new(531, 4365, text)
    }

    /// A command that is not there for the caller.
    pub(crate) fn unavailable_command(text: impl Into<String>) -> Self {
        Self { code: 401, exception: None, text: text.into() }
    }

    pub(crate) fn insufficient_capacity(text: impl Into<String>) -> Self {
        Self::new(533, 9999, text)
    }

    /// ResourceUnavailableException names the resource before it says what is wrong.
    pub(crate) fn unavailable(resource: &str, id: i64, text: impl Into<String>) -> Self {
        Self::new(534, 4380, format!("Resource [{resource}:{id}] is unreachable: {}", text.into()))
    }

    pub(crate) fn stopping() -> Self {
        Self::new(503, 9999, "the service is stopping")
    }

    /// What went wrong inside is for the administrator of the cloud alone.
    pub(crate) fn for_others(mut self) -> Self {
        if matches!(self.code, 530 | 533 | 534) {
            "Internal error executing command, please contact your system administrator".clone_into(&mut self.text);
        }
        self
    }

    /// As the root element of an answer holds it.
    pub(crate) fn to_json(&self) -> Value {
        let mut body = json!({ "uuidList": [], "errorcode": self.code, "errortext": self.text });
        if let Some(exception) = self.exception {
            body["cserrorcode"] = exception.into();
        }
        body
    }

    /// A job has fewer codes: what was denied is an internal error there.
    pub(crate) fn job_code(&self) -> u16 {
        if self.code == 531 { 530 } else { self.code }
    }

    /// As a job's result holds it.
    pub(crate) fn to_job_result(&self) -> Value {
        json!({ "errorcode": self.job_code(), "errortext": self.text })
    }
}

/// A row that does not fit its table; CloudStack lets the database find out too.
impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::internal(format!("DB Exception: {error}"))
    }
}
