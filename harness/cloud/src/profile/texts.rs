//! What a refusal says. CloudStack changed its wording over the years, and clients match on it.

use std::fmt::Display;

/// Each `{}` is one value, in the order in which the rule's owner gives them.
pub(crate) struct Texts {
    /// gateway
    pub gateway: &'static str,
    /// list
    pub cidr_list: &'static str,
    pub cidr_list_update: &'static str,
    /// policy
    pub ike_policy: &'static str,
    pub ike_policy_update: &'static str,
    pub esp_policy: &'static str,
    pub esp_policy_update: &'static str,
    /// customer gateway
    pub no_customer_gateway: &'static str,
    pub customer_gateway_used: &'static str,
    /// VPC
    pub vpn_gateway_exists: &'static str,
    /// VPN gateway
    pub no_vpn_gateway: &'static str,
    /// customer gateway; VPN gateway
    pub connect_no_customer_gateway: &'static str,
    pub connect_no_vpn_gateway: &'static str,
    pub other_account: &'static str,
    /// customer gateway, VPN gateway
    pub pair_exists: &'static str,
    /// customer gateway, subnet, VPC's network
    pub overlaps_vpc: &'static str,
    pub stop_refused: &'static str,
    /// customer gateway, old state, new state
    pub switched: &'static str,
    pub command_not_available: &'static str,
    /// How a text names an object: its kind, number, UUID and name.
    pub object: fn(kind: &str, id: i64, uuid: &str, name: Option<&str>) -> String,
}

/// Puts values where a text has `{}`.
pub(crate) fn fill(text: &str, values: &[&dyn Display]) -> String {
    let mut values = values.iter();
    let mut parts = text.split("{}");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        if let Some(value) = values.next() {
            filled.push_str(&value.to_string());
        }
        filled.push_str(part);
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn values_take_their_places() {
        assert_eq!(fill("the {} of {}!", &[&"limit", &3]), "the limit of 3!");
        assert_eq!(fill("nothing {here}", &[]), "nothing {here}");
        assert_eq!(fill("{}", &[&"{}"]), "{}");
    }
}
