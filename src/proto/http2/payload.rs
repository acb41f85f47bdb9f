//! The body of an answer as the library sends it: where it lies, without a copy.
//! Never here: a body whose length is not known.

use std::sync::Arc;

use ::bytes::{Buf, Bytes};

use crate::core::coding::Coding;
use crate::proto::reply::{Body, Rendered};

/// Bytes that are left to be sent.
pub struct Payload {
    source: Source,
    from: usize,
    to: usize,
}

#[derive(Clone)]
enum Source {
    Bytes(Bytes),
    Rendered(Arc<Rendered>),
    Variant(Arc<Rendered>, Coding),
    Text(Arc<[u8]>),
}

impl Payload {
    /// The whole of a body; nothing of a stream, whose pieces come one by one.
    #[must_use]
    pub fn of(body: Body) -> Self {
        Self::whole(match body {
            Body::Empty | Body::Stream(_) => Source::Bytes(Bytes::new()),
            Body::Static(bytes) => Source::Bytes(Bytes::from_static(bytes)),
            Body::Owned(bytes) => Source::Bytes(bytes.into()),
            Body::Shared(rendered) => Source::Rendered(rendered),
            Body::Variant(rendered, coding) if rendered.variants.get(coding).is_some() => {
                Source::Variant(rendered, coding)
            }
            Body::Variant(rendered, _) => Source::Rendered(rendered),
            Body::Text { bytes, .. } => Source::Text(bytes),
        })
    }

    /// A piece of a stream.
    #[must_use]
    pub fn piece(bytes: Vec<u8>) -> Self {
        Self::whole(Source::Bytes(bytes.into()))
    }

    #[must_use]
    pub const fn len(&self) -> usize {
        self.to - self.from
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.from == self.to
    }

    /// The first `len` bytes, or all there are.
    #[must_use]
    pub fn split_to(&mut self, len: usize) -> Self {
        let at = self.from + len.min(self.len());
        let first = Self { source: self.source.clone(), from: self.from, to: at };
        self.from = at;
        first
    }

    fn whole(source: Source) -> Self {
        let to = source.bytes().len();
        Self { source, from: 0, to }
    }
}

impl Source {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Rendered(rendered) => &rendered.body,
            // A variant that is there stays.
            Self::Variant(rendered, coding) => {
                rendered.variants.get(*coding).map_or(&rendered.body, |variant| &variant.body)
            }
            Self::Text(bytes) => bytes,
        }
    }
}

impl Buf for Payload {
    fn remaining(&self) -> usize {
        self.len()
    }

    fn chunk(&self) -> &[u8] {
        self.source.bytes().get(self.from..self.to).unwrap_or_default()
    }

    fn advance(&mut self, len: usize) {
        assert!(len <= self.len(), "more is sent than there is");
        self.from += len;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_body_is_sent_whole_and_in_pieces() {
        let rendered = Rendered::json(*b"abcdef");
        let text = Body::Text { content_type: "text/plain".into(), bytes: Arc::from(*b"abcdef") };
        let bodies = [Body::Static(b"abcdef"), Body::Owned(b"abcdef".to_vec()), Body::Shared(Arc::new(rendered)), text];
        for body in bodies {
            let mut payload = Payload::of(body);
            let mut first = payload.split_to(2);
            assert_eq!((first.chunk(), payload.chunk()), (&b"ab"[..], &b"cdef"[..]));
            first.advance(1);
            assert_eq!((first.chunk(), first.remaining()), (&b"b"[..], 1));
            let rest = payload.split_to(100);
            assert_eq!((rest.chunk(), rest.len(), payload.is_empty()), (&b"cdef"[..], 4, true));
        }
        assert!(Payload::of(Body::Empty).is_empty());
        assert_eq!(Payload::piece(b"x".to_vec()).len(), 1);
    }
}
