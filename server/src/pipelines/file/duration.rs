//! Durations as people write them: `500ms`, `30s`, `10m`, `2h`.

use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The longest duration a file may ask for.
pub(super) const LONGEST: Duration = Duration::from_secs(24 * 3_600);

/// A length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl Span {
    /// In milliseconds.
    pub fn millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }

    /// Reads `500ms`, `30s`, `10m`, `2h`.
    pub fn read(text: &str) -> Option<Self> {
        let digits = text.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().ok()?;
        let millis = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        Some(Self(Duration::from_millis(number.checked_mul(millis)?)))
    }
}

/// A duration as a person writes it, in its largest whole unit.
pub fn say(duration: Duration) -> String {
    let millis = duration.as_millis();
    for (unit, size) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if millis >= size && millis.is_multiple_of(size) {
            return format!("{}{unit}", millis / size);
        }
    }
    format!("{millis}ms")
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::read(&text).ok_or_else(|| de::Error::custom(format!("`{text}` is no duration")))
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&say(self.0))
    }
}

impl JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "title": "a duration",
            "description": "A length of time: a whole number and `ms`, `s`, `m` or `h`, for example `10m`. At most `24h`.",
            "pattern": "^[0-9]{1,9}(ms|s|m|h)$",
            "patternErrorMessage": "is no duration. Write a whole number and `ms`, `s`, `m` or `h`, for example `10m`."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_say_themselves() {
        for (text, millis) in [("500ms", 500), ("30s", 30_000), ("10m", 600_000), ("2h", 7_200_000), ("0s", 0)] {
            assert_eq!(Span::read(text).map(Span::millis), Some(millis), "{text}");
        }
        for text in ["", "10", "m", "1 m", "-1s", "1.5s", "1d", "99999999999999999999s"] {
            assert_eq!(Span::read(text), None, "{text}");
        }
        for (millis, text) in [(500, "500ms"), (90_000, "90s"), (600_000, "10m"), (7_200_000, "2h")] {
            assert_eq!(say(Duration::from_millis(millis)), text);
        }
    }
}
