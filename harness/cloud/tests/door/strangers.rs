//! Whatever is sent, there is an answer, and the service goes on.

use std::sync::OnceLock;

use proptest::prelude::*;
use tokio::runtime::Runtime;
use tunnelproof_cloud::{ClientError, Profile};

use super::{Cloud, wire::exchange};

const COMMANDS: [&str; 49] = [
    "listZones",
    "listVPCOfferings",
    "listNetworkOfferings",
    "listServiceOfferings",
    "listTemplates",
    "createVPC",
    "listVPCs",
    "updateVPC",
    "restartVPC",
    "deleteVPC",
    "createNetwork",
    "listNetworks",
    "deleteNetwork",
    "deployVirtualMachine",
    "listVirtualMachines",
    "destroyVirtualMachine",
    "listPublicIpAddresses",
    "createVpnCustomerGateway",
    "listVpnCustomerGateways",
    "updateVpnCustomerGateway",
    "deleteVpnCustomerGateway",
    "createVpnGateway",
    "listVpnGateways",
    "updateVpnGateway",
    "deleteVpnGateway",
    "createVpnConnection",
    "listVpnConnections",
    "updateVpnConnection",
    "deleteVpnConnection",
    "resetVpnConnection",
    "listRouters",
    "stopRouter",
    "startRouter",
    "rebootRouter",
    "createAccount",
    "listAccounts",
    "deleteAccount",
    "listUsers",
    "registerUserKeys",
    "createDomain",
    "listDomains",
    "queryAsyncJobResult",
    "listAsyncJobs",
    "listAlerts",
    "listEvents",
    "listUsageRecords",
    "listUsageTypes",
    "listCapabilities",
    "listApis",
];

const NAMES: [&str; 41] = [
    "id",
    "name",
    "displaytext",
    "cidr",
    "zoneid",
    "vpcofferingid",
    "networkofferingid",
    "serviceofferingid",
    "templateid",
    "templatefilter",
    "networkids",
    "vpcid",
    "gateway",
    "netmask",
    "cidrlist",
    "ipsecpsk",
    "ikepolicy",
    "esppolicy",
    "ikelifetime",
    "ikeversion",
    "passive",
    "s2svpngatewayid",
    "s2scustomergatewayid",
    "page",
    "pagesize",
    "jobid",
    "account",
    "domainid",
    "accounttype",
    "username",
    "password",
    "email",
    "firstname",
    "lastname",
    "startdate",
    "enddate",
    "usageid",
    "customid",
    "customjobid",
    "cleanup",
    "start",
];

/// One of each profile.
fn services() -> &'static (Runtime, [Cloud; 2]) {
    static SERVICES: OnceLock<(Runtime, [Cloud; 2])> = OnceLock::new();
    SERVICES.get_or_init(|| {
        let runtime = Runtime::new().unwrap();
        let [older, newer] = Profile::ALL;
        let clouds = runtime.block_on(async { [Cloud::of(older).await, Cloud::of(newer).await] });
        (runtime, clouds)
    })
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("1".to_owned()),
        Just("10.10.0.0/16".to_owned()),
        Just("10.10.1.1".to_owned()),
        Just("255.255.255.0".to_owned()),
        "[-;,a-z0-9/.]{0,24}",
        any::<i64>().prop_map(|n| n.to_string()),
        any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn signed_nonsense_is_answered(
        newer in any::<bool>(),
        command in proptest::sample::select(&COMMANDS[..]),
        parameters in proptest::collection::vec((proptest::sample::select(&NAMES[..]), value()), 0..9),
    ) {
        let (runtime, clouds) = services();
        let cloud = &clouds[usize::from(newer)];
        let parameters: Vec<_> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        match runtime.block_on(cloud.client.run(command, &parameters)) {
            // Synchronous commands have no job to wait for.
            Ok(_) | Err(ClientError::Unexpected { status: 200, .. }) => {}
            Err(ClientError::Api { code, text, .. } | ClientError::Job { code, text, .. }) => {
                prop_assert!(code != 503 && !text.contains("broke off"), "{code} {text}");
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    #[test]
    fn unsigned_nonsense_is_answered(query in "[!-~]{0,80}", form in any::<Vec<u8>>()) {
        let (runtime, [cloud, _]) = services();
        let mut request = format!(
            "POST /client/api?{query} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", form.len()
        ).into_bytes();
        request.extend(&form);
        let answer = runtime.block_on(exchange(cloud, &request));
        prop_assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
}
