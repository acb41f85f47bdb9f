//! The only place that asks the operating system for randomness; everyone else is given numbers.
//! Never here: a generator of our own.

/// Bytes that nobody can guess.
///
/// # Panics
/// The system has no randomness, in which case no secret of this process would be one.
#[must_use]
pub fn random<const LEN: usize>() -> [u8; LEN] {
    let mut bytes = [0; LEN];
    assert!(aws_lc_rs::rand::fill(&mut bytes).is_ok(), "the system has no randomness");
    bytes
}

#[must_use]
pub fn random_u64() -> u64 {
    u64::from_le_bytes(random())
}
