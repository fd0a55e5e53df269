//! Endpoint files: TOML in, an [`Endpoint`] or all that is wrong with it out.
//!
//! No line of the file is ever shown, since it may hold a key.

use std::{net::Ipv4Addr, ops::Range};

use cloud::Credentials;
use scenario::{Diagnostic, Diagnostics, nearest};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Account, Endpoint, Named};

const KEYS: [&str; 9] =
    ["url", "api-key", "secret-key", "zone", "vpc-offering", "network-offering", "account", "domain", "customers"];
const CUSTOMER_KEYS: [&str; 2] = ["addresses", "answer"];

const URL: &str = "write it as in `url = \"http://127.0.0.1:8080/client/api\"`";

pub(super) fn parse(file: &str, text: &str) -> Result<Endpoint, Diagnostics> {
    let mut reader = Reader { file, text, found: Vec::new() };
    let endpoint = match DeTable::parse(text) {
        Ok(root) => reader.endpoint(root.get_ref()),
        Err(error) => {
            let place = error.span().unwrap_or(0..0);
            reader.report(&place, error.message(), "write TOML: `key = \"value\"` on a line of its own");
            None
        }
    };
    match (Diagnostics::of(reader.found), endpoint) {
        (None, Some(endpoint)) => Ok(endpoint),
        (Some(wrong), _) => Err(wrong),
        (None, None) => unreachable!("what is missing was reported"),
    }
}

struct Reader<'t> {
    file: &'t str,
    text: &'t str,
    found: Vec<Diagnostic>,
}

type Value<'t> = Spanned<DeValue<'t>>;

impl Reader<'_> {
    fn endpoint(&mut self, root: &DeTable<'_>) -> Option<Endpoint> {
        self.only(root, &KEYS);
        let url = self.url(root);
        let api_key = self.needed(root, "api-key");
        let secret_key = self.needed(root, "secret-key");
        let [zone, vpc_offering, network_offering] =
            ["zone", "vpc-offering", "network-offering"].map(|key| self.named(root, key));
        let account = self.account(root);
        let (addresses, answer) = self.customers(root);
        Some(Endpoint {
            file: self.file.to_owned(),
            url: url?,
            credentials: Credentials { api_key: api_key?, secret_key: secret_key? },
            zone,
            vpc_offering,
            network_offering,
            account,
            addresses,
            answer,
        })
    }

    fn url(&mut self, root: &DeTable<'_>) -> Option<String> {
        let url = self.needed(root, "url")?;
        let place = root.get("url").map_or(0..0, Spanned::span);
        let wrong = match url.split_once("://") {
            Some(("http", rest)) => {
                let authority = rest.split('/').next().unwrap_or_default();
                if authority.is_empty() {
                    Some(("`url` names no host", URL))
                } else if authority.contains('@') {
                    Some(("`url` names a user", "leave the user out: requests are signed with `secret-key`"))
                } else {
                    None
                }
            }
            Some(("https", _)) => Some((
                "https is not spoken here",
                "lead a port of this machine to the cloud's plain port, such as with `ssh -L 8080:localhost:8080`, and \
                 name that",
            )),
            _ => Some(("`url` is not an http address", URL)),
        };
        match wrong {
            Some((message, help)) => {
                self.report(&place, message, help);
                None
            }
            None => Some(url),
        }
    }

    fn account(&mut self, root: &DeTable<'_>) -> Option<Account> {
        let account = self.named(root, "account");
        let domain = self.named(root, "domain");
        match (account, domain) {
            (Some(account), Some(domain)) => Some(Account { name: account.text, domain }),
            (None, None) => None,
            (Some(_), None) => {
                // A domain of the wrong type was reported already.
                if !root.contains_key("domain") {
                    let place = root.get("account").map_or(0..0, Spanned::span);
                    self.report(&place, "an account without a domain", "name its domain too: `domain = \"ROOT\"`");
                }
                None
            }
            (None, Some(_)) => {
                if !root.contains_key("account") {
                    let place = root.get("domain").map_or(0..0, Spanned::span);
                    self.report(&place, "a domain without an account", "name the account too, or leave `domain` out");
                }
                None
            }
        }
    }

    fn customers(&mut self, root: &DeTable<'_>) -> (Vec<Ipv4Addr>, bool) {
        let Some(value) = root.get("customers") else { return (Vec::new(), false) };
        let Some(customers) = value.get_ref().as_table() else {
            self.wrong_type("customers", value, "a table: write `[customers]`");
            return (Vec::new(), false);
        };
        self.only(customers, &CUSTOMER_KEYS);
        let answer = customers.get("answer").and_then(|value| {
            let answer = value.get_ref().as_bool();
            if answer.is_none() {
                self.wrong_type("answer", value, "`true` or `false`");
            }
            answer
        });
        let mut addresses = Vec::new();
        if let Some(value) = customers.get("addresses") {
            match value.get_ref().as_array() {
                Some(items) => items.iter().for_each(|item| self.address(item, &mut addresses)),
                None => self.wrong_type("addresses", value, "a list, such as `[\"198.51.100.7\"]`"),
            }
        }
        (addresses, answer.unwrap_or(false))
    }

    fn address(&mut self, item: &Value<'_>, addresses: &mut Vec<Ipv4Addr>) {
        let address = item.get_ref().as_str().and_then(|text| text.parse().ok());
        match address {
            Some(address) if addresses.contains(&address) => {
                self.report(
                    &item.span(),
                    format!("{address} stands twice"),
                    "each customer needs an address of its own",
                );
            }
            Some(address) => addresses.push(address),
            None => self.report(&item.span(), "not an IPv4 address", "write it as in \"198.51.100.7\""),
        }
    }

    /// Reports what the table should not have.
    fn only(&mut self, table: &DeTable<'_>, known: &[&str]) {
        for key in table.keys() {
            let word = key.get_ref().as_ref();
            if !known.contains(&word) {
                let help = match nearest(word, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("write one of {}", known.join(", ")),
                };
                self.report(&key.span(), format!("unknown key `{word}`"), help);
            }
        }
    }

    fn needed(&mut self, root: &DeTable<'_>, key: &str) -> Option<String> {
        if !root.contains_key(key) {
            self.report(&(0..0), format!("`{key}` is missing"), format!("write `{key} = \"...\"`"));
        }
        self.named(root, key).map(|named| named.text)
    }

    fn named(&mut self, root: &DeTable<'_>, key: &str) -> Option<Named> {
        let value = root.get(key)?;
        match value.get_ref().as_str() {
            Some("") => {
                self.report(&value.span(), format!("`{key}` is empty"), "write a value, or leave the key out");
                None
            }
            Some(text) => {
                let (line, column) = self.place(value.span().start);
                Some(Named { text: text.to_owned(), line, column })
            }
            None => {
                self.wrong_type(key, value, "text in quotes");
                None
            }
        }
    }

    fn wrong_type(&mut self, key: &str, value: &Value<'_>, wanted: &str) {
        let found = value.get_ref().type_str();
        self.report(&value.span(), format!("`{key}` is of type {found}"), format!("it has to be {wanted}"));
    }

    fn report(&mut self, place: &Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        let (line, column) = self.place(place.start);
        let (message, help) = (message.into(), Some(help.into()));
        self.found.push(Diagnostic { file: self.file.to_owned(), line, column, message, help, snippet: None });
    }

    /// Line and column, in characters, of a byte.
    fn place(&self, byte: usize) -> (u32, u32) {
        let before = self.text.get(..byte).unwrap_or(self.text);
        let line_begin = before.rfind('\n').map_or(0, |end| end + 1);
        let line = before.matches('\n').count() + 1;
        (line as u32, before[line_begin..].chars().count() as u32 + 1)
    }
}
