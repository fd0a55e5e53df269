//! Who sent a request: the owner of the key that signed it.

use jiff::Timestamp;

use super::{Cloud, Failure, Request};
use crate::{command::Caller, signature, store::account};

/// None for a wrong key, a wrong signature, or a request that came too late: nobody is told which.
pub(crate) fn caller(cloud: &Cloud, request: &Request) -> Option<Caller> {
    let (key, signature) = (request.get("apikey")?, request.get("signature")?);
    // Names are signed as they are, so that `a=1&b` for a name would pass with the signature of two parameters.
    if request.iter().any(|(name, _)| name.contains(['&', '='])) {
        return None;
    }
    if request.get("signatureversion") == Some("3") && !request.get("expires").is_some_and(is_in_future) {
        return None;
    }
    let known = cloud.store.read(|db| {
        let Some((user, secret)) = account::by_key(db, key)? else { return Ok(None) };
        Ok::<_, Failure>(Some((Caller::of(&account::of_user(db, user)?, user), secret)))
    });
    let (caller, secret) = known.ok()??;
    let text = signature::string_to_sign(request.iter());
    signature::verify(&text, &secret, signature).then_some(caller)
}

/// `2030-01-01T00:00:00+0000`, or with `Z` for the offset.
fn is_in_future(expires: &str) -> bool {
    expires.parse::<Timestamp>().is_ok_and(|time| time > Timestamp::now())
}
