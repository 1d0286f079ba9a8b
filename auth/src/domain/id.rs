//! Keys of the directory. Each counts from 1 and is never given twice.

use std::fmt;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $kind:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl $name {
            /// Name of the counter that numbers these.
            pub const KIND: &'static str = $kind;
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

ids! {
    /// `i_user`: an administrator.
    IUser = "user";
    /// `i_reseller`.
    IReseller = "reseller";
    /// `i_customer`: one PBX environment.
    ICustomer = "customer";
    /// `i_account`: one phone line.
    IAccount = "account";
    /// `i_product`.
    IProduct = "product";
    /// `i_tariff`.
    ITariff = "tariff";
    /// `i_c_group`: a hunt group.
    ICGroup = "hunt_group";
    /// `i_c_queue`: a call queue.
    ICQueue = "call_queue";
    /// `i_ivr_application`.
    IIvrApplication = "ivr_application";
}

/// The environment of this installation, claim `i_env`; there is one.
pub const I_ENV: i64 = 1;
