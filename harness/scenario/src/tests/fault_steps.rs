//! Mistakes in the steps that hurt something, that stream, or that expect what takes time; and in their order.

use super::{QUICKSTART, faults::is_the_only_fault, steps::with_steps};

const CONNECT: &str = "connect: { vpc: main, customer: branch }";
const DISCONNECT: &str = "disconnect: { vpc: main, customer: branch }";
const STREAM: &str = "exchange: { between: [main, branch], every: 1s }";

/// The last step is at fault.
#[track_caller]
fn is_at_fault(steps: &[&str], message: &str, help: &str) {
    is_the_only_fault(&with_steps(steps), message, help);
}

#[test]
fn connections_and_streams() {
    let cases: [(&[&str], &str, &str); 18] = [
        (
            &["«exchange»: { between: [main, branch], every: 1s }"],
            "`main` and `branch` are not connected",
            "put `- connect",
        ),
        (&[CONNECT, "«exchange»: { between: [main, branch] }"], "`packets` is missing", "or `every: 1s` for a stream"),
        (
            &[CONNECT, "exchange: { between: [main, branch], packets: 2, «every»: 1s }"],
            "an exchange has either `packets` or `every`",
            "keep `packets` for so many at once",
        ),
        (&[CONNECT, "exchange: { between: [main, branch], every: «20ms» }"], "duration `20ms` is not", "`90s`"),
        (&["«reset»: { vpc: main, customer: branch }"], "not connected at this step", "put `- connect"),
        (&["«partition»: { between: [main, branch], for: 1m }"], "not connected at this step", "put `- connect"),
        (&[CONNECT, "«partition»: { between: [main, branch] }"], "`for` is missing in a partition", "`for: 10m`"),
        (&[CONNECT, "partition: { between: [main, «main»], for: 1m }"], "on the same side", "a VPC and a customer"),
        (&[CONNECT, "partition: { between: [main, «main.web»], for: 1m }"], "unknown VPC or customer", "`main`?"),
        (&[CONNECT, "partition: { between: «[»main], for: 1m }"], "is between two, not 1", "a VPC and a customer"),
        (
            &[CONNECT, "«change»: { customer: branch }"],
            "nothing is changed",
            "`gateway: { psk".strip_prefix('`').unwrap(),
        ),
        (
            &[CONNECT, "change: { customer: branch, «cloud»: {} }"],
            "nothing is changed in the cloud",
            "told from now on: ike, esp",
        ),
        (
            &[CONNECT, "change: { customer: branch, «gateway»: {} }"],
            "nothing is changed on the customer's",
            "peer-nets",
        ),
        (
            &[CONNECT, "change: { customer: branch, cloud: { dpd: true }, «gateway»: { dpd: true } }"],
            "one step changes one side",
            "begin a new step",
        ),
        (
            &[CONNECT, "change: { customer: branch, cloud: { «peer-nets»: [10.10.0.0/16] } }"],
            "the cloud is not told `peer-nets`",
            "the customer's networks are `subnets`",
        ),
        (&[CONNECT, "change: { customer: branch, cloud: { «pks»: x } }"], "unknown key `pks` in a change", "`psk`?"),
        (
            &[CONNECT, "change: { customer: branch, cloud: { psk: «\"\"» } }"],
            "the pre-shared key is empty",
            "in quotes",
        ),
        (
            &["«change»: { customer: branch, gateway: { dpd: true } }"],
            "`branch` has not been connected before this step",
            "what it has from the beginning stands in `customers.branch`",
        ),
    ];
    for (steps, message, help) in cases {
        is_at_fault(steps, message, help);
    }
}

#[test]
fn machines() {
    let cases: [(&[&str], &str, &str); 26] = [
        (&["«start-router»: main"], "the router of `main` is not stopped", "put `- stop-router: main` before it"),
        (&["stop-router: main", "«stop-router»: main"], "is stopped already", "put `- start-router: main` before it"),
        (&["stop-router: main", "«reboot-router»: main"], "is stopped at this step", "put `- start-router: main`"),
        (&["stop-router: main", "«kill»: { daemon: main }"], "is stopped at this step", "put `- start-router: main`"),
        (
            &["stop-router: main", "restart-vpc: main", "«start-router»: main"],
            "not stopped",
            "put `- stop-router: main`",
        ),
        (&["stop-router: «branch»"], "unknown VPC `branch`", "write `main`"),
        (&["«restart-vpc»: { cleanup: true }"], "`vpc` is missing in a restart", "write `vpc: NAME`"),
        (&["restart-vpc: { vpc: main, cleanup: «yes» }"], "cleanup is true or false, not `yes`", "true, false"),
        (&["kill: «servise»"], "`servise` is nothing that can be killed", "did you mean `service`?"),
        (&["kill: «branch»"], "`branch` is nothing that can be killed", "write `service`, or `{ daemon: NAME }`"),
        (&["«kill»: {}"], "nothing is killed", "write `service`, or `{ daemon: NAME }`"),
        (&["kill: { daemon: «brunch» }"], "unknown VPC or customer `brunch`", "did you mean `branch`?"),
        (
            &["kill: { daemon: main, «service»: restartVPC }"],
            "one step kills a daemon or the service",
            "begin a new step",
        ),
        (&["kill: { service: «createVpnConection» }"], "no step gives", "did you mean `createVpnConnection`?"),
        (
            &["kill: { service: «listVPCs» }"],
            "no step gives a command `listVPCs` that has a job",
            "createVpnConnection",
        ),
        (
            &["kill: { daemon: branch }", "«kill»: { daemon: branch }"],
            "the daemon of `branch` is killed already",
            "put `- restart: { daemon: branch }` before it",
        ),
        (
            &["kill: service", "«kill»: { service: restartVPC }"],
            "the management service is killed already",
            "put `- restart: service` before it",
        ),
        (&["«restart»: service"], "the management service has not been killed", "put `- kill: service` before it"),
        (
            &["kill: { daemon: main }", "«restart»: { daemon: branch }"],
            "the daemon of `branch` has not been killed",
            "put `- kill: { daemon: branch }` before it",
        ),
        (
            &["kill: { daemon: branch }", "power-off: branch", "power-on: branch", "«restart»: { daemon: branch }"],
            "has not been killed",
            "put `- kill",
        ),
        (&["restart: { «service»: restartVPC }"], "unknown key `service`", "write `daemon`"),
        (&["power-off: «main»"], "unknown customer `main`", "write `branch`"),
        (&["«power-on»: branch"], "has power at this step", "put `- power-off: branch` before it"),
        (&["power-off: branch", "«power-off»: branch"], "has no power already", "put `- power-on: branch` before it"),
        (&["power-off: branch", "«kill»: { daemon: branch }"], "has no power at this step", "put `- power-on: branch`"),
        (&["«clock»: { of: branch }"], "`ahead` is missing in a clock", "`ahead: 5m`"),
    ];
    for (steps, message, help) in cases {
        is_at_fault(steps, message, help);
    }
}

#[test]
fn links() {
    let cases = [
        ("«link»: { of: branch }", "nothing happens to the link", "`state: down`, `loss: 1%`"),
        ("«link»: { state: down }", "`of` is missing in a link", "a VPC or a customer"),
        ("link: { of: branch, «los»: 1% }", "unknown key `los` in a link", "did you mean `loss`?"),
        ("link: { of: branch, state: «dwon» }", "unknown state of a link `dwon`", "did you mean `down`?"),
        ("link: { of: branch, state: down, «mtu»: 1280 }", "`mtu` cannot stand beside `state`", "a new step"),
        ("link: { of: branch, mtu: 1280, «loss»: 1% }", "`loss` cannot stand beside `mtu`", "a new step"),
        ("link: { of: branch, mtu: «575» }", "mtu: 575 is out of range", "from 576 to 9000"),
        ("link: { of: branch, «told»: false }", "`told` says whether senders hear of an `mtu`", "`mtu: 1280`"),
        ("link: { of: branch, «way»: in }", "`way` says which packets are impaired, but not how", "`loss: 1%`"),
        ("link: { of: branch, loss: 1%, way: «inn» }", "unknown way `inn`", "did you mean `in`?"),
        ("link: { of: branch, loss: «1» }", "share `1` has no percent sign: did you mean `1%`?", "`0.5%`"),
        ("link: { of: branch, loss: «101%» }", "is more than all packets", "such as `1%`"),
        ("link: { of: branch, loss: «99999999999%» }", "is more than all packets", "such as `1%`"),
        ("link: { of: branch, loss: «0.001%» }", "is finer than a hundredth of a percent", "`0.01%`"),
        ("link: { of: branch, loss: «0.00%» }", "share `0.00%` is nothing", "or leave it out"),
        ("link: { of: branch, loss: «-1%» }", "is not a number with a percent sign", "such as `1%`"),
        ("link: { of: branch, loss: «1.%» }", "is not a number with a percent sign", "such as `1%`"),
        ("link: { of: branch, delay: «300» }", "delay `300` has no unit: did you mean `300ms`?", "`2s`"),
        ("link: { of: branch, delay: «5m» }", "is not in milliseconds or seconds", "at most `60s`"),
        ("link: { of: branch, delay: «61s» }", "is longer than a minute", "at most `60s`"),
        ("link: { of: branch, delay: «0ms» }", "delay `0ms` is nothing", "`300ms`"),
        ("link: { of: branch, delay: «ms» }", "is not a whole number with a unit", "`300ms`"),
        ("link: { of: branch, «reorder»: 5% }", "`reorder` takes a delay", "write `delay: 300ms` beside it"),
        ("link: { of: branch, «jitter»: 5ms }", "`jitter` takes a delay", "write `delay: 300ms` beside it"),
        ("link: { of: branch, delay: 20ms, jitter: «21ms» }", "the jitter is longer than the delay", "`jitter: 20ms`"),
        ("link: { of: branch, rate: «512» }", "rate `512` is not a whole number with a unit", "`512kbit`"),
        ("link: { of: branch, rate: «kbit» }", "is not a whole number with a unit", "`512kbit`"),
        ("link: { of: branch, rate: «0kbit» }", "is nothing: `state: down` cuts the link", "`512kbit`"),
        ("link: { of: branch, rate: «99999999mbit» }", "is faster than any link here", "`512kbit`"),
        (
            "«link»: { of: branch, state: up }",
            "the link of `branch` is whole at this step",
            "put a change of it before",
        ),
    ];
    for (step, message, help) in cases {
        is_at_fault(&[step], message, help);
    }
    let down = "link: { of: branch, state: down }";
    is_at_fault(
        &[down, "«link»: { of: branch, state: down }"],
        "is down already",
        "`- link: { of: branch, state: up }`",
    );
    is_at_fault(&[down, "«link»: { of: branch, loss: 1% }"], "is down at this step", "state: up }` before it");
    is_at_fault(&[down, "«link»: { of: main, state: up }"], "the link of `main` is whole", "put a change of it");
}

#[test]
fn messages() {
    let cases = [
        ("«message»: {}", "nothing is done to a message", "one of drop, delay, duplicate, replay, truncate"),
        ("message: «drop»", "work on a message is a mapping", "`message: { drop: {"),
        ("message: { «dorp»: {} }", "unknown work on a message `dorp`", "did you mean `drop`?"),
        (
            "message: { drop: { exchange: quick-mode, number: 1 }, «delay»: {} }",
            "`delay` is a second action on one message",
            "begin a new step",
        ),
        ("message: { «drop»: { number: 1 } }", "`exchange` is missing in a drop", "`exchange: quick-mode`"),
        ("message: { «drop»: { exchange: quick-mode } }", "`number` is missing in a drop", "`number: 2`"),
        ("message: { drop: { exchange: «quick», number: 1 } }", "unknown exchange `quick`", "`quick-mode`?"),
        ("message: { drop: { exchange: quick-mode, number: «0» } }", "number: 0 is out of range", "from 1 to 4"),
        ("message: { drop: { exchange: main-mode, number: «7» } }", "number: 7 is out of range", "from 1 to 6"),
        ("message: { drop: { exchange: ike-auth, number: 1, from: «clowd» } }", "unknown side", "`cloud`?"),
        ("message: { drop: { exchange: ike-auth, number: 1, times: «0» } }", "times: 0 is out of range", "from 1 to"),
        ("message: { drop: { exchange: ike-auth, number: 1, «by»: 5s } }", "unknown key `by` in a drop", "exchange"),
        ("message: { «delay»: { exchange: ike-auth, number: 1 } }", "`by` is missing in a delay", "`by: 5s`"),
        ("message: { «replay»: { exchange: ike-auth, number: 1 } }", "`after` is missing", "`after: 10s`"),
        ("message: { «truncate»: { exchange: ike-auth, number: 1 } }", "`bytes` is missing", "`bytes: 40`"),
        ("message: { truncate: { exchange: ike-auth, number: 1, bytes: «1473» } }", "out of range", "1 to 1472"),
    ];
    for (step, message, help) in cases {
        is_at_fault(&[step], message, help);
    }
}

#[test]
fn expectations() {
    let cases = [
        ("«expect»: { sas: none, on: branch }", "`within` is missing in an expectation", "`within: 60s`"),
        ("«expect»: { sas: none, within: 60s }", "`on` is missing in an expectation", "beside `sas`"),
        ("expect: { sas: «no», on: branch, within: 60s }", "sas are none or some, not `no`", "`none`?"),
        ("expect: { sas: none, on: «brunch», within: 60s }", "unknown VPC or customer", "`branch`?"),
        ("expect: { connection: Connected, «on»: branch, within: 60s }", "`on` belongs to `sas`", "beside it"),
        ("expect: { alert: none, «of»: branch }", "`of` belongs to `connection`", "or leave it out"),
        ("expect: { connection: Connected, of: «main», within: 60s }", "unknown customer `main`", "`branch`"),
        ("«expect»: { traffic: flowing }", "`within` is missing", "`within: 60s`"),
        ("expect: { traffic: «flowin», within: 60s }", "unknown traffic `flowin`", "`flowing`?"),
        ("«expect»: { always: { connection: Connected } }", "`for` is missing", "`for: 10m`"),
        ("expect: { always: { connection: Connected }, «within»: 10m }", "`within` cannot stand beside `always`", ""),
        ("expect: { «always»: {}, for: 10m }", "nothing is asked", "one of `connection: Connected`"),
        ("expect: { always: «Connected», for: 10m }", "a condition is a mapping", "connection, of, sas"),
        (
            "expect: { never: { traffic: «none-in-clear» }, for: 10m }",
            "is judged of a whole cell, and is not so or not at a moment",
            "write `flowing` or `stopped`",
        ),
        (
            "expect: { never: { connection: Error, «alert»: none }, for: 10m }",
            "`alert` stands beside `connection`, and only one",
            "begin a new step",
        ),
        ("expect: { connection: Connected, within: 60s, «for»: 10m }", "`for` belongs to `always` and", "leave it out"),
        ("expect: { connection: Connected, within: 60s, «gap»: 10m }", "`gap` belongs to `lost`", "leave it out"),
        ("«expect»: { until: { connection: Connected }, within: 3m }", "nothing is asked", "write one of"),
        ("«expect»: { connection: Error, until: { sas: none, on: main } }", "`within` is missing", "`within: 60s`"),
        ("expect: { «conection»: Connected, within: 60s }", "unknown key `conection`", "did you mean `connection`?"),
        ("expect: { lost: 0, «within»: 60s }", "`within` cannot stand beside `lost`", "leave it out"),
        ("expect: { lost: «-1» }", "lost: `-1` is not a number in range", "from 0 to"),
        ("expect: { «rekeys»: {} }", "no rekey is expected", "`rekeys: { esp: 24, ike: 1 }`"),
        ("expect: { rekeys: { esp: 0, «child»: 1 } }", "unknown key `child` in rekeys", "ike, esp"),
    ];
    for (step, message, help) in cases {
        is_at_fault(&[CONNECT, STREAM, step], message, help);
    }
}

#[test]
fn what_an_expectation_needs_before_it() {
    let stream = "put `- exchange: { between: [main, branch], every: 1s }` before it";
    let cases: [(&[&str], &str, &str); 6] = [
        (&[CONNECT, "expect: { «traffic»: flowing, within: 60s }"], "no stream of packets at this step", stream),
        (&[CONNECT, "expect: { «lost»: 0 }"], "no stream of packets at this step", stream),
        (&[CONNECT, STREAM, DISCONNECT, "expect: { «traffic»: stopped, within: 60s }"], "no stream of packets", stream),
        (&["expect: { «rekeys»: { esp: 1 } }"], "there is no connection at this step", "- connect"),
        (
            &["expect: { always: { «connection»: Connected }, for: 1m }"],
            "there is no connection at this step",
            "- connect",
        ),
        (
            &["expect: { «connection»: Connected, of: branch, within: 60s }"],
            "there is no connection of `branch` at this step",
            "- connect",
        ),
    ];
    for (steps, message, help) in cases {
        is_at_fault(steps, message, help);
    }
}

/// Else one mistake would make every step after it another.
#[test]
fn after_a_step_that_is_not_understood_the_order_is_not_judged() {
    is_at_fault(&["stop-router: «mian»", "start-router: main"], "unknown VPC `mian`", "did you mean `main`?");
    is_at_fault(&["link: { of: branch, mtu: «1» }", "link: { of: branch, state: up }"], "out of range", "576");
    is_at_fault(&["kill: { daemon: «main.web» }", "restart: { daemon: main }"], "unknown VPC or customer", "`main`?");
}

#[test]
fn what_the_profile_does_not_know() {
    let change = |cloud: &str| with_steps(&[CONNECT, &format!("change: {{ customer: branch, cloud: {cloud} }}")]);
    let newer = "`profile: 4.22` in `cloud`";
    is_the_only_fault(&change("{ ike: «3des-sha256;modp1536» }"), "does not know the hash `sha256`", newer);
    is_the_only_fault(&change("{ esp: [3des-md5, «3des-md5;modp2048»] }"), "does not know the group `modp2048`", newer);
    is_the_only_fault(&change("{ ike-version: «ikev2» }"), "has no `ike-version`", newer);
    let forced = |yes: &str| {
        QUICKSTART.replace(
            "    psk: \"123123\"",
            &format!("    psk: \"123123\"\n    nat: true\n    force-encapsulation: {yes}"),
        )
    };
    is_the_only_fault(&forced("«true»"), "profile `spec-2012` has no `force-encapsulation`", newer);
    is_the_only_fault(&forced("«yes»"), "force-encapsulation is true or false", "write one of true, false");
    super::read(&forced("false"));
    let branch =
        &super::read(&forced("true").replace("profile: spec-2012", "profile: 4.22")).cells()[0].customers["branch"];
    assert!(branch.nat && branch.force_encapsulation);
    // The customer's own device may have what CloudStack does not know.
    super::read(&with_steps(&[CONNECT, "change: { customer: branch, gateway: { esp: aes256-sha512;modp4096 } }"]));
}
