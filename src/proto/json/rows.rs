//! Rows of a result become JSON once; a selection of their columns is then a copy of byte ranges.
//! Never here: where rows come from, how long an answer is kept.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::core::bounds;
use crate::core::fault::Fault;
use crate::proto::json::write::{ENVELOPE_CLOSE, ENVELOPE_OPEN, write_float, write_integer, write_string};
use crate::proto::reply::Rendered;

const ITEMS_OPEN: &[u8] = br#"{"items":["#;

/// Names of a result's columns, all different, ready to be written.
#[derive(Debug, PartialEq, Eq)]
pub struct Columns {
    names: Box<[Box<str>]>,
    /// `"name":` of each column.
    keys: Box<[Box<[u8]>]>,
}

/// What stands around the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// `data` is the first row.
    One,
    /// `data` is `{"items":[…]}`.
    Many { rows_max: u32 },
    /// `data` is `{"items":[…],"page":…,"page_size":…,"has_more":…}`; pages count from 1.
    Paged { page: u32, page_size: u32 },
}

/// A rendered result and what it takes to select columns of it.
#[derive(Debug)]
pub struct Answer {
    pub rendered: Arc<Rendered>,
    pub shape: Shape,
}

/// Where the cells are in the bytes of an answer.
#[derive(Debug)]
pub struct Shape {
    columns: Arc<Columns>,
    /// Where the first row's brace is, or would be.
    head_bytes: u32,
    /// Where each cell ends, row by row. One byte (`,`) lies between cells, three (`},{`) between rows.
    ends: Box<[u32]>,
}

/// Takes rows cell by cell. Every row begun gets exactly one value per column.
pub struct RowsWriter {
    columns: Arc<Columns>,
    frame: Frame,
    out: Vec<u8>,
    head_bytes: usize,
    ends: Vec<u32>,
    more: bool,
}

impl Columns {
    /// `None` when a name comes twice or there is none: such rows have no JSON object.
    #[must_use]
    pub fn new(names: &[&str]) -> Option<Self> {
        let distinct = names.iter().enumerate().all(|(at, name)| !names[..at].contains(name));
        if names.is_empty() || !distinct {
            return None;
        }
        let key = |name: &&str| {
            let mut key = Vec::new();
            write_string(&mut key, name);
            key.push(b':');
            key.into()
        };
        Some(Self { names: names.iter().map(|name| (*name).into()).collect(), keys: names.iter().map(key).collect() })
    }

    #[must_use]
    pub fn names(&self) -> &[Box<str>] {
        &self.names
    }

    /// Indexes of the columns in a `fields=id,name` selection, in its order, each once.
    ///
    /// # Errors
    /// [`Fault::InvalidParam`] naming the known columns when one is unknown.
    pub fn select(&self, fields: &str) -> Result<Vec<usize>, Fault> {
        let mut selected = Vec::with_capacity(self.names.len());
        for name in fields.split(',').map(str::trim) {
            let Some(index) = self.names.iter().position(|known| **known == *name) else {
                let need = format!("choose from {}", self.names.join(", "));
                return Err(Fault::InvalidParam { name: "fields".into(), need: need.into() });
            };
            if !selected.contains(&index) {
                selected.push(index);
            }
        }
        Ok(selected)
    }
}

impl Answer {
    /// Memory this answer holds, for a cache's budget. Columns are shared by all answers of a query and not counted.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + size_of::<Rendered>()
            + self.rendered.body.len()
            + self.rendered.etag.len()
            + size_of_val(&*self.shape.ends)
    }

    /// Appends the whole answer with only those columns of every row. Indexes come from [`Columns::select`] of this answer's
    /// own [`Answer::columns`]: a table may have grown columns since another answer.
    pub fn project(&self, fields: &[usize], out: &mut Vec<u8>) {
        let body = &self.rendered.body;
        let width = self.shape.columns.names.len();
        let mut at = self.shape.head_bytes as usize;
        out.reserve(body.len());
        out.extend_from_slice(&body[..at]);
        for (row, ends) in self.shape.ends.chunks_exact(width).enumerate() {
            if row > 0 {
                out.push(b',');
                at += 1;
            }
            out.push(b'{');
            for (place, field) in fields.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                let start = if *field == 0 { at } else { ends[field - 1] as usize };
                out.extend_from_slice(&body[start + 1..ends[*field] as usize]);
            }
            out.push(b'}');
            at = ends[width - 1] as usize + 1;
        }
        out.extend_from_slice(&body[at..]);
    }

    /// The answer with the columns of a `fields=id,name` selection only.
    ///
    /// # Errors
    /// [`Fault::InvalidParam`] naming the columns there are.
    pub fn select(&self, fields: &str) -> Result<Arc<Rendered>, Fault> {
        let mut body = Vec::new();
        self.project(&self.columns().select(fields)?, &mut body);
        Ok(Arc::new(Rendered::json(body)))
    }

    #[must_use]
    pub fn columns(&self) -> &Columns {
        &self.shape.columns
    }
}

impl RowsWriter {
    #[must_use]
    pub fn new(columns: Arc<Columns>, frame: Frame) -> Self {
        let mut out = Vec::with_capacity(512);
        out.extend_from_slice(ENVELOPE_OPEN);
        if frame != Frame::One {
            out.extend_from_slice(ITEMS_OPEN);
        }
        Self { columns, frame, head_bytes: out.len(), out, ends: Vec::new(), more: false }
    }

    /// Begins a row, or says that the frame is full; a page then notes that there is more.
    ///
    /// # Errors
    /// When the answer grew beyond [`bounds::ANSWER_BYTES_MAX`].
    pub fn begin_row(&mut self) -> Result<Room, AnswerTooLarge> {
        self.within_bounds()?;
        let rows = self.ends.len() / self.columns.keys.len();
        let rows_max = match self.frame {
            Frame::One => 1,
            Frame::Many { rows_max } => rows_max as usize,
            Frame::Paged { page_size, .. } => page_size as usize,
        };
        debug_assert_eq!(self.ends.len() % self.columns.keys.len(), 0, "the row before must be complete");
        if rows >= rows_max {
            self.more = true;
            return Ok(Room::Full);
        }
        self.out.extend_from_slice(if rows == 0 { b"{" } else { b",{" });
        Ok(Room::Row)
    }

    pub fn null(&mut self) {
        self.cell(|out| out.extend_from_slice(b"null"));
    }

    pub fn integer(&mut self, value: i64) {
        self.cell(|out| write_integer(out, value));
    }

    pub fn float(&mut self, value: f64) {
        self.cell(|out| write_float(out, value));
    }

    pub fn text(&mut self, value: &str) {
        self.cell(|out| write_string(out, value));
    }

    /// Bytes as standard base64 with padding.
    pub fn blob(&mut self, value: &[u8]) {
        self.cell(|out| {
            out.push(b'"');
            let start = out.len();
            out.resize(start + value.len().div_ceil(3) * 4, 0);
            // The slice has exactly the encoded length, so this cannot fail.
            let written = STANDARD.encode_slice(value, &mut out[start..]);
            debug_assert_eq!(written.ok(), Some(out.len() - start));
            out.push(b'"');
        });
    }

    /// A column of JSON text: embedded as it is when valid, as a string otherwise.
    pub fn json(&mut self, value: &str) {
        if serde_json::from_str::<serde::de::IgnoredAny>(value).is_ok() {
            self.cell(|out| out.extend_from_slice(value.trim().as_bytes()));
        } else {
            self.text(value);
        }
    }

    /// The answer; `None` when the frame is `One` and no row came.
    ///
    /// # Errors
    /// As [`RowsWriter::begin_row`].
    pub fn finish(mut self) -> Result<Option<Answer>, AnswerTooLarge> {
        if self.frame == Frame::One && self.ends.is_empty() {
            return Ok(None);
        }
        self.within_bounds()?;
        self.close_frame();
        self.out.extend_from_slice(ENVELOPE_CLOSE);
        let rendered = Arc::new(Rendered::json(self.out));
        let shape =
            Shape { columns: self.columns, head_bytes: self.head_bytes as u32, ends: self.ends.into_boxed_slice() };
        Ok(Some(Answer { rendered, shape }))
    }

    fn within_bounds(&self) -> Result<(), AnswerTooLarge> {
        if self.out.len() > bounds::ANSWER_BYTES_MAX { Err(AnswerTooLarge) } else { Ok(()) }
    }

    fn close_frame(&mut self) {
        match self.frame {
            Frame::One => {}
            Frame::Many { .. } => self.out.extend_from_slice(b"]}"),
            Frame::Paged { page, page_size } => {
                self.out.extend_from_slice(br#"],"page":"#);
                write_integer(&mut self.out, page.into());
                self.out.extend_from_slice(br#","page_size":"#);
                write_integer(&mut self.out, page_size.into());
                self.out.extend_from_slice(if self.more { br#","has_more":true}"# } else { br#","has_more":false}"# });
            }
        }
    }

    fn cell(&mut self, value: impl FnOnce(&mut Vec<u8>)) {
        let width = self.columns.keys.len();
        let column = self.ends.len() % width;
        if column > 0 {
            self.out.push(b',');
        }
        self.out.extend_from_slice(&self.columns.keys[column]);
        value(&mut self.out);
        // An end beyond u32 lies beyond ANSWER_BYTES_MAX too, and such an answer is never finished.
        self.ends.push(u32::try_from(self.out.len()).unwrap_or(u32::MAX));
        if column + 1 == width {
            self.out.push(b'}');
        }
    }
}

/// What [`RowsWriter::begin_row`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    Row,
    Full,
}

/// The answer grew beyond [`bounds::ANSWER_BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerTooLarge;

#[cfg(test)]
mod tests;
