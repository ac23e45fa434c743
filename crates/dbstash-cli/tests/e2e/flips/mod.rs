//! Each byte of a small backup of every engine and format is changed in turn. At level `bytes` every change is found; at
//! level `structure`, with sums that are those of the changed bytes, as many as the format can show: the shares are
//! told, and may not shrink.

mod cases;
mod store;

use dbstash_core::verify::{Level, Verdict};
use dbstash_testkit::{Dbstash, TestRemote};

use self::store::Stored;
pub use self::store::sha256;
use crate::scene::PATIENCE;

/// How one backup is made, and the least shares of changes that its structure shows, in hundredths: of those of one
/// bit, and of those of a whole byte.
struct Case {
    name: &'static str,
    settings: Vec<(&'static str, &'static str)>,
    least: (usize, usize),
    /// At most so many bytes are changed at level structure.
    most: usize,
    /// What is stored beside the dump is changed, and not the dump.
    beside: bool,
}

const MOST: usize = 180;
/// At level bytes all of them are, of a small backup.
const MOST_BYTES: usize = 2200;

impl Case {
    fn new(
        name: &'static str,
        settings: &[(&'static str, &'static str)],
        least: (usize, usize),
    ) -> Self {
        Self { name, settings: settings.to_vec(), least, most: MOST, beside: false }
    }
}

/// Makes the backup, and changes it.
#[track_caller]
fn flips(run: &Dbstash, remote: &TestRemote, case: &Case) {
    let run = run.clone().envs(case.settings.iter().copied());
    run.run(PATIENCE).expect_code(0);
    let stored = Stored::of(remote);
    remote.names().iter().for_each(|name| remote.delete(name));
    let name = format!("{} ({})", case.name, stored.kind());
    for level in [Level::Bytes, Level::Structure] {
        let verdict = stored.verdict(level);
        assert!(matches!(&verdict, Verdict::Good { level: l, .. } if *l == level), "{verdict:?}");
    }
    let files = stored.files(case.beside);
    let size: usize = files.iter().map(|file| stored.bytes(file).len()).sum();
    let (step, step_bytes) = (size.div_ceil(case.most), size.div_ceil(MOST_BYTES));
    let (mut tried, mut found, mut all) = ([0_usize; 2], [0_usize; 2], 0_usize);
    let mut position = 0;
    for file in &files {
        let good = stored.bytes(file);
        for at in 0..good.len() {
            position += 1;
            let with = |mask: u8| {
                let mut bad = good.to_vec();
                bad[at] ^= mask;
                bad
            };
            if position % step_bytes == 0 {
                all += 1;
                let mask = if position % 2 == 0 { 0xff } else { 1 << (at % 8) };
                let verdict = stored.changed(file, with(mask));
                assert!(matches!(verdict, Verdict::Corrupt(_)), "{name}: {file} {at}: {verdict:?}");
            }
            if position % step == 0 {
                // As if by chance, and the same every time.
                let bit = (at.wrapping_mul(0x9e37_79b9) >> 7) & 7;
                for (n, mask) in [1 << bit, 0xff].into_iter().enumerate() {
                    tried[n] += 1;
                    match stored.forged(file, with(mask)) {
                        Verdict::Corrupt(_) => found[n] += 1,
                        Verdict::Good { .. } => {}
                        verdict => panic!("{name}: {file} {at}: {verdict:?}"),
                    }
                }
            }
        }
    }
    let share = [0, 1].map(|n| found[n] * 100 / tried[n].max(1));
    eprintln!(
        "{name:<55} {size:>6} bytes | bytes: {all:>5} of {all:>5} | structure: one bit {:>3} %, a byte {:>3} %",
        share[0], share[1]
    );
    assert!(share[0] >= case.least.0 && share[1] >= case.least.1, "{name}: {share:?}");
}
