//! Policies by name, AutoAugment's tables, CTAugment's draws, distributions.

use std::collections::BTreeMap;

use augment::augmix::AugMix;
use augment::autoaugment::{AutoAugment, Table};
use augment::ctaugment::{CtAugment, CtOp, Rates, Shift};
use augment::distribution::{beta, dirichlet, gamma};
use augment::image::Image;
use augment::levels::Variant;
use augment::named::NAMED;
use augment::op::{Op, OpName};
use augment::policy::{Policy, Step};
use augment::randaugment::{Draw, RandAugment};
use augment::rng::Rng;
use proptest::prelude::*;

use crate::picture::picture;

#[test]
fn every_name_is_a_policy_that_passes_prints_and_comes_back() {
    for named in NAMED {
        let policy = named.policy();
        policy.check().unwrap_or_else(|error| panic!("{}: {error}", named.name));
        assert_eq!(named.name.parse(), Ok(policy.clone()));
        let from_name: Policy = serde_json::from_str(&format!("\"{}\"", named.name)).unwrap();
        let written = serde_json::to_string(&policy).unwrap();
        assert_eq!(from_name, policy);
        assert_eq!(serde_json::from_str::<Policy>(&written).unwrap(), policy, "{written}");
        assert!(!policy.to_string().is_empty());
        let out = policy.apply(picture(32, 32, 3, 5), &mut Rng::new(1));
        assert!(named.name == "weak-imagenet" || (out.width(), out.height()) == (32, 32));
    }
}

/// What the released code does to SVHN alone: a view is cropped and never flipped, and holes have
/// SVHN's mean colour.
#[test]
fn views_of_svhn_are_not_flipped_and_have_its_colour() {
    // Brighter to the right.
    let pixels = (0..32 * 32).flat_map(|at| [8 * (at % 32) as u8; 3]).collect();
    let image = Image::new(32, 32, 3, pixels);
    let outs = |name: &str| {
        let policy: Policy = name.parse().unwrap();
        (0..200).map(|seed| policy.apply(image.clone(), &mut Rng::new(seed))).collect::<Vec<_>>()
    };
    // The middle of a row, which no mirrored border reaches.
    let is_flipped =
        |out: &&Image| out.pixels()[3 * (16 * 32 + 12)] > out.pixels()[3 * (16 * 32 + 20)];
    assert_eq!(outs("weak-svhn").iter().filter(is_flipped).count(), 0);
    assert!((60..140).contains(&outs("weak-cifar10").iter().filter(is_flipped).count()));
    let first = &outs("weak-svhn")[0];
    assert!(outs("weak-svhn").iter().any(|out| out != first), "crops are drawn");
    for (name, colour) in [("uda-svhn", [112, 113, 121]), ("uda", [125, 122, 113])] {
        for out in outs(name) {
            assert!(out.pixels().chunks_exact(3).any(|pixel| pixel == colour), "{name}: no hole");
        }
    }
}

fn timm(name: &str) -> RandAugment {
    match &name.parse::<Policy>().unwrap().0[..] {
        [Step::RandAugment(step)] => step.clone(),
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn timms_names_mean_what_they_mean_there() {
    let base = RandAugment::of(Variant::Timm);
    let nine = RandAugment { magnitude: 9.0, ops: 3, ..base.clone() };
    assert_eq!(timm("rand-m9-n3"), nine);
    let noisy = RandAugment { magnitude_std: 0.5, weakening: false, ops: 2, ..nine };
    assert_eq!(timm("rand-m9-mstd0.5-inc1"), noisy);
    assert_eq!(
        noisy.to_string(),
        "randaugment timm, 2 ops of magnitude 9 +- 0.5 (at most 10), all increasing, each with probability 0.5"
    );
    // Clipped to 10 when drawn, unless told otherwise; noise above 100 is a uniform magnitude.
    let rotations = |name: &str| {
        let step = RandAugment { probability: 1.0, ..timm(name) };
        let mut rng = Rng::new(1);
        let drawn = (0..2000).filter_map(move |_| match step.draw(32, 32, &mut rng) {
            Op::Rotate { degrees, .. } => Some(degrees.abs()),
            _ => None,
        });
        drawn.collect::<Vec<f64>>()
    };
    assert!(rotations("rand-n2-m27-p1").iter().all(|&degrees| degrees == 30.0));
    assert!(rotations("rand-m27-mmax40").iter().all(|&degrees| degrees == 81.0));
    assert_eq!(timm("rand-m7-mstd101").draw, Draw::Uniform);
    // A third of the uniform magnitudes up to 15 are beyond 10.
    let uniform = rotations("rand-m15-mstd101");
    let clipped = uniform.iter().filter(|&&degrees| degrees == 30.0).count();
    assert!((clipped as f64 / uniform.len() as f64 - 1.0 / 3.0).abs() < 0.12, "{clipped}");
    // In Python the string "0" is true.
    assert_eq!(timm("rand-m9-inc0"), timm("rand-m9-inc1"));
    assert_eq!(timm("rand-m9-tdefault"), timm("rand-m9"));
}

#[test]
fn timms_weights_prefer_geometry_and_repeat_nothing() {
    let step = RandAugment { probability: 1.0, ops: 15, ..timm("rand-m9-tweights") };
    assert!(!step.weakening, "its operations are the increasing ones");
    let policy = Policy::from(Step::RandAugment(step.clone()));
    policy.check().unwrap();
    let text = serde_json::to_string(&policy).unwrap();
    assert_eq!(serde_json::from_str::<Policy>(&text).unwrap(), policy);
    assert!(
        Policy::from(Step::RandAugment(RandAugment { ops: 16, ..step.clone() })).check().is_err()
    );
    let mut rng = Rng::new(2);
    let turned = (0..11_000).filter(|_| matches!(step.draw(32, 32, &mut rng), Op::Rotate { .. }));
    // Its weight is 3 of 10.1.
    let share = turned.count() as f64 / 11_000.0;
    assert!((share - 3.0 / 10.1).abs() < 0.02, "{share}");
}

#[test]
fn timms_autoaugment_has_its_tables_and_posterizes() {
    let auto = |name: &str| match &name.parse::<Policy>().unwrap().0[..] {
        [Step::AutoAugment(step)] => step.clone(),
        other => panic!("{name}: {other:?}"),
    };
    let noisy = auto("original-mstd0.5");
    assert_eq!((noisy.table, noisy.ops.magnitude_std), (Table::Original, 0.5));
    assert_eq!(noisy.ops.variant, Variant::Timm);
    // The bits that posterize keeps at the levels of each table, as timm has them.
    for (name, bits) in [
        ("v0", vec![0, 2]),
        ("v0r", vec![2, 4]),
        ("original", vec![6, 7]),
        ("originalr", vec![1, 2]),
    ] {
        let step = auto(name);
        assert_eq!(step.table.pairs().len(), 25, "{name}");
        let mut rng = Rng::new(3);
        let drawn = (0..20_000).flat_map(|_| step.draw(32, 32, &mut rng));
        let mut kept: Vec<u8> = drawn
            .filter_map(|op| if let Op::Posterize { bits } = op { Some(bits) } else { None })
            .collect();
        kept.sort_unstable();
        kept.dedup();
        assert_eq!(kept, bits, "{name}");
    }
    let written: AutoAugment = serde_json::from_str(r#"{"table": "v0"}"#).unwrap();
    assert_eq!(written, AutoAugment::of(Table::V0));
}

#[test]
fn timms_three_operations_are_drawn_as_there() {
    let [Step::AutoAugment(step)] = &"3a".parse::<Policy>().unwrap().0[..] else { panic!("3a") };
    let (mut rng, mut counts, mut radii) = (Rng::new(5), [0; 3], Vec::new());
    for _ in 0..6000 {
        let [op, nothing] = step.draw(32, 32, &mut rng);
        assert_eq!(nothing, Op::Identity);
        let which = match op {
            Op::Solarize { threshold: 128 } => 0,
            Op::Color { factor: 0.0 } => 1,
            Op::GaussianBlur { radius } => {
                radii.push(radius);
                2
            }
            other => panic!("{other:?}"),
        };
        counts[which] += 1;
    }
    assert!(counts.iter().all(|count| (1850..2150).contains(count)), "{counts:?}");
    let mean = radii.iter().sum::<f64>() / radii.len() as f64;
    assert!(radii.iter().all(|radius| (0.1..2.0).contains(radius)), "{radii:?}");
    assert!((mean - 1.05).abs() < 0.04, "{mean}");
    // Noise on the levels moves what is drawn.
    let noisy: Policy = "3a-mstd0.5".parse().unwrap();
    let [Step::AutoAugment(noisy)] = &noisy.0[..] else { panic!("3a-mstd0.5") };
    let drawn: Vec<Op> = (0..300).map(|_| noisy.draw(32, 32, &mut rng)[0]).collect();
    assert!(drawn.iter().any(|op| matches!(op, Op::Solarize { threshold } if *threshold != 128)));
    assert!(drawn.iter().any(|op| matches!(op, Op::Color { factor } if *factor > 0.0)));

    // As operations of RandAugment; `inc` makes no difference.
    let three = timm("rand-m5-p1-t3a");
    assert_eq!(three, timm("rand-m5-p1-inc1-t3a"));
    let names = [OpName::Solarize, OpName::Desaturate, OpName::GaussianBlur];
    assert_eq!(three.menu().collect::<Vec<_>>(), names);
    let drawn: Vec<Op> = (0..300).map(|_| three.draw(32, 32, &mut rng)).collect();
    for op in [
        Op::Solarize { threshold: 128 },
        Op::Color { factor: 0.25 },
        Op::GaussianBlur { radius: 1.05 },
    ] {
        assert!(drawn.contains(&op), "{op:?} in {drawn:?}");
    }
    // The same one may come again in an image.
    Policy::from(Step::RandAugment(RandAugment { ops: 5, ..three })).check().unwrap();

    let weighted = RandAugment { ops: 14, ..timm("rand-m9-p1-t3aw") };
    let policy = Policy::from(Step::RandAugment(weighted.clone()));
    policy.check().unwrap();
    let text = serde_json::to_string(&policy).unwrap();
    assert_eq!(serde_json::from_str::<Policy>(&text).unwrap(), policy, "{text}");
    let blurs = (0..9000)
        .filter(|_| matches!(weighted.draw(32, 32, &mut rng), Op::GaussianBlur { .. }))
        .count();
    // Its weight is 6 of 33.
    assert!((blurs as f64 / 9000.0 - 6.0 / 33.0).abs() < 0.02, "{blurs}");
    let foreign = RandAugment { weights: weighted.weights, ..RandAugment::of(Variant::Uda) };
    assert!(Policy::from(Step::RandAugment(foreign)).check().is_err(), "its levels are timm's");
}

#[test]
fn timms_blended_augmix_differs_by_rounding_alone() {
    let of = |name: &str| name.parse::<Policy>().unwrap();
    assert_eq!(of("augmix-b0"), of("augmix-b1"));
    let image = picture(24, 20, 3, 6);
    for (plain, blended) in [("augmix-m9", "augmix-m9-b1"), ("augmix-w1-d1", "augmix-w1-d1-b1")] {
        let mut changed = 0;
        for seed in 0..20 {
            let made = |name: &str| of(name).apply(image.clone(), &mut Rng::new(seed));
            let (plain, blended) = (made(plain), made(blended));
            let off = plain.pixels().iter().zip(blended.pixels()).map(|(a, b)| a.abs_diff(*b));
            assert!(off.max().unwrap() <= 4, "{seed}");
            changed += usize::from(plain != image && blended != image);
        }
        assert!(changed > 12, "{changed}");
    }
    let text = serde_json::to_string(&of("augmix-b1")).unwrap();
    assert_eq!(serde_json::from_str::<Policy>(&text).unwrap(), of("augmix-b1"), "{text}");
}

#[test]
fn timms_augmix_has_its_operations() {
    let mix = |name: &str| match &name.parse::<Policy>().unwrap().0[..] {
        [Step::AugMix(step)] => step.clone(),
        other => panic!("{name}: {other:?}"),
    };
    let step = mix("augmix-m5-w4-d2");
    assert_eq!((step.width, step.depth, step.alpha), (4, Some(2), 1.0));
    let ops = step.ops.as_ref().unwrap();
    assert_eq!((ops.magnitude, ops.draw, ops.menu().count()), (5.0, Draw::Uniform, 13));
    assert_eq!(mix("augmix-m3-d0").depth, None);
    let noisy = mix("augmix-mstd0.5").ops.unwrap();
    assert_eq!((noisy.magnitude, noisy.draw, noisy.magnitude_std), (3.0, Draw::Fixed, 0.5));
    let policy = Policy::from(Step::AugMix(step));
    let image = picture(24, 20, 3, 6);
    let outs: Vec<_> =
        (0..4).map(|seed| policy.apply(image.clone(), &mut Rng::new(seed))).collect();
    assert!(outs.iter().any(|out| *out != image) && outs[0] != outs[1]);
}

#[test]
fn fixmatchs_fixed_magnitudes() {
    let policy: Policy = "r2_9_50".parse().unwrap();
    assert_eq!(
        policy.to_string(),
        "flip, crop from a border of 4 > randaugment fixmatch, 2 ops of magnitude 9 > cutout 0.5 of the side"
    );
}

#[test]
fn what_is_no_name_is_told_with_a_way_out() {
    let error = |name: &str| name.parse::<Policy>().unwrap_err().to_string();
    assert!(error("fixmach").contains("did you mean `fixmatch`"), "{}", error("fixmach"));
    assert!(error("zzzz").contains("known are none, weak-cifar10"), "{}", error("zzzz"));
    assert!(error("rand-m9-q7").contains("`q7`"), "{}", error("rand-m9-q7"));
    assert!(error("rand-m9-nx").contains("`nx`"), "{}", error("rand-m9-nx"));
    assert!(error("rand-m9-w0").contains("tweights"), "{}", error("rand-m9-w0"));
    assert!(error("rand-t3aw-n15").contains("ops is 15"), "{}", error("rand-t3aw-n15"));
    assert!(error("3a-m9").contains("mstd0.5"), "{}", error("3a-m9"));
    assert!(error("v0-m9").contains("mstd0.5"), "{}", error("v0-m9"));
    assert!(error("augmix-w17").contains("width is 17"), "{}", error("augmix-w17"));
    assert!(error("rand-m9-n99").contains("ops is 99"), "{}", error("rand-m9-n99"));
    let text = serde_json::from_str::<Policy>("\"uca\"").unwrap_err().to_string();
    assert!(text.contains("did you mean `uda`"), "{text}");
}

#[test]
fn autoaugments_tables_are_whole() {
    // How often each operation occurs, counted in the reference's tables.
    let count = |table: Table| {
        let mut counts = BTreeMap::<OpName, usize>::new();
        table.pairs().iter().flatten().for_each(|e| *counts.entry(e.name).or_default() += 1);
        counts
    };
    assert_eq!(Table::Cifar10.pairs().len(), 95);
    assert_eq!(Table::Svhn.pairs().len(), 40);
    let (cifar10, svhn) = (count(Table::Cifar10), count(Table::Svhn));
    assert_eq!(cifar10.values().sum::<usize>(), 190);
    assert_eq!((cifar10[&OpName::Equalize], cifar10[&OpName::Cutout]), (40, 3));
    assert_eq!((svhn[&OpName::Invert], svhn[&OpName::ShearY]), (20, 15));
    let [first, second] = Table::Cifar10.pairs()[0];
    assert_eq!((first.name, first.probability, first.level), (OpName::Invert, 0.1, 7.0));
    assert_eq!((second.name, second.probability, second.level), (OpName::Contrast, 0.2, 6.0));
    let last = Table::Svhn.pairs()[39];
    assert_eq!((last[1].name, last[1].probability, last[1].level), (OpName::Rotate, 0.7, 5.0));
}

#[test]
fn autoaugment_draws_each_pair_alike_and_applies_by_its_probabilities() {
    let augment = AutoAugment { table: Table::Svhn, ..AutoAugment::default() };
    let pairs = Table::Svhn.pairs();
    let expected: f64 = pairs.iter().flatten().map(|e| e.probability).sum::<f64>() / 80.0;
    let mut rng = Rng::new(3);
    let applied: usize = (0..20_000)
        .flat_map(|_| augment.draw(32, 32, &mut rng))
        .filter(|op| *op != Op::Identity)
        .count();
    let share = applied as f64 / 40_000.0;
    assert!((share - expected).abs() < 0.01, "{share}, not {expected}");
}

#[test]
fn strong_views_avoid_bins_that_are_not_recognised() {
    let augment = CtAugment::default();
    let (mut rates, mut rng) = (Rates::new(), Rng::new(4));
    // Nothing is recognised in the upper half of the range.
    for _ in 0..60_000 {
        let probe = augment.probe(&mut rng);
        for choice in &probe {
            rates.update(&[*choice], f64::from(u8::from(choice.levels[0] < 0.5)), augment.decay);
        }
    }
    for _ in 0..2_000 {
        for choice in augment.strong(&rates, &mut rng) {
            // The bin that holds both counts half.
            assert!(choice.op == CtOp::Identity || choice.levels[0] < 10.0 / 17.0, "{choice:?}");
        }
    }
}

#[test]
fn ctaugments_translation_is_a_setting() {
    let moved = |shift: Shift| {
        let augment = CtAugment { shift, ..CtAugment::default() };
        let choice = augment::ctaugment::Choice { op: CtOp::TranslateX, levels: [1.0, 0.0] };
        let mut image = picture(32, 32, 3, 4);
        augment.op(choice, [0, 0], 32, 32).apply(&mut image, &mut augment::scratch::Scratch::new());
        image != picture(32, 32, 3, 4)
    };
    assert!(moved(Shift::OfSide));
    assert!(!moved(Shift::AsReleased), "as released nothing moves");
}

#[test]
fn distributions_have_their_moments() {
    let mut rng = Rng::new(5);
    let mut moments = |draw: &mut dyn FnMut(&mut Rng) -> f64| {
        let values: Vec<f64> = (0..40_000).map(|_| draw(&mut rng)).collect();
        let mean = values.iter().sum::<f64>() / 40_000.0;
        (mean, values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 40_000.0)
    };
    for shape in [0.3, 0.75, 1.0, 4.5] {
        let (mean, variance) = moments(&mut |rng| gamma(shape, rng));
        assert!(
            (mean / shape - 1.0).abs() < 0.04 && (variance / shape - 1.0).abs() < 0.1,
            "{shape}"
        );
        let (mean, variance) = moments(&mut |rng| beta(shape, shape, rng));
        let expected = 1.0 / (4.0 * (2.0 * shape + 1.0));
        assert!((mean - 0.5).abs() < 0.01 && (variance / expected - 1.0).abs() < 0.05, "{shape}");
    }
    let (mean, variance) = moments(&mut |rng| dirichlet::<3>(1.0, rng)[1]);
    assert!((mean - 1.0 / 3.0).abs() < 0.01 && (variance * 18.0 - 1.0).abs() < 0.05);
}

fn any_name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(NAMED.iter().map(|named| named.name).collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn any_text_is_a_policy_or_an_error(text in "\\PC{0,24}", tail in "rand(-[a-z]{1,4}[0-9.]{0,4}){0,4}") {
        for text in [text, tail] {
            if let Ok(policy) = text.parse::<Policy>() {
                policy.check().unwrap();
            }
        }
    }

    #[test]
    fn named_policies_keep_the_shape_and_depend_on_the_key_alone(
        name in any_name(), width in 1usize..40, height in 1usize..40, channels in prop::sample::select(vec![1usize, 3]), seed: u64,
    ) {
        let policy: Policy = name.parse().unwrap();
        let image = picture(width, height, channels, seed);
        let out = policy.apply(image.clone(), &mut Rng::new(seed));
        prop_assert_eq!(&out, &policy.apply(image, &mut Rng::new(seed)));
        prop_assert_eq!(out.channels(), channels);
        if name != "weak-imagenet" {
            prop_assert_eq!((out.width(), out.height()), (width, height));
        }
    }

    #[test]
    fn augmix_of_one_value_changes_it_only_where_something_moves_in(seed: u64) {
        let image = Image::filled(16, 16, 3, 128);
        let mixed = Policy::from(Step::AugMix(AugMix { severity: 0.1, ..AugMix::default() }));
        let out = mixed.apply(image.clone(), &mut Rng::new(seed));
        // Solarize inverts 128 at no level below 5, posterize keeps it, and nothing moves by a
        // whole pixel.
        prop_assert!(out.pixels().iter().all(|&v| v.abs_diff(128) <= 1), "{:?}", out.pixels());
    }
}
