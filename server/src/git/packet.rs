//! Git's packets: four hex digits of length, then as many bytes less four. `0000` is a flush.

use bytes::{Buf, Bytes, BytesMut};

/// The longest packet there is.
const LONGEST: usize = 65_520;

/// Which side band a packet belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Band {
    /// What the protocol itself says.
    Data = 1,
    /// What the person at the other end sees, prefixed with `remote:`.
    Progress = 2,
}

/// A flush packet.
pub fn flush() -> Bytes {
    Bytes::from_static(b"0000")
}

/// A packet with this text.
pub fn packet(text: &str) -> Bytes {
    format!("{:04x}{text}", text.len() + 4).into()
}

/// Packets of a side band. One packet for each line of progress, so that lines show as they come.
pub fn band(band: Band, data: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    let mut one = |piece: &[u8]| {
        out.extend_from_slice(format!("{:04x}", piece.len() + 5).as_bytes());
        out.extend_from_slice(&[band as u8]);
        out.extend_from_slice(piece);
    };
    if data.is_empty() {
        one(data);
    } else {
        data.chunks(LONGEST - 5).for_each(&mut one);
    }
    out.freeze()
}

/// Finds whole packets in bytes as they come.
#[derive(Debug, Default)]
pub struct Packets {
    buffer: BytesMut,
}

/// A packet, or what stands for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Packet {
    /// `0000`.
    Flush,
    /// Its bytes, the four digits of length included.
    Data(Bytes),
}

impl Packets {
    /// Adds bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole packet. An error where the bytes are no packets.
    pub(super) fn next(&mut self) -> Result<Option<Packet>, ()> {
        if self.buffer.len() < 4 {
            return Ok(None);
        }
        let digits = std::str::from_utf8(&self.buffer[..4]).map_err(|_| ())?;
        let length = usize::from_str_radix(digits, 16).map_err(|_| ())?;
        match length {
            0 => {
                self.buffer.advance(4);
                Ok(Some(Packet::Flush))
            }
            1..=3 => Err(()),
            _ if self.buffer.len() < length => Ok(None),
            _ => Ok(Some(Packet::Data(self.buffer.split_to(length).freeze()))),
        }
    }

    /// Takes every whole packet but a flush at the very end, as bytes; says whether that flush was met.
    pub fn take_until_flush(&mut self) -> (Bytes, bool) {
        let mut out = BytesMut::new();
        loop {
            match self.next() {
                Ok(Some(Packet::Data(data))) => out.extend_from_slice(&data),
                Ok(Some(Packet::Flush)) => return (out.freeze(), true),
                Ok(None) => return (out.freeze(), false),
                // Not packets: hand it on as it is.
                Err(()) => {
                    out.extend_from_slice(&self.buffer.split());
                    return (out.freeze(), false);
                }
            }
        }
    }

    /// What is left that makes no whole packet.
    pub fn rest(&mut self) -> Bytes {
        self.buffer.split().freeze()
    }
}
