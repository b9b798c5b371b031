//! The sentences of the console in English and Korean. Each is a method of [`Lang`] written in both languages at once, so
//! that one which lacks a translation does not compile.

mod bases;
mod candidates;
mod ci;
mod mirrors;
mod people;
mod pipeline;
mod platform;
mod runs;
mod says;
mod services;
mod time;
mod words;

/// A language of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Korean.
    Ko,
}

impl Lang {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::En, Self::Ko];

    /// Its code: the `lang` of the document.
    pub const fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ko => "ko",
        }
    }

    /// What it calls itself.
    pub const fn own_name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::Ko => "한국어",
        }
    }

    /// The one beside it.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::En => Self::Ko,
            Self::Ko => Self::En,
        }
    }

    /// The language of this code; regions are left aside.
    pub fn from_code(code: &str) -> Option<Self> {
        let code = code.split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|lang| lang.code().eq_ignore_ascii_case(code))
    }

    /// What a browser's `Accept-Language` asks for first; English where it asks for neither.
    pub fn from_header(header: &str) -> Self {
        let mut best = (0.0_f32, Self::En);
        for part in header.split(',') {
            let mut parts = part.split(';');
            let Some(lang) = Self::from_code(parts.next().unwrap_or_default().trim()) else { continue };
            let weight = parts.find_map(|part| part.trim().strip_prefix("q=")).map_or(Some(1.0), |weight| weight.parse().ok());
            if let Some(weight) = weight.filter(|weight| *weight > best.0) {
                best = (weight, lang);
            }
        }
        best.1
    }
}

/// Writes a sentence in both languages: `name: "English" / "Korean";`, with arguments `name(a, b): "… {a}" / "… {b}";`.
macro_rules! sentences {
    ($($name:ident $(($($arg:ident),+))?: $en:literal / $ko:literal;)*) => {
        impl crate::locales::Lang { $( sentences!(@ $name $(($($arg),+))? $en $ko); )* }
    };
    (@ $name:ident $en:literal $ko:literal) => {
        #[doc = $en]
        pub const fn $name(self) -> &'static str {
            match self { Self::En => $en, Self::Ko => $ko }
        }
    };
    (@ $name:ident ($($arg:ident),+) $en:literal $ko:literal) => {
        #[doc = $en]
        pub fn $name(self, $($arg: impl std::fmt::Display),+) -> String {
            match self { Self::En => format!($en), Self::Ko => format!($ko) }
        }
    };
}
use sentences;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_says_which_language() {
        for (header, lang) in [
            ("", Lang::En),
            ("ko", Lang::Ko),
            ("ko-KR,ko;q=0.9,en-US;q=0.8", Lang::Ko),
            ("en-GB;q=0.8, ko;q=0.3", Lang::En),
            ("de, ko;q=0.4, en;q=0.5", Lang::En),
            ("fr;q=x, ko;q=nonsense", Lang::En),
        ] {
            assert_eq!(Lang::from_header(header), lang, "{header}");
        }
    }

    #[test]
    fn no_sentence_is_missing_or_left_in_the_other_language() {
        let hangul = |text: &str| text.chars().any(|c| ('가'..='힣').contains(&c));
        let sources = [
            include_str!("bases.rs"),
            include_str!("candidates.rs"),
            include_str!("ci.rs"),
            include_str!("people.rs"),
            include_str!("pipeline.rs"),
            include_str!("platform.rs"),
            include_str!("runs.rs"),
            include_str!("services.rs"),
            include_str!("words.rs"),
        ];
        let mut seen = 0;
        for line in sources.iter().flat_map(|source| source.lines()) {
            let Some((en, ko)) = line.trim().strip_suffix("\";").and_then(|line| line.split_once("\" / \"")) else { continue };
            let en = en.split_once(": \"").map(|(_, en)| en).unwrap_or_default();
            assert!(!hangul(en), "Korean in the English one: {line}");
            assert!(hangul(ko), "no Korean: {line}");
            let holes = |text: &str| text.matches('{').count();
            assert_eq!(holes(en), holes(ko), "an argument is missing in one: {line}");
            seen += 1;
        }
        assert!(seen > 250, "only {seen} sentences were found");
    }
}
