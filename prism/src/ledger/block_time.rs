//! Time of a block.

use std::fmt;
use std::str::FromStr;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::OutOfRange;

/// Time of a block, UTC, in whole microseconds, 0001-01-01T00:00:00Z…9999-12-31T23:59:59.999999Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockTime(i64);

impl BlockTime {
    /// 0001-01-01T00:00:00Z.
    pub const MIN: Self = Self(-62_135_596_800_000_000);
    /// 9999-12-31T23:59:59.999999Z.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// The instant this many microseconds after (before, if negative) 1970-01-01T00:00:00Z.
    pub fn from_unix_micros(micros: i64) -> Result<Self, OutOfRange> {
        if (Self::MIN.0..=Self::MAX.0).contains(&micros) {
            Ok(Self(micros))
        } else {
            Err(Self::out_of_range(format!("{micros} microseconds after 1970")))
        }
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub const fn unix_micros(self) -> i64 {
        self.0
    }

    /// The instant floored (towards the past, also before 1970) to the whole second.
    #[must_use]
    pub const fn floor_to_second(self) -> Self {
        Self(self.0 - self.0.rem_euclid(1_000_000))
    }

    /// `YYYY-MM-DDThh:mm:ssZ`, floored to the second: the form of DID document metadata.
    pub fn to_rfc3339_seconds(self) -> String {
        Self::format(self.floor_to_second())
    }

    /// Every instant in range has a calendar date, so the fallback of the two conversions is never taken.
    fn format(self) -> String {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000)
            .ok()
            .and_then(|instant| instant.format(&Rfc3339).ok())
            .unwrap_or_else(|| format!("{} microseconds after 1970", self.0))
    }

    fn out_of_range(value: String) -> OutOfRange {
        OutOfRange {
            field: "block time",
            value,
            range: "0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999999Z",
        }
    }
}

impl fmt::Display for BlockTime {
    /// RFC 3339 in UTC, with the fraction only where there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Self::format(*self))
    }
}

/// Text that is not an instant as RFC 3339 writes it, or one outside the range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBlockTime {
    /// Not of the form `YYYY-MM-DDThh:mm:ss[.fraction](Z|±hh:mm)`.
    #[error("{0:?} is not an RFC 3339 date and time, for example 2022-09-12T10:00:00Z")]
    Syntax(String),
    /// Outside the range of a block time.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
}

impl FromStr for BlockTime {
    type Err = InvalidBlockTime;

    /// Parses RFC 3339, any offset; a fraction finer than a microsecond is floored.
    fn from_str(text: &str) -> Result<Self, InvalidBlockTime> {
        let instant = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| InvalidBlockTime::Syntax(text.to_owned()))?;
        // Counted, not turned into a date in UTC: there the year may be 0 or 10000, which no date has.
        let micros = instant.unix_timestamp_nanos().div_euclid(1_000);
        let micros = i64::try_from(micros).map_err(|_| Self::out_of_range(text.to_owned()))?;
        Ok(Self::from_unix_micros(micros)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_times_are_floored_to_the_microsecond_also_before_1970() {
        let before: BlockTime = "1969-12-31T23:59:59.9999999Z".parse().unwrap();
        assert_eq!(before.unix_micros(), -1);
        assert_eq!(before.to_rfc3339_seconds(), "1969-12-31T23:59:59Z");
        assert_eq!(
            "2022-09-12T12:00:00+02:00".parse::<BlockTime>().unwrap().to_string(),
            "2022-09-12T10:00:00Z"
        );
    }

    #[test]
    fn block_times_span_the_years_1_to_9999() {
        for (text, bound) in [
            ("0001-01-01T00:00:00Z", BlockTime::MIN),
            ("9999-12-31T23:59:59.999999Z", BlockTime::MAX),
        ] {
            assert_eq!(text.parse::<BlockTime>().unwrap(), bound);
            assert_eq!(bound.to_string(), text);
        }
        assert!(BlockTime::from_unix_micros(BlockTime::MIN.unix_micros() - 1).is_err());
        assert!(BlockTime::from_unix_micros(BlockTime::MAX.unix_micros() + 1).is_err());
        assert!("0000-12-31T23:59:59Z".parse::<BlockTime>().is_err());
    }

    // edge-cases.md#y11
    #[test]
    fn the_range_of_an_instant_is_that_of_its_time_in_utc() {
        for text in [
            "9999-12-31T23:59:59-00:01",
            "9999-12-31T12:00:00-23:59",
            "0001-01-01T00:00:00+00:01",
        ] {
            let error = text.parse::<BlockTime>().unwrap_err();
            assert!(matches!(error, InvalidBlockTime::OutOfRange(_)), "{error}");
        }
        for (text, bound) in [
            ("9999-12-31T23:59:59.999999+00:00", BlockTime::MAX),
            ("0001-01-01T01:00:00+01:00", BlockTime::MIN),
        ] {
            assert_eq!(text.parse::<BlockTime>().unwrap(), bound);
        }
    }
}
