//! Chance, so that what failed or began together does not come again together.

/// From 0 to 1.
pub fn chance() -> f64 {
    let bytes = *uuid::Uuid::new_v4().as_bytes();
    f64::from(u16::from_le_bytes([bytes[0], bytes[1]])) / f64::from(u16::MAX)
}
