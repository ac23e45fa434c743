//! What holds for any backups and any policy.

use proptest::prelude::*;

use super::*;

fn any_backups() -> impl Strategy<Value = Vec<Backup>> {
    let one = (
        prop::sample::select(vec!["redis-1", "redis-10", "redis"]),
        prop::sample::select(vec!["a", "a", "b"]),
        prop_oneof![-50_i64..100, -50_i64..30_000],
        prop::bool::weighted(0.1),
        // Of sizes and hosts that hold are made.
        prop::sample::select(vec![10_u64, 10, 10, 10, 10, 1]),
        prop::bool::weighted(0.01),
        prop::bool::weighted(0.15),
    );
    prop::collection::vec(one, 0..40).prop_map(|all| {
        let make = |(n, (job, database, hours, pinned, size, moved, corrupt))| {
            let mut backup = backup(job, database, hours, n);
            backup.manifest.objects[0].raw_bytes = size;
            if pinned {
                pin(&mut backup);
            }
            if moved {
                backup.manifest.host = "elsewhere".into();
            }
            if corrupt {
                spoil(&mut backup);
            }
            backup
        };
        all.into_iter().enumerate().map(make).collect()
    })
}

fn any_keep() -> impl Strategy<Value = Keep> {
    let count = || prop_oneof![3 => Just(0), 2 => 1_usize..8];
    let duration = prop::option::weighted(0.2, (1_i64..400).prop_map(TimeDelta::hours));
    (count(), duration, count(), count(), count(), count(), count()).prop_map(
        |(last, duration, hourly, daily, weekly, monthly, yearly)| Keep {
            last,
            duration,
            hourly,
            daily,
            weekly,
            monthly,
            yearly,
        },
    )
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let zones =
        ["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu"];
    let keep = prop_oneof![Just(Keep::default()), any_keep()];
    let (files, hours) = (prop::option::of(1_usize..20), prop::option::of(0_i64..400));
    (files, hours, 1_usize..6, keep, prop::sample::select(zones.to_vec())).prop_map(
        |(files, hours, least, keep, name)| Policy {
            keep,
            zone: zone(name),
            ..policy(files, hours, least)
        },
    )
}

fn deleted(backups: &[Backup], policy: &Policy) -> Vec<Backup> {
    gone(backups, policy).into_iter().map(|i| backups[i].clone()).collect()
}

fn is_ours(backup: &Backup) -> bool {
    backup.manifest.job == job() && backup.manifest.database == "a"
}

fn least<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
    a.into_iter().chain(b).min()
}

fn lesser(a: Keep, b: Keep) -> Keep {
    Keep {
        last: a.last.min(b.last),
        duration: a.duration.and_then(|a| b.duration.map(|b| a.min(b))),
        hourly: a.hourly.min(b.hourly),
        daily: a.daily.min(b.daily),
        weekly: a.weekly.min(b.weekly),
        monthly: a.monthly.min(b.monthly),
        yearly: a.yearly.min(b.yearly),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn never_foreign_never_pinned_never_the_newest_never_below_the_minimum(
        backups in any_backups(), policy in any_policy(),
    ) {
        let gone = deleted(&backups, &policy);
        prop_assert!(gone.iter().all(|b| is_ours(b) && !b.notes.pinned && b.manifest.started <= now()));
        let ours: Vec<_> =
            backups.iter().filter(|b| is_ours(b) && b.manifest.started <= now()).collect();
        let good: Vec<_> = ours.iter().filter(|b| !b.is_corrupt()).collect();
        let gone_good = gone.iter().filter(|b| !b.is_corrupt()).count();
        prop_assert!(good.len() - gone_good >= policy.min_files.min(good.len()));
        if let Some(newest) = ours.iter().max_by_key(|b| (b.manifest.started, &b.manifest.id)) {
            prop_assert!(!gone.contains(newest));
        }
        if let Some(newest) = good.iter().max_by_key(|b| (b.manifest.started, &b.manifest.id)) {
            prop_assert!(!gone.contains(newest));
        }
        if policy.keeps_everything() {
            prop_assert!(gone.is_empty());
        }
    }

    #[test]
    fn without_a_doubt_no_more_stay_than_the_limits_say(
        mut backups in any_backups(), policy in any_policy(),
    ) {
        let policy = Policy { hold_below: 0, keep: Keep::default(), ..policy };
        for backup in &mut backups {
            backup.notes = Notes::default();
            backup.manifest.host = "box".into();
        }
        let left = backups.iter().filter(|b| is_ours(b) && b.manifest.started <= now()).count()
            - deleted(&backups, &policy).len();
        if let Some(max) = policy.max_files {
            prop_assert!(left <= max.max(policy.min_files));
        }
    }

    #[test]
    fn what_is_corrupt_pushes_no_good_one_out_and_keeps_none(
        mut backups in any_backups(), policy in any_policy(),
    ) {
        for backup in &mut backups {
            backup.manifest.host = "box".into();
        }
        let all = deleted(&backups, &policy);
        let good: Vec<_> = backups.iter().filter(|b| !b.is_corrupt()).cloned().collect();
        let spared: Vec<_> = all.iter().filter(|b| !b.is_corrupt()).cloned().collect();
        prop_assert_eq!(spared, deleted(&good, &policy));
        // Each by itself: how many others are corrupt does not matter either.
        for bad in backups.iter().filter(|b| b.is_corrupt()) {
            let alone: Vec<_> = good.iter().chain([bad]).cloned().collect();
            prop_assert_eq!(all.contains(bad), deleted(&alone, &policy).contains(bad));
        }
    }

    #[test]
    fn what_is_not_ours_changes_nothing(backups in any_backups(), policy in any_policy()) {
        let all = deleted(&backups, &policy);
        let ours: Vec<_> = backups.into_iter().filter(is_ours).collect();
        prop_assert_eq!(all, deleted(&ours, &policy));
    }

    #[test]
    fn a_second_pass_deletes_nothing_more(backups in any_backups(), policy in any_policy()) {
        let gone = deleted(&backups, &policy);
        let left: Vec<_> = backups.into_iter().filter(|b| !gone.contains(b)).collect();
        prop_assert!(deleted(&left, &policy).is_empty());
    }

    #[test]
    fn the_order_of_a_listing_does_not_matter(
        (backups, other) in any_backups().prop_flat_map(|b| (Just(b.clone()), Just(b).prop_shuffle())),
        policy in any_policy(),
    ) {
        let names = |backups: &[Backup]| {
            let mut names: Vec<_> =
                deleted(backups, &policy).into_iter().map(|b| b.manifest_name).collect();
            names.sort();
            names
        };
        prop_assert_eq!(names(&backups), names(&other));
    }

    #[test]
    fn tighter_limits_delete_no_less(
        backups in any_backups(), a in any_policy(), b in any_policy(), limited in any::<bool>(),
    ) {
        // That there are limits at all is another question: without one, what no rule keeps goes.
        let a = Policy { max_files: if limited { a.max_files.or(Some(10)) } else { None }, max_age: a.max_age.filter(|_| limited), ..a };
        let b = Policy { max_files: if limited { b.max_files } else { None }, max_age: b.max_age.filter(|_| limited), ..b };
        let tighter = Policy {
            max_files: least(a.max_files, b.max_files),
            max_age: least(a.max_age, b.max_age),
            min_files: a.min_files.min(b.min_files),
            keep: lesser(a.keep, b.keep),
            ..a
        };
        prop_assume!(limited || a.keeps_everything() || !tighter.keeps_everything());
        let most = deleted(&backups, &tighter);
        prop_assert!(deleted(&backups, &a).iter().all(|b| most.contains(b)));
    }

    #[test]
    fn one_more_pin_deletes_no_more(backups in any_backups(), policy in any_policy(), which in 0_usize..40) {
        let before = gone(&backups, &policy);
        let mut pinned = backups.clone();
        if let Some(one) = pinned.get_mut(which) {
            pin(one);
        }
        let after = gone(&pinned, &policy);
        prop_assert!(after.iter().all(|i| before.contains(i) && *i != which));
    }

    #[test]
    fn a_doubt_deletes_nothing(mut backups in any_backups(), policy in any_policy(), turns in any::<bool>()) {
        // All that count, the newest first.
        backups.retain(|b| is_ours(b) && b.manifest.started <= now());
        prop_assume!(backups.len() > 2);
        backups.sort_by_key(|b| std::cmp::Reverse((b.manifest.started, b.manifest.id.clone())));
        for (n, backup) in backups.iter_mut().enumerate() {
            backup.manifest.objects[0].raw_bytes = if n == 0 && !turns { 4 } else { 10 };
            backup.manifest.host = if turns && n == 1 { "b".into() } else { "a".into() };
            backup.notes.verified.clear();
        }
        prop_assert!(gone(&backups, &policy).is_empty());
    }

    #[test]
    fn a_clock_that_jumps_ahead_and_back_spares_what_was_newest(
        backups in any_backups(), policy in any_policy(), jump in 1_i64..10_000,
    ) {
        // Made while the clock was ahead, and looked at when it is right again.
        let mut odd = backups.clone();
        let mut ahead = backup("redis-1", "a", -jump, 99);
        ahead.manifest.objects[0].raw_bytes = 10;
        odd.push(ahead);
        let (before, after) = (gone(&backups, &policy), gone(&odd, &policy));
        prop_assert!(after.iter().all(|i| before.contains(i)));
        prop_assert!(!after.contains(&backups.len()));
    }
}
