//! Whatever rclone, or what stands on PATH in its place, answers.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::features::{Config, Report, Version, storage, without_path};
use super::{Item, lines, log, parse};
use crate::remote::ObjectSize;

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        let key = prop::sample::select(vec![
            "Path",
            "Size",
            "IsDir",
            "Name",
            "Features",
            "PutStream",
            "type",
            "x",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(key, inner, 0..6).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    #[test]
    fn any_answer_is_read_or_refused(answer in any_json(), cut in 0_usize..200) {
        let text = answer.to_string();
        let cut = text.char_indices().map(|(at, _)| at).nth(cut).unwrap_or(text.len());
        for text in [&text, &text[..cut]] {
            let _ = parse::<Vec<Item>>(text.as_bytes(), "lsjson");
            let _ = parse::<Item>(text.as_bytes(), "lsjson");
            let _ = parse::<Report>(text.as_bytes(), "backend features");
            let _ = parse::<Config>(text.as_bytes(), "config dump");
        }
    }

    #[test]
    fn a_listing_is_read_as_it_is(path in "\\PC{1,30}|[\\x00-\\x7f]{1,10}", size in any::<i64>(), is_dir in any::<bool>()) {
        let item = json!([{ "Path": path, "Name": "x", "Size": size, "IsDir": is_dir, "Tier": "unheard of" }]);
        let items: Vec<Item> = parse(item.to_string().as_bytes(), "lsjson").unwrap();
        prop_assert_eq!(&items[0].path, &path);
        let expected = u64::try_from(size).map_or(ObjectSize::Unknown, ObjectSize::Known);
        prop_assert_eq!(items[0].size(), expected);
    }

    #[test]
    fn names_go_one_to_a_line_or_not_at_all(names in prop::collection::vec("\\PC{0,8}|[\\x00-\\x7f]{0,8}", 1..6)) {
        match lines(&names) {
            Ok(text) => prop_assert_eq!(text.lines().collect::<Vec<_>>(), names),
            Err(_) => prop_assert!(names.iter().any(|name| name.is_empty() || name.contains(['\n', '\r']))),
        }
    }

    #[test]
    fn any_log_is_a_short_cause_on_one_line(
        lines in prop::collection::vec(
            prop_oneof![
                "\\PC{0,60}",
                any_json().prop_map(|json| json.to_string()),
                ("(error|critical|info|warning)", "\\PC{0,2000}|[\\x00-\\x7f]{0,200}").prop_map(|(level, msg)| json!({ "level": level, "msg": msg }).to_string()),
                "\\PC{0,10}(Fatal error: |Failed to |last error was: )\\PC{0,900}",
            ],
            0..6,
        ),
    ) {
        let stderr = lines.join("\n");
        if let Some(cause) = log::cause(&stderr) {
            prop_assert!(!cause.is_empty() && cause.chars().count() < 800, "{}", cause.chars().count());
            prop_assert!(!cause.contains(['\n', '\r']), "{cause:?}");
        }
        prop_assert!(log::readable(&stderr).len() <= stderr.len());
    }

    #[test]
    fn any_version_is_read_or_refused(text in "(rclone v)?[0-9.]{0,12}\\PC{0,12}") {
        if let Some(version) = Version::parse(&text) {
            let _ = version.check();
        }
    }

    #[test]
    fn any_root_has_a_storage_or_none(root in "[a-z:,='\"/.-]{0,24}|\\PC{0,16}", config in any_json()) {
        prop_assert!(root.starts_with(without_path(&root)));
        let config: Config = serde_json::from_value(config).unwrap_or_default();
        let _ = storage(&root, &config, &[]);
    }
}
