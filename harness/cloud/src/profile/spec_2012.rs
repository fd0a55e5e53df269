//! The specification of August 2012, and CloudStack 4.0.2 where it is silent.

use super::Rules;
use crate::{command::Kind, rule::policy::Grammar};

pub(super) const RULES: Rules = Rules {
    version: "4.0.2",
    json_type: "text/javascript; charset=UTF-8",
    command_package: "com.cloud.api.commands",
    count_past_end: false,
    // Both were plain asynchronous commands in 4.0: even their validation happens in the job.
    create_vpn_gateway: Kind::Job,
    create_customer_gateway: Kind::Job,
    policy: Grammar {
        ciphers: &["3des", "aes128", "aes192", "aes256"],
        hashes: &["md5", "sha1"],
        groups: &["modp1024", "modp1536"],
        ike_needs_group: false,
    },
    // "Only one entry for one remote gateway IP", whoever owns it.
    unique_customer_gateway_ip: true,
    private_subnets_only: true,
    subnets_per_customer_gateway: 10,
    // "Only one connection each gateway can have"; the code of 4.0 allowed a VPN gateway four.
    connections_per_vpn_gateway: 1,
    one_connection_per_customer_gateway: true,
    passive: false,
    tiers_per_vpc: 3,
    switched: "just switch",
};
