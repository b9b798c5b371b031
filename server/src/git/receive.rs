//! The head of a push: which refs it moves, what the client can, and the options it gave.

use super::packet::{Packet, Packets};

/// Longest head that is looked at; a longer one is passed on unread.
const LONGEST: usize = 4 << 20;

/// The head of a push.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The refs it asks to move: name, commit before, commit after; zeros where there is none.
    pub commands: Vec<(String, String, String)>,
    /// Whether the client takes side bands.
    pub side_band: bool,
    /// The options given with `-o`.
    pub options: Vec<String>,
}

/// Reads the head from the first bytes of a push. None: not all of it is there yet.
pub fn read_head(bytes: &[u8]) -> Option<Head> {
    if bytes.len() > LONGEST {
        return Some(Head::default());
    }
    let mut packets = Packets::default();
    packets.push(bytes);
    let mut head = Head::default();
    let mut wants_options = false;
    loop {
        match packets.next() {
            Ok(Some(Packet::Flush)) => break,
            Ok(Some(Packet::Data(data))) => {
                let text = String::from_utf8_lossy(&data[4..]).into_owned();
                let (command, capabilities) = text.split_once('\0').unwrap_or((&text, ""));
                for capability in capabilities.split_whitespace() {
                    head.side_band |= capability == "side-band-64k";
                    wants_options |= capability == "push-options";
                }
                let mut words = command.trim_end().splitn(3, ' ');
                if let (Some(old), Some(new), Some(name)) = (words.next(), words.next(), words.next()) {
                    head.commands.push((name.to_owned(), old.to_owned(), new.to_owned()));
                }
            }
            Ok(None) => return None,
            Err(()) => return Some(head),
        }
    }
    if !wants_options {
        return Some(head);
    }
    loop {
        match packets.next() {
            Ok(Some(Packet::Data(data))) => head.options.push(String::from_utf8_lossy(&data[4..]).trim_end().to_owned()),
            Ok(None) => return None,
            Ok(Some(Packet::Flush)) | Err(()) => return Some(head),
        }
    }
}
