//! CloudStack 4.22.

use super::{Release, Rules, Texts};
use crate::{IkeVersion, command::Kind, rule::policy::Grammar, state::Machine};

pub(super) const RULES: Rules = Rules {
    release: Release::V4_22,
    version: "4.22.0.0",
    json_type: "application/json; charset=UTF-8",
    package: |area| format!("org.apache.cloudstack.api.command.{area}"),
    count_past_end: true,
    create_vpn_gateway: Kind::CreateThenJob,
    create_customer_gateway: Kind::CreateThenJob,
    customer_gateway_instance: Some("VpnCustomerGateway"),
    policy: Grammar {
        ciphers: &["3des", "aes128", "aes192", "aes256"],
        hashes: &["md5", "sha1", "sha256", "sha384", "sha512"],
        groups: &["modp1024", "modp1536", "modp2048", "modp3072", "modp4096", "modp6144", "modp8192"],
        ike_needs_group: true,
    },
    gateway_names: true,
    unique_customer_gateway_ip: false,
    private_subnets_only: false,
    clean_subnets: true,
    subnets_per_customer_gateway: 10,
    connections_per_vpn_gateway: 4,
    one_connection_per_customer_gateway: false,
    update_only_in_error: false,
    delete_needs_router: true,
    boot_tells_all: true,
    machine: Machine::Current,
    ike: IkeVersion::Either,
    tiers_per_vpc: 3,
    texts: Texts {
        gateway: "The customer gateway ip/Domain {} is invalid!",
        cidr_list: "The customer gateway peer cidr list {} contains an invalid cidr!",
        cidr_list_update: "The customer gateway peer cidr list {} contains an invalid cidr!",
        ike_policy: "The customer gateway IKE policy {} is invalid!  Verify the required Diffie Hellman (DH) group is \
                     specified.",
        ike_policy_update: "The customer gateway IKE policy{} is invalid!  Verify the required Diffie Hellman (DH) \
                            group is specified.",
        esp_policy: "The customer gateway ESP policy {} is invalid!",
        esp_policy_update: "The customer gateway ESP policy{} is invalid!",
        no_customer_gateway: "Unable to find specified Site to Site VPN customer gateway {} !",
        customer_gateway_used: "Unable to delete VPN customer gateway {} because there is still related VPN connections!",
        vpn_gateway_exists: "The VPN gateway of VPC {} already existed!",
        no_vpn_gateway: "Unable to find specified Site to Site VPN gateway {} !",
        connect_no_customer_gateway: "Unable to find specified Site to Site VPN customer gateway {} !",
        connect_no_vpn_gateway: "Unable to find specified Site to Site VPN gateway {} !",
        other_account: "VPN connection can only be established between same account's VPN gateway and customer gateway!",
        pair_exists: "The vpn connection with customer gateway id {} and vpn gateway id {} already existed!",
        overlaps_vpc: "The subnets of customer gateway {} subnet {} is overlapped with VPC cidr {}!",
        stop_refused: "Site to site VPN connection with specified id is currently Pending, unable to Disconnect!",
        switched: "Site-to-site Vpn Connection to {} just switched from {} to {}",
        command_not_available: "The given command '{}' either does not exist, is not available for user.",
        object: |kind, id, uuid, name| match name {
            Some(name) => format!("{kind} {}", serde_json::json!({ "id": id, "name": name, "uuid": uuid })),
            None => format!("{kind} {}", serde_json::json!({ "id": id, "uuid": uuid })),
        },
    },
};
