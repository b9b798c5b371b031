//! Hides values in text on its way into storage: as they stand, and in the forms programs print them in. Courtesy: who prints
//! a secret bit by bit gets it printed. What keeps secrets in is who is given them.

use aho_corasick::{AhoCorasick, MatchKind};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What is shown in the place of a value.
const HIDDEN: &str = "***";
/// A shorter value is in every other word: hiding it would hide the log.
const SHORTEST: usize = 6;
/// The same where the variable's name says that it is a secret.
const SHORTEST_NAMED: usize = 4;
/// What is left as it is in a URL.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Values to hide, in all their forms.
#[derive(Clone, Debug, Default)]
pub struct Masks {
    forms: Vec<String>,
    /// None where there is nothing to hide.
    finder: Option<AhoCorasick>,
    /// The forms could not be prepared: then everything is hidden.
    blind: bool,
}

impl Masks {
    /// Of variables that Berth keeps sealed: every value that is long enough to be one.
    pub fn sealed<'v>(variables: impl IntoIterator<Item = (&'v String, &'v String)>) -> Self {
        Self::new(variables.into_iter().filter(|(name, value)| value.len() >= shortest(name)))
    }

    /// Of variables in a file that the reader of a log may read too: those alone whose name says that they are secrets.
    pub fn named<'v>(variables: impl IntoIterator<Item = (&'v String, &'v String)>) -> Self {
        Self::new(variables.into_iter().filter(|(name, value)| says_secret(name) && value.len() >= SHORTEST_NAMED))
    }

    /// Of both together.
    pub fn sealed_and_named<'v>(
        sealed: impl IntoIterator<Item = (&'v String, &'v String)>,
        named: impl IntoIterator<Item = (&'v String, &'v String)>,
    ) -> Self {
        let sealed = sealed.into_iter().filter(|(name, value)| value.len() >= shortest(name));
        let named = named.into_iter().filter(|(name, value)| says_secret(name) && value.len() >= SHORTEST_NAMED);
        Self::new(sealed.chain(named))
    }

    fn new<'v>(variables: impl Iterator<Item = (&'v String, &'v String)>) -> Self {
        let mut forms: Vec<String> = variables.filter(|(_, value)| !plain_word(value)).flat_map(|(_, value)| forms(value)).collect();
        forms.sort();
        forms.dedup();
        if forms.is_empty() {
            return Self::default();
        }
        match AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&forms) {
            Ok(finder) => Self { forms, finder: Some(finder), blind: false },
            Err(error) => {
                tracing::error!(%error, "values cannot be hidden one by one; whole lines are");
                Self { forms: Vec::new(), finder: None, blind: true }
            }
        }
    }

    /// The text with every value hidden.
    pub fn hide(&self, text: String) -> String {
        if self.blind {
            return HIDDEN.to_owned();
        }
        let Some(finder) = self.finder.as_ref().filter(|finder| finder.is_match(&text)) else { return text };
        let mut out = String::with_capacity(text.len());
        finder.replace_all_with(&text, &mut out, |_, _, out| {
            out.push_str(HIDDEN);
            true
        });
        out
    }

    /// As [`Masks::hide`], for a text that was cut off: a value that began before the cut is hidden as far as it came.
    pub fn hide_cut(&self, text: String) -> String {
        let mut text = self.hide(text);
        let begun =
            |text: &str, form: &str| (SHORTEST_NAMED..form.len()).rev().find(|n| form.get(..*n).is_some_and(|head| text.ends_with(head)));
        if let Some(longest) = self.forms.iter().filter_map(|form| begun(&text, form)).max() {
            text.truncate(text.len() - longest);
            text.push_str(HIDDEN);
        }
        text
    }
}

fn shortest(name: &str) -> usize {
    if says_secret(name) { SHORTEST_NAMED } else { SHORTEST }
}

/// Whether a variable's name says that its value is a secret.
pub fn says_secret(name: &str) -> bool {
    let name = name.to_uppercase();
    ["SECRET", "TOKEN", "PASSW", "PASSPHRASE", "CREDENTIAL", "PRIVATE"].iter().any(|part| name.contains(part))
        || name.split('_').any(|word| ["KEY", "APIKEY", "PASS", "PWD", "AUTH", "DSN"].contains(&word))
}

/// What is a secret under no name.
fn plain_word(value: &str) -> bool {
    ["true", "false", "null", "none", "enabled", "disabled", "production", "development"].contains(&value.to_lowercase().as_str())
}

/// A value in the forms programs print it in. One of many lines is found in each of them, since logs are written by the line.
fn forms(value: &str) -> Vec<String> {
    let mut all = whole_forms(value);
    let lines: Vec<&str> = value.lines().map(str::trim).filter(|line| line.len() >= SHORTEST && *line != value).collect();
    all.extend(lines.into_iter().flat_map(whole_forms));
    all.retain(|form| form.len() >= SHORTEST_NAMED);
    all
}

fn whole_forms(value: &str) -> Vec<String> {
    let lower = hex::encode(value);
    let pairs = |separator: &str| value.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(separator);
    let percent = utf8_percent_encode(value, UNRESERVED).to_string();
    let all_but_letters = utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
    let every: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let json = serde_json::Value::from(value).to_string();
    let mut all = vec![
        value.to_owned(),
        lower.to_uppercase(),
        lower,
        pairs(" "),
        pairs(":").to_uppercase(),
        pairs(":"),
        percent.replace("%20", "+"),
        all_but_letters.replace("%20", "+"),
        percent_lower(&all_but_letters),
        all_but_letters,
        percent_lower(&percent),
        percent,
        every.to_uppercase(),
        every,
        json.trim_matches('"').to_owned(),
        html(value),
        value.replace('\'', r"'\''"),
    ];
    all.extend(base64_forms(value));
    all
}

/// With the digits of `%2F` in lower case.
fn percent_lower(percent: &str) -> String {
    let mut parts = percent.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        format!("{text}%{}{rest}", digits.to_lowercase())
    })
}

fn html(value: &str) -> String {
    value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

/// In Base64: by itself, with a line end as `echo` adds one, and what it looks like within a longer text, which depends on
/// where its bytes fall between the groups of three.
fn base64_forms(value: &str) -> Vec<String> {
    let mut all = vec![STANDARD.encode(value), STANDARD.encode(format!("{value}\n"))];
    for (before, mixed) in [("", 0), ("-", 2), ("--", 3)] {
        let text = STANDARD_NO_PAD.encode(format!("{before}{value}"));
        // Letters that hold bits of what comes before or after are left out.
        let pure = (before.len() + value.len()) * 8 / 6;
        all.extend(text.get(mixed..pure).map(ToOwned::to_owned));
    }
    all.retain(|form| form.len() >= SHORTEST);
    let url: Vec<String> = all.iter().map(|form| form.replace('+', "-").replace('/', "_")).collect();
    all.extend(url);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masks(name: &str, value: &str) -> Masks {
        Masks::sealed([(&name.to_owned(), &value.to_owned())])
    }

    #[test]
    fn every_form_is_hidden_wherever_it_stands() {
        let value = "s3cr/t <&> \"quoted\" 'value'?";
        let masks = masks("ANYTHING", value);
        for form in forms(value) {
            assert_eq!(masks.hide(format!("a {form} b")), "a *** b", "{form}");
        }
        for around in ["x", "xy", "xyz"] {
            let text = STANDARD.encode(format!("{around}{value}{around}"));
            let shown = masks.hide(text.clone());
            assert!(shown.contains("***") && shown.len() < 20, "{text} {shown}");
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for (name, value) in [("MODE", "debug"), ("USE_AUTH", "true"), ("STAGE", "production"), ("PIN_KEY", "123")] {
            assert_eq!(masks(name, value).hide(format!("it is {value}")), format!("it is {value}"));
        }
        let file = [("LEVEL".to_owned(), "verbose-mode".to_owned()), ("API_TOKEN".to_owned(), "abcd1234".to_owned())];
        let masks = Masks::named(file.iter().map(|(name, value)| (name, value)));
        assert_eq!(masks.hide("verbose-mode abcd1234".into()), "verbose-mode ***");
    }

    #[test]
    fn lines_of_a_long_one_and_cut_ones_are_hidden() {
        let key = "-----BEGIN-----\nMIIEpAIBAAKCAQEA\nq83vEjRWeJASNFZ4\n-----END-----";
        assert_eq!(masks("PEM", key).hide("got q83vEjRWeJASNFZ4".into()), "got ***");
        assert_eq!(masks("A", "0123456789").hide_cut("xx 0123456".into()), "xx ***");
        assert_eq!(masks("A", "0123456789").hide_cut("xx 012".into()), "xx 012");
        assert_eq!(Masks::default().hide_cut("xx".into()), "xx");
    }
}
