//! Settings of the store on Redis.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the store on Redis.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RedisConfig {
    /// `redis://[user:password@]host[:port][/db]`, or by sentinels
    /// `redis+sentinel://[user:password@]host[:port][,host[:port]…]/master[/db]`.
    pub url: String,
    /// File that holds the password, instead of one in the URL.
    pub password_file: Option<PathBuf>,
    /// Number of partitions of the log; the same for all who use the store, for ever.
    pub partitions: u32,
    /// What the name of every key begins with.
    pub key_prefix: String,
    /// How long a command may take, connecting included.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub command_timeout: Duration,
    /// How long events stay in the log.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub retention: Duration,
    /// Bytes of events that a partition's log holds at most.
    pub max_bytes: u64,
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self {
            url: "redis://127.0.0.1:6379".to_owned(),
            password_file: None,
            partitions: 16,
            key_prefix: "cb".to_owned(),
            command_timeout: Duration::from_secs(2),
            retention: Duration::from_hours(1),
            max_bytes: 64 << 20,
        }
    }
}

impl std::fmt::Debug for RedisConfig {
    /// Without the URL, which may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisConfig")
            .field("password_file", &self.password_file)
            .field("partitions", &self.partitions)
            .field("key_prefix", &self.key_prefix)
            .field("command_timeout", &self.command_timeout)
            .field("retention", &self.retention)
            .field("max_bytes", &self.max_bytes)
            .finish_non_exhaustive()
    }
}
