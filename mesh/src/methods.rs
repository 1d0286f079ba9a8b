//! What the contract says of each RPC by its path: whether it streams, and who may call it.

use std::collections::HashMap;
use std::sync::LazyLock;

use prost::Message as _;
use prost_types::FileDescriptorSet;
use proto::options::v1::{Component, Level, Realm};

/// One RPC.
#[derive(Debug)]
pub(crate) struct Rpc {
    /// `package.Service/method`, without the leading slash; a label of closed set.
    pub(crate) name: String,
    /// True when requests or answers are streamed: such an RPC has no deadline of its own.
    pub(crate) is_stream: bool,
    /// Who may call it, for a method of the public API.
    pub(crate) access: Option<Access>,
}

/// Who may call a public method.
#[derive(Debug)]
pub(crate) struct Access {
    /// Realms that may call it.
    pub(crate) realms: &'static [Realm],
    /// The component that the role must grant.
    pub(crate) component: Component,
    /// The level on it.
    pub(crate) level: Level,
    /// True when no session is needed.
    pub(crate) is_anonymous: bool,
}

static RPCS: LazyLock<HashMap<String, Rpc>> = LazyLock::new(read);

/// The RPC of a path like `/cordboard.auth.v1.AuthenticationService/GetKeys`.
pub(crate) fn find(path: &str) -> Option<&'static Rpc> {
    RPCS.get(path)
}

/// The names of all of them.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    RPCS.values().map(|rpc| rpc.name.as_str())
}

fn read() -> HashMap<String, Rpc> {
    let files = FileDescriptorSet::decode(proto::FILE_DESCRIPTOR_SET).unwrap_or_default();
    let own = files.file.iter().flat_map(|file| {
        file.service.iter().flat_map(move |service| {
            service.method.iter().map(move |method| {
                let is_stream = method.client_streaming() || method.server_streaming();
                rpc(file.package(), service.name(), method.name(), is_stream)
            })
        })
    });
    let foreign = [
        rpc("grpc.health.v1", "Health", "Check", false),
        rpc("grpc.health.v1", "Health", "Watch", true),
        rpc("grpc.reflection.v1", "ServerReflection", "ServerReflectionInfo", true),
    ];
    own.chain(foreign).map(|rpc| (format!("/{}", rpc.name), rpc)).collect()
}

fn rpc(package: &str, service: &str, method: &str, is_stream: bool) -> Rpc {
    let name = format!("{package}.{service}/{method}");
    let access = access(&name);
    Rpc { name, is_stream, access }
}

fn access(name: &str) -> Option<Access> {
    let is_path = |path: &str| path.strip_prefix('/') == Some(name);
    let method = proto::api::METHODS.iter().find(|method| is_path(method.grpc_path))?;
    Some(Access {
        realms: method.realms,
        component: method.component,
        level: method.level,
        is_anonymous: method.anonymous,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_told_from_single_answers() {
        let rpc = |method: &str| {
            find(&format!("/cordboard.auth.v1.AuthenticationService/{method}")).unwrap()
        };

        assert!(rpc("WatchRevocations").is_stream);
        assert!(!rpc("GetKeys").is_stream);
        assert!(rpc("GetKeys").access.is_none());
        assert!(find("/nobody/knows").is_none());
    }

    #[test]
    fn a_public_method_says_who_may_call_it() {
        for method in proto::api::METHODS {
            let rpc = find(method.grpc_path).unwrap_or_else(|| panic!("{}", method.grpc_path));
            let access = rpc.access.as_ref().unwrap();
            assert_eq!(access.realms, method.realms);
            assert!(!access.realms.is_empty(), "{}", method.name);
        }
    }
}
