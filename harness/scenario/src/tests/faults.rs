//! Every mistake is reported where it stands, with what to write instead, and nothing is reported twice.

use super::{QUICKSTART, edited, with_matrix};
use crate::{Diagnostic, parse};

/// Takes the marks out of a text: `«` and `»` around the fault.
fn marked(text: &str) -> (String, [usize; 3]) {
    let before = text.split('«').next().unwrap();
    let width = text.split(['«', '»']).nth(1).unwrap().chars().count();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
    (text.replace(['«', '»'], ""), [line, column, width])
}

fn place(diagnostic: &Diagnostic) -> [usize; 3] {
    [diagnostic.line as usize, diagnostic.column as usize, diagnostic.snippet.as_ref().unwrap().width as usize]
}

#[track_caller]
pub(super) fn is_the_only_fault(text: &str, message: &str, help: &str) {
    let (text, fault) = marked(text);
    let diagnostics = parse("a.yaml", &text).expect_err(message);
    let all: Vec<_> = diagnostics.iter().collect();
    assert_eq!(all.len(), 1, "only `{message}` was expected:\n{diagnostics}");
    assert_eq!(place(all[0]), fault, "{diagnostics}");
    assert!(all[0].message.contains(message), "expected `{message}`:\n{diagnostics}");
    assert!(all[0].help.as_ref().unwrap().contains(help), "expected help `{help}`:\n{diagnostics}");
}

/// The line of the quickstart on which something stands first.
fn line_of(piece: &str) -> usize {
    QUICKSTART.split(piece).next().unwrap().matches('\n').count() + 1
}

#[test]
fn words() {
    let cases = [
        ("router: libreswan  ", "router: «libreswam»", "unknown daemon `libreswam`", "did you mean `libreswan`?"),
        (
            "    daemon: strongswan",
            "    daemon: «openvpn»",
            "unknown daemon",
            "write one of libreswan, strongswan, strong",
        ),
        ("profile: spec-2012", "profile: «spec2012»", "unknown profile `spec2012`", "did you mean `spec-2012`?"),
        ("profile: spec-2012", "profile: «4.21»", "unknown profile `4.21`", "did you mean `4.22`?"),
        ("stands-in-for: cisco-ios", "stands-in-for: «cisco»", "unknown device `cisco`", "did you mean `cisco-ios`?"),
        ("ike: 3des-md5;modp1536", "ike: «aes-md5»", "unknown encryption `aes`", "did you mean `aes128`?"),
        ("ike: 3des-md5;modp1536", "ike: «3des-sha»", "unknown hash `sha`", "did you mean `sha1`?"),
        (
            "ike: 3des-md5;modp1536",
            "ike: «3des-md5;modp1537»",
            "unknown Diffie-Hellman group",
            "did you mean `modp1536`?",
        ),
        ("esp: 3des-md5", "esp: «3des»", "`3des` is not a proposal", "`aes128-sha1;modp1536`"),
        ("esp: 3des-md5", "esp: [3des-md5, «aes256-md»]", "unknown hash `md`", "did you mean `md5`?"),
        ("dpd: true ", "ike-version: «ikev3» ", "unknown version of IKE `ikev3`", "Known are ike, ikev1, ikev2"),
        ("dpd: true ", "dpd: «yes» ", "dpd is true or false, not `yes`", "write one of true, false"),
        ("dpd: true ", "dpd: «ture» ", "dpd is true or false", "did you mean `true`?"),
        ("connection: Connected", "connection: «connected»", "unknown connection state `connected`", "`Connected`?"),
        ("traffic: none-in-clear", "traffic: «none-in-claer»", "unknown traffic", "did you mean `none-in-clear`?"),
    ];
    for (old, new, message, help) in cases {
        is_the_only_fault(&edited(old, new), message, help);
    }
}

#[test]
fn what_a_customers_gateway_has_of_its_own() {
    let own = |gateway: &str| edited("    psk: \"123123\"", &format!("    psk: \"123123\"\n    gateway: {gateway} #"));
    let cases = [
        (own("{ «iek»: 3des-md5 }"), "unknown key `iek` in a customer's gateway", "did you mean `ike`?"),
        (own("{ ike: «3des-md6» }"), "unknown hash `md6`", "did you mean `md5`?"),
        (own("{ esp-lifetime: «25h» }"), "lifetime is longer than the service allows", "at most `24h`"),
        (own("{ dpd: «on» }"), "dpd is true or false, not `on`", "write one of true, false"),
        (own("{ psk: «\"\"» }"), "the pre-shared key is empty", "in quotes"),
        (own("{ subnets: «172.16.20.0/24» }"), "subnets are a list", "write `subnets: [172.16.20.0/24]`"),
        (own("{ peer-nets: [«10.20.0.1/16»] }"), "has host bits set", "write `10.20.0.0/16`"),
        (own("{ peer: «198.51.100» }"), "peer: `198.51.100` is not an IPv4 address", "such as `198.51.100.250`"),
        (own("{ ike-version: «ikev3» }"), "unknown version of IKE `ikev3`", "Known are ike, ikev1, ikev2"),
        (
            own("«3des-md5»"),
            "a customer's gateway is a mapping, and here is a single value",
            "write its keys: ike, esp",
        ),
        (own("{}").replace("gateway:", "«gateway»:"), "a customer's gateway has nothing of its own", "or leave it out"),
        (
            edited("\nmatrix:", "\ninitiator: «customers»\nmatrix:"),
            "unknown initiator `customers`",
            "did you mean `customer`?",
        ),
        (with_matrix("  initiator: [cloud, «clowd»]\n"), "unknown initiator `clowd`", "did you mean `cloud`?"),
        (
            with_matrix("  «customers.branch.gateway.ike.encrypton»: [3des]\n"),
            "cannot be varied",
            "did you mean `customers.branch.gateway.ike.encryption`?",
        ),
        (
            with_matrix("  customers.branch.gateway.esp: [3des-md5]\n  «customers.branch.gateway.esp.hash»: [sha1]\n"),
            "axis `customers.branch.gateway.esp.hash` varies what axis `customers.branch.gateway.esp` varies already",
            "keep one",
        ),
        (
            with_matrix("  «customers.branch.gateway.psk»: [\"a\", \"b\"]\n"),
            "`customers.branch.gateway.psk` is a secret, and would be part of a cell's id",
            "give each key a name of your own",
        ),
        (
            edited("traffic: none-in-clear", "alert: { from: «Conected», to: Disconnected }"),
            "unknown connection state `Conected`",
            "did you mean `Connected`?",
        ),
        (
            edited("traffic: none-in-clear", "«alert»: { to: Error }"),
            "`from` is missing in an alert",
            "the state before",
        ),
        (edited("traffic: none-in-clear", "alert: «never»"), "unknown alert `never`", "write `none`, or the states"),
    ];
    for (text, message, help) in cases {
        is_the_only_fault(&text, message, help);
    }
}

/// A device that is not CloudStack's may have what CloudStack does not know.
#[test]
fn the_profile_says_nothing_of_a_customers_gateway() {
    let text = edited(
        "    psk: \"123123\"",
        "    psk: \"123123\"\n    gateway: { esp: aes256-sha512;modp4096, ike-version: ike }",
    );
    assert_eq!(super::read(&text).cells().len(), 2);
}

#[test]
fn what_the_profile_does_not_know() {
    let newer = "or `profile: 4.22` in `cloud`, which knows it";
    let cases = [
        (edited("ike: 3des-md5;modp1536", "ike: «3des-sha256;modp1536»"), "know the hash `sha256`", newer),
        (edited("ike: 3des-md5;modp1536", "ike: «3des-md5;modp2048»"), "know the group `modp2048`", newer),
        (edited("esp: 3des-md5", "esp: [3des-md5, «3des-sha512»]"), "know the hash `sha512`", "one of md5, sha1;"),
        (
            edited("3des-md5;modp1536", "«3des-md5»").replace("profile: spec-2012", "profile: 4.22"),
            "profile `4.22` takes no IKE policy without a group, as in `3des-md5`",
            "write `3des-md5;modp2048`",
        ),
        (with_matrix("  esp.group: [modp1024, «modp4096», none]\n  dpd: [true, false]\n"), "`modp4096`", newer),
        (
            with_matrix("  cloud.profile: [4.22, spec-2012]\n  ike.hash: [sha1, «sha384»]\n"),
            "profile `spec-2012` does not know the hash `sha384`",
            newer,
        ),
        (
            with_matrix("  ends: { a: { ike.group: modp1024 }, b: { ike.group: «modp3072», esp.hash: sha1 } }\n"),
            "know the group `modp3072`",
            newer,
        ),
        (
            edited("dpd: true ", "ike-version: «ike»"),
            "profile `spec-2012` has no `ike-version`: its gateways speak `ikev1`",
            "leave it out, or write `profile: 4.22` in `cloud`",
        ),
        (
            with_matrix("  cloud.profile: [4.22, spec-2012]\n  ike-version: [«ikev2»]\n"),
            "profile `spec-2012` has no `ike-version`",
            "leave it out",
        ),
    ];
    for (text, message, help) in cases {
        is_the_only_fault(&text, message, help);
    }
}

#[test]
fn what_the_profile_knows_is_no_fault() {
    let newer = with_matrix("  ike.hash: [sha256, sha384, sha512]\n  esp.group: [none, modp2048, modp8192]\n")
        .replace("profile: spec-2012", "profile: 4.22");
    assert_eq!(super::read(&newer).cells().len(), 9);
    // The profile and what only it knows, chosen together.
    let text = with_matrix(
        "  release: { old: { cloud.profile: spec-2012 }, new: { cloud.profile: 4.22, esp: aes256-sha512;modp4096 } }\n",
    );
    let policies: Vec<_> = super::read(&text).cells().iter().map(|cell| cell.policy.esp.to_string()).collect();
    assert_eq!(policies, ["3des-md5", "aes256-sha512;modp4096"]);
}

#[test]
fn keys() {
    let cases = [
        ("\nabout:", "\n«abuot»:", "unknown key `abuot` in a scenario", "did you mean `about`?"),
        ("profile: ", "«profil»: ", "unknown key `profil` in the cloud", "did you mean `profile`?"),
        ("      router: ", "      «ruoter»: ", "unknown key `ruoter` in a VPC", "did you mean `router`?"),
        ("stands-in-for: ", "«stand-in-for»: ", "unknown key", "did you mean `stands-in-for`?"),
        ("ike-lifetime: ", "«ike_lifetime»: ", "unknown key `ike_lifetime` in the policy", "`ike-lifetime`?"),
        ("  dpd: true", "  dpd: true\n  «dpd»: false", "key `dpd` stands twice: first on line", "keep one"),
        ("  - hold: 2h", "  - «hodl»: 2h", "unknown step `hodl`", "did you mean `hold`?"),
        ("- hold: 2h", "- hold: 2h\n    «connect»: x", "`connect` is a second action", "`- connect: ...`"),
        ("- hold: 2h", "- «hold»", "a step is a mapping, and here is a single value", "write one of connect,"),
    ];
    for (old, new, message, help) in cases {
        is_the_only_fault(&edited(old, new), message, help);
    }
}

#[test]
fn what_is_missing() {
    let cases = [
        (
            "    psk: \"123123\"",
            "    #",
            "  branch:",
            "  «branch»:",
            "`psk` is missing in a customer",
            "psk: \"123123\"",
        ),
        ("      cidr: 10.10.0.0/16", "      #", "    main:", "    «main»:", "`cidr` is missing in a VPC", "cidr: "),
        (
            "  ike: 3des-md5;modp1536",
            "  #",
            "\npolicy:",
            "\n«policy»:",
            "`ike` is missing in the policy",
            "ike: aes128",
        ),
        (", within: 60s", "", "- expect: { conn", "- «expect»: { conn", "`within` is missing", "`within: 60s`"),
        (", packets: 20", "", "- exchange", "- «exchange»", "`packets` is missing", "`packets: 20`"),
        ("scenario: one", "about2: one", "# A", "«#» A", "`scenario` is missing", "`scenario: "),
    ];
    for (old, new, owner, owner_marked, message, help) in cases {
        let text = edited(old, new).replacen(owner, owner_marked, 1);
        // The key that took the place of a missing one is a fault of its own, and so is a second exchange.
        let (text, fault) = marked(&text);
        let diagnostics = parse("a.yaml", &text).expect_err(message);
        let found = diagnostics.iter().find(|d| d.message.contains(message)).unwrap_or_else(|| panic!("{diagnostics}"));
        assert_eq!(place(found), fault, "{diagnostics}");
        assert!(found.help.as_ref().unwrap().contains(help), "{diagnostics}");
    }
}

#[test]
fn networks() {
    let cases = [
        ("web: 10.10.1.0/24", "web: «10.10.1.5/24»", "`10.10.1.5/24` has host bits set", "write `10.10.1.0/24`"),
        ("web: 10.10.1.0/24", "web: «10.10.1.0/30»", "too small", "from /8 to /29"),
        ("cidr: 10.10.0.0/16", "cidr: «8.0.0.0/6»", "too large", "from /8 to /29"),
        ("web: 10.10.1.0/24", "web: «10.10.1.0»", "has no prefix length", "`10.10.1.0/24`"),
        ("web: 10.10.1.0/24", "web: «10.10.1/24»", "tier: `10.10.1/24` is not an IPv4 network", "`10.10.1.0/24`"),
        ("web: 10.10.1.0/24", "web: «2001:db8::/64»", "is not an IPv4 network", "`10.10.1.0/24`"),
        ("web: 10.10.1.0/24", "web: «[10.10.1.0/24]»", "is a single value, and here is a list", "`10.10.1.0/24`"),
        (
            "app: 10.10.2.0/24",
            "app: «10.10.0.0/22»",
            "tier `main.app` 10.10.0.0/22 overlaps tier `main.web` 10.10.1.0/24@tiers:",
            "give each a range of its own",
        ),
        (
            "app: 10.10.2.0/24",
            "app: «10.11.2.0/24»",
            "tier `main.app` 10.11.2.0/24 is not inside VPC `main` 10.10.0.0/16",
            "write a part of `10.10.0.0/16`",
        ),
        (
            "192.168.10.0/24]",
            "«10.0.0.0/8»]",
            "subnet 10.0.0.0/8 of customer `branch` overlaps VPC `main` 10.10.0.0/16@cidr:",
            "give each",
        ),
        (
            "192.168.10.0/24]",
            "«172.16.0.0/16»]",
            "subnet 172.16.0.0/16 of customer `branch` overlaps subnet 172.16.10.0/24 of customer `branch`@subnets:",
            "give each",
        ),
        (
            "\n# The far side",
            "    lab: { cidr: «10.10.0.0/16», tiers: { web: 10.10.1.0/24 } }\n# The far side",
            "VPC `lab` 10.10.0.0/16 overlaps VPC `main` 10.10.0.0/16@cidr:",
            "give each",
        ),
    ];
    for (old, new, message, help) in cases {
        let text = edited(old, new);
        // A list is marked as a whole for the reader; only its bracket is known to stand somewhere.
        let text = text.replace("«[10.10.1.0/24]»", "«[»10.10.1.0/24]");
        // The other network is named with its line, which is the one of the key after `@`.
        let message = match message.split_once('@') {
            Some((message, key)) => format!("{message} on line {}", line_of(key)),
            None => message.to_owned(),
        };
        is_the_only_fault(&text, &message, help);
    }
}

#[test]
fn names() {
    let cases = [
        ("tiers: { web:", "tiers: { «Web»:", "`Web` cannot be a name", "lower-case"),
        ("tiers: { web:", "tiers: { «verylongname»:", "`verylongname` cannot be a name", "up to nine"),
        ("tiers: { web:", "tiers: { «1st»:", "`1st` cannot be a name", "letter"),
        (
            "tiers: { web: 10.10.1.0/24, app: 10.10.2.0/24 }",
            "tiers: «{»}",
            "the set of tiers is empty",
            "`tiers: { web:",
        ),
        ("subnets: [172.16.10.0/24, 192.168.10.0/24]", "subnets: «[»]", "the list of subnets is empty", "`subnets: ["),
    ];
    for (old, new, message, help) in cases {
        is_the_only_fault(&edited(old, new), message, help);
    }
    let text = QUICKSTART.replace("customers.branch", "customers.main").replace("customer: branch", "customer: main");
    let text = text.replace("\n  branch:", "\n  «main»:").replace("[main, branch]", "[main.web, main]");
    let (text, fault) = marked(&text);
    let diagnostics = parse("a.yaml", &text).unwrap_err();
    let first = diagnostics.iter().next().unwrap();
    assert_eq!((first.message.as_str(), place(first)), ("`main` is the name of a VPC already", fault));
}

#[test]
fn pre_shared_keys() {
    let cases = [
        ("psk: «\"\"»", "the pre-shared key is empty"),
        ("psk: «'a\"b'»", "contains a double quote"),
        ("psk: «\"a\\nb\"»", "contains a line break"),
        ("psk: «\"a\\u0007b\"»", "contains a control character"),
        ("psk: «[»sesame]", "psk is a single value, and here is a list"),
        ("«psk»: |\n      sesame\n      open\n", "contains a line break"),
    ];
    for (new, message) in cases {
        let text = edited("psk: \"123123\"", new);
        is_the_only_fault(&text, message, "in quotes");
        let shown = parse("a.yaml", &marked(&text).0).unwrap_err().to_string();
        assert!(!shown.contains("sesame") && !shown.contains("a\\nb"), "{shown}");
    }
}

#[test]
fn steps() {
    let cases = [
        ("- connect: { vpc: main,", "- connect: { vpc: «mian»,", "unknown VPC `mian`", "did you mean `main`?"),
        (
            "- connect: { vpc: main, customer: branch",
            "- connect: { vpc: main, customer: «branhc»",
            "unknown customer `branhc`",
            "`branch`?",
        ),
        (
            "- hold: 2h",
            "- exchange: { between: [«main.wbe», branch], packets: 1 }",
            "unknown party `main.wbe`",
            "`main.web`?",
        ),
        (
            "- hold: 2h",
            "- exchange: { between: [main, «branch 172.16.1.0/24»], packets: 1 }",
            "unknown party",
            "`branch 172.16.10.0/24`?",
        ),
        (
            "- hold: 2h",
            "- exchange: { between: «[»main], packets: 1 }",
            "two parties exchange packets, not 1",
            "one end in the cloud",
        ),
        (
            "- hold: 2h",
            "- exchange: { between: [main.web, «main.app»], packets: 1 }",
            "on the same side",
            "one end in the cloud",
        ),
        (
            "- hold: 2h",
            "- exchange: { between: [main, branch], packets: «0» }",
            "packets: 0 is out of range",
            "from 1 to 10000",
        ),
        ("- hold: 2h", "- exchange: { between: [main, branch], packets: «10001» }", "out of range", "from 1 to 10000"),
        (
            "- hold: 2h",
            "- exchange: { between: [main, branch], packets: «-1» }",
            "`-1` is not a number in range",
            "from 1 to",
        ),
        ("- hold: 2h", "- hold: «2»", "duration `2` has no unit: did you mean `2s`?", "`90s`, `5m`, `2h` or `3d`"),
        ("- hold: 2h", "- hold: «2 hours»", "not a whole number with a unit", "`90s`"),
        ("- hold: 2h", "- hold: «0s»", "duration `0s` is zero", "`90s`"),
        ("within: 60s", "within: «0s»", "duration `0s` is zero", "`90s`"),
        ("- hold: 2h", "- «expect»: {}", "nothing is expected", "`expect: { connection: Connected"),
        ("- hold: 2h", "- expect: { traffic: none-in-clear, «within»: 5s }", "says how long", "`expect: "),
        ("- hold: 2h", "- «connect»: { vpc: main, customer: branch }", "are connected already", "`disconnect`"),
        ("ike-lifetime: 24h", "ike-lifetime: «25h»", "longer than the service allows", "at most `24h`"),
        ("ike-lifetime: 24h", "ike-lifetime: «0»", "lifetime: 0 is out of range", "from 1"),
        ("ike-lifetime: 24h", "ike-lifetime: «1w»", "not a whole number with a unit", "`3d`"),
    ];
    for (old, new, message, help) in cases {
        is_the_only_fault(&edited(old, new), message, help);
    }
}

#[test]
fn the_order_of_steps() {
    let steps = |steps: &str| QUICKSTART.split_once("\nsteps:").unwrap().0.to_owned() + "\nsteps:\n" + steps;
    let connect = "  - connect: { vpc: main, customer: branch }\n";
    let disconnect = "  - «disconnect»: { vpc: main, customer: branch }\n";
    is_the_only_fault(
        &steps(disconnect),
        "not connected at this step",
        "put `- connect: { vpc: main, customer: branch }`",
    );
    let again = disconnect.replace(['«', '»'], "");
    is_the_only_fault(&steps(&[connect, &again, disconnect].concat()), "not connected", "put `- connect");
    let exchange = "  - «exchange»: { between: [branch, main.app], packets: 1 }\n";
    is_the_only_fault(&steps(exchange), "`main` and `branch` are not connected", "put `- connect");
    let expect = "  - expect: { «connection»: Connected, within: 1s }\n";
    is_the_only_fault(&steps(expect), "there is no connection at this step", "- connect");
    is_the_only_fault(&steps(" «[»]\n"), "the list of steps is empty", "- connect");
    is_the_only_fault(&steps("  «x»: y\n"), "steps are a list, and here is a mapping", "- connect");
}

#[test]
fn matrices() {
    let cases = [
        ("  «ike.encrypton»: [3des]\n", "`ike.encrypton` cannot be varied", "did you mean `ike.encryption`?"),
        ("  «policy.esp.hsah»: [md5]\n", "`policy.esp.hsah` cannot be varied", "did you mean `esp.hash`?"),
        ("  «cloud.vpcs.mian.router»: [libreswan]\n", "cannot be varied", "did you mean `cloud.vpcs.main.router`?"),
        ("  «colour»: [red]\n", "`colour` cannot be varied", "write one of ike, ike.encryption"),
        ("  ike.encryption: [3des, «aes12»]\n", "unknown encryption `aes12`", "did you mean `aes128`?"),
        ("  ike.group: [modp1024, «none»]\n", "unknown Diffie-Hellman group `none`", "write one of modp1024, modp1536"),
        ("  esp.group: [none, «nome»]\n", "unknown Diffie-Hellman group `nome`", "did you mean `none`?"),
        ("  ike.hash: [md5, «md5»]\n", "value `md5` stands twice", "keep one"),
        ("  ike-lifetime: [60s, «1m»]\n", "value `60s` stands twice", "keep one"),
        ("  ike.hash: «[»]\n", "the list of values is empty", "`ike.encryption: [3des, aes128]`"),
        ("  ike.hash: «md5»\n", "values are a list, and here is a single value", "`ike.encryption: [3des, aes128]`"),
        ("  ike: [3des-md5]\n  «ike.hash»: [md5]\n", "axis `ike.hash` varies what axis `ike` varies", "keep one"),
        ("  ends: { one: { ike.hash: «sha» } }\n", "unknown hash `sha`", "did you mean `sha1`?"),
        ("  ends: { «One»: { ike.hash: md5 } }\n", "`One` cannot be part of a cell's id", "lower-case"),
        ("  ends: { one: { «ike.hahs»: md5 } }\n", "`ike.hahs` cannot be varied", "did you mean `ike.hash`?"),
        ("  ends: { «one»: {} }\n", "`one` sets nothing", "cloud.vpcs.main.router"),
        ("  «ends»: {}\n", "axis `ends` has no values", "write `ends: "),
        (" «{»}\n", "the matrix is empty", "`ike.encryption"),
    ];
    for (matrix, message, help) in cases {
        is_the_only_fault(&with_matrix(matrix), message, help);
    }
    let many: Vec<_> = (1..=200).map(|i| format!("{i}m")).collect();
    let many = format!("  «»ike-lifetime: [{0}]\n  esp-lifetime: [{0}]\n", many.join(", "));
    let diagnostics = parse("a.yaml", &with_matrix(&many.replace(['«', '»'], ""))).unwrap_err();
    assert!(diagnostics.to_string().contains("the matrix has more than 10000 cells"), "{diagnostics}");
}

#[test]
fn syntax() {
    let cases = [
        ("about: «\"»open\nb: 1", "unclosed quote", "close the quote"),
        ("about: a«:» b: c", "mapping values are not allowed", "into quotes"),
        ("a:\n  b: 1\n «c»: 2", "did not find expected key", "same indentation"),
        ("«»a: 1\n---\nb: 2", "multiple YAML documents", "one scenario per file"),
        ("a: «@»x", "unexpected character", "into quotes"),
        ("«#» only a comment", "the file is empty", "begin with `scenario: TITLE`"),
        ("«a»", "a scenario is a mapping, and here is a single value", "scenario, about, clauses, cloud"),
    ];
    for (text, message, help) in cases {
        let (clean, _) = marked(text);
        let diagnostics = parse("a.yaml", &clean).expect_err(message);
        let first = diagnostics.iter().next().unwrap();
        assert!(first.message.contains(message) && first.help.as_ref().unwrap().contains(help), "{diagnostics}");
    }
    let shown = parse("a.yaml", "steps:\n- connect: { vpc: main\n- expect: 3\n").unwrap_err().to_string();
    assert!(shown.contains("a.yaml:3:9: not YAML: while parsing a flow mapping"), "{shown}");
    assert!(shown.contains("help: close the bracket"), "{shown}");
}

#[test]
fn all_at_once_in_the_order_of_the_file() {
    let text = QUICKSTART
        .replace("router: libreswan ", "router: libreswam ")
        .replace("esp: 3des-md5", "esp: 3des-md6")
        .replace("hold: 2h", "hold: 2")
        .replace("subnets:", "subnet:");
    let diagnostics = parse("a.yaml", &text).unwrap_err();
    let messages: Vec<_> = diagnostics.iter().map(|d| d.message.as_str()).collect();
    let expected = [
        "unknown daemon `libreswam`",
        "`subnets` is missing in a customer",
        "unknown key `subnet` in a customer",
        "unknown hash `md6`",
        "duration `2` has no unit: did you mean `2s`?",
    ];
    assert_eq!(messages, expected);
}

#[test]
fn reads_like_this() {
    let text = "\n\n\n\n\n\n\n\n\nscenario: x\ncloud: { profile: spec-2021, vpcs: 1 } # soon\n";
    let shown = parse("a.yaml", text).unwrap_err().to_string();
    let expected = "a.yaml:11:19: unknown profile `spec-2021`
 11 | cloud: { profile: spec-2021, vpcs: 1 } # soon
    |                   ^^^^^^^^^
 help: did you mean `spec-2012`? Known are spec-2012, 4.22

";
    assert!(shown.contains(expected), "{shown}");
}
