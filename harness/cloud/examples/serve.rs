//! The service without a network: routers that believe every tunnel is up. For trying clients out.
//!
//! `cargo run -p tunnelproof-cloud --example serve -- 127.0.0.1:8080 API-KEY SECRET-KEY [PROFILE [DATABASE]]`

use std::{error::Error, sync::Arc};

use tunnelproof_cloud::{
    Config, Credentials, Fabric, Log, Profile, Router, RouterPlan, Service, StoreLocation, Tier, Tunnel, TunnelStatus,
    router::Future,
};

struct Believer;

impl Fabric for Believer {
    fn deploy(&self, plan: RouterPlan) -> Future<'_, Arc<dyn Router>> {
        Box::pin(async move {
            println!("{plan:?}");
            Ok(Arc::new(Believer) as Arc<dyn Router>)
        })
    }
}

fn say(what: String) -> Future<'static, ()> {
    Box::pin(async move {
        println!("{what}");
        Ok(())
    })
}

impl Router for Believer {
    fn add_tier(&self, tier: Tier) -> Future<'_, ()> {
        say(format!("{tier:?}"))
    }

    fn remove_tier(&self, name: &str) -> Future<'_, ()> {
        say(format!("no more tier {name}"))
    }

    fn apply(&self, tunnel: Tunnel) -> Future<'_, ()> {
        say(format!("{tunnel:?}"))
    }

    fn remove(&self, connection: uuid::Uuid) -> Future<'_, ()> {
        say(format!("no more tunnel {connection}"))
    }

    fn status(&self, _: uuid::Uuid) -> Future<'_, TunnelStatus> {
        Box::pin(async { Ok(TunnelStatus::Up) })
    }

    fn stop(&self) -> Future<'_, ()> {
        say("the router stops".to_owned())
    }

    fn start(&self) -> Future<'_, ()> {
        say("the router starts".to_owned())
    }

    fn destroy(&self) -> Future<'_, ()> {
        say("no more router".to_owned())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(listen), Some(api_key), Some(secret_key)) = (arguments.next(), arguments.next(), arguments.next()) else {
        return Err("write: serve LISTEN API-KEY SECRET-KEY [PROFILE [DATABASE]]".into());
    };
    let config = Config {
        profile: arguments.next().map_or(Ok(Profile::default()), |name| name.parse())?,
        public_addresses: (1..=9).map(|n| [203, 0, 113, n].into()).collect(),
        credentials: Credentials { api_key, secret_key },
        store: arguments.next().map_or(StoreLocation::Memory, |path| StoreLocation::File(path.into())),
        router_check_interval: Config::ROUTER_CHECK_INTERVAL,
        log: Some(Log::new(|line| println!("{line}"))),
    };
    let listener = tokio::net::TcpListener::bind(&listen).await?;
    let service = Service::start(config, Arc::new(Believer), listener).await?;
    println!("{}", service.endpoint());
    tokio::signal::ctrl_c().await?;
    service.stop().await;
    Ok(())
}
