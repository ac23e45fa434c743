//! Medians and spreads.

/// The middle of some figures and their extremes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    /// The median.
    pub(crate) median: f64,
    /// The smallest.
    pub(crate) min: f64,
    /// The largest.
    pub(crate) max: f64,
}

impl Spread {
    /// Of at least one figure; `NaN` of none.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let half = sorted.len() / 2;
        let median = match sorted.len() {
            0 => f64::NAN,
            odd if odd % 2 == 1 => sorted[half],
            _ => f64::midpoint(sorted[half - 1], sorted[half]),
        };
        let min = sorted.first().copied().unwrap_or(f64::NAN);
        let max = sorted.last().copied().unwrap_or(f64::NAN);
        Self { median, min, max }
    }

    /// The ratios of figures taken in the same rounds: what slows a round down slows both.
    pub(crate) fn of_ratios(figures: &[f64], bases: &[f64]) -> Self {
        Self::of(figures.iter().zip(bases).map(|(figure, base)| figure / base))
    }

    /// For the kept figures.
    pub(crate) fn json(self) -> serde_json::Value {
        let short = |x: f64| (x * 1e4).round() / 1e4;
        serde_json::json!({
            "median": short(self.median), "min": short(self.min), "max": short(self.max),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_odd_and_even() {
        let odd = Spread::of([5.0, 1.0, 3.0]);
        assert_eq!(odd, Spread { median: 3.0, min: 1.0, max: 5.0 });
        let even = Spread::of([4.0, 1.0, 2.0, 9.0]);
        assert_eq!(even, Spread { median: 3.0, min: 1.0, max: 9.0 });
        assert!(Spread::of([]).median.is_nan());
    }

    #[test]
    fn a_slow_round_does_not_show_in_a_ratio() {
        let ratio = Spread::of_ratios(&[1.0, 10.0, 1.0], &[2.0, 20.0, 2.0]);
        assert_eq!(ratio, Spread { median: 0.5, min: 0.5, max: 0.5 });
    }
}
