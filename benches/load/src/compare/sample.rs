//! One measurement of a server, and the median of several.
//! Never here: means. One disturbed round would move them.

use std::io::Result;

use super::server::Server;
use crate::load::report::Report;
use crate::sys::procfs::{cpu_time, resident_kib};

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// User and system time of the server for each response, connections and all.
    pub cpu_us: f64,
    pub rps: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    pub p999_us: f64,
    /// At the end of the run.
    pub resident_mib: f64,
    /// What was not answered with 2xx.
    pub failures: f64,
}

/// Runs the generator and divides what the server has used meanwhile by what it has answered.
pub fn measure(server: &Server, generate: impl FnOnce() -> Result<Report>) -> Result<Sample> {
    let before = cpu_time(server.pid())?;
    let report = generate()?;
    let used = cpu_time(server.pid())?.saturating_sub(before);
    Ok(Sample {
        cpu_us: used.as_secs_f64() * 1e6 / report.responses.max(1) as f64,
        rps: report.rps,
        p50_us: report.p50_us,
        p99_us: report.p99_us,
        p999_us: report.p999_us,
        resident_mib: resident_kib(server.pid())? as f64 / 1024.0,
        failures: report.failures() as f64,
    })
}

/// The median of each figure by itself.
pub fn median(samples: &[Sample]) -> Sample {
    let of = |figure: fn(&Sample) -> f64| median_of(samples.iter().map(figure).collect());
    Sample {
        cpu_us: of(|sample| sample.cpu_us),
        rps: of(|sample| sample.rps),
        p50_us: of(|sample| sample.p50_us),
        p99_us: of(|sample| sample.p99_us),
        p999_us: of(|sample| sample.p999_us),
        resident_mib: of(|sample| sample.resident_mib),
        // Not a median: a single failed request in any round is to be seen.
        failures: samples.iter().map(|sample| sample.failures).sum(),
    }
}

/// The middle value, or the mean of the two in the middle. `values` must not be empty.
pub fn median_of(mut values: Vec<f64>) -> f64 {
    assert!(!values.is_empty(), "there is at least one round");
    values.sort_by(f64::total_cmp);
    let upper = values.len() / 2;
    let lower = (values.len() - 1) / 2;
    f64::midpoint(values[lower], values[upper])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(median_of(vec![7.0]), 7.0);
        assert_eq!(median_of(vec![9.0, 1.0]), 5.0);
        assert_eq!(median_of(vec![100.0, 1.0, 2.0]), 2.0);
    }

    #[test]
    fn figures_have_their_own_medians_and_failures_add_up() {
        let sample = |cpu_us, rps, failures| Sample { cpu_us, rps, failures, ..Sample::default() };
        let median = median(&[sample(1.0, 30.0, 0.0), sample(2.0, 10.0, 4.0), sample(3.0, 20.0, 0.0)]);
        assert_eq!((median.cpu_us, median.rps, median.failures), (2.0, 20.0, 4.0));
    }
}
