//! Killed with SIGKILL at random points of a busy life, again and again over one database: nothing that a client was
//! told is lost, everything ends, and nothing waits for ever.
//!
//! `TUNNELPROOF_KILLS` is how often, `TUNNELPROOF_SEED` which points; both are printed.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use cloud::{Client, Profile};
use serde_json::Value;

use crate::{
    folder::Folder,
    ledger::{Known, Ledger, Listed, Thing},
    process::Process,
    tenant::Tenant,
};

const KILLS: u64 = 40;
const TENANTS: u64 = 4;

/// What comes up again after the end has so long for it.
const PATIENCE: Duration = Duration::from_secs(20);

/// SplitMix64: the same for the same seed, everywhere.
#[derive(Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    /// The thread sleeps, so that the instant does not depend on what else the clock wakes.
    fn wait(&mut self, limit: Duration) {
        std::thread::sleep(Duration::from_micros(self.below(limit.as_micros() as u64)));
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name)
        .map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}: `{text}` is no number")))
}

#[test]
fn spec_2012_killed_at_any_instant() {
    killed(Profile::Spec2012, 0);
}

#[test]
fn later_release_killed_at_any_instant() {
    killed(Profile::V4_22, 1);
}

/// Half of all the kills.
fn killed(profile: Profile, half: u64) {
    let kills = number("TUNNELPROOF_KILLS", KILLS).div_ceil(2);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let seed = number("TUNNELPROOF_SEED", now.as_secs());
    println!("{profile}: {kills} kills, TUNNELPROOF_SEED={seed}");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let folder = Folder::new(&format!("kill-{profile}"));
    let db = folder.0.join("cloud.db");
    let mut dice = Dice(seed ^ half);
    let mut tenants: Vec<Tenant> = (0..TENANTS).map(|n| tenant(n + 1, Dice(seed ^ half ^ ((n + 1) << 32)))).collect();
    let mut seen = Seen::default();
    for kill in 0..kills {
        if dice.below(5) == 0 {
            // Before it listens, as a rule.
            let process = Process::start(profile, &folder, Some(&db));
            dice.wait(Duration::from_millis(25));
            process.kill();
        } else {
            let (process, client) = settled(&runtime, profile, &folder, &db, &mut tenants, &mut seen);
            let busy: Vec<_> = tenants
                .drain(..)
                .map(|mut tenant| {
                    let client = client.clone();
                    runtime.spawn(async move {
                        tenant.work(&client).await;
                        tenant
                    })
                })
                .collect();
            dice.wait(Duration::from_millis(150));
            process.kill();
            for task in busy {
                tenants.push(runtime.block_on(task).unwrap_or_else(|error| panic!("kill {kill}: {error}")));
            }
        }
        is_whole(&db, &folder.0);
    }
    // Now all of them, from the first.
    seen.jobs.clear();
    seen.cut_off = 0;
    drop(settled(&runtime, profile, &folder, &db, &mut tenants, &mut seen));
    let done: u64 = tenants.iter().map(|tenant| tenant.done).sum();
    let jobs: usize = tenants.iter().map(|tenant| tenant.ledger.jobs.len()).sum();
    println!("{profile}: {done} commands succeeded; {jobs} jobs were answered, {} of them cut off", seen.cut_off);
    assert!(done > kills, "the clients were not busy: {done} commands succeeded");
}

/// What has been looked at.
#[derive(Default)]
struct Seen {
    /// Of each tenant, how many of its jobs.
    jobs: Vec<usize>,
    /// How many jobs were under way in the end.
    cut_off: usize,
    /// All bytes.
    usage: u64,
}

fn tenant(number: u64, dice: Dice) -> Tenant {
    Tenant { number, ledger: Ledger::default(), dice, done: 0, offers: Default::default() }
}

/// A service over the database, once everything is up again that was; all that clients were told is looked for.
fn settled(
    runtime: &tokio::runtime::Runtime,
    profile: Profile,
    folder: &Folder,
    db: &Path,
    tenants: &mut [Tenant],
    seen: &mut Seen,
) -> (Process, Client) {
    let mut process = Process::start(profile, folder, Some(db));
    let client = process.announced().client();
    runtime.block_on(async {
        let begun = Instant::now();
        let listed = loop {
            let listed = Listed::of(&client).await;
            let unsettled = listed.unsettled();
            if unsettled.is_empty() {
                break listed;
            }
            assert!(begun.elapsed() < PATIENCE, "stuck: {unsettled:#?}");
        };
        listed.check();
        seen.jobs.resize(tenants.len(), 0);
        for (tenant, checked) in tenants.iter_mut().zip(&mut seen.jobs) {
            tenant.ledger.settle(&listed);
            seen.cut_off += tenant.ledger.check_jobs(&client, *checked).await;
            *checked = tenant.ledger.jobs.len();
        }
        adopt(&listed, tenants);
        let carried = carried(&client).await;
        assert!(carried >= seen.usage, "usage fell from {} to {carried}", seen.usage);
        seen.usage = carried;
        if tenants[0].offers[0].is_empty() {
            let offers = offers(&client).await;
            tenants.iter_mut().for_each(|tenant| tenant.offers.clone_from(&offers));
        }
    });
    (process, client)
}

/// What was made, and nobody was told of it, belongs to whose name it has, or to whom its owner belongs.
fn adopt(listed: &Listed, tenants: &mut [Tenant]) {
    for object in ["vpc", "network", "vpncustomergateway", "vpngateway", "vpnconnection"] {
        for row in listed.each(object) {
            let id = row["id"].as_str().unwrap();
            let has = |tenant: &Tenant, id: &str| tenant.ledger.things.iter().any(|thing| thing.id == id);
            if tenants.iter().any(|tenant| has(tenant, id)) {
                continue;
            }
            let owner = ["vpcid", "s2svpngatewayid"].into_iter().find_map(|field| row[field].as_str());
            let named = |tenant: &Tenant| {
                row["name"].as_str().is_some_and(|name| name.starts_with(&format!("t{}-", tenant.number)))
            };
            let owns = |tenant: &Tenant| owner.is_some_and(|owner| has(tenant, owner));
            let tenant = tenants.iter_mut().find(|tenant| named(tenant) || owns(tenant));
            let tenant = tenant.unwrap_or_else(|| panic!("nobody's {object}: {row}"));
            let says = ["vpcid", "s2svpngatewayid", "s2scustomergatewayid"].into_iter();
            let says = says.filter_map(|field| Some((field, vec![row[field].as_str()?.to_owned()]))).collect();
            tenant.ledger.things.push(Thing { object, id: id.to_owned(), known: Known::There, busy: false, says });
        }
    }
}

/// All bytes of all connections.
async fn carried(client: &Client) -> u64 {
    let days = [("startdate", "2020-01-01"), ("enddate", "2120-01-01"), ("pagesize", "-1")];
    let records = client.call("listUsageRecords", &days).await.unwrap();
    let bytes = |record: &Value| record["rawusage"].as_str().unwrap().parse::<f64>().unwrap() as u64;
    records["usagerecord"].as_array().into_iter().flatten().map(bytes).sum()
}

async fn offers(client: &Client) -> [String; 3] {
    let first = async |list, object| {
        let answer = client.call(list, &[]).await.unwrap();
        let answer: &Value = &answer[object];
        answer[0]["id"].as_str().unwrap().to_owned()
    };
    [
        first("listZones", "zone").await,
        first("listVPCOfferings", "vpcoffering").await,
        first("listNetworkOfferings", "networkoffering").await,
    ]
}

/// A copy is asked, so that the next service finds the files as they were left.
fn is_whole(db: &Path, folder: &Path) {
    let copy = folder.join("copy.db");
    let file = |path: &Path, suffix: &str| std::path::PathBuf::from(format!("{}{suffix}", path.display()));
    if !db.exists() {
        return;
    }
    for suffix in ["", "-wal"] {
        let _ = fs::remove_file(file(&copy, suffix));
        if file(db, suffix).exists() {
            fs::copy(file(db, suffix), file(&copy, suffix)).unwrap();
        }
    }
    let _ = fs::remove_file(file(&copy, "-shm"));
    let db = rusqlite::Connection::open(&copy).unwrap();
    let said: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(said, "ok");
    let stray: i64 = db.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
    assert_eq!(stray, 0, "rows that refer to nothing");
}
