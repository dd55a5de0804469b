//! Policies as data: what parses, what is refused, what is printed, and what every policy keeps.

use augment::crop::RandomResizedCrop;
use augment::image::Image;
use augment::levels::Variant;
use augment::op::OpName;
use augment::policy::{Policy, Step};
use augment::randaugment::RandAugment;
use augment::rng::{Key, Rng};
use augment::scratch::Scratch;
use proptest::prelude::*;
use serde_json::json;

use crate::picture::picture;

fn parse(text: &str) -> Result<Policy, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn check(text: &str) -> Result<(), String> {
    parse(text)?.check().map_err(|error| error.to_string())
}

#[test]
fn defaults_of_every_step_pass_and_survive_a_round_trip() {
    for kind in ["flip-crop", "cutout", "affine", "resize", "random-resized-crop", "center-crop"] {
        let policy = parse(&format!(r#"[{{"kind": "{kind}"}}]"#)).unwrap();
        policy.check().unwrap();
        let written = serde_json::to_string(&policy).unwrap();
        assert!(written.contains(&format!(r#""kind":"{kind}""#)), "{written}");
        assert_eq!(parse(&written).unwrap(), policy);
        assert_eq!(policy.0[0].kind(), kind);
    }
    for variant in ["uda", "noisy-student", "fixmatch", "fixmatch-paper", "torchvision"] {
        let policy =
            parse(&format!(r#"[{{"kind": "randaugment", "variant": "{variant}"}}]"#)).unwrap();
        policy.check().unwrap();
        assert_eq!(parse(&serde_json::to_string(&policy).unwrap()).unwrap(), policy);
        assert!(policy.to_string().contains(variant), "{policy}");
    }
}

#[test]
fn defaults_are_those_of_the_documentation() {
    let third = 4.0 / 3.0;
    for expected in [
        json!({"kind": "flip-crop", "pad": 4, "flip": true}),
        json!({"kind": "cutout", "size": 16.0, "extent": "exact", "fill": 127}),
        json!({"kind": "affine", "degrees": 10.0, "translate": 0.1, "scale": [0.9, 1.1],
            "shear": 0.1, "interpolation": "bilinear", "fill": 0}),
        json!({"kind": "resize", "size": 256, "square": false, "filter": "bicubic"}),
        json!({"kind": "random-resized-crop", "size": 224, "area": [0.08, 1.0],
            "aspect": [0.75, third], "filter": "bicubic"}),
        json!({"kind": "center-crop", "size": 224, "filter": "bicubic"}),
        json!({"kind": "augmix", "severity": 3.0, "alpha": 1.0, "width": 3}),
        json!({"kind": "ctaugment", "depth": 2, "threshold": 0.8, "decay": 0.99,
            "shift": "of-side"}),
    ] {
        let kind = &expected["kind"];
        let policy = parse(&json!([{ "kind": kind }]).to_string()).unwrap();
        assert_eq!(serde_json::to_value(&policy.0[0]).unwrap(), expected);
    }
}

#[test]
fn keys_left_out_come_from_the_variant() {
    let text = r#"[{"kind": "randaugment", "variant": "noisy-student", "magnitude": 5, "translate_const": {"fraction": 0.25},
        "exclude": ["invert", "solarize-add"], "fill": 0}]"#;
    let policy = parse(text).unwrap();
    let expected = RandAugment {
        magnitude: 5.0,
        translate_const: augment::length::Length::fraction(0.25),
        exclude: vec![OpName::Invert, OpName::SolarizeAdd],
        fill: augment::fill::Fill::BLACK,
        ..RandAugment::of(Variant::NoisyStudent)
    };
    assert_eq!(policy, Policy::from(Step::RandAugment(expected)));
    assert_eq!(
        policy.0[0].to_string(),
        "randaugment noisy-student, 2 ops of magnitude 5, without invert, solarize-add"
    );
}

#[test]
fn a_recipe_holds_a_policy_as_toml() {
    #[derive(serde::Deserialize, serde::Serialize, PartialEq, Debug)]
    #[serde(deny_unknown_fields)]
    struct Recipe {
        strong: Policy,
    }
    let text = r#"
        strong = [
            { kind = "affine", degrees = 12, translate = 0.1, scale = [0.9, 1.1], fill = 0 },
            { kind = "randaugment", variant = "noisy-student", magnitude = 5, translate_const = 4, exclude = ["invert"] },
            { kind = "cutout", size = { fraction = 0.5 }, fill = [125, 123, 114] },
            { kind = "center-crop", size = 24 },
        ]"#;
    let recipe: Recipe = toml::from_str(text).unwrap();
    recipe.strong.check().unwrap();
    assert_eq!(toml::from_str::<Recipe>(&toml::to_string(&recipe).unwrap()).unwrap(), recipe);
    let error =
        toml::from_str::<Recipe>(&text.replace("degrees", "degree")).unwrap_err().to_string();
    assert!(error.contains("degree") && error.contains("expected one of `degrees`"), "{error}");
}

#[test]
fn typos_are_refused_by_name() {
    for (text, word) in [
        (r#"[{"kind": "flip-crop", "padd": 4}]"#, "padd"),
        (r#"[{"kind": "randaugment", "variant": "uda", "magnitud": 4}]"#, "magnitud"),
        (r#"[{"kind": "randaugment", "variant": "udda"}]"#, "udda"),
        (r#"[{"kind": "randaugment"}]"#, "variant"),
        (r#"[{"kind": "randaugment", "variant": "uda", "exclude": ["inverted"]}]"#, "inverted"),
        (r#"[{"kind": "affine", "angle": 4}]"#, "angle"),
        (r#"[{"kind": "cutout", "half": 4}]"#, "half"),
        (r#"[{"kind": "resize", "sise": 4}]"#, "sise"),
        (r#"[{"kind": "random-resized-crop", "areas": [1, 1]}]"#, "areas"),
        (r#"[{"kind": "center-crop", "share": 1}]"#, "share"),
        (r#"[{"kind": "flip"}]"#, "flip-crop"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.contains(word), "{text}: {error}");
    }
}

#[test]
fn values_out_of_range_are_named_with_the_range() {
    for (text, words) in [
        (r#"[{"kind": "flip-crop", "pad": 5000}]"#, ["[0] flip-crop.pad", "5000", "0 to 1024"]),
        (
            r#"[{"kind": "cutout"}, {"kind": "randaugment", "variant": "uda", "magnitude": 11}]"#,
            ["[1] randaugment.magnitude", "11", "1 to 10"],
        ),
        (
            r#"[{"kind": "randaugment", "variant": "torchvision", "ops": 0}]"#,
            ["randaugment.ops", "0", "1 to 16"],
        ),
        (
            r#"[{"kind": "randaugment", "variant": "uda", "probability": 1.5}]"#,
            ["probability", "1.5", "0 to 1"],
        ),
        (
            r#"[{"kind": "randaugment", "variant": "fixmatch", "exclude": ["cutout"]}]"#,
            ["exclude", "cutout", "identity, auto-contrast"],
        ),
        (
            r#"[{"kind": "affine", "scale": [1.1, 0.9]}]"#,
            ["affine.scale", "[1.1, 0.9]", "0.1 to 10"],
        ),
        (r#"[{"kind": "cutout", "size": -1}]"#, ["cutout.size", "-1 px", "0 or more"]),
        (r#"[{"kind": "center-crop", "fraction": 0}]"#, ["center-crop.fraction", "0", "0.01 to 1"]),
        (r#"[{"kind": "resize", "size": 0}]"#, ["resize.size", "0", "1 to 4096"]),
        (r#"[{"kind": "random-resized-crop", "area": [0, 2]}]"#, ["area", "[0, 2]", "0.0001 to 1"]),
    ] {
        let error = check(text).unwrap_err();
        for word in words {
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}

#[test]
fn everything_may_not_be_excluded() {
    let policy =
        RandAugment { exclude: Variant::Uda.ops().to_vec(), ..RandAugment::of(Variant::Uda) };
    let error = Policy::from(Step::RandAugment(policy)).check().unwrap_err().to_string();
    assert!(error.contains("exclude"), "{error}");
}

#[test]
fn random_resized_crops_fill_their_range() {
    let step =
        RandomResizedCrop { size: 8, area: [0.25, 0.25], aspect: [1.0, 1.0], ..Default::default() };
    let mut rng = Rng::new(1);
    let mut scratch = Scratch::new();
    let mut least = 255;
    for _ in 0..200 {
        // A slope to the right: a box of half the width spans half the range of values.
        let mut image = Image::new(64, 64, 1, (0..64 * 64).map(|i| (i % 64 * 4) as u8).collect());
        step.apply(&mut image, &mut rng, &mut scratch);
        assert_eq!((image.width(), image.height()), (8, 8));
        assert!(
            (105..=119).contains(&(image.pixels()[7] - image.pixels()[0])),
            "{:?}",
            image.row(0)
        );
        least = least.min(image.pixels()[0]);
    }
    assert!(least < 20, "no box near the left edge: {least}");
}

#[test]
fn the_resolution_fix_keeps_the_centre() {
    let policy =
        parse(r#"[{"kind": "center-crop", "size": 8, "fraction": 0.5, "filter": "box"}]"#).unwrap();
    let image = Image::new(16, 16, 1, (0..256).map(|i| i as u8).collect());
    let center = policy.apply(image, &mut Rng::new(0));
    assert_eq!(center.pixels()[0], 4 * 16 + 4);
    assert_eq!(center.pixels()[63], 11 * 16 + 11);
}

fn any_step() -> impl Strategy<Value = Step> {
    let variants = ["uda", "noisy-student", "fixmatch", "fixmatch-paper", "torchvision"];
    let texts = [
        r#"{"kind": "flip-crop"}"#.to_owned(),
        r#"{"kind": "cutout", "size": {"fraction": 0.5}}"#.to_owned(),
        r#"{"kind": "affine", "degrees": 180, "translate": 1, "scale": [0.1, 10], "shear": 1}"#.to_owned(),
    ]
    .into_iter()
    .chain(variants.iter().flat_map(|variant| {
        ["nearest", "bilinear"].map(|how| {
            format!(r#"{{"kind": "randaugment", "variant": "{variant}", "ops": 4, "interpolation": "{how}", "probability": 1}}"#)
        })
    }));
    prop::sample::select(
        texts.map(|text| serde_json::from_str(&text).unwrap()).collect::<Vec<Step>>(),
    )
}

fn any_image() -> impl Strategy<Value = Image> {
    (1usize..20, 1usize..20, prop::sample::select(vec![1usize, 3]), any::<u64>())
        .prop_map(|(width, height, channels, seed)| picture(width, height, channels, seed))
}

proptest! {
    #[test]
    fn a_policy_keeps_the_shape_and_depends_on_nothing_but_the_key(
        steps in prop::collection::vec(any_step(), 0..4), image in any_image(), seed: u64, view in 0u64..4,
    ) {
        let policy = Policy(steps);
        policy.check().unwrap();
        let key = Key { seed, epoch: 1, index: 2, view };
        let first = policy.apply(image.clone(), &mut key.rng());
        prop_assert_eq!((first.width(), first.height(), first.channels()), (image.width(), image.height(), image.channels()));
        let mut scratch = Scratch::new();
        let mut second = Image::filled(3, 2, 1, 9);
        Policy(vec![any_warm_up()]).apply_in_place(&mut second, &mut Rng::new(seed), &mut scratch);
        second = image;
        policy.apply_in_place(&mut second, &mut key.rng(), &mut scratch);
        prop_assert_eq!(first, second);
    }

    #[test]
    fn zero_strength_is_the_identity(image in any_image(), seed: u64) {
        let text = r#"[{"kind": "flip-crop", "pad": 0, "flip": false}, {"kind": "cutout", "size": 0},
            {"kind": "affine", "degrees": 0, "translate": 0, "scale": [1, 1], "shear": 0},
            {"kind": "randaugment", "variant": "torchvision", "magnitude": 0, "interpolation": "bilinear",
             "exclude": ["auto-contrast", "equalize", "solarize"]}]"#;
        let policy = parse(text).unwrap();
        policy.check().unwrap();
        prop_assert_eq!(policy.apply(image.clone(), &mut Rng::new(seed)), image);
    }

    #[test]
    fn crops_come_out_in_their_size(image in any_image(), seed: u64, size in 1usize..12) {
        for kind in ["random-resized-crop", "center-crop"] {
            let policy = parse(&format!(r#"[{{"kind": "{kind}", "size": {size}}}]"#)).unwrap();
            let out = policy.apply(image.clone(), &mut Rng::new(seed));
            prop_assert_eq!((out.width(), out.height(), out.channels()), (size, size, image.channels()));
        }
        let policy = parse(&format!(r#"[{{"kind": "resize", "size": {size}}}]"#)).unwrap();
        let out = policy.apply(image, &mut Rng::new(seed));
        prop_assert_eq!(out.width().min(out.height()), size);
    }
}

fn any_warm_up() -> Step {
    Step::RandAugment(RandAugment { ops: 6, ..RandAugment::of(Variant::NoisyStudent) })
}
