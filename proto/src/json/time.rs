//! Date-times as the API writes them: `YYYY-MM-DD HH:MM:SS`, UTC.

const MICROS: i64 = 1_000_000;
const DAY_SECONDS: i64 = 86_400;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_DAYS: i64 = 719_468;
/// Days of 400 years, after which the calendar repeats.
const ERA_DAYS: i64 = 146_097;

/// Writes microseconds since 1970 UTC; fractions of a second are cut off.
#[must_use]
pub fn format_date_time(micros: i64) -> String {
    let seconds = micros.div_euclid(MICROS);
    let (year, month, day) = civil(seconds.div_euclid(DAY_SECONDS));
    let second = seconds.rem_euclid(DAY_SECONDS);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// Reads microseconds since 1970 UTC; `None` when the text has another form or names no time.
#[must_use]
pub fn parse_date_time(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let form = b"dddd-dd-dd dd:dd:dd";
    let matches = bytes.len() == form.len()
        && bytes.iter().zip(form).all(|(byte, wanted)| match wanted {
            b'd' => byte.is_ascii_digit(),
            mark => byte == mark,
        });
    if !matches {
        return None;
    }
    let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (part(0..4)?, part(5..7)?, part(8..10)?);
    let (hour, minute, second) = (part(11..13)?, part(14..16)?, part(17..19)?);
    let days = days(year, month, day);
    // A day that the month does not have comes back as another day.
    let is_date = (1..=12).contains(&month) && civil(days) == (year, month, day);
    let is_time = hour < 24 && minute < 60 && second < 60;
    (is_date && is_time)
        .then_some((days * DAY_SECONDS + hour * 3600 + minute * 60 + second) * MICROS)
}

/// Turns days since 1970-01-01 into year, month and day of the Gregorian calendar.
///
/// Years are counted from 1 March, so that the leap day is the last of its year.
const fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + EPOCH_DAYS;
    let era = days.div_euclid(ERA_DAYS);
    let day_of_era = days.rem_euclid(ERA_DAYS);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

/// Turns year, month and day into days since 1970-01-01.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * ERA_DAYS + day_of_era - EPOCH_DAYS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_times_are_written() {
        let times = [
            (0, "1970-01-01 00:00:00"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_709_251_199, "2024-02-29 23:59:59"),
            (1_767_225_599, "2025-12-31 23:59:59"),
            (-1, "1969-12-31 23:59:59"),
        ];

        for (seconds, text) in times {
            assert_eq!(format_date_time(seconds * MICROS), text);
            assert_eq!(parse_date_time(text), Some(seconds * MICROS));
        }
    }

    #[test]
    fn fractions_of_a_second_are_cut_off() {
        assert_eq!(format_date_time(1_999_999), "1970-01-01 00:00:01");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let wrong = [
            "",
            "2024-02-30 00:00:00",
            "2023-02-29 00:00:00",
            "2024-00-01 00:00:00",
            "2024-13-01 00:00:00",
            "2024-01-00 00:00:00",
            "2024-01-01 24:00:00",
            "2024-01-01 00:60:00",
            "2024-01-01 00:00:60",
            "2024-01-01T00:00:00",
            "2024-01-01 00:00:00Z",
            "2024-1-1 0:0:0",
            "+024-01-01 00:00:00",
            "２024-01-01 00:00:0",
        ];

        for text in wrong {
            assert_eq!(parse_date_time(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_second_of_ten_thousand_years_survives(
            seconds in -62_167_219_200_i64..253_402_300_800,
        ) {
            let text = format_date_time(seconds * MICROS);

            prop_assert_eq!(parse_date_time(&text), Some(seconds * MICROS));
        }

        #[test]
        fn later_times_sort_later(a in 0..253_402_300_800_i64, b in 0..253_402_300_800_i64) {
            let (a_text, b_text) = (format_date_time(a * MICROS), format_date_time(b * MICROS));

            prop_assert_eq!(a.cmp(&b), a_text.cmp(&b_text));
        }

        #[test]
        fn any_text_is_read_without_panic(text in ".{0,24}") {
            prop_assert!(parse_date_time(&text).is_none_or(|micros| micros % MICROS == 0));
        }

        #[test]
        fn any_number_is_written_without_panic(micros: i64) {
            prop_assert!(format_date_time(micros).ends_with(|last: char| last.is_ascii_digit()));
        }
    }
}
