//! Rounds: everything once, then everything again.
//! Never here: two measurements of the same thing in a row. The machine changes while it is measured.

use std::io::Result;

use super::workbench::Workbench;

/// A name for the progress on standard error.
pub trait Named {
    fn name(&self) -> String;
}

/// Measures each entry once a round. The samples come back in the order of the entries.
pub fn interleaved<T: Named, S>(
    bench: &Workbench<'_>,
    title: &str,
    entries: &[T],
    mut measure: impl FnMut(&T) -> Result<S>,
) -> Result<Vec<Vec<S>>> {
    let mut samples: Vec<Vec<S>> = entries.iter().map(|_| Vec::new()).collect();
    for round in 1..=bench.args.rounds {
        for (samples, entry) in samples.iter_mut().zip(entries) {
            eprintln!("{title}: round {round} of {}, {}", bench.args.rounds, entry.name());
            samples.push(measure(entry)?);
        }
    }
    Ok(samples)
}
