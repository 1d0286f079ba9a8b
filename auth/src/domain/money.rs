//! Amounts of money: whole millionths, never floating point.

use std::fmt;
use std::str::FromStr;

/// Millionths in one unit of a currency.
const UNIT: i64 = 1_000_000;

/// An amount in millionths of its currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(pub i64);

/// Text that is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an amount with at most six decimals, like \"12.50\"")]
pub struct NotAnAmount;

impl FromStr for Money {
    type Err = NotAnAmount;

    fn from_str(text: &str) -> Result<Self, NotAnAmount> {
        let (digits, negative) =
            text.strip_prefix('-').map_or((text, false), |digits| (digits, true));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !is_number(whole) || !is_number(fraction) || fraction.len() > 6 {
            return Err(NotAnAmount);
        }
        let whole: i64 = whole.parse().map_err(|_| NotAnAmount)?;
        let fraction: i64 = format!("{fraction:0<6}").parse().map_err(|_| NotAnAmount)?;
        let amount = whole
            .checked_mul(UNIT)
            .and_then(|amount| amount.checked_add(fraction))
            .ok_or(NotAnAmount)?;
        Ok(Self(if negative { -amount } else { amount }))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let amount = self.0.unsigned_abs();
        let unit = UNIT.unsigned_abs();
        let fraction = format!("{:06}", amount % unit);
        // Two decimals at least, as money is written.
        let kept = fraction.trim_end_matches('0').len().max(2);
        write!(f, "{sign}{}.{}", amount / unit, fraction.get(..kept).unwrap_or(&fraction))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_written_exactly() {
        for (text, millionths, written) in [
            ("0", 0, "0.00"),
            ("12.5", 12_500_000, "12.50"),
            ("0.0125", 12_500, "0.0125"),
            ("-3.000001", -3_000_001, "-3.000001"),
        ] {
            let amount: Money = text.parse().unwrap();

            assert_eq!(amount, Money(millionths), "{text}");
            assert_eq!(amount.to_string(), written, "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", ".", "1.", ".5", "1.0000001", "1,5", "+1", "1e3", "99999999999999999999"] {
            assert_eq!(text.parse::<Money>(), Err(NotAnAmount), "{text}");
        }
    }
}
