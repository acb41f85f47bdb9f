//! Content codings (RFC 9110 §8.4): which one a client prefers, bodies encoded whole or in pieces, request bodies decoded.
//! Never here: which answers may be compressed, where a compressed body is kept.

mod accept;
mod decode;
mod encode;
mod level;
mod media;
mod pieces;

pub use accept::Accepted;
pub use decode::{DecodeError, decode};
pub use encode::Encoders;
pub use level::{Effort, Recipe};
pub use media::is_text;
pub use pieces::{Gathered, PieceEncoder, PieceEncoders, Whole, compress_pieces, compress_whole};
