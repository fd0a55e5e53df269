//! The defects that a run can be given, by name.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// One thing that the cloud, or a router of it, does wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Defect {
    NoRestartAfterReboot,
    RestartAlsoOfError,
    ResetDoesNothing,
    StopDoesNothing,
    WrongKeyAfterUpdate,
    StuckInPending,
    ConnectedWithoutSa,
    OldSaKeptAfterDelete,
    MonitorAsleep,
    AlertMissing,
    StatusAlwaysUp,
    StatusAlwaysDown,
    UsageNotCounted,
    UsageCounterReset,
    UsageDirectionsSwapped,
    ClearTextWithoutTunnel,
    ClearTextDuringReboot,
    NatExemptionMissing,
    WrongSubnetInstalled,
    SubnetForgotten,
    EncryptionDowngraded,
    PfsDropped,
    IkeLifetimeHalved,
    LifetimeDoubled,
    DpdIgnored,
    DpdForced,
    IkeVersionIgnored,
    PassiveIgnored,
    EncapsulationNotForced,
}

use Defect::*;

impl Defect {
    pub const ALL: [Self; 29] = [
        NoRestartAfterReboot,
        RestartAlsoOfError,
        ResetDoesNothing,
        StopDoesNothing,
        WrongKeyAfterUpdate,
        StuckInPending,
        ConnectedWithoutSa,
        OldSaKeptAfterDelete,
        MonitorAsleep,
        AlertMissing,
        StatusAlwaysUp,
        StatusAlwaysDown,
        UsageNotCounted,
        UsageCounterReset,
        UsageDirectionsSwapped,
        ClearTextWithoutTunnel,
        ClearTextDuringReboot,
        NatExemptionMissing,
        WrongSubnetInstalled,
        SubnetForgotten,
        EncryptionDowngraded,
        PfsDropped,
        IkeLifetimeHalved,
        LifetimeDoubled,
        DpdIgnored,
        DpdForced,
        IkeVersionIgnored,
        PassiveIgnored,
        EncapsulationNotForced,
    ];

    pub fn name(self) -> &'static str {
        match self {
            NoRestartAfterReboot => "no-restart-after-reboot",
            RestartAlsoOfError => "restart-also-of-error",
            ResetDoesNothing => "reset-does-nothing",
            StopDoesNothing => "stop-does-nothing",
            WrongKeyAfterUpdate => "wrong-key-after-update",
            StuckInPending => "stuck-in-pending",
            ConnectedWithoutSa => "connected-without-sa",
            OldSaKeptAfterDelete => "old-sa-kept-after-delete",
            MonitorAsleep => "monitor-asleep",
            AlertMissing => "alert-missing",
            StatusAlwaysUp => "status-always-up",
            StatusAlwaysDown => "status-always-down",
            UsageNotCounted => "usage-not-counted",
            UsageCounterReset => "usage-counter-reset",
            UsageDirectionsSwapped => "usage-directions-swapped",
            ClearTextWithoutTunnel => "clear-text-without-tunnel",
            ClearTextDuringReboot => "clear-text-during-reboot",
            NatExemptionMissing => "nat-exemption-missing",
            WrongSubnetInstalled => "wrong-subnet-installed",
            SubnetForgotten => "subnet-forgotten",
            EncryptionDowngraded => "encryption-downgraded",
            PfsDropped => "pfs-dropped",
            IkeLifetimeHalved => "ike-lifetime-halved",
            LifetimeDoubled => "lifetime-doubled",
            DpdIgnored => "dpd-ignored",
            DpdForced => "dpd-forced",
            IkeVersionIgnored => "ike-version-ignored",
            PassiveIgnored => "passive-ignored",
            EncapsulationNotForced => "encapsulation-not-forced",
        }
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Defect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.map(Self::name);
        Self::ALL
            .into_iter()
            .find(|defect| defect.name() == text)
            .ok_or_else(|| format!("there is no such defect; write one of {}", known.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn names_are_read_back_and_are_the_same_on_the_way_to_a_worker() {
        for defect in Defect::ALL {
            assert_eq!(defect.name().parse(), Ok(defect));
            assert_eq!(serde_json::to_value(defect).unwrap(), defect.name());
        }
    }

    #[test]
    fn a_word_that_is_no_defect_is_answered_with_all_that_are() {
        let help = "no-restart".parse::<Defect>().unwrap_err();
        assert!(Defect::ALL.iter().all(|defect| help.contains(defect.name())), "{help}");
    }
}
