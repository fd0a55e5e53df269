//! A client that is always busy, and writes down what it is told.

use cloud::{Client, ClientError};
use serde_json::Value;

use crate::{
    kill::Dice,
    ledger::{Known, Ledger, Thing},
};

/// The service is gone.
pub struct Ended;

pub struct Tenant {
    pub number: u64,
    pub ledger: Ledger,
    pub dice: Dice,
    /// Commands that succeeded, for certain.
    pub done: u64,
    /// What a fresh cloud offers: zone, VPC offering, network offering.
    pub offers: [String; 3],
}

enum Outcome {
    Succeeded(Value),
    Failed,
    /// Nobody waits for it.
    Unwatched,
}

type Parameters<'a> = &'a [(&'a str, &'a str)];

impl Tenant {
    /// Until the service ends.
    pub async fn work(&mut self, client: &Client) {
        while self.step(client).await.is_ok() {}
    }

    /// The free objects of a kind; of a VPC, if one is named.
    fn mine(&self, object: &str, of: Option<(&str, &str)>) -> Vec<Thing> {
        let is_of = |thing: &Thing| of.is_none_or(|(field, id)| thing.says.get(field).is_some_and(|its| its[0] == id));
        let free = |thing: &&Thing| thing.object == object && thing.known == Known::There && !thing.busy;
        self.ledger.things.iter().filter(free).filter(|thing| is_of(thing)).cloned().collect()
    }

    /// What may be left of what belongs to something, free or not.
    fn all_of(&self, field: &str, id: &str) -> Vec<Thing> {
        let its = |thing: &&Thing| thing.says.get(field).is_some_and(|owner| owner[0] == id);
        self.ledger.things.iter().filter(|thing| thing.known != Known::Gone).filter(its).cloned().collect()
    }

    fn one(&mut self, of: &[Thing]) -> Option<Thing> {
        let n = usize::try_from(self.dice.below(of.len().max(1) as u64)).unwrap();
        of.get(n).cloned()
    }

    async fn step(&mut self, client: &Client) -> Result<(), Ended> {
        let vpcs = self.mine("vpc", None);
        let Some(vpc) = self.one(&vpcs).filter(|_| vpcs.len() == 2 || self.dice.below(8) > 0) else {
            return self.create_vpc(client).await;
        };
        let vpc = vpc.id.as_str();
        let gateways = self.mine("vpngateway", Some(("vpcid", vpc)));
        let customers = self.mine("vpncustomergateway", None);
        let connections = self.mine("vpnconnection", None);
        match self.dice.below(16) {
            0 | 1 => self.create_tier(client, vpc).await,
            2 if gateways.is_empty() => {
                self.create(client, "createVpnGateway", "vpngateway", &[("vpcid", vpc)], &[("vpcid", vpc)]).await
            }
            2 | 3 if customers.len() < 3 => self.create_customer(client).await,
            4..=6 => match (self.one(&gateways), self.one(&customers)) {
                (Some(gateway), Some(customer)) => self.connect(client, &gateway.id, &customer.id).await,
                _ => Ok(()),
            },
            7 => match self.one(&connections) {
                Some(connection) => self.change(client, "resetVpnConnection", &connection.id, &[], &[]).await,
                None => Ok(()),
            },
            8 => match self.one(&customers) {
                Some(customer) => self.update_customer(client, &customer).await,
                None => Ok(()),
            },
            9 => {
                let name = format!("t{}-{}", self.number, self.dice.below(1000));
                let news = [("name", name.as_str()), ("displaytext", &name)];
                self.change(client, "updateVPC", vpc, &news, &news).await
            }
            10 | 11 => self.turn_router(client, vpc).await,
            12 => match self.one(&connections) {
                Some(connection) => self.delete(client, "deleteVpnConnection", &connection.id, &[]).await,
                None => Ok(()),
            },
            13 => match self.one(&customers) {
                Some(customer) => self.delete(client, "deleteVpnCustomerGateway", &customer.id, &[]).await,
                None => Ok(()),
            },
            14 => {
                let tiers = self.mine("network", Some(("vpcid", vpc)));
                match (self.one(&tiers), self.one(&gateways)) {
                    (Some(tier), _) => self.delete(client, "deleteNetwork", &tier.id, &[]).await,
                    (_, Some(gateway)) => self.delete(client, "deleteVpnGateway", &gateway.id, &[]).await,
                    _ => Ok(()),
                }
            }
            _ => {
                let mut its = self.all_of("vpcid", vpc);
                let gateways: Vec<_> = its.iter().filter(|thing| thing.object == "vpngateway").cloned().collect();
                for gateway in gateways {
                    its.extend(self.all_of("s2svpngatewayid", &gateway.id));
                }
                self.delete(client, "deleteVPC", vpc, &its).await
            }
        }
    }

    async fn create_vpc(&mut self, client: &Client) -> Result<(), Ended> {
        let name = format!("t{}-{}", self.number, self.dice.below(1000));
        let [zone, offering, _] = self.offers.clone();
        let cidr = format!("10.{}.0.0/16", self.number);
        let says = [("name", name.as_str()), ("displaytext", &name), ("cidr", &cidr)];
        let parameters = [&says[..], &[("zoneid", zone.as_str()), ("vpcofferingid", &offering)]].concat();
        self.create(client, "createVPC", "vpc", &parameters, &says).await
    }

    async fn create_tier(&mut self, client: &Client, vpc: &str) -> Result<(), Ended> {
        let n = self.dice.below(3);
        let (name, gateway) = (format!("t{}-{n}", self.number), format!("10.{}.{n}.1", self.number));
        let [zone, _, offering] = self.offers.clone();
        let says = [("name", name.as_str()), ("gateway", &gateway), ("vpcid", vpc)];
        let rest = [
            ("displaytext", name.as_str()),
            ("zoneid", &zone),
            ("networkofferingid", &offering),
            ("netmask", "255.255.255.0"),
        ];
        if let Some(answer) = self.call(client, "createNetwork", &[&says[..], &rest].concat()).await? {
            self.done += 1;
            self.ledger.there("network", answer["network"]["id"].as_str().unwrap(), &says);
        }
        Ok(())
    }

    async fn create_customer(&mut self, client: &Client) -> Result<(), Ended> {
        let n = self.number * 10 + self.dice.below(5);
        let (name, gateway) = (format!("t{}-{n}", self.number), format!("198.51.100.{n}"));
        let cidr = format!("172.16.{n}.0/24");
        let says = customer(&name, &gateway, &cidr, "3600");
        self.create(client, "createVpnCustomerGateway", "vpncustomergateway", &says, &says).await
    }

    /// Names it anew too, since an update replaces everything.
    async fn update_customer(&mut self, client: &Client, customer_gateway: &Thing) -> Result<(), Ended> {
        let say = |field| customer_gateway.says.get(field).map(|values: &Vec<String>| values[0].clone());
        let (Some(name), Some(gateway), Some(cidr)) = (say("name"), say("gateway"), say("cidrlist")) else {
            return Ok(());
        };
        let lifetime = (600 + self.dice.below(3000)).to_string();
        let says = customer(&name, &gateway, &cidr, &lifetime);
        self.change(client, "updateVpnCustomerGateway", &customer_gateway.id, &says, &says).await
    }

    async fn connect(&mut self, client: &Client, gateway: &str, customer: &str) -> Result<(), Ended> {
        let pair = [("s2svpngatewayid", gateway), ("s2scustomergatewayid", customer)];
        self.create(client, "createVpnConnection", "vpnconnection", &pair, &pair).await
    }

    async fn turn_router(&mut self, client: &Client, vpc: &str) -> Result<(), Ended> {
        if self.ledger.things.iter().all(|thing| thing.object != "router" || thing.says["vpcid"][0] != vpc) {
            let Some(routers) = self.call(client, "listRouters", &[("listall", "true"), ("pagesize", "-1")]).await?
            else {
                return Ok(());
            };
            let routers = routers["router"].as_array().cloned().unwrap_or_default();
            if let Some(router) = routers.iter().find(|router| router["vpcid"] == vpc) {
                let (id, state) = (router["id"].as_str().unwrap(), router["state"].as_str().unwrap());
                if state == "Running" {
                    self.ledger.there("router", id, &[("vpcid", vpc), ("state", state)]);
                }
            }
            return Ok(());
        }
        let routers = self.mine("router", Some(("vpcid", vpc)));
        let Some(router) = routers.first() else { return Ok(()) };
        let (command, state) = match (router.says["state"][0].as_str(), self.dice.below(2)) {
            ("Stopped", _) => ("startRouter", "Running"),
            (_, 0) => ("stopRouter", "Stopped"),
            _ => ("rebootRouter", "Running"),
        };
        self.change(client, command, &router.id, &[], &[("state", state)]).await
    }

    async fn create(
        &mut self,
        client: &Client,
        command: &str,
        object: &'static str,
        parameters: Parameters<'_>,
        says: &[(&'static str, &str)],
    ) -> Result<(), Ended> {
        let Some(answer) = self.call(client, command, parameters).await? else { return Ok(()) };
        let early = answer["id"].as_str().map(str::to_owned);
        if let Some(id) = &early {
            let thing = self.ledger.there(object, id, says);
            (thing.known, thing.busy) = (Known::Either, true);
        }
        if let Outcome::Succeeded(result) = self.watch(client, &answer).await? {
            let id = result[object]["id"].as_str().unwrap().to_owned();
            let thing = match early {
                Some(_) => self.ledger.thing(&id),
                None => self.ledger.there(object, &id, says),
            };
            (thing.known, thing.busy) = (Known::There, false);
            if let Some(address) = result[object]["publicip"].as_str().filter(|_| object == "vpngateway") {
                thing.says.insert("publicip", vec![address.to_owned()]);
            }
        }
        Ok(())
    }

    async fn change(
        &mut self,
        client: &Client,
        command: &str,
        id: &str,
        parameters: Parameters<'_>,
        says: &[(&'static str, &str)],
    ) -> Result<(), Ended> {
        let before = self.ledger.thing(id).clone();
        for &(field, value) in says {
            // Where nobody was told the old value, there is nothing to tell apart.
            if let Some(values) = self.ledger.thing(id).says.get_mut(field) {
                values.push(value.to_owned());
            }
        }
        self.ledger.thing(id).busy = true;
        let parameters = [&[("id", id)], parameters].concat();
        let Some(answer) = self.call(client, command, &parameters).await? else {
            *self.ledger.thing(id) = before;
            return Ok(());
        };
        match self.watch(client, &answer).await? {
            Outcome::Succeeded(_) => {
                let thing = self.ledger.thing(id);
                thing.busy = false;
                thing.says.extend(says.iter().map(|&(field, value)| (field, vec![value.to_owned()])));
            }
            Outcome::Failed => *self.ledger.thing(id) = before,
            Outcome::Unwatched => {}
        }
        Ok(())
    }

    async fn delete(&mut self, client: &Client, command: &str, id: &str, with: &[Thing]) -> Result<(), Ended> {
        let before: Vec<_> = with.iter().chain([&self.ledger.thing(id).clone()]).cloned().collect();
        for thing in &before {
            let thing = self.ledger.thing(&thing.id);
            (thing.known, thing.busy) = (Known::Either, true);
        }
        let outcome = match self.call(client, command, &[("id", id)]).await? {
            Some(answer) => self.watch(client, &answer).await?,
            None => Outcome::Failed,
        };
        for thing in before {
            match outcome {
                Outcome::Succeeded(_) => self.ledger.thing(&thing.id).known = Known::Gone,
                Outcome::Failed => *self.ledger.thing(&thing.id) = thing.clone(),
                Outcome::Unwatched => {}
            }
        }
        Ok(())
    }

    /// None if it is refused.
    async fn call(
        &mut self,
        client: &Client,
        command: &str,
        parameters: Parameters<'_>,
    ) -> Result<Option<Value>, Ended> {
        match client.call(command, parameters).await {
            Ok(answer) => Ok(Some(answer)),
            Err(ClientError::Api { code: 431 | 534, .. }) => Ok(None),
            Err(ClientError::Transport { .. }) => Err(Ended),
            Err(other) => panic!("{command} {parameters:?}: {other}"),
        }
    }

    async fn watch(&mut self, client: &Client, answer: &Value) -> Result<Outcome, Ended> {
        let job = answer["jobid"].as_str().unwrap_or_else(|| panic!("no job: {answer}")).to_owned();
        self.ledger.jobs.push((job.clone(), None));
        if self.dice.below(6) == 0 {
            return Ok(Outcome::Unwatched);
        }
        loop {
            let Some(answer) = self.call(client, "queryAsyncJobResult", &[("jobid", &job)]).await? else {
                panic!("job {job} is not known");
            };
            let status = answer["jobstatus"].as_i64().unwrap();
            if status != 0 {
                self.ledger.jobs.last_mut().unwrap().1 = Some(status);
                if status == 1 {
                    self.done += 1;
                    return Ok(Outcome::Succeeded(answer["jobresult"].clone()));
                }
                let code = answer["jobresult"]["errorcode"].as_i64();
                assert!(matches!(code, Some(431 | 534)), "{answer}");
                return Ok(Outcome::Failed);
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }
}

fn customer<'a>(name: &'a str, gateway: &'a str, cidr: &'a str, lifetime: &'a str) -> [(&'static str, &'a str); 7] {
    [
        ("name", name),
        ("gateway", gateway),
        ("cidrlist", cidr),
        ("ikepolicy", "aes128-sha1;modp1536"),
        ("esppolicy", "aes128-sha1"),
        ("esplifetime", lifetime),
        ("ipsecpsk", "a key"),
    ]
}
