//! The bodies of requests that a connection gathers: how many bytes of them it may hold at a time. A body that says how long
//! it will be has its room set aside before it comes, so that it is refused early or not at all.
//! Never here: a wait for room. Bodies that are gathered by halves could wait for each other for ever.

use std::cell::Cell;
use std::rc::Rc;

use crate::core::bounds::HTTP2_BODIES_BYTES_MAX;

/// Room made at once for a body that says how long it will be; more is made as it arrives.
const AT_ONCE_BYTES_MAX: usize = 16 * 1024;

/// The bytes that the bodies of one connection hold.
#[derive(Default)]
pub struct Bodies(Rc<Cell<usize>>);

/// One body. Its room is given back when it is dropped.
pub struct Content {
    pub bytes: Vec<u8>,
    /// By its route.
    pub bytes_max: usize,
    /// Here, or announced.
    held: usize,
    all: Rc<Cell<usize>>,
}

/// Why bytes are not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// The body is longer than its route allows.
    Body,
    /// The bodies of the connection together are; later there may be room.
    Connection,
}

impl Bodies {
    /// A body that says that it will have `announced` bytes, on a route that takes `bytes_max`.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn begin(&self, announced: u64, bytes_max: usize) -> Result<Content, Full> {
        let announced = usize::try_from(announced).unwrap_or(usize::MAX);
        let mut content = Content { bytes: Vec::new(), bytes_max, held: 0, all: self.0.clone() };
        content.hold(announced)?;
        content.bytes.reserve(announced.min(AT_ONCE_BYTES_MAX));
        Ok(content)
    }
}

impl Content {
    /// Takes the next bytes in.
    ///
    /// # Errors
    /// There are too many.
    pub fn extend(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.hold(self.bytes.len() + bytes.len())?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn hold(&mut self, bytes: usize) -> Result<(), Full> {
        if bytes > self.bytes_max {
            return Err(Full::Body);
        }
        let more = bytes.saturating_sub(self.held);
        // The longest body of a route fits at least alone.
        if more > 0 && self.all.get() + more > HTTP2_BODIES_BYTES_MAX.max(self.bytes_max) {
            return Err(Full::Connection);
        }
        self.all.set(self.all.get() + more);
        self.held += more;
        Ok(())
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        self.all.set(self.all.get() - self.held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = HTTP2_BODIES_BYTES_MAX;

    #[test]
    fn bodies_hold_what_they_announce_or_bring() {
        let bodies = Bodies::default();
        let mut announced = bodies.begin(10, 100).unwrap();
        assert_eq!((announced.extend(&[0; 10]), bodies.0.get()), (Ok(()), 10));
        assert_eq!(
            (announced.extend(b"x"), bodies.0.get()),
            (Ok(()), 11),
            "more than announced is the protocol's affair"
        );
        let mut unknown = bodies.begin(0, 100).unwrap();
        assert_eq!((unknown.extend(&[0; 100]), bodies.0.get()), (Ok(()), 111));
        assert_eq!((unknown.extend(b"x"), bodies.0.get()), (Err(Full::Body), 111));
        assert_eq!(bodies.begin(101, 100).err(), Some(Full::Body));
        assert_eq!(bodies.begin(u64::MAX, 100).err(), Some(Full::Body));
        drop((announced, unknown));
        assert_eq!(bodies.0.get(), 0);
    }

    #[test]
    fn together_they_are_bounded() {
        let bodies = Bodies::default();
        let first = bodies.begin(MAX as u64 - 1, MAX).unwrap();
        let mut second = bodies.begin(0, MAX).unwrap();
        assert_eq!(second.extend(b"x"), Ok(()));
        assert_eq!(second.extend(b"x"), Err(Full::Connection));
        assert_eq!(bodies.begin(1, MAX).err(), Some(Full::Connection));
        drop(first);
        assert_eq!(second.extend(b"x"), Ok(()));
    }

    #[test]
    fn the_longest_body_fits_alone() {
        let bodies = Bodies::default();
        let large = bodies.begin(3 * MAX as u64, 3 * MAX).unwrap();
        assert_eq!(bodies.begin(1, MAX).err(), Some(Full::Connection));
        drop(large);
        let small = bodies.begin(1, MAX).unwrap();
        assert_eq!(bodies.begin(3 * MAX as u64, 3 * MAX).err(), Some(Full::Connection));
        drop(small);
    }
}
