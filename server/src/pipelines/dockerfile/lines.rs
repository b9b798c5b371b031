//! From a text to instructions, as engines cut it.

use super::unclear;

/// An instruction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Instruction {
    /// In capitals. Of a trigger (`ONBUILD`) that of what it triggers.
    pub(super) name: String,
    /// Its flags, quotes and escapes taken out: `--from=x`.
    pub(super) flags: Vec<String>,
    /// What stands behind its flags.
    pub(super) rest: String,
    /// The texts below it.
    pub(super) texts: Vec<Text>,
    /// The whole line.
    pub(super) line: String,
}

/// A text below an instruction (`<<`), which engines from 23.0 on know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    /// The word that announces it.
    pub(super) word: String,
    /// The line that ends it.
    pub(super) end: String,
    /// The text, with the end of its last line.
    pub(super) text: String,
}

/// Whether an engine lets texts follow this instruction.
const TAKE_TEXTS: [&str; 3] = ["RUN", "COPY", "ADD"];

/// The instructions of a Dockerfile.
///
/// # Errors
/// A sentence that names a line which is read in more than one way.
pub(super) fn instructions(text: &str) -> Result<Vec<Instruction>, String> {
    let mut lines = text.strip_prefix('\u{feff}').unwrap_or(text).lines();
    let mut read = Vec::new();
    while let Some(line) = logical(&mut lines)? {
        let mut instruction = instruction(&line)?;
        if TAKE_TEXTS.contains(&instruction.name.as_str()) {
            instruction.texts = announced(&line)?;
            for text in &mut instruction.texts {
                below(&mut lines, text)?;
            }
        }
        read.push(instruction);
    }
    Ok(read)
}

/// The next line with those that continue it; comments and empty lines are left out, between them too.
fn logical<'t>(lines: &mut impl Iterator<Item = &'t str>) -> Result<Option<String>, String> {
    let mut whole: Option<String> = None;
    for piece in lines.by_ref().filter(|piece| !piece.trim().is_empty() && !piece.trim_start().starts_with('#')) {
        // Where bytes are no letters, some are spaces to an engine.
        if piece.contains(['\r', char::REPLACEMENT_CHARACTER]) {
            return Err(unclear(piece));
        }
        // An engine joins without a space: `FR\` and `OM x` begin a stage.
        let joined = whole.get_or_insert_with(String::new);
        match piece.trim_end_matches([' ', '\t']).strip_suffix('\\') {
            // Two of them continue a line with old engines, and not with new ones.
            Some(more) if more.ends_with('\\') => return Err(unclear(piece)),
            Some(more) => joined.push_str(more),
            None => {
                joined.push_str(piece);
                break;
            }
        }
    }
    Ok(whole)
}

/// One line.
fn instruction(line: &str) -> Result<Instruction, String> {
    let (mut name, mut rest) = first_word(line);
    let mut flags = Vec::new();
    loop {
        // Other letters become these where an engine makes them small.
        if !name.is_ascii() {
            return Err(unclear(line));
        }
        let (found, behind) = cut_flags(rest);
        if !found.iter().all(|flag| flag.is_ascii()) {
            // Engines cut bytes here, and not letters.
            return Err(unclear(line));
        }
        flags.extend(found);
        rest = behind;
        if !name.eq_ignore_ascii_case("ONBUILD") {
            break;
        }
        (name, rest) = first_word(rest);
    }
    Ok(Instruction { name: name.to_ascii_uppercase(), flags, rest: rest.trim().to_owned(), texts: Vec::new(), line: line.to_owned() })
}

fn first_word(line: &str) -> (&str, &str) {
    let line = line.trim();
    line.split_at(line.find(char::is_whitespace).unwrap_or(line.len()))
}

/// The flags at the beginning, and what follows them. Word by word as engines do it.
pub(super) fn cut_flags(text: &str) -> (Vec<String>, &str) {
    let mut flags = Vec::new();
    let mut rest = text.trim_start();
    while rest.starts_with("--") {
        let (mut word, mut quote, mut end) = (String::new(), None, rest.len());
        let mut letters = rest.char_indices();
        while let Some((at, letter)) = letters.next() {
            match (letter, quote) {
                (_, None) if letter.is_whitespace() => {
                    end = at;
                    break;
                }
                ('"' | '\'', None) => quote = Some(letter),
                (_, Some(open)) if letter == open => quote = None,
                ('\\', _) => word.extend(letters.next().map(|(_, escaped)| escaped)),
                _ => word.push(letter),
            }
        }
        rest = rest[end..].trim_start();
        if word == "--" {
            break;
        }
        flags.push(word);
    }
    (flags, rest)
}

/// The texts that a line announces.
fn announced(line: &str) -> Result<Vec<Text>, String> {
    let mut texts = Vec::new();
    for word in line.split_whitespace() {
        let Some(name) = word.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix("<<") else { continue };
        let name = name.strip_prefix('-').unwrap_or(name);
        if name.is_empty() || name.contains('<') {
            continue;
        }
        let end = ["'", "\""].into_iter().find_map(|quote| name.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(name);
        if end.is_empty() || !end.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b)) {
            return Err(unclear(line));
        }
        texts.push(Text { word: word.to_owned(), end: end.to_owned(), text: String::new() });
    }
    // Beside quotes and the like engines may see none.
    let beside = |word: &&str| !texts.iter().any(|text| text.word == *word);
    let odd = |word: &str| word.contains(['\'', '"', '\\', '`', '(']) || word.contains("${");
    if !texts.is_empty() && line.split_whitespace().filter(beside).any(odd) {
        return Err(unclear(line));
    }
    Ok(texts)
}

/// Takes the lines of a text up to its end.
fn below<'t>(lines: &mut impl Iterator<Item = &'t str>, text: &mut Text) -> Result<(), String> {
    let tabs = text.word.contains("<<-");
    for line in lines {
        let line = if tabs { line.trim_start_matches('\t') } else { line };
        if line.contains('\r') {
            return Err(unclear(line));
        }
        if line == text.end {
            return Ok(());
        }
        text.text.push_str(line);
        text.text.push('\n');
    }
    Err(unclear(&text.word))
}
