//! When certificates end, for the metrics: a renewal that broke is seen before it hurts.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rustls::pki_types::CertificateDer;

use crate::own_metrics::CERTIFICATE_EXPIRES;

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// The certificate's version, which the oldest do not have.
const VERSION: u8 = 0xa0;

/// Notes when the certificate in use ends; `of` is `public` or `mesh`.
pub(super) fn record(of: &'static str, chain: &[CertificateDer<'_>]) {
    if let Some(end) = chain.first().and_then(|certificate| end_of(certificate)) {
        CERTIFICATE_EXPIRES.set_count(u64::try_from(end).unwrap_or(0), [of]);
    }
}

/// When a certificate ends, seconds since 1970 UTC (RFC 5280 section 4.1).
fn end_of(certificate: &[u8]) -> Option<i64> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (mut rest, _) = element(certificate, SEQUENCE)?;
    if let Some((_version, after)) = element(rest, VERSION) {
        rest = after;
    }
    // Serial number, signature algorithm, issuer.
    for _ in 0..3 {
        let &tag = rest.first()?;
        rest = element(rest, tag)?.1;
    }
    let (validity, _) = element(rest, SEQUENCE)?;
    let &begin = validity.first()?;
    let (_begin, end) = element(validity, begin)?;
    let &tag = end.first()?;
    let text = std::str::from_utf8(element(end, tag)?.0).ok()?;
    let text = match tag {
        // Two digits of a year up to 2049.
        UTC_TIME if text.get(..2)? < "50" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let moment = DateTime::strptime("%Y%m%d%H%M%SZ", text).ok()?;
    Some(moment.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
}

/// The content of a DER element with that tag at the begin of `bytes`, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, short], rest) = bytes.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    if short < 0x80 {
        return rest.split_at_checked(short.into());
    }
    let (length, rest) = rest.split_at_checked((short & 0x7f).into())?;
    let fold = |sum: Option<usize>, byte: &u8| sum?.checked_mul(256)?.checked_add((*byte).into());
    rest.split_at_checked(length.iter().fold(Some(0), fold)?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Clock;
    use crate::net::tls::chain;
    use crate::testing::pki::Authority;

    #[test]
    fn the_end_of_a_certificate_is_read() {
        let day = 86_400;
        for life in [day, 365 * day, 60 * 365 * day] {
            let now = Clock::system().now().as_seconds();
            let life = Duration::from_secs(life);
            let (pem, _) = Authority::new().issue(&["auth"], life);

            let end = end_of(&chain(pem.as_bytes()).unwrap()[0]).unwrap();

            let expected = now + i64::try_from(life.as_secs()).unwrap();
            assert!((expected..=expected + 5).contains(&end), "{end} and {expected}");
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_end() {
        let (pem, _) = Authority::new().issue(&["auth"], Duration::from_mins(1));
        let whole = chain(pem.as_bytes()).unwrap().remove(0);

        for length in 0..whole.len().min(200) {
            end_of(&whole[..length]);
        }
        assert_eq!(end_of(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
        assert_eq!(end_of(b""), None);
    }
}
