//! Colours of a terminal as classes of spans. What is no colour is left out; the text stays text.

/// A piece of a line in one dress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Classes of the style sheet: `a-red`, `a-bold` …; empty for plain text.
    pub class: String,
    /// The text.
    pub text: String,
}

const COLOURS: [&str; 8] = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

#[derive(Clone, Copy, Default, PartialEq)]
struct Dress {
    colour: Option<&'static str>,
    bold: bool,
    faint: bool,
}

impl Dress {
    fn class(self) -> String {
        let mut class = String::new();
        for (on, word) in [(self.bold, "bold"), (self.faint, "faint")] {
            if on {
                class.push_str(" a-");
                class.push_str(word);
            }
        }
        if let Some(colour) = self.colour {
            class.push_str(" a-");
            class.push_str(colour);
        }
        class.split_off(usize::from(!class.is_empty()))
    }

    /// Takes the numbers of one `ESC [ … m`.
    fn put(&mut self, numbers: &str) {
        let mut codes = numbers.split(';').map(|code| code.parse::<usize>().unwrap_or(0));
        while let Some(code) = codes.next() {
            match code {
                0 => *self = Self::default(),
                1 => self.bold = true,
                2 => self.faint = true,
                22 => (self.bold, self.faint) = (false, false),
                30..=37 => self.colour = COLOURS.get(code - 30).copied(),
                90..=97 => self.colour = COLOURS.get(code - 90).copied(),
                39 => self.colour = None,
                // 256 colours and true colour carry arguments, which are no codes.
                38 | 48 => match codes.next() {
                    Some(5) => drop(codes.next()),
                    Some(2) => drop((codes.next(), codes.next(), codes.next())),
                    _ => {}
                },
                _ => {}
            }
        }
    }
}

/// Cuts a line into pieces of one dress each.
pub fn pieces(line: &str) -> Vec<Piece> {
    let (mut pieces, mut dress, mut text) = (Vec::new(), Dress::default(), String::new());
    let mut rest = line;
    let close = |text: &mut String, dress: Dress, pieces: &mut Vec<Piece>| {
        if !text.is_empty() {
            pieces.push(Piece { class: dress.class(), text: std::mem::take(text) });
        }
    };
    while let Some(at) = rest.find('\u{1b}') {
        text.extend(rest[..at].chars().filter(|c| shown(*c)));
        rest = &rest[at + 1..];
        let Some(body) = rest.strip_prefix('[') else { continue };
        let Some(end) = body.find(|c: char| ('\u{40}'..='\u{7e}').contains(&c)) else {
            rest = "";
            break;
        };
        if body[end..].starts_with('m') {
            let mut next = dress;
            next.put(&body[..end]);
            if next != dress {
                close(&mut text, dress, &mut pieces);
                dress = next;
            }
        }
        rest = &body[end + 1..];
    }
    text.extend(rest.chars().filter(|c| shown(*c)));
    close(&mut text, dress, &mut pieces);
    pieces
}

/// Control characters are not shown, nor those that turn the direction of what follows.
fn shown(c: char) -> bool {
    c == '\t' || !(c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(line: &str) -> Vec<(String, String)> {
        pieces(line).into_iter().map(|piece| (piece.class, piece.text)).collect()
    }

    #[test]
    fn colours_become_classes_and_nothing_else_passes() {
        let own = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>();
        for (line, wanted) in [
            ("plain <b>", own(&[("", "plain <b>")])),
            ("a \u{1b}[1;31mFAILED\u{1b}[0m b", own(&[("", "a "), ("a-bold a-red", "FAILED"), ("", " b")])),
            ("\u{1b}[38;5;196mx\u{1b}[92my", own(&[("", "x"), ("a-green", "y")])),
            ("\u{1b}[2K\u{1b}[1Gup", own(&[("", "up")])),
            ("cut \u{1b}[3", own(&[("", "cut ")])),
            ("\u{7}bell\r\u{202e}", own(&[("", "bell")])),
            ("", own(&[])),
        ] {
            assert_eq!(cut(line), wanted, "{line:?}");
        }
    }
}
