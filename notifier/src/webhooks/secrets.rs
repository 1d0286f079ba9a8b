//! The secrets that sign posts.
//!
//! A post carries `X-Cordboard-Signature: t=<seconds since 1970>,v1=<hex>`, where the hex digits
//! are the HMAC-SHA256, under the customer's secret, of the seconds, a dot, and the body. Who
//! receives it computes the same, compares, and refuses what is too old.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use aws_lc_rs::hmac;

/// Name of the header.
pub(super) const HEADER: &str = "x-cordboard-signature";

/// Secrets of the customers.
#[derive(Default)]
pub(super) struct Secrets {
    by_customer: HashMap<i64, hmac::Key>,
    of_others: Option<hmac::Key>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Secrets")
            .field("customers", &self.by_customer.len())
            .finish_non_exhaustive()
    }
}

impl Secrets {
    /// Reads the file; without one nothing is signed.
    pub(super) fn load(file: Option<&Path>) -> anyhow::Result<Self> {
        let Some(file) = file else { return Ok(Self::default()) };
        let text = std::fs::read_to_string(file).context("webhooks.secret_file")?;
        Self::parse(&text).context("webhooks.secret_file")
    }

    /// Reads lines of customer and secret; a file of one bare word is the secret of everybody.
    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut secrets = Self::default();
        let lines: Vec<_> = text
            .lines()
            .map(str::trim)
            .enumerate()
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
            .collect();
        if let [(_, word)] = lines.as_slice()
            && customer_of(word).is_none()
        {
            secrets.of_others = Some(key(word));
            return Ok(secrets);
        }
        for (number, line) in lines {
            let number = number + 1;
            let Some((customer, secret)) = customer_of(line) else {
                bail!("line {number} is not `I_CUSTOMER = SECRET`");
            };
            if secret.is_empty() {
                bail!("line {number} has no secret");
            }
            match customer {
                Some(i_customer) => {
                    secrets.by_customer.insert(i_customer, key(secret));
                }
                None => secrets.of_others = Some(key(secret)),
            }
        }
        Ok(secrets)
    }

    /// The signature of a body; `None` for a customer without a secret.
    pub(super) fn sign(&self, i_customer: i64, body: &[u8], seconds: u64) -> Option<String> {
        let key = self.by_customer.get(&i_customer).or(self.of_others.as_ref())?;
        let mut context = hmac::Context::with_key(key);
        context.update(seconds.to_string().as_bytes());
        context.update(b".");
        context.update(body);
        let mut signature = format!("t={seconds},v1=");
        for byte in context.sign().as_ref() {
            write!(signature, "{byte:02x}").ok();
        }
        Some(signature)
    }
}

/// The customer of a line, `None` for `*`, and the secret; `None` when the line names nobody.
fn customer_of(line: &str) -> Option<(Option<i64>, &str)> {
    let (customer, rest) = line.split_once(['=', ':', ' ', '\t'])?;
    let customer = match customer.trim().trim_matches('"') {
        "*" => None,
        number => Some(number.parse().ok()?),
    };
    let rest = rest.trim_start();
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    Some((customer, rest.trim().trim_matches('"')))
}

fn key(secret: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_others_compute() {
        let secrets = Secrets::parse("1 = \"key\"\n").unwrap();

        // printf '1700000000.{}' | openssl dgst -sha256 -hmac key
        assert_eq!(
            secrets.sign(1, b"{}", 1_700_000_000).unwrap(),
            "t=1700000000,v1=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae"
        );
        assert_eq!(secrets.sign(2, b"{}", 1), None);
    }

    #[test]
    fn each_customer_has_its_own_secret_and_others_share_one() {
        let text = "# secrets\n1 = one\n2: two\n3 three\n\n* = rest\n";
        let secrets = Secrets::parse(text).unwrap();
        let of = |i_customer| secrets.sign(i_customer, b"x", 7).unwrap();

        let alone = |text| Secrets::parse(text).unwrap().sign(9, b"x", 7).unwrap();
        assert_eq!(of(1), alone("one"));
        assert_eq!(of(2), alone("two"));
        assert_eq!(of(3), alone("three"));
        assert_eq!(of(4), alone("rest\n"));
        assert_eq!(alone("cmVzdA==\n"), alone("* = cmVzdA==\n"));
    }

    #[test]
    fn what_is_no_line_of_secrets_is_refused_without_showing_it() {
        for text in ["one = x\n2 = y\n", "1 =\n", "lonely\n1 = x\n"] {
            let refusal = Secrets::parse(text).unwrap_err().to_string();
            assert!(refusal.contains("line 1"), "{refusal}");
        }
        assert!(!format!("{:?}", Secrets::parse("1 = hidden").unwrap()).contains("hidden"));
    }
}
