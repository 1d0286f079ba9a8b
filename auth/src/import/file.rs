//! The file as TOML gives it, with the places of everything that may be wrong later.

use serde::Deserialize;
use toml::Spanned;

type Text = Spanned<String>;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) demo: bool,
    #[serde(default)]
    pub(super) role: Vec<Role>,
    #[serde(default)]
    pub(super) tariff: Vec<Tariff>,
    #[serde(default)]
    pub(super) product: Vec<Product>,
    #[serde(default)]
    pub(super) admin: Vec<Admin>,
    #[serde(default)]
    pub(super) reseller: Vec<Reseller>,
    #[serde(default)]
    pub(super) customer: Vec<Customer>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Role {
    pub(super) name: Text,
    pub(super) call_control: Option<Text>,
    pub(super) call_supervision: Option<Text>,
    pub(super) accounts: Option<Text>,
    pub(super) xdrs: Option<Text>,
    pub(super) huntgroups: Option<Text>,
    pub(super) ivr: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tariff {
    pub(super) name: Text,
    pub(super) currency: Option<Text>,
    #[serde(default)]
    pub(super) rate: Vec<Rate>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rate {
    pub(super) service: Option<Text>,
    pub(super) prefix: Option<Text>,
    pub(super) price_per_minute: Text,
    pub(super) free_seconds: Option<Spanned<i64>>,
    pub(super) minimum_seconds: Option<Spanned<i64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Product {
    pub(super) name: Text,
    #[serde(default)]
    pub(super) conferencing: bool,
    #[serde(default)]
    pub(super) user_application: bool,
    #[serde(default)]
    pub(super) rating: Vec<RatingEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RatingEntry {
    pub(super) tariff: Text,
    pub(super) access_code: Option<Text>,
}

/// A table whose entries may log in: the keys of the login stand among its own.
macro_rules! with_login {
    ($(#[$attribute:meta])* $name:ident { $($(#[$field_attribute:meta])* $field:ident: $type:ty),* $(,)? }) => {
        $(#[$attribute])*
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            $($(#[$field_attribute])* pub(super) $field: $type,)*
            pub(super) login: Option<Text>,
            pub(super) password_hash: Option<Text>,
            pub(super) api_token_sha256: Option<Text>,
            pub(super) role: Option<Text>,
            #[serde(default)]
            pub(super) must_change_password: bool,
            pub(super) demo: Option<bool>,
            #[serde(default)]
            pub(super) blocked: bool,
        }

        impl $name {
            /// The keys of the login, by themselves.
            pub(super) fn login_keys(&self) -> LoginKeys<'_> {
                LoginKeys {
                    login: self.login.as_ref(),
                    password_hash: self.password_hash.as_ref(),
                    api_token_sha256: self.api_token_sha256.as_ref(),
                    role: self.role.as_ref(),
                    must_change_password: self.must_change_password,
                    is_demo: self.demo,
                }
            }
        }
    };
}

/// How an entry logs in.
#[derive(Clone, Copy, Debug)]
pub(super) struct LoginKeys<'a> {
    pub(super) login: Option<&'a Text>,
    pub(super) password_hash: Option<&'a Text>,
    pub(super) api_token_sha256: Option<&'a Text>,
    pub(super) role: Option<&'a Text>,
    pub(super) must_change_password: bool,
    pub(super) is_demo: Option<bool>,
}

with_login!(Admin {
    #[serde(default)]
    super_user: bool,
});

with_login!(Reseller { name: Text });

with_login!(Customer {
    name: Text,
    reseller: Option<Text>,
    currency: Option<Text>,
    credit_limit: Text,
    balance: Option<Text>,
    #[serde(default)]
    numbers: Vec<Text>,
    #[serde(default)]
    account: Vec<Account>,
    #[serde(default)]
    hunt_group: Vec<HuntGroup>,
    #[serde(default)]
    ivr_application: Vec<IvrApplication>,
});

with_login!(Account {
    id: Text,
    name: Text,
    product: Text,
    conferencing: Option<bool>,
    user_application: Option<bool>,
    credit_limit: Text,
    balance: Option<Text>,
    #[serde(default)]
    numbers: Vec<Text>,
    decision_timeout: Option<Spanned<i64>>,
    decision_fallback: Option<Text>,
});

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HuntGroup {
    pub(super) id: Text,
    pub(super) name: Text,
    pub(super) queue: Option<Text>,
    #[serde(default)]
    pub(super) agents: Vec<Text>,
    #[serde(default)]
    pub(super) inactive_agents: Vec<Text>,
    pub(super) ring_all: Option<bool>,
    pub(super) agent_timeout: Option<Spanned<i64>>,
    pub(super) max_waiting: Option<Spanned<i64>>,
    pub(super) max_wait: Option<Spanned<i64>>,
    pub(super) overflow: Option<Text>,
    pub(super) decision_timeout: Option<Spanned<i64>>,
    pub(super) decision_fallback: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IvrApplication {
    pub(super) name: Text,
    pub(super) account: Text,
    pub(super) on_app_gone: Option<Text>,
    #[serde(default)]
    pub(super) access_numbers: Vec<Text>,
}
