//! Chance, so that what failed or began together does not come again together.

use std::time::Duration;

/// From 0 to 1.
pub fn chance() -> f64 {
    let bytes = *uuid::Uuid::new_v4().as_bytes();
    f64::from(u16::from_le_bytes([bytes[0], bytes[1]])) / f64::from(u16::MAX)
}

/// How long to wait before a further attempt, counted from 1: the first of `waits`, each later time twice as long, up to
/// the second; spread by `random` (0 to 1) from half of that to one and a half.
pub fn backoff(attempt: u32, waits: [Duration; 2], random: f64) -> Duration {
    let steps = 2_u32.saturating_pow(attempt.saturating_sub(1));
    waits[0].saturating_mul(steps).min(waits[1]).mul_f64(0.5 + random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_are_spread() {
        let waits = [Duration::from_secs(5), Duration::from_secs(300)];
        let millis = |attempt, random| backoff(attempt, waits, random).as_millis();
        assert_eq!([millis(1, 0.0), millis(1, 0.5), millis(1, 1.0)], [2500, 5000, 7500]);
        assert_eq!(
            [millis(2, 0.5), millis(7, 0.5), millis(u32::MAX, 0.5)],
            [10_000, 300_000, 300_000]
        );
    }
}
