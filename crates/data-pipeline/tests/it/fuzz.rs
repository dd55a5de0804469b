//! Damaged files and garbled policies: decoding, parsing, checking and applying never panic.
//!
//! The normal run tries a fixed number of cases. `TUTOR_FUZZ_SECONDS=600 cargo test --release -p
//! data-pipeline --test it fuzz` goes on for ten minutes with cases of its own. A panic names the
//! seed; `TUTOR_FUZZ_SEED` repeats it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use augment::image::Image;
use augment::named::NAMED;
use augment::policy::Policy;
use augment::rng::Rng;
use data_pipeline::picture::{Decode, Depth, png, probe};

use crate::pictures::{formats, plain};

/// Files to damage: those of the golden tests, and PNG files of our own.
fn files() -> Vec<Vec<u8>> {
    let mut files = vec![png(&Image::filled(9, 5, 3, 77)), png(&Image::filled(1, 1, 1, 0))];
    files.extend(plain().into_iter().chain(formats()).map(|(_, file)| file.to_vec()));
    files
}

/// Policies to garble: names, and every named policy as JSON.
fn texts() -> Vec<String> {
    let names = NAMED.iter().map(|named| format!("\"{}\"", named.name));
    let written = NAMED.iter().map(|named| serde_json::to_string(&named.policy()).expect("JSON"));
    let more = ["\"rand-m9-n3-mstd0.5-inc1\"", "\"r2_9_50\"", r#"[{"kind": "resize", "size": 7}]"#];
    names.chain(written).chain(more.map(str::to_owned)).collect()
}

/// Changes, cuts, repeats or joins some bytes.
fn damage(bytes: &mut Vec<u8>, rng: &mut Rng) {
    for _ in 0..rng.below(6) {
        if bytes.is_empty() {
            return;
        }
        let at = rng.below(bytes.len());
        match rng.below(6) {
            0 => bytes[at] ^= 1 << rng.below(8),
            1 => bytes[at] = rng.below(256) as u8,
            2 => bytes.truncate(at),
            3 => bytes.insert(at, b"0123456789.-e\"[]{},\xff\x00"[rng.below(21)]),
            4 => {
                let end = (at + rng.below(16)).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => {
                let end = (at + rng.below(16)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                let to = rng.below(bytes.len());
                bytes.splice(to..to, part);
            }
        }
    }
}

/// The outcome of one case.
#[derive(Default, Debug)]
struct Seen {
    cases: u64,
    decoded: u64,
    parsed: u64,
    applied: u64,
}

fn one(seed: u64, files: &[Vec<u8>], texts: &[String], seen: &mut Seen) {
    let mut rng = Rng::new(seed);
    let mut file = files[rng.below(files.len())].clone();
    if rng.chance(0.8) {
        damage(&mut file, &mut rng);
    }
    let decode = Decode {
        grey: rng.chance(0.3),
        orient: rng.chance(0.5),
        depth: [Depth::UpperByte, Depth::UsedBits, Depth::Range][rng.below(3)],
        at_least: rng.chance(0.3).then_some((5, 7)),
        max_pixels: 1 << 16,
        ..Decode::default()
    };
    let image = decode.bytes(&file);
    for fault in [image.as_ref().err(), probe(&file).err().as_ref()].into_iter().flatten() {
        assert!(!fault.contains("panicked"), "{fault}");
    }
    let mut text = texts[rng.below(texts.len())].clone().into_bytes();
    if rng.chance(0.8) {
        damage(&mut text, &mut rng);
    }
    let policy: Option<Policy> = serde_json::from_slice(&text).ok();
    let good = policy.filter(|policy| {
        let _ = policy.to_string();
        policy.check().is_ok()
    });
    seen.cases += 1;
    seen.decoded += u64::from(image.is_ok());
    seen.parsed += u64::from(good.is_some());
    if let (Ok(image), Some(policy)) = (image, good) {
        let written = serde_json::to_string(&policy).expect("JSON");
        assert_eq!(serde_json::from_str::<Policy>(&written).expect("what was written"), policy);
        // Sizes of up to 4096 are allowed, but not what this test is for.
        if !written.contains("\"size\":") || written.len() < 2000 && !has_large_size(&written) {
            let out = policy.apply(image, &mut rng);
            assert_eq!(out.pixels().len(), out.width() * out.height() * out.channels());
            seen.applied += 1;
        }
    }
}

fn has_large_size(written: &str) -> bool {
    written.split("\"size\":").skip(1).any(|rest| {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.len() > 3
    })
}

#[test]
fn fuzz() {
    let (files, texts) = (files(), texts());
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let mut seen = Seen::default();
    if let Some(seed) = number("TUTOR_FUZZ_SEED") {
        return one(seed, &files, &texts, &mut seen);
    }
    let limit = number("TUTOR_FUZZ_SECONDS").map(Duration::from_secs);
    let start = Instant::now();
    // Runs that go on longer begin elsewhere than the normal one.
    let first = if limit.is_some() { 1 << 32 } else { 0 };
    for seed in first.. {
        let over = match limit {
            Some(limit) => start.elapsed() > limit,
            None => seed >= 3000,
        };
        if over {
            break;
        }
        let attempt = catch_unwind(AssertUnwindSafe(|| one(seed, &files, &texts, &mut seen)));
        assert!(attempt.is_ok(), "TUTOR_FUZZ_SEED={seed} panics");
    }
    // Enough cases must get past each check, or the test would test little.
    assert!(seen.decoded * 4 > seen.cases && seen.parsed * 5 > seen.cases, "{seen:?}");
    assert!(seen.applied * 20 > seen.cases, "{seen:?}");
    if limit.is_some() {
        std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{seen:?}\n"))
            .expect("said");
    }
}
