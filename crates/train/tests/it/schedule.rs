//! Schedules against values worked out by hand, and their ranges.

use proptest::prelude::*;
use train::{Progress, Rise, Schedule, WarmUp};

fn from_toml(text: &str) -> Schedule {
    toml::from_str(text).unwrap()
}

fn check(text: &str, steps: u64, expected: &[(u64, f64)]) {
    let schedule = from_toml(text);
    assert_eq!(schedule.faults(), []);
    for &(step, value) in expected {
        let found = schedule.at(Progress { step, steps });
        let error = (found - value).abs() / value.abs().max(1e-12);
        assert!(error < 1e-12, "{text} at {step}/{steps}: {found}, not {value}");
    }
    let again: Schedule = toml::from_str(&toml::to_string(&schedule).unwrap()).unwrap();
    assert_eq!(again, schedule);
}

#[test]
fn values_by_hand() {
    check("kind = 'constant'\nvalue = 3", 10, &[(0, 3.0), (10, 3.0)]);
    check("kind = 'constant'\nvalue = 3\nwarmup = 4", 10, &[(0, 0.0), (1, 0.75), (4, 3.0)]);
    check("kind = 'linear'\nfrom = 1\nto = 0", 10, &[(0, 1.0), (3, 0.7), (10, 0.0)]);
    // cos(7π/16) = 0.19509032201612825, cos(7π/32) = 0.773010453362737.
    let fixmatch = "kind = 'cosine'\nfrom = 0.03";
    let end = 0.03 * 0.195_090_322_016_128_25;
    check(fixmatch, 1 << 20, &[(0, 0.03), (1 << 19, 0.03 * 0.773_010_453_362_737), (1 << 20, end)]);
    // UDA: 20k steps of warm-up to 0.03, then half a cosine to 0.004 of it.
    let uda = "kind = 'half-cosine'\nfrom = 0.03\nto = 0.00012\nwarmup = 20000";
    let middle = (0.03 + 0.00012) / 2.0;
    check(uda, 400_000, &[(10_000, 0.015), (20_000, 0.03), (210_000, middle), (400_000, 0.00012)]);
    // The decay begins after 60 of 100 steps.
    let held = "kind = 'warmup-stable-decay'\nfrom = 0.2\nto = 0.1\nwarmup = 10\nuntil = 0.6";
    check(held, 100, &[(5, 0.1), (10, 0.2), (60, 0.2), (80, 0.15), (100, 0.1)]);
}

/// ELECTRA's warm-up multiplies the decay, UDA's stands in its stead.
#[test]
fn decays_that_begin_with_the_warm_up() {
    let text =
        |rule| format!("kind = 'decay-from-start'\nfrom = 5e-4\nwarmup = 10000\nrule = '{rule}'");
    let electra = [(0, 0.0), (5000, 2.4875e-4), (10_000, 4.95e-4), (1_000_000, 0.0)];
    check(&text("times"), 1_000_000, &electra);
    let uda = [(0, 0.0), (5000, 2.5e-4), (9_999, 4.9995e-4), (10_000, 4.95e-4), (1_000_000, 0.0)];
    check(&text("instead"), 1_000_000, &uda);
    check(
        "kind = 'decay-from-start'\nfrom = 2\nrule = 'times'",
        4,
        &[(0, 2.0), (1, 1.5), (4, 0.0)],
    );
}

/// Meena's learning rate, and the Transformer's: 2 · 512^(−1/2) · min(1, s/w) / √max(s, w).
#[test]
fn inverse_roots() {
    let meena = "kind = 'rsqrt-decay'\nscale = 1\nwarmup = 10000\nrule = 'flat'";
    let values = [(0, 0.01), (10_000, 0.01), (40_000, 0.005), (1_000_000, 0.001)];
    check(meena, 1_000_000, &values);
    let scale = 2.0 / 512.0_f64.sqrt();
    let text = format!("kind = 'rsqrt-decay'\nscale = {scale}\nwarmup = 400\nrule = 'linear'");
    let values = [(0, 0.0), (100, scale / 80.0), (400, scale / 20.0), (1600, scale / 40.0)];
    check(&text, 2000, &values);
    let none = "kind = 'rsqrt-decay'\nscale = 2\nwarmup = 0\nrule = 'linear'";
    check(none, 100, &[(0, 2.0), (1, 2.0), (4, 1.0)]);
}

#[test]
fn staircases() {
    // EfficientNet at a batch of 2048: 0.128, times 0.97 every 2.4 epochs; here of 10 steps. Stairs
    // are counted from step 0.
    let text = "kind = 'exponential'\nfrom = 0.128\nrate = 0.97\nevery = 24\nwarmup = 50";
    let stairs = |n: i32| 0.128 * 0.97_f64.powi(n);
    check(text, 3500, &[(25, 0.064), (50, stairs(2)), (71, stairs(2)), (72, stairs(3))]);
    let part = "kind = 'exponential'\nfrom = 1\nrate = 0.5\nevery = 2.5";
    check(part, 10, &[(2, 1.0), (3, 0.5), (4, 0.5), (5, 0.25), (10, 0.0625)]);
    // Three stairs of one half lead from 0.8 to 0.1: one every 10 of the 30 steps after the
    // warm-up.
    let to = "kind = 'exponential-to'\nfrom = 0.8\nto = 0.1\nrate = 0.5\nwarmup = 6";
    check(to, 36, &[(3, 0.4), (6, 0.8), (9, 0.8), (11, 0.4), (21, 0.2), (31, 0.1), (36, 0.1)]);
}

#[test]
fn ramps() {
    let up = "kind = 'sigmoid-ramp-up'\nvalue = 20\nover = 0.4";
    let values =
        [(0, 20.0 * (-5.0_f64).exp()), (20, 20.0 * (-1.25_f64).exp()), (40, 20.0), (100, 20.0)];
    check(up, 100, &values);
    let straight = "kind = 'ramp-up'\nvalue = 8\nover = 0.4";
    check(straight, 100, &[(10, 2.0), (20, 4.0), (40, 8.0), (100, 8.0)]);
    let cosine = "kind = 'cosine-ramp-up'\nvalue = 8\nover = 0.5";
    check(cosine, 120, &[(20, 2.0), (30, 4.0), (40, 6.0), (60, 8.0), (90, 8.0)]);
    let down = "kind = 'sigmoid-ramp-down'\nvalue = 2\nover = 0.25";
    let values =
        [(0, 2.0), (750, 2.0), (875, 2.0 * (-3.125_f64).exp()), (1000, 2.0 * (-12.5_f64).exp())];
    check(down, 1000, &values);
    let late = "kind = 'delayed'\nvalue = 3\nuntil = 0.3";
    check(late, 10, &[(0, 0.0), (2, 0.0), (3, 3.0), (10, 3.0)]);
}

#[test]
fn cycles_repeat_the_end_of_the_first_fall() {
    let text = "kind = 'cyclic-cosine'\nfrom = 2\nlength = 0.5\nturn = 0.4\ncycle = 0.2";
    let fall = |t: f64| 1.0 + (std::f64::consts::PI * t / 0.5).cos();
    let values = [0, 100, 399, 400, 500, 599, 600, 999].map(|step| {
        let t = step as f64 / 1000.0;
        (step, fall(if step < 400 { t } else { 0.2 + (t - 0.4) % 0.2 }))
    });
    check(text, 1000, &values);
    let faulty = [
        ("length = 1\nturn = 0.1\ncycle = 0.2", "cycle"),
        ("length = 0.2\nturn = 0.6\ncycle = 0.1", "length"),
    ];
    for (fields, key) in faulty {
        let schedule = from_toml(&format!("kind = 'cyclic-cosine'\nfrom = 2\n{fields}"));
        assert!(schedule.faults()[0].key.contains(key));
    }
}

#[test]
fn a_warm_up_is_shortened() {
    for text in [
        "kind = 'constant'\nvalue = 1.0",
        "kind = 'linear'\nfrom = 1.0\nto = 0.0",
        "kind = 'decay-from-start'\nfrom = 1.0\nrule = 'times'",
        "kind = 'cosine'\nfrom = 1.0",
        "kind = 'half-cosine'\nfrom = 1.0\nto = 0.0",
        "kind = 'exponential'\nfrom = 1.0\nrate = 0.5\nevery = 10.0",
        "kind = 'exponential-to'\nfrom = 1.0\nto = 0.1\nrate = 0.5",
    ] {
        let with = |warmup: u64| from_toml(&format!("{text}\nwarmup = {warmup}"));
        assert_eq!(with(100).warmed_up_within(7), with(7), "{text}");
        assert_eq!(with(5).warmed_up_within(7), with(5), "{text}");
    }
    // Its warm-up is where it begins to fall.
    let inverse_root = from_toml("kind = 'rsqrt-decay'\nscale = 1\nwarmup = 100\nrule = 'flat'");
    assert_eq!(inverse_root.clone().warmed_up_within(7), inverse_root);
}

#[test]
fn a_fault_is_named() {
    let fault = |text: &str| from_toml(text).faults()[0].to_string();
    let message = fault("kind = 'exponential'\nfrom = 1\nrate = 1.5\nevery = 10");
    assert_eq!(message, "rate: 1.5 is not in (0, 1)");
    let message = fault("kind = 'exponential-to'\nfrom = 1\nto = 2\nrate = 0.5");
    assert_eq!(message, "to: 2 is not between 0 and `from`");
    let message = fault("kind = 'sigmoid-ramp-up'\nvalue = 1\nover = 0");
    assert_eq!(message, "over: 0 is not in (0, 1]");
    let message = fault("kind = 'delayed'\nvalue = 1\nuntil = 1.5");
    assert_eq!(message, "until: 1.5 is not in [0, 1]");
    let message = fault("kind = 'warmup-stable-decay'\nfrom = 1\nto = 0\nuntil = 1");
    assert_eq!(message, "until: 1 is not in [0, 1)");
    let message = fault("kind = 'linear'\nfrom = 1\nto = nan");
    assert_eq!(message, "to: NaN is not finite");
    let unknown = toml::from_str::<Schedule>("kind = 'linear'\nfrom = 1\nto = 2\nwarm = 3");
    assert!(unknown.unwrap_err().to_string().contains("warm"));
}

fn schedules() -> impl Strategy<Value = Schedule> {
    let (a, b) = (1e-4..10.0, 1e-4..1.0);
    let rate = 0.01..0.99;
    (a, b, rate, 0_u64..300, 0.01..=1.0, 0..15).prop_map(
        |(from, part, rate, warmup, over, kind)| {
            let to = from * part * 0.999;
            match kind {
                0 => Schedule::Constant { value: from, warmup },
                1 => Schedule::Linear { from, to, warmup },
                2 => Schedule::Cosine { from, warmup },
                3 => Schedule::HalfCosine { from, to, warmup },
                4 => Schedule::Exponential { from, rate, every: 1.0 + 100.0 * part, warmup },
                5 => Schedule::ExponentialTo { from, to, rate, warmup },
                6 => Schedule::SigmoidRampUp { value: from, over },
                7 => Schedule::RampUp { value: from, over },
                8 => Schedule::CosineRampUp { value: from, over },
                10 => {
                    let rule = if part < 0.5 { WarmUp::Times } else { WarmUp::Instead };
                    Schedule::DecayFromStart { from, warmup, rule }
                }
                11 => {
                    let rule = if part < 0.5 { Rise::Flat } else { Rise::Linear };
                    Schedule::RsqrtDecay { scale: from, warmup, rule }
                }
                12 => Schedule::Delayed { value: from, until: part },
                13 => Schedule::WarmupStableDecay { from, to, warmup, until: part * 0.999 },
                9 => Schedule::CyclicCosine {
                    from,
                    length: over + part,
                    turn: over,
                    cycle: part * over,
                },
                _ => Schedule::SigmoidRampDown { value: from, over },
            }
        },
    )
}

proptest! {
    #[test]
    fn never_outside_its_range(schedule in schedules(), steps in 0_u64..1000, step in 0_u64..1100) {
        assert_eq!(schedule.faults(), []);
        let top = match schedule {
            Schedule::Constant { value, .. }
            | Schedule::RampUp { value, .. }
            | Schedule::CosineRampUp { value, .. }
            | Schedule::SigmoidRampUp { value, .. }
            | Schedule::SigmoidRampDown { value, .. }
            | Schedule::Delayed { value, .. } => value,
            Schedule::Linear { from, .. }
            | Schedule::Cosine { from, .. }
            | Schedule::DecayFromStart { from, .. }
            | Schedule::HalfCosine { from, .. }
            | Schedule::WarmupStableDecay { from, .. }
            | Schedule::CyclicCosine { from, .. }
            | Schedule::Exponential { from, .. }
            | Schedule::ExponentialTo { from, .. }
            | Schedule::RsqrtDecay { scale: from, .. } => from,
        };
        let value = schedule.at(Progress { step, steps });
        prop_assert!(value >= 0.0 && value <= top * (1.0 + 1e-12), "{value}");
    }

    #[test]
    fn falls_after_the_warm_up(schedule in schedules(), steps in 1_u64..1000, step in 0_u64..1000) {
        let (warmup, falls) = match schedule {
            Schedule::Constant { warmup, .. }
            | Schedule::Linear { warmup, .. }
            | Schedule::Cosine { warmup, .. }
            | Schedule::HalfCosine { warmup, .. }
            | Schedule::WarmupStableDecay { warmup, .. }
            | Schedule::Exponential { warmup, .. }
            | Schedule::ExponentialTo { warmup, .. } => (warmup, true),
            Schedule::SigmoidRampDown { .. } => (0, true),
            Schedule::RsqrtDecay { warmup, rule: Rise::Linear, .. } => (warmup, true),
            Schedule::RsqrtDecay { .. } => (0, true),
            // Cycles begin anew; a product of a rise and a fall does either.
            Schedule::CyclicCosine { .. } | Schedule::DecayFromStart { .. } => return Ok(()),
            Schedule::RampUp { .. }
            | Schedule::CosineRampUp { .. }
            | Schedule::SigmoidRampUp { .. }
            | Schedule::Delayed { .. } => (0, false),
        };
        let at = |step| schedule.at(Progress { step, steps });
        let (now, next) = (at(step), at(step + 1));
        let rises = step < warmup || !falls;
        if step + 1 != warmup && step + 1 != steps {
            prop_assert!(if rises { next >= now } else { next <= now }, "{now} then {next}");
        }
    }
}
