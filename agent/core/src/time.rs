//! Time as an argument: the core never reads a clock, it is given the time.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment, in milliseconds since the Unix epoch (since the start of the run, in the simulator).
///
/// The daemon derives it from one reading of the wall clock at start plus `CLOCK_BOOTTIME`, so it never steps back while the agent runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// How long ago `earlier` was; zero when it is in the future.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The moment as a date, such as `2019-01-21 09:00:43 UTC`, for events that are announced days ahead.
    #[must_use]
    pub fn utc(self) -> String {
        let (days, second) = (self.0 / 86_400_000, self.0 / 1000 % 86_400);
        let (year, month, day) = date(days);
        format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", second / 3600, second / 60 % 60, second % 60)
    }

    /// Reads a moment since 1970 in the basic format of ISO 8601, `20190121T090043Z`; none for anything else.
    #[must_use]
    pub fn parse_basic(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let punctuated = bytes.len() == 16 && bytes[8] == b'T' && bytes[15] == b'Z';
        let number = |from: usize, to: usize| -> Option<u64> {
            let digits = bytes.get(from..to).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
            Some(digits.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
        };
        if !punctuated {
            return None;
        }
        let (day, time) = ((number(0, 4)?, number(4, 6)?, number(6, 8)?), (number(9, 11)?, number(11, 13)?, number(13, 15)?));
        let days = days(day).filter(|days| date(*days) == day)?;
        let (hour, minute, second) = time;
        (hour < 24 && minute < 60 && second < 60).then_some(Self((days * 86_400 + hour * 3600 + minute * 60 + second) * 1000))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(millis(by)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(millis(by)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}s", self.0 / 1000, self.0 % 1000)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Year, month and day of the day that is this many days after 1970-01-01. It counts in years that begin with March, so the leap day is the last:
/// <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_based = (5 * day_of_year + 2) / 153;
    let month = if march_based < 10 { march_based + 3 } else { march_based - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day_of_year - (153 * march_based + 2) / 5 + 1)
}

/// The days from 1970 to this date, the inverse of [`date`]; a number that is no date's may be any.
fn days((year, month, day): (u64, u64, u64)) -> Option<u64> {
    let year = if month > 2 { year } else { year.checked_sub(1)? };
    let (era, year_of_era) = (year / 400, year % 400);
    let march_based = (month + 9) % 12;
    let day_of_year = (153 * march_based + 2) / 5 + day.checked_sub(1)?;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_its_date() {
        let dates = [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400_999, "2000-02-29 00:00:00 UTC"),
            (1_548_061_243_000, "2019-01-21 09:00:43 UTC"),
            (1_709_251_199_000, "2024-02-29 23:59:59 UTC"),
            (4_107_542_400_000, "2100-03-01 00:00:00 UTC"),
        ];
        for (millis, date) in dates {
            assert_eq!(Timestamp(millis).utc(), date);
            let basic: String = date.replace(" UTC", "Z").replace(' ', "T").chars().filter(|c| !matches!(c, '-' | ':')).collect();
            assert_eq!(Timestamp::parse_basic(&basic), Some(Timestamp(millis / 1000 * 1000)), "{basic}");
        }
        for other in [
            "20190229T000000Z",
            "20190100T000000Z",
            "20191301T000000Z",
            "00000000T000000Z",
            "20190121T240000Z",
            "20190121T090043+",
            "+0190121T090043Z",
        ] {
            assert_eq!(Timestamp::parse_basic(other), None, "{other}");
        }
    }
}
