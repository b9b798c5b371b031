//! Times and durations as people say them.

use std::time::Duration;

use super::Lang;
use crate::model::Timestamp;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

impl Lang {
    /// How long ago something was: "just now", "4 min ago".
    pub fn ago(self, now: Timestamp, at: Timestamp) -> String {
        if now.since(at) < Duration::from_secs(10) {
            return match self {
                Self::En => "just now".to_owned(),
                Self::Ko => "방금".to_owned(),
            };
        }
        let age = self.age(now, at);
        match self {
            Self::En => format!("{age} ago"),
            Self::Ko => format!("{age} 전"),
        }
    }

    /// How old something is, in its largest unit: "4 min", "2 days".
    pub fn age(self, now: Timestamp, at: Timestamp) -> String {
        let seconds = now.since(at).as_secs();
        let (count, unit) = match seconds {
            0..MINUTE => (seconds, 0),
            MINUTE..HOUR => (seconds / MINUTE, 1),
            HOUR..DAY => (seconds / HOUR, 2),
            _ if seconds < 14 * DAY => (seconds / DAY, 3),
            _ if seconds < 60 * DAY => (seconds / (7 * DAY), 4),
            _ if seconds < 730 * DAY => (seconds / (30 * DAY), 5),
            _ => (seconds / (365 * DAY), 6),
        };
        let one = usize::from(count != 1);
        match self {
            Self::En => {
                let units =
                    [["s", "s"], ["min", "min"], ["h", "h"], ["day", "days"], ["week", "weeks"], ["month", "months"], ["year", "years"]];
                format!("{count} {}", units[unit][one])
            }
            Self::Ko => format!("{count}{}", ["초", "분", "시간", "일", "주", "개월", "년"][unit]),
        }
    }

    /// How long something took: "0.4 s", "41 s", "3 min 12 s", "2 h 5 min".
    pub fn took(self, duration: Duration) -> String {
        let seconds = duration.as_secs();
        let [s, min, h] = match self {
            Self::En => [" s", " min", " h"],
            Self::Ko => ["초", "분", "시간"],
        };
        match seconds {
            0..10 => {
                let tenths = duration.as_millis() / 100;
                if tenths.is_multiple_of(10) { format!("{}{s}", tenths / 10) } else { format!("{}.{}{s}", tenths / 10, tenths % 10) }
            }
            10..MINUTE => format!("{seconds}{s}"),
            MINUTE..HOUR if seconds.is_multiple_of(MINUTE) => format!("{}{min}", seconds / MINUTE),
            MINUTE..HOUR => format!("{}{min} {}{s}", seconds / MINUTE, seconds % MINUTE),
            _ => format!("{}{h} {}{min}", seconds / HOUR, seconds % HOUR / MINUTE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_people_say_them() {
        let now = Timestamp(1_000_000_000_000);
        for (seconds, en, ko) in [
            (0, "just now", "방금"),
            (12, "12 s ago", "12초 전"),
            (240, "4 min ago", "4분 전"),
            (7_200, "2 h ago", "2시간 전"),
            (86_400, "1 day ago", "1일 전"),
            (21 * 86_400, "3 weeks ago", "3주 전"),
        ] {
            let at = Timestamp(now.0 - seconds * 1_000);
            assert_eq!(Lang::En.ago(now, at), en);
            assert_eq!(Lang::Ko.ago(now, at), ko);
        }
        for (ms, en, ko) in [
            (430, "0.4 s", "0.4초"),
            (3_000, "3 s", "3초"),
            (41_900, "41 s", "41초"),
            (192_000, "3 min 12 s", "3분 12초"),
            (300_000, "5 min", "5분"),
            (7_500_000, "2 h 5 min", "2시간 5분"),
        ] {
            assert_eq!(Lang::En.took(Duration::from_millis(ms)), en);
            assert_eq!(Lang::Ko.took(Duration::from_millis(ms)), ko);
        }
    }
}
