//! What is said of an object that no backup has made.

use dbstash_core::engine::Passed;
use dbstash_core::manifest::Object;
use dbstash_core::tally::Counts;

/// A stored dump of a format, as far as a check of its structure looks at it.
pub(crate) fn object(format: &str) -> Object {
    Object {
        name: "x".into(),
        files: None,
        names: None,
        format: format.into(),
        bytes: 0,
        raw_bytes: 0,
        sha256: String::new(),
        encodings: Vec::new(),
        passed: Passed::by("footer"),
        counts: Counts::Untold,
    }
}
