//! Reads the one object of a request body, in place and without allocating once the shard's buffers have grown.
//! Never here: types or ranges that a route declares; a panic on a peer's bytes.

use simd_json::{Buffers, ErrorType, Node, StaticNode, Tape};

use crate::core::bounds;
use crate::core::fault::Fault;

/// Buffers that a shard lends to one body after the other.
pub struct Scratch {
    buffers: Buffers,
    tape: Tape<'static>,
    /// Positions in the tape of the names of top-level fields.
    names: Vec<usize>,
}

/// The top-level object of a body. Text borrows from the body, which was rewritten in place.
pub struct Object<'a> {
    tape: Tape<'a>,
    scratch: &'a mut Scratch,
}

/// A field's value as JSON has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    /// Only above `i64::MAX`.
    Unsigned(u64),
    /// Always finite.
    Float(f64),
    Text(&'a str),
    /// An object or array.
    Compound,
}

impl Scratch {
    #[must_use]
    pub fn new() -> Self {
        Self { buffers: new_buffers(), tape: Tape(Vec::new()), names: Vec::new() }
    }

    /// Parses a whole body. One byte order mark is dropped, because `wx.request` may send it.
    ///
    /// # Errors
    /// [`Fault::InvalidBody`] unless the body is one JSON object, nested at most [`bounds::JSON_DEPTH_MAX`] deep, of at
    /// most [`bounds::JSON_FIELDS_MAX`] fields with different names. The body's bytes are then unspecified.
    pub fn parse<'a>(&'a mut self, body: &'a mut [u8]) -> Result<Object<'a>, Fault> {
        let body = match body {
            [0xEF, 0xBB, 0xBF, rest @ ..] => rest,
            whole => whole,
        };
        let large = body.len() > bounds::JSON_SCRATCH_BYTES_MAX;
        let mut tape = std::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let parsed = simd_json::fill_tape(body, &mut self.buffers, &mut tape);
        if large {
            self.buffers = new_buffers();
        }
        // Dropping the object gives the tape back, on every path below.
        let object = Object { tape, scratch: self };
        parsed.map_err(|error| Fault::InvalidBody(reason(error.error())))?;
        object.index()
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Object<'a> {
    /// The field of that name; `None` when absent.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Scalar<'a>> {
        let at = *self.scratch.names.iter().find(|at| text_at(&self.tape, **at) == Some(name))?;
        self.tape.0.get(at + 1).map(scalar)
    }

    /// Notes where each field's name is, and refuses names that come twice: two readers may take different ones.
    fn index(self) -> Result<Self, Fault> {
        let Some(Node::Object { len, .. }) = self.tape.0.first() else {
            return Err(Fault::InvalidBody("must be a JSON object"));
        };
        if *len > bounds::JSON_FIELDS_MAX {
            return Err(Fault::InvalidBody("too many fields: at most 128"));
        }
        self.scratch.names.clear();
        let mut at = 1;
        for _ in 0..*len {
            let name = text_at(&self.tape, at);
            if self.scratch.names.iter().any(|seen| text_at(&self.tape, *seen) == name) {
                return Err(Fault::InvalidBody("a field comes twice"));
            }
            self.scratch.names.push(at);
            at += 2 + nested_nodes(self.tape.0.get(at + 1));
        }
        debug_assert_eq!(at, self.tape.0.len(), "the walk must end where the object ends");
        Ok(self)
    }
}

const _: () = assert!(bounds::JSON_FIELDS_MAX == 128, "the message of too many fields names the bound");

impl Drop for Object<'_> {
    fn drop(&mut self) {
        let tape = std::mem::replace(&mut self.tape, Tape(Vec::new()));
        if tape.0.capacity() * size_of::<Node<'_>>() <= bounds::JSON_SCRATCH_BYTES_MAX {
            self.scratch.tape = tape.reset();
        }
    }
}

fn new_buffers() -> Buffers {
    Buffers::with_max_depth(2048, bounds::JSON_DEPTH_MAX)
}

fn reason(error: &ErrorType) -> &'static str {
    match error {
        ErrorType::InvalidUtf8 => "not UTF-8",
        ErrorType::DepthLimitExceeded => "nested too deep",
        ErrorType::Eof => "JSON ends too early",
        ErrorType::InvalidNumber | ErrorType::Overflow => "a number is not valid or too large",
        ErrorType::InvalidEscape | ErrorType::InvalidUnicodeCodepoint | ErrorType::InvalidUnicodeEscape => {
            "an escape sequence is not valid"
        }
        _ => "not valid JSON",
    }
}

fn text_at<'a>(tape: &Tape<'a>, at: usize) -> Option<&'a str> {
    match tape.0.get(at) {
        Some(Node::String(text)) => Some(text),
        _ => None,
    }
}

fn nested_nodes(node: Option<&Node<'_>>) -> usize {
    match node {
        Some(Node::Object { count, .. } | Node::Array { count, .. }) => *count,
        _ => 0,
    }
}

fn scalar<'a>(node: &Node<'a>) -> Scalar<'a> {
    match node {
        Node::String(text) => Scalar::Text(text),
        Node::Object { .. } | Node::Array { .. } => Scalar::Compound,
        Node::Static(StaticNode::Null) => Scalar::Null,
        Node::Static(StaticNode::Bool(value)) => Scalar::Bool(*value),
        Node::Static(StaticNode::I64(value)) => Scalar::Integer(*value),
        Node::Static(StaticNode::U64(value)) => i64::try_from(*value).map_or(Scalar::Unsigned(*value), Scalar::Integer),
        Node::Static(StaticNode::F64(value)) => Scalar::Float(*value),
    }
}

#[cfg(test)]
mod tests;
