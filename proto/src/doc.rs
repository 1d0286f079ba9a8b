//! The published descriptions of the API, made from proto when this crate is built.

use crate::options::v1::Realm;

/// Returns the `OpenRPC` 1.3 document of all methods.
#[must_use]
pub const fn openrpc() -> &'static str {
    include_str!(concat!(env!("OUT_DIR"), "/openrpc.json"))
}

/// Returns the `OpenAPI` 3.1 document of the methods that a realm may call; `None` for no realm.
#[must_use]
pub const fn openapi(realm: Realm) -> Option<&'static str> {
    match realm {
        Realm::Unspecified => None,
        Realm::Admin => Some(include_str!(concat!(env!("OUT_DIR"), "/openapi_admin.json"))),
        Realm::Reseller => Some(include_str!(concat!(env!("OUT_DIR"), "/openapi_reseller.json"))),
        Realm::Customer => Some(include_str!(concat!(env!("OUT_DIR"), "/openapi_customer.json"))),
        Realm::Account => Some(include_str!(concat!(env!("OUT_DIR"), "/openapi_account.json"))),
    }
}

/// Returns the reference of the API in Markdown.
#[must_use]
pub const fn markdown() -> &'static str {
    include_str!(concat!(env!("OUT_DIR"), "/api.md"))
}
