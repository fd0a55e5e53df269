//! The audit: every frame is classified, every ESP packet decrypted, and nothing may be left over.

mod account;

pub use account::{
    Account, ChosenTransform, Expected, Facts, Finding, FlowAccount, Negotiation, PointAccount, ProbeSent, SaAccount,
    SaKeys, Side,
};
