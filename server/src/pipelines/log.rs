//! From bytes to lines to append-only chunks, with bounds: a line, a log, and what waits in memory.

use std::{collections::VecDeque, time::Duration};

use app::{
    error::Error,
    model::{LineKind, StepId, TeamId},
    said,
};
use tokio::{
    sync::mpsc::Receiver,
    time::{Instant, sleep, sleep_until},
};

use super::Context;
use crate::{
    claim::LEASE,
    clock,
    platform::Output,
    secrets::Masks,
    store::{
        StoreError,
        logs::{self, NewLine},
    },
};

/// A line is cut at this many bytes.
const LONGEST_LINE: usize = 16 << 10;
/// A chunk is written when it has this many bytes …
const CHUNK_BYTES: usize = 64 << 10;
/// … or its first line is this old.
const CHUNK_AGE: Duration = Duration::from_millis(200);
/// A log keeps this many bytes; beyond, lines are counted and left out.
const LONGEST_LOG: usize = 128 << 20;
/// The last lines that are kept in any case.
const TAIL: usize = 40;
/// What the store does not take, since its disk is full for instance, is offered again this often …
const OFFER_AGAIN: Duration = Duration::from_secs(1);
/// … and of what comes meanwhile this many bytes are kept. Beyond, lines are counted and left out.
const MOST_WAITING: usize = 4 << 20;
/// A log waits this long for its end to be taken: then the claim of its run has run out.
const LONGEST_WAIT: Duration = LEASE;

/// The text between two of these is a mark of Berth's own script: the number of the command that comes next.
const MARK: char = '\u{1e}';

/// The log of a step while it is written. Only one writes a log.
pub struct Log {
    ctx: Context,
    team: TeamId,
    step: StepId,
    fence: i64,
    /// The number of the next line to be written.
    next: u64,
    pending: Vec<NewLine>,
    pending_bytes: usize,
    pending_since: Option<Instant>,
    written: usize,
    left_out: u64,
    tail: VecDeque<NewLine>,
    lines: [Splitter; 2],
    marks: Option<Marks>,
    /// The commands whose marks were seen, the last one last.
    command: Option<usize>,
    /// Values that never reach the store.
    masks: Masks,
    held_up: Option<HeldUp>,
    lost: bool,
}

/// That the store takes nothing.
struct HeldUp {
    since: Instant,
    /// When it is asked again.
    again: Instant,
    /// Whether its disk is full.
    full: bool,
    left_out: u64,
}

impl HeldUp {
    /// What is said of it once it is over.
    fn over(&self) -> String {
        let why = if self.full { said::disk_was_full() } else { said::store_was_away() };
        let seconds = self.since.elapsed().as_secs();
        if self.left_out > 0 { said::log_gap(why, seconds, self.left_out) } else { said::log_late(why, seconds) }
    }
}

/// How a step's script marks the commands it is about to run.
#[derive(Clone, Debug)]
pub struct Marks {
    /// A word nobody else knows, so that a program cannot make marks of its own.
    pub nonce: String,
    /// The commands, for the log.
    pub commands: Vec<String>,
}

impl Marks {
    /// A shell command that prints the mark of command `index`.
    pub fn print(&self, index: usize) -> String {
        format!("printf '\\036%s:%s\\036\\n' '{}' '{index}'", self.nonce)
    }

    /// The text before a mark in a line, and the command it marks.
    fn find<'l>(&self, line: &'l str) -> Option<(&'l str, usize)> {
        let start = line.find(MARK)?;
        let index = line[start..].trim_matches(MARK).strip_prefix(&self.nonce)?.strip_prefix(':')?.parse().ok()?;
        (index < self.commands.len()).then_some((&line[..start], index))
    }
}

impl Log {
    /// Opens the log of a step, which has `lines` lines already.
    pub fn open(ctx: &Context, team: &TeamId, step: &StepId, fence: i64) -> Self {
        Self {
            ctx: ctx.clone(),
            team: team.clone(),
            step: step.clone(),
            fence,
            next: 1,
            pending: Vec::new(),
            pending_bytes: 0,
            pending_since: None,
            written: 0,
            left_out: 0,
            tail: VecDeque::new(),
            lines: Default::default(),
            marks: None,
            command: None,
            masks: Masks::default(),
            held_up: None,
            lost: false,
        }
    }

    /// Says how the commands that come are marked. What a try before wrote tells nothing about how this one ends.
    pub fn expect(&mut self, marks: Marks) {
        self.command = None;
        self.tail.clear();
        self.marks = Some(marks);
    }

    /// Values to hide from now on.
    pub fn mask(&mut self, masks: Masks) {
        self.masks = masks;
    }

    /// The values that are hidden: whatever else a step leaves is kept without them too.
    pub fn masks(&self) -> &Masks {
        &self.masks
    }

    /// Writes what Berth says.
    pub async fn note(&mut self, text: &str) -> Result<(), StoreError> {
        for line in text.lines() {
            self.add(LineKind::Note, line.to_owned());
        }
        self.offer().await
    }

    /// Writes a command about to run.
    pub async fn command(&mut self, text: &str) -> Result<(), StoreError> {
        self.add(LineKind::Command, text.to_owned());
        self.offer().await
    }

    /// Writes how it ended.
    pub fn exit(&mut self, text: &str) {
        for line in text.lines() {
            self.add(LineKind::Exit, line.to_owned());
        }
    }

    /// Takes output until its end. An error of the store does not stop the reading: a full pipe would stop the program.
    pub async fn pump(&mut self, mut output: Receiver<Output>) -> Result<(), StoreError> {
        let mut result = Ok(());
        loop {
            let deadline = self.due();
            let due = async { sleep_until(deadline.unwrap_or_else(Instant::now)).await };
            let offered = tokio::select! {
                piece = output.recv() => match piece {
                    Some(piece) => {
                        self.take(&piece);
                        if self.pending_bytes >= CHUNK_BYTES && self.held_up.is_none() { self.offer().await } else { Ok(()) }
                    }
                    None => break,
                },
                () = due, if deadline.is_some() => self.offer().await,
            };
            result = result.and(offered);
        }
        for (index, kind) in [(0, LineKind::Out), (1, LineKind::Err)] {
            if let Some(line) = self.lines[index].rest() {
                self.line(kind, line);
            }
        }
        self.offer().await.and(result)
    }

    /// When lines are to be written next.
    fn due(&self) -> Option<Instant> {
        let waited = self.pending_since.map(|since| since + CHUNK_AGE);
        self.held_up.as_ref().map_or(waited, |held_up| waited.map(|waited| waited.max(held_up.again)))
    }

    /// Ends the log: what was left out is said, and its last lines follow.
    pub async fn close(&mut self) -> Result<(), StoreError> {
        if self.left_out > 0 {
            let tail: Vec<NewLine> = self.tail.iter().cloned().collect();
            let shown = tail.len().min(usize::try_from(self.left_out).unwrap_or(usize::MAX));
            let text =
                format!("This log is longer than {} MiB: {} lines were left out. The last {shown} are:", LONGEST_LOG >> 20, self.left_out);
            self.push(NewLine { at: clock::now(), kind: LineKind::Note, text });
            tail.into_iter().rev().take(shown).collect::<Vec<_>>().into_iter().rev().for_each(|line| self.push(line));
        }
        let began = Instant::now();
        loop {
            match self.flush().await {
                Err(error) if error.may_pass() && began.elapsed() < LONGEST_WAIT => self.hold_up(error),
                done => return done,
            }
            sleep(OFFER_AGAIN).await;
        }
    }

    /// Whether the claim was lost: somebody else writes this log now.
    pub fn lost(&self) -> bool {
        self.lost
    }

    /// The last lines a program wrote, oldest first.
    pub fn last_lines(&self) -> Vec<String> {
        self.tail.iter().filter(|line| matches!(line.kind, LineKind::Out | LineKind::Err)).map(|line| line.text.clone()).collect()
    }

    /// The command that was begun last.
    pub fn last_command(&self) -> Option<&str> {
        self.marks.as_ref()?.commands.get(self.command?).map(String::as_str)
    }

    fn take(&mut self, piece: &Output) {
        let (index, kind) = if piece.error { (1, LineKind::Err) } else { (0, LineKind::Out) };
        for line in self.lines[index].push(&piece.bytes) {
            self.line(kind, line);
        }
    }

    fn line(&mut self, kind: LineKind, Line { text, cut }: Line) {
        if cut > 0 {
            let text = self.masks.hide_cut(text);
            return self.add(kind, format!("{text} … ({cut} bytes left out)"));
        }
        let found = self
            .marks
            .as_ref()
            .and_then(|marks| marks.find(&text).map(|(before, index)| (before.to_owned(), index, marks.commands[index].clone())));
        let Some((before, index, command)) = found else { return self.add(kind, text) };
        if !before.is_empty() {
            self.add(kind, before);
        }
        self.command = Some(index);
        for text in command.lines() {
            self.add(LineKind::Command, text.to_owned());
        }
    }

    fn add(&mut self, kind: LineKind, text: String) {
        let line = NewLine { at: clock::now(), kind, text: self.masks.hide(text) };
        self.tail.push_back(line.clone());
        if self.tail.len() > TAIL {
            self.tail.pop_front();
        }
        match &mut self.held_up {
            _ if matches!(kind, LineKind::Note | LineKind::Exit) => self.push(line),
            Some(held_up) if self.pending_bytes > MOST_WAITING => held_up.left_out += 1,
            _ if self.written > LONGEST_LOG => self.left_out += 1,
            _ => self.push(line),
        }
    }

    fn push(&mut self, line: NewLine) {
        self.written += line.text.len() + 32;
        self.pending_bytes += line.text.len() + 32;
        self.pending_since.get_or_insert_with(Instant::now);
        self.pending.push(line);
    }

    /// Writes what there is, or keeps it until the store takes something again.
    async fn offer(&mut self) -> Result<(), StoreError> {
        match self.flush().await {
            Err(error) if error.may_pass() => {
                self.hold_up(error);
                Ok(())
            }
            done => done,
        }
    }

    fn hold_up(&mut self, error: StoreError) {
        let now = Instant::now();
        if self.held_up.is_none() {
            tracing::warn!(step = %self.step, %error, "its log waits: the store takes nothing");
        }
        let full = Error::from(error).code == "disk_full";
        let held_up = self.held_up.get_or_insert(HeldUp { since: now, again: now, full, left_out: 0 });
        (held_up.again, held_up.full) = (now + OFFER_AGAIN, held_up.full || full);
    }

    async fn flush(&mut self) -> Result<(), StoreError> {
        self.write().await?;
        if let Some(held_up) = self.held_up.take()
            && !self.lost
        {
            self.push(NewLine { at: clock::now(), kind: LineKind::Note, text: held_up.over() });
            self.write().await?;
        }
        Ok(())
    }

    async fn write(&mut self) -> Result<(), StoreError> {
        if self.pending.is_empty() || self.lost {
            self.pending.clear();
            return Ok(());
        }
        let mut tx = self.ctx.db.begin().await?;
        let mut written = logs::append(&mut tx, &self.step, self.fence, self.next, &self.pending).await?;
        if !written && self.held_up.is_some() {
            // An offer before may have been taken all the same, and its answer lost.
            let total = logs::head(&mut tx, &self.step).await?.map_or(0, |(.., total)| total);
            let taken = usize::try_from((total + 1).saturating_sub(self.next)).unwrap_or(usize::MAX).min(self.pending.len());
            let (first, rest) = (self.next + taken as u64, &self.pending[taken..]);
            written = taken > 0 && (rest.is_empty() || logs::append(&mut tx, &self.step, self.fence, first, rest).await?);
        }
        tx.commit().await?;
        self.lost |= !written;
        self.next += self.pending.len() as u64;
        self.pending.clear();
        self.pending_bytes = 0;
        self.pending_since = None;
        self.ctx.wake.changed(Some(&self.team), format!("step:{}", self.step));
        Ok(())
    }
}

/// A line of output.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    text: String,
    /// How many bytes of it were left out at its end.
    cut: usize,
}

/// Finds lines in bytes as they come.
#[derive(Debug, Default)]
struct Splitter {
    partial: Vec<u8>,
    cut: usize,
}

impl Splitter {
    fn push(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.keep(&rest[..end]);
            lines.push(self.finish());
            rest = &rest[end + 1..];
        }
        self.keep(rest);
        lines
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LONGEST_LINE.saturating_sub(self.partial.len()).min(bytes.len());
        self.partial.extend_from_slice(&bytes[..room]);
        self.cut += bytes.len() - room;
    }

    fn rest(&mut self) -> Option<Line> {
        (!self.partial.is_empty()).then(|| self.finish())
    }

    /// The line: what a terminal would show of it, as far as carriage returns go.
    fn finish(&mut self) -> Line {
        let cut = std::mem::take(&mut self.cut);
        let bytes = std::mem::take(&mut self.partial);
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end_matches('\r');
        let shown = text.rsplit('\r').next().unwrap_or(text);
        Line { text: shown.to_owned(), cut }
    }
}

/// The line of a failed program's last ones that most likely tells why.
pub fn telling(lines: &[String]) -> Option<String> {
    let plain: Vec<String> = lines.iter().map(|line| without_colours(line).trim().to_owned()).filter(|line| !line.is_empty()).collect();
    let tells = |line: &&String| {
        let lower = line.to_lowercase();
        ["error", "fail", "panic", "exception", "cannot", "not found", "denied", "assert"].iter().any(|word| lower.contains(word))
    };
    let line = plain.iter().rev().take(15).find(tells).or_else(|| plain.last())?;
    Some(line.chars().take(200).collect())
}

/// The text without ANSI escape sequences and control characters.
pub fn without_colours(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        if char == '\u{1b}' {
            if chars.next_if_eq(&'[').is_some() {
                for end in chars.by_ref() {
                    if ('@'..='~').contains(&end) {
                        break;
                    }
                }
            }
        } else if !char.is_control() || char == '\t' {
            out.push(char);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_however_the_bytes_come() {
        let text = "one\r\n10%\r20%\r100%\nümlaut\nno end";
        for step in 1..8 {
            let mut splitter = Splitter::default();
            let mut lines: Vec<Line> = text.as_bytes().chunks(step).flat_map(|piece| splitter.push(piece)).collect();
            lines.extend(splitter.rest());
            let lines: Vec<String> = lines.into_iter().map(|line| line.text).collect();
            assert_eq!(lines, ["one", "100%", "ümlaut", "no end"], "{step}");
        }
        let mut splitter = Splitter::default();
        assert!(splitter.push(&vec![b'x'; 20_000]).is_empty());
        let line = &splitter.push(b"\n")[0];
        assert_eq!((line.text.len(), line.cut), (LONGEST_LINE, 3_616));
    }

    #[test]
    fn marks_tell_commands_and_cannot_be_guessed() {
        let marks = Marks { nonce: "n0".into(), commands: vec!["true".into()] };
        assert_eq!(marks.find("\u{1e}n0:0\u{1e}"), Some(("", 0)));
        assert_eq!(marks.find("tail\u{1e}n0:0\u{1e}"), Some(("tail", 0)));
        for line in ["\u{1e}n1:0\u{1e}", "\u{1e}n0:1\u{1e}", "n0:0", "\u{1e}\u{1e}"] {
            assert_eq!(marks.find(line), None, "{line:?}");
        }
    }

    #[test]
    fn the_telling_line_is_found_and_plain() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(telling(&lines("a\n\u{1b}[31mError: no port\u{1b}[0m\nbye\n\n")).as_deref(), Some("Error: no port"));
        assert_eq!(telling(&lines("a\nlast")).as_deref(), Some("last"));
        assert_eq!(telling(&[]), None);
    }
}
