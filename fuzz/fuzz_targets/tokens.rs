//! Access tokens. Nobody can make one without the key, so none may ever be accepted.
#![no_main]

use std::sync::LazyLock;

use mesh::testing::token::ISSUER_OF_TESTS;
use mesh::token::Verifier;

static VERIFIER: LazyLock<Verifier> =
    LazyLock::new(|| Verifier::with_keys(&ISSUER_OF_TESTS.jwks()));

libfuzzer_sys::fuzz_target!(|token: &str| {
    assert!(VERIFIER.verify_now(token).is_err(), "accepted");
    assert!(VERIFIER.holder(token).is_err(), "accepted as outdated");
});
