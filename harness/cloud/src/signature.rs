//! Signatures of requests: HMAC-SHA1 over the sorted, encoded, lower-cased parameters.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha1::Sha1;

/// What Java's URLEncoder escapes, with a blank as `%20`: it keeps `*` and escapes `~`, unlike RFC 3986.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'*').remove(b'_');

pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// What is signed. Names are sorted as they were sent, by byte, before anything is lower-cased.
pub(crate) fn string_to_sign<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut pairs: Vec<_> =
        parameters.into_iter().filter(|(name, _)| !name.eq_ignore_ascii_case("signature")).collect();
    pairs.sort_by_key(|(name, _)| *name);
    let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    pairs.join("&").to_lowercase()
}

pub(crate) fn sign(text: &str, secret: &str) -> String {
    STANDARD.encode(keyed(text, secret).finalize().into_bytes())
}

/// Compares in constant time.
pub(crate) fn verify(text: &str, secret: &str, signature: &str) -> bool {
    STANDARD.decode(signature).is_ok_and(|tag| keyed(text, secret).verify_slice(&tag).is_ok())
}

fn keyed(text: &str, secret: &str) -> Hmac<Sha1> {
    // HMAC takes keys of any length (RFC 2104 section 2).
    Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("a key of any length").chain_update(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn signs(parameters: &[(&str, &str)], secret: &str, text: Option<&str>, signature: &str) {
        let signed = string_to_sign(parameters.iter().copied());
        if let Some(text) = text {
            assert_eq!(signed, text);
        }
        assert_eq!(sign(&signed, secret), signature);
        assert!(verify(&signed, secret, signature));
        assert!(!verify(&signed, "another", signature));
    }

    #[test]
    fn the_published_example() {
        let key = "plgWJfZK4gyS3mOMTVmjUVg-X-jlWlnfaUJ9GAbBbf9EdM-kAYMmAiLqzzq1ElZLYq_u38zCm0bewzGUdP66mg";
        let secret = "VDaACYb0LV9eNjTetIOElcVQkvJck_J_QljX_FcHRj87ZKiy0z0ty0ZsYBkoXkY9b7eq1EhwJaw7FF3akA3KBQ";
        let parameters = [("response", "json"), ("command", "listUsers"), ("apikey", key)];
        signs(&parameters, secret, None, "TTpdDq/7j/J58XCRHomKoQXEQds=");
    }

    #[test]
    fn plain_values() {
        signs(
            &[("command", "listVpnConnections"), ("listall", "true"), ("response", "json"), ("apiKey", "AK")],
            "SK",
            Some("apikey=ak&command=listvpnconnections&listall=true&response=json"),
            "qKpMnfnk3P8o6XGGujzxcCDpBwI=",
        );
    }

    #[test]
    fn every_kind_of_escape() {
        let parameters = [
            ("apiKey", "AK"),
            ("name", "Müller GW"),
            ("command", "createVpnCustomerGateway"),
            ("cidrlist", "10.20.0.0/16,10.30.0.0/16"),
            ("esppolicy", "aes128-sha1;modp1536"),
            ("gateway", "198.51.100.7"),
            ("ikepolicy", "aes256-sha256;modp2048"),
            ("ipsecpsk", "p@ss w*rd~+/="),
            ("response", "json"),
            ("signature", "left out"),
        ];
        let text = "apikey=ak&cidrlist=10.20.0.0%2f16%2c10.30.0.0%2f16&command=createvpncustomergateway\
                    &esppolicy=aes128-sha1%3bmodp1536&gateway=198.51.100.7&ikepolicy=aes256-sha256%3bmodp2048\
                    &ipsecpsk=p%40ss%20w*rd%7e%2b%2f%3d&name=m%c3%bcller%20gw&response=json";
        signs(&parameters, "SK", Some(text), "KMtg9n551Dxbh6sXKc7PJxxIxxo=");
    }

    #[test]
    fn an_expiring_request() {
        signs(
            &[
                ("apiKey", "AK"),
                ("command", "listZones"),
                ("expires", "2030-01-01T00:00:00+0000"),
                ("response", "json"),
                ("signatureversion", "3"),
            ],
            "SK",
            Some("apikey=ak&command=listzones&expires=2030-01-01t00%3a00%3a00%2b0000&response=json&signatureversion=3"),
            "XIaAfcErcjHXhoq0H4iawVa1ZKc=",
        );
    }
}
