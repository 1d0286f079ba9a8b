//! What a charge costs: exact, in millionths, by the second.

use std::time::Duration;

use crate::domain::money::Money;

/// Seconds in a minute, of which a rate gives the price.
const MINUTE: i128 = 60;

/// The most digits of a number that a rate may distinguish.
pub const MAX_PREFIX: usize = 15;

/// The price of a service to a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Price of a minute; charged by the second.
    pub price_per_minute: Money,
    /// Seconds of each charge that cost nothing.
    pub free_seconds: i64,
    /// The least that is charged beyond them.
    pub minimum_seconds: i64,
    /// Currency, ISO 4217.
    pub currency: String,
}

/// What is charged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Priced {
    /// Seconds.
    pub seconds: i64,
    /// Their price.
    pub amount: Money,
}

impl Rate {
    /// A rate under which nothing costs anything.
    #[must_use]
    pub fn free(currency: String) -> Self {
        Self { price_per_minute: Money(0), free_seconds: 0, minimum_seconds: 0, currency }
    }

    /// True when a charge costs nothing however long it lasts.
    #[must_use]
    pub const fn is_free(&self) -> bool {
        self.price_per_minute.0 <= 0
    }

    /// What `seconds` cost: those beyond the free ones, the minimum at least, each at a sixtieth
    /// of the minute's price. The sum is rounded to a millionth, half a millionth up.
    #[must_use]
    pub fn price(&self, seconds: i64) -> Priced {
        let beyond = seconds - self.free_seconds.max(0);
        if seconds <= 0 || beyond <= 0 {
            return Priced::default();
        }
        let seconds = beyond.max(self.minimum_seconds);
        let price = i128::from(self.price_per_minute.0.max(0));
        let amount = (price * i128::from(seconds) + MINUTE / 2) / MINUTE;
        Priced { seconds, amount: Money(i64::try_from(amount).unwrap_or(i64::MAX)) }
    }

    /// The most seconds up to `wanted` that cost no more than `credit`.
    #[must_use]
    pub fn affordable(&self, credit: Money, wanted: i64) -> i64 {
        // What more seconds cost is never less, so the last that can be paid is found by halving.
        let (mut paid, mut unpaid) = (0, wanted.max(0) + 1);
        while unpaid - paid > 1 {
            let middle = paid + (unpaid - paid) / 2;
            if self.price(middle).amount <= credit {
                paid = middle;
            } else {
                unpaid = middle;
            }
        }
        paid
    }
}

/// Seconds that are charged for a time: begun ones count.
#[must_use]
pub fn seconds(time: Duration) -> i64 {
    let whole = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    i64::try_from(whole).unwrap_or(i64::MAX)
}

/// The prefixes by which a rate for `number` may be found; all have to be tried.
#[must_use]
pub fn prefixes(number: &str) -> Vec<&str> {
    let digits = number.strip_prefix('+').unwrap_or(number);
    let digits = digits.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    let longest = digits.len().min(MAX_PREFIX);
    (0..=MAX_PREFIX).map(|length| digits.get(..length.min(longest)).unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(price_per_minute: i64, free_seconds: i64, minimum_seconds: i64) -> Rate {
        Rate {
            price_per_minute: Money(price_per_minute),
            free_seconds,
            minimum_seconds,
            currency: "USD".to_owned(),
        }
    }

    #[test]
    fn each_second_costs_a_sixtieth_of_a_minute_rounded_in_the_sum() {
        for (price, seconds, amount) in [
            (60_000, 1, 1_000),
            (12_000, 61, 12_200),
            // 1/60 of a millionth each: half a millionth is rounded up, less down.
            (1, 29, 0),
            (1, 30, 1),
            (1, 89, 1),
            (1, 90, 2),
            (0, 3_600, 0),
            (i64::MAX, 120, i64::MAX),
        ] {
            let priced = rate(price, 0, 0).price(seconds);
            assert_eq!(priced, Priced { seconds, amount: Money(amount) }, "{price} {seconds}");
        }
    }

    #[test]
    fn free_seconds_cost_nothing_and_the_minimum_counts_beyond_them() {
        let rate = rate(60_000, 10, 30);
        for (seconds, charged) in [(0, 0), (1, 0), (10, 0), (11, 30), (40, 30), (41, 31)] {
            let priced = rate.price(seconds);
            assert_eq!((priced.seconds, priced.amount), (charged, Money(charged * 1_000)));
        }
    }

    #[test]
    fn begun_seconds_count() {
        let millis = |millis| seconds(Duration::from_millis(millis));

        assert_eq!([millis(0), millis(1), millis(1_000), millis(1_001)], [0, 1, 1, 2]);
    }

    #[test]
    fn a_rate_is_looked_for_by_every_prefix_of_the_digits() {
        let tried = prefixes("+4471");
        assert_eq!(tried.len(), MAX_PREFIX + 1);
        assert_eq!(tried[..6], ["", "4", "44", "447", "4471", "4471"]);
        assert!(prefixes("sip:alice").iter().all(|prefix| prefix.is_empty()));
        assert_eq!(prefixes("12345678901234567").last(), Some(&"123456789012345"));
    }

    proptest! {
        #[test]
        fn what_is_affordable_is_paid_for_and_one_second_more_is_not(
            price in 0_i64..10_000_000,
            free in 0_i64..120,
            minimum in 0_i64..120,
            credit in -1_000_000_i64..20_000_000,
            wanted in 0_i64..10_000,
        ) {
            let rate = rate(price, free, minimum);

            let seconds = rate.affordable(Money(credit), wanted);

            prop_assert!(seconds <= wanted);
            prop_assert!(seconds == 0 || rate.price(seconds).amount <= Money(credit));
            prop_assert!(seconds == wanted || rate.price(seconds + 1).amount > Money(credit));
        }

        #[test]
        fn more_seconds_never_cost_less(
            price in 0_i64..10_000_000, free in 0_i64..120, minimum in 0_i64..120,
            seconds in 0_i64..10_000,
        ) {
            let rate = rate(price, free, minimum);
            prop_assert!(rate.price(seconds).amount <= rate.price(seconds + 1).amount);
        }
    }
}
