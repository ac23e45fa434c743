use std::collections::BTreeSet;

use super::*;

#[test]
fn names_are_unique_and_the_groups_stand_together() {
    let names: BTreeSet<_> = variables().collect();
    assert_eq!(names.len(), variables().count());
    let mut groups: Vec<_> = ALL.iter().map(|s| s.group).collect();
    groups.dedup();
    assert_eq!(groups, Group::ALL);
}

#[test]
fn docs_are_sentences() {
    for setting in ALL {
        let doc = setting.doc();
        assert!(doc.ends_with('.') && !doc.contains("  "), "{}: {doc}", setting.name);
    }
}

#[test]
fn a_default_among_words_is_one_of_them() {
    for setting in ALL {
        if let (OneOf(words), Is(default)) = (setting.kind, setting.default) {
            assert!(words.contains(&default), "{}", setting.name);
        }
    }
}
