//! Small objects beside a manifest, which is never rewritten: what was noted on a backup later.
//!
//! Of `a/shop.sql` and its manifest `a/shop.sql.dbstash.json`, `a/shop.sql.pin` is a pin. Its name says all: a listing
//! is enough to know it. Without its manifest it belongs to nobody.

use crate::manifest;

/// Somebody wants the backup to stay.
pub const PIN: &str = ".pin";
/// What a verification found.
pub const VERIFIED: &str = ".verified.json";
/// What sidecars' names end with.
pub const KINDS: [&str; 2] = [PIN, VERIFIED];

/// The name of the sidecar of this kind, beside this manifest.
pub fn name(manifest: &str, kind: &str) -> String {
    format!("{}{kind}", manifest.strip_suffix(manifest::SUFFIX).unwrap_or(manifest))
}

/// The manifests whose sidecar an object of this name would be.
pub fn manifests(object: &str) -> impl Iterator<Item = String> + '_ {
    KINDS.iter().filter_map(|kind| object.strip_suffix(kind)).map(manifest::name_for)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sidecar_is_known_by_its_name() {
        for object in ["shop.sql", "a/b/folder/", ".pin"] {
            let manifest = manifest::name_for(object);
            for kind in KINDS {
                let name = name(&manifest, kind);
                assert_eq!(name, format!("{}{kind}", object.trim_end_matches('/')));
                assert!(manifests(&name).eq([manifest.as_str()]));
            }
        }
        assert_eq!(manifests("shop.sql").count(), 0);
    }
}
