//! The specification of August 2012, and CloudStack 4.0.2 where it is silent.

use super::{Release, Rules, Texts};
use crate::{IkeVersion, command::Kind, rule::policy::Grammar, state::Machine};

pub(super) const RULES: Rules = Rules {
    release: Release::V4_0,
    version: "4.0.2",
    json_type: "text/javascript; charset=UTF-8",
    package: |_| "com.cloud.api.commands".to_owned(),
    count_past_end: false,
    // Both were plain asynchronous commands in 4.0: even their validation happens in the job.
    create_vpn_gateway: Kind::Job,
    create_customer_gateway: Kind::Job,
    customer_gateway_instance: None,
    policy: Grammar {
        ciphers: &["3des", "aes128", "aes192", "aes256"],
        hashes: &["md5", "sha1"],
        groups: &["modp1024", "modp1536"],
        ike_needs_group: false,
    },
    gateway_names: false,
    // "Only one entry for one remote gateway IP", whoever owns it.
    unique_customer_gateway_ip: true,
    private_subnets_only: true,
    clean_subnets: false,
    subnets_per_customer_gateway: 10,
    // "Only one connection each gateway can have"; the code of 4.0 allowed a VPN gateway four.
    connections_per_vpn_gateway: 1,
    one_connection_per_customer_gateway: true,
    update_only_in_error: true,
    delete_needs_router: false,
    boot_tells_all: false,
    machine: Machine::Original,
    ike: IkeVersion::V1,
    tiers_per_vpc: 3,
    texts: Texts {
        gateway: "The customer gateway ip {} is invalid!",
        cidr_list: "The customer gateway guest cidr list {} is invalid guest cidr!",
        cidr_list_update: "The customer gateway guest cidr list {} contains invalid guest cidr!",
        ike_policy: "The customer gateway IKE policy {} is invalid!",
        ike_policy_update: "The customer gateway IKE policy{} is invalid!",
        esp_policy: "The customer gateway ESP policy {} is invalid!",
        esp_policy_update: "The customer gateway ESP policy{} is invalid!",
        no_customer_gateway: "Fail to find customer gateway with {} !",
        customer_gateway_used: "Unable to delete VPN customer gateway with id {} because there is still related VPN \
                                connections!",
        vpn_gateway_exists: "The VPN gateway of VPC {} already existed!",
        no_vpn_gateway: "Fail to find vpn gateway with {} !",
        connect_no_customer_gateway: "Unable to found specified Site to Site VPN customer gateway {} !",
        connect_no_vpn_gateway: "Unable to found specified Site to Site VPN gateway {} !",
        other_account: "VPN connection can only be esitablished between same account's VPN gateway and customer gateway!",
        pair_exists: "The vpn connection with customer gateway id {} or vpn gateway id {} already existed!",
        overlaps_vpc: "The subnets of customer gateway {}'s subnet {} is overlapped with VPC cidr {}!",
        stop_refused: "Site to site VPN connection with specified id is not in correct state(connected) to process \
                       disconnect!",
        switched: "Site-to-site Vpn Connection to {} just switch from {} to {}",
        command_not_available: "unable to verify user credentials and/or request signature",
        object: |_, id, _, _| id.to_string(),
    },
};
