//! The bounded sets that outcomes are sorted into: statuses and fault codes. Whatever is in no set is counted as `other`.
//! Never here: a label that a client can choose.

/// Statuses that are counted one by one: all that faults have, and those of successful answers.
pub const STATUSES: [u16; 29] = [
    101, 200, 201, 202, 204, 206, 301, 302, 304, 308, 400, 401, 403, 404, 405, 408, 409, 413, 414, 415, 417, 429, 431,
    500, 501, 502, 503, 504, 505,
];

/// Classes of the statuses that are not in [`STATUSES`]; the last takes what is no status at all.
pub const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "none"];

/// Counters that a row of statuses needs.
pub const STATUS_CELLS: usize = STATUSES.len() + CLASSES.len();

/// Codes of `Fault::verdict`, ascending.
pub const FAULT_CODES: [u32; 38] = [
    40000, 40001, 40002, 40003, 40100, 40101, 40102, 40103, 40104, 40105, 40110, 40301, 40302, 40400, 40401, 40500,
    40800, 40801, 40900, 40901, 41300, 41400, 41500, 41501, 41700, 42900, 42901, 43100, 43101, 50000, 50100, 50101,
    50200, 50300, 50301, 50303, 50400, 50500,
];

/// Counters that faults need; the last counts codes that are not in the list.
pub const FAULT_CELLS: usize = FAULT_CODES.len() + 1;

/// Cell of a status, below [`STATUS_CELLS`].
#[inline]
#[must_use]
pub fn status_cell(status: u16) -> usize {
    match STATUS_TABLE.get(usize::from(status)) {
        Some(&cell) => usize::from(cell),
        None => STATUS_CELLS - 1,
    }
}

/// Class and status as labels.
#[must_use]
pub fn status_labels(cell: usize) -> (&'static str, Option<u16>) {
    match STATUSES.get(cell) {
        Some(&status) => (CLASSES[class_of(status)], Some(status)),
        None => (CLASSES[cell - STATUSES.len()], None),
    }
}

/// Cell of a fault's code, below [`FAULT_CELLS`].
#[must_use]
pub fn fault_cell(code: u32) -> usize {
    FAULT_CODES.binary_search(&code).unwrap_or(FAULT_CODES.len())
}

/// Cell by status, so that a request pays one load.
static STATUS_TABLE: [u8; 600] = status_table();

const fn status_table() -> [u8; 600] {
    let mut table = [0; 600];
    let mut status = 0;
    while status < table.len() {
        table[status] = (STATUSES.len() + class_of(status as u16)) as u8;
        status += 1;
    }
    let mut cell = 0;
    while cell < STATUSES.len() {
        table[STATUSES[cell] as usize] = cell as u8;
        cell += 1;
    }
    table
}

const fn class_of(status: u16) -> usize {
    match status {
        100..=599 => status as usize / 100 - 1,
        _ => CLASSES.len() - 1,
    }
}
