//! What clients were told, and whether the service still knows it.

use std::collections::BTreeMap;

use cloud::Client;
use serde_json::Value;

/// Lists, what their objects are called, and the field that names what an object belongs to.
pub const LISTS: [(&str, &str, &[&str]); 7] = [
    ("listVPCs", "vpc", &[]),
    ("listNetworks", "network", &["vpcid"]),
    ("listRouters", "router", &["vpcid"]),
    ("listPublicIpAddresses", "publicipaddress", &["vpcid"]),
    ("listVpnGateways", "vpngateway", &["vpcid"]),
    ("listVpnCustomerGateways", "vpncustomergateway", &[]),
    ("listVpnConnections", "vpnconnection", &["s2svpngatewayid", "s2scustomergatewayid"]),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    There,
    Gone,
    /// It was asked for, one way or the other, and nobody was told what became of it.
    Either,
}

/// An object that somebody was told of.
#[derive(Clone, Debug)]
pub struct Thing {
    pub object: &'static str,
    pub id: String,
    pub known: Known,
    /// Something is under way that nobody waits for.
    pub busy: bool,
    /// Fields, and the values that each may have: two while a change is not acknowledged.
    pub says: BTreeMap<&'static str, Vec<String>>,
}

#[derive(Default)]
pub struct Ledger {
    pub things: Vec<Thing>,
    /// In the order in which they were answered: how a job ended, as far as it was seen to.
    pub jobs: Vec<(String, Option<i64>)>,
}

/// All that a service lists, by id.
pub struct Listed(pub BTreeMap<String, (&'static str, Value)>);

impl Listed {
    pub async fn of(client: &Client) -> Self {
        let mut all = BTreeMap::new();
        for (list, object, _) in LISTS {
            let answer = client.call(list, &[("listall", "true"), ("pagesize", "-1")]).await.unwrap();
            for row in answer[object].as_array().into_iter().flatten() {
                all.insert(row["id"].as_str().unwrap().to_owned(), (object, row.clone()));
            }
        }
        Self(all)
    }

    pub fn each(&self, object: &str) -> impl Iterator<Item = &Value> {
        self.0.values().filter(move |(of, _)| *of == object).map(|(_, row)| row)
    }

    /// What is still on its way somewhere.
    pub fn unsettled(&self) -> Vec<String> {
        let settled = |object, state: &str| match object {
            "vpc" => state == "Enabled",
            "network" => state == "Implemented" || state == "Allocated",
            "router" => state == "Running" || state == "Stopped",
            "vpnconnection" => state != "Pending",
            "publicipaddress" => state == "Allocated",
            _ => true,
        };
        let unsettled = |(object, row): &&(&'static str, Value)| !settled(object, row["state"].as_str().unwrap_or(""));
        self.0.values().filter(unsettled).map(|(object, row)| format!("{object} {row}")).collect()
    }

    /// Every object belongs to one that is there too; each VPC has one address, which nobody else has.
    pub fn check(&self) {
        for (object, row) in self.0.values() {
            let (_, _, owners) = LISTS.into_iter().find(|(_, of, _)| of == object).unwrap();
            for owner in owners {
                let its = row[owner].as_str().unwrap_or_else(|| panic!("{object} without {owner}: {row}"));
                assert!(self.0.contains_key(its), "{object} without its owner: {row}");
            }
        }
        let mut holders = BTreeMap::new();
        for address in self.each("publicipaddress") {
            let text = address["ipaddress"].as_str().unwrap();
            assert_eq!(holders.insert(text, address), None, "given twice: {address}");
        }
        let mut having: Vec<_> = holders.values().map(|address| address["vpcid"].as_str().unwrap()).collect();
        having.sort_unstable();
        let mut vpcs: Vec<_> = self.each("vpc").map(|vpc| vpc["id"].as_str().unwrap()).collect();
        vpcs.sort_unstable();
        assert_eq!(having, vpcs, "one address for each VPC");
        for gateway in self.each("vpngateway") {
            let address = holders.get(gateway["publicip"].as_str().unwrap());
            assert_eq!(address.map(|address| &address["vpcid"]), Some(&gateway["vpcid"]), "{gateway}");
        }
    }
}

impl Ledger {
    pub fn there(&mut self, object: &'static str, id: &str, says: &[(&'static str, &str)]) -> &mut Thing {
        let says = says.iter().map(|&(field, value)| (field, vec![value.to_owned()])).collect();
        self.things.push(Thing { object, id: id.to_owned(), known: Known::There, busy: false, says });
        self.things.last_mut().unwrap()
    }

    pub fn thing(&mut self, id: &str) -> &mut Thing {
        self.things.iter_mut().find(|thing| thing.id == id).unwrap()
    }

    /// Compares with what is listed, and goes on from there.
    pub fn settle(&mut self, listed: &Listed) {
        for thing in &mut self.things {
            let row = listed.0.get(&thing.id).map(|(_, row)| row);
            match (thing.known, row) {
                (Known::There, None) => panic!("lost: {thing:?}"),
                (Known::Gone, Some(row)) => panic!("back again: {thing:?}: {row}"),
                _ => {}
            }
            for (field, values) in &mut thing.says {
                let Some(found) = row.map(|row| &row[*field]) else { continue };
                let found = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
                assert!(values.contains(&found), "{} {}: {field} is {found}, not {values:?}", thing.object, thing.id);
                *values = vec![found];
            }
            thing.known = if row.is_some() { Known::There } else { Known::Gone };
            thing.busy = false;
        }
    }

    /// Every job that was answered is known, and has ended as it was seen to end. Returns how many were cut off.
    pub async fn check_jobs(&self, client: &Client, from: usize) -> usize {
        let mut cut_off = 0;
        for (job, seen) in self.jobs.iter().skip(from) {
            let answer = client.call("queryAsyncJobResult", &[("jobid", job)]).await;
            let answer = answer.unwrap_or_else(|error| panic!("job {job} is not known: {error}"));
            let status = answer["jobstatus"].as_i64();
            assert!(matches!(status, Some(1 | 2)), "under way for ever: {answer}");
            assert!(seen.is_none() || status == *seen, "was {seen:?}: {answer}");
            assert!(status == Some(1) || answer["jobresult"]["errortext"].is_string(), "without a reason: {answer}");
            cut_off += usize::from(answer.to_string().contains("management server restart"));
        }
        cut_off
    }
}
