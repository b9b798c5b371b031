//! Words on a terminal, plain lines elsewhere.

use std::{
    env,
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    time::Duration,
};

use app::model::{RolloutState, RunState, TargetHealth, Timestamp};
use serde::Serialize;

use super::failure::{Done, Failure};

/// The least room for which a cell is cut.
const LEAST: usize = 16;

/// Prints a document.
pub(super) fn json(document: &impl Serialize) -> Done<()> {
    let text = serde_json::to_string_pretty(document).map_err(|error| Failure::new(error.to_string()))?;
    line(&text);
    Ok(())
}

/// Prints a line. A reader that went away (`| head`) is no error.
pub(super) fn line(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// Prints text as it stands.
pub(super) fn rest(text: &str) {
    let _ = write!(io::stdout().lock(), "{text}");
}

/// Whether the standard output is a person's.
pub(super) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

pub(super) fn colours() -> bool {
    is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A colour and a shape: never the colour alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tone {
    /// As it should be.
    Good,
    /// Under way.
    Busy,
    /// Not as it should be.
    Bad,
    /// Neither.
    Quiet,
}

/// A word with its shape, coloured where colours are.
pub(super) fn mark(tone: Tone, word: &str) -> String {
    let (shape, code) = match tone {
        Tone::Good => ("✓", 32),
        Tone::Busy => ("…", 33),
        Tone::Bad => ("✗", 31),
        Tone::Quiet => ("·", 2),
    };
    if colours() { format!("\x1b[{code}m{shape} {word}\x1b[0m") } else { format!("{shape} {word}") }
}

/// The tone of a run, stage or step.
pub(super) const fn of_run(state: RunState) -> Tone {
    match state {
        RunState::Passed => Tone::Good,
        RunState::Queued | RunState::Running => Tone::Busy,
        RunState::Failed | RunState::Errored | RunState::TimedOut | RunState::Lost => Tone::Bad,
        RunState::Cancelled | RunState::Superseded | RunState::Skipped => Tone::Quiet,
    }
}

/// The tone of a rollout.
pub(super) const fn of_rollout(state: RolloutState) -> Tone {
    match state {
        RolloutState::Succeeded => Tone::Good,
        RolloutState::Queued | RolloutState::Running => Tone::Busy,
        RolloutState::Failed => Tone::Bad,
        RolloutState::Cancelled | RolloutState::Superseded => Tone::Quiet,
    }
}

/// A target's health in words.
pub(super) fn health(health: TargetHealth) -> String {
    match health {
        TargetHealth::Empty => mark(Tone::Quiet, "nothing yet"),
        TargetHealth::Healthy => mark(Tone::Good, "healthy"),
        TargetHealth::Moving => mark(Tone::Busy, "moving"),
        TargetHealth::Degraded => mark(Tone::Bad, "degraded"),
        TargetHealth::Down => mark(Tone::Bad, "down"),
        TargetHealth::Stopped => mark(Tone::Quiet, "stopped"),
        TargetHealth::FailedServing => mark(Tone::Bad, "last rollout failed; the old release serves"),
        TargetHealth::Unknown => mark(Tone::Bad, "unknown: the engine does not answer"),
    }
}

/// Prints columns; on a terminal the last one is cut at the end of the line.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) {
    let columns = rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
    let mut widths: Vec<usize> = head.iter().map(|cell| seen(cell)).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(seen(cell));
        }
    }
    let before: usize = widths.split_last().map_or(0, |(_, others)| others.iter().map(|width| width + 2).sum());
    // Where next to nothing is left of the line, it is better wrapped than lost.
    let room = columns.and_then(|columns| columns.checked_sub(before)).filter(|room| *room >= LEAST).unwrap_or(usize::MAX);
    let print = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (place, (cell, width)) in cells.zip(&widths).enumerate() {
            text.push_str(&if place + 1 == widths.len() { cut(cell, room) } else { cell.to_owned() });
            text.extend(std::iter::repeat_n(' ', width.saturating_sub(seen(cell)) + 2));
        }
        line(text.trim_end());
    };
    print(&mut head.iter().copied());
    for row in rows {
        print(&mut row.iter().map(String::as_str));
    }
}

/// Prints rows as a table; where there are none, the sentence that says what would fill it.
pub(super) fn listing(head: &[&str], rows: &[Vec<String>], nothing: &str) {
    if rows.is_empty() { line(nothing) } else { table(head, rows) }
}

/// The room a cell takes: colours take none, and some letters that of two.
fn seen(cell: &str) -> usize {
    places(cell).map(|(_, room)| room).sum()
}

/// The characters of a cell and the room each takes.
fn places(cell: &str) -> impl Iterator<Item = (char, usize)> {
    let mut hidden = false;
    cell.chars().map(move |character| {
        let counts = !hidden && character != '\x1b';
        hidden = (hidden || character == '\x1b') && character != 'm';
        (character, if counts { room_of(character) } else { 0 })
    })
}

/// Hangul, ideographs, full-width forms and emoji take the room of two letters; what stands on another takes none.
const fn room_of(character: char) -> usize {
    match character as u32 {
        0x300..=0x36f | 0x200b..=0x200f | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// A cell that takes at most so much room; what it lost is marked.
fn cut(cell: &str, room: usize) -> String {
    if seen(cell) <= room {
        return cell.to_owned();
    }
    let (mut text, mut taken, mut coloured) = (String::new(), 0, false);
    for (character, width) in places(cell) {
        if taken + width + 1 > room && width > 0 {
            break;
        }
        taken += width;
        coloured |= character == '\x1b';
        text.push(character);
    }
    text.push('…');
    if coloured { text + "\x1b[0m" } else { text }
}

/// `3 min ago`.
pub(super) fn ago(then: Timestamp) -> String {
    format!("{} ago", lasting(crate::clock::now().since(then)))
}

/// A duration as people say it.
pub(super) fn lasting(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// "12 KiB"
pub(super) fn size(bytes: u64) -> String {
    if bytes < 1 << 20 { format!("{} KiB", bytes.div_ceil(1 << 10)) } else { format!("{} MiB", bytes >> 20) }
}

/// The first 7 digits of a commit, the first 12 of an image.
pub(super) fn short(id: &str) -> &str {
    match id.strip_prefix("sha256:") {
        Some(hex) => hex.get(..12).unwrap_or(hex),
        None => id.get(..7).unwrap_or(id),
    }
}

/// Asks a question on the terminal; none where nobody is there to answer.
pub(super) fn ask(question: &str) -> Done<Option<String>> {
    if !io::stdin().is_terminal() {
        return Ok(None);
    }
    eprint!("{question}");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(|error| Failure::new(format!("The answer cannot be read: {error}.")))?;
    Ok(Some(answer.trim().to_owned()))
}

/// Asks for something secret: from the standard input where `piped`, else on the terminal without showing it.
pub(super) fn ask_secret(question: &str, piped: bool) -> Done<String> {
    if piped {
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).map_err(|error| Failure::new(format!("The standard input cannot be read: {error}.")))?;
        return Ok(answer.trim_end_matches(['\n', '\r']).to_owned());
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::new("Nobody is here to type a password. Give --password-stdin and pipe it in."));
    }
    rpassword::prompt_password(question).map_err(|error| Failure::new(format!("The password cannot be read: {error}.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_said_as_people_do() {
        for (ms, said) in
            [(0, "0.0 s"), (2_340, "2.3 s"), (59_000, "59 s"), (150_000, "2 min"), (7_300_000, "2 h"), (200_000_000, "2 days")]
        {
            assert_eq!(lasting(Duration::from_millis(ms)), said);
        }
    }

    #[test]
    fn colours_take_no_room() {
        assert_eq!(seen("\x1b[32m✓ healthy\x1b[0m"), 9);
        assert_eq!(seen("plain"), 5);
        assert_eq!(seen("안녕 hi"), 7);
        assert_eq!(seen("e\u{301}"), 1);
    }

    #[test]
    fn a_cell_is_cut_where_the_line_ends() {
        for (cell, room, cut_to) in [
            ("plain", 5, "plain"),
            ("plainer", 5, "plai…"),
            ("안녕하세요", 6, "안녕…"),
            ("안녕하세요", 10, "안녕하세요"),
            ("\x1b[32m✓ 4\x1b[0m Revert it", 8, "\x1b[32m✓ 4\x1b[0m Rev…\x1b[0m"),
        ] {
            assert_eq!(cut(cell, room), cut_to, "{cell}");
            assert!(seen(&cut(cell, room)) <= room, "{cell}");
        }
    }

    #[test]
    fn ids_are_shortened() {
        assert_eq!(short("0123456789abcdef"), "0123456");
        assert_eq!(short("sha256:0123456789abcdef0123"), "0123456789ab");
        assert_eq!(short("x"), "x");
    }
}
