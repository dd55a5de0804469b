//! The pairs as text: `Rot7.2` is rotate with probability 0.7 at level 2, and `+` joins a pair;
//! `Eq10.9` has probability 1.

use crate::op::OpName;

/// One operation of a pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    /// The operation.
    pub name: OpName,
    /// The probability with which it is applied.
    pub probability: f64,
    /// Its level, 0 to 10; see [`Variant::Uda`](crate::levels::Variant::Uda).
    pub level: f64,
}

pub(super) const CIFAR10: &str = "\
    Inv1.7+Con2.6 Rot7.2+TrX3.9 Sha8.1+Sha9.3 ShY5.8+TrY7.9 AC5.8+Eq9.2 Sol4.5+AC9.3 TrY9.9+TrY7.9 AC9.2+Sol8.3 \
    Eq8.8+Inv1.3 TrY7.9+AC9.1 Sol4.5+AC0.2 TrY7.9+TrY7.9 AC9.0+Sol4.3 Eq7.5+Inv1.3 TrY7.9+TrY7.9 Sol4.5+AC9.1 \
    TrY8.9+TrY9.9 AC8.0+TrY7.9 TrY2.7+Col9.6 Eq7.6+Col4.9 ShY2.7+Pos3.7 Col4.3+Bri6.7 Sha3.9+Bri7.9 Eq6.5+Eq5.1 \
    Con6.7+Sha6.5 Bri3.7+AC5.8 AC9.4+AC5.6 Sol3.5+Eq6.5 TrY2.4+Sha3.3 Bri0.8+Col8.8 Sol2.6+Col8.6 Sol2.6+AC8.1 \
    Sol4.1+Eq6.5 Bri0.0+Sol5.2 AC9.5+Bri5.3 Con7.5+Bri0.2 Sol2.8+Sol1.5 Con5.1+TrY2.9 AC6.5+TrY0.9 AC9.4+Eq8.4 \
    Bri0.7+Eq4.7 Sol2.5+Eq7.5 Eq6.8+Col6.2 Col3.7+Col2.4 AC5.2+Sol7.2 AC2.0+Eq1.0 ShY6.5+Eq6.5 Bri9.3+AC4.1 Eq8.8+Eq7.7 \
    Eq7.7+Sol5.0 Eq8.4+TrY8.9 TrY8.9+TrY6.9 TrY9.0+TrY5.9 AC5.3+Sol3.4 Sol5.3+Eq4.4 Col7.7+TrX5.8 Eq3.7+AC4.8 \
    TrY4.3+Sha2.6 Bri9.6+Col2.8 Sol5.2+Inv0.3 AC1.5+Bri0.0 Cut2.4+Eq1.1 Eq7.7+AC6.4 Col1.8+ShY2.3 ShY4.2+Rot7.0 \
    ShY1.3+AC9.5 TrY3.6+Cut3.3 Eq5.0+Sol6.6 AC3.5+Rot2.7 Eq8.2+Inv4.0 Eq9.5+Col7.0 Eq1.1+ShY1.3 AC7.3+Eq7.0 Bri5.1+Con1.7 \
    Con1.4+Sol6.5 Sol2.3+ShX0.0 TrX3.0+TrX6.0 Eq5.9+TrY6.7 ShX1.0+Sha5.1 Eq8.6+Inv3.6 AC3.9+Cut5.3 ShX4.4+AC9.2 \
    ShX0.3+Pos0.3 Sol4.3+Col2.4 Eq1.4+Eq7.6 Eq3.8+AC4.3 Sol6.4+AC7.6 AC2.9+Bri4.8 Eq1.0+Eq0.6 Eq8.4+Eq0.4 Eq5.5+AC1.2 \
    Sol5.5+AC9.5 AC6.1+AC7.8 Eq2.0+AC1.2 Eq6.9+Eq4.4";

pub(super) const SVHN: &str = "\
    ShX9.4+Inv2.3 ShY9.8+Inv7.5 Eq6.5+Sol6.6 Inv9.3+Eq6.3 Eq6.1+Rot9.3 ShX9.4+AC8.3 ShY9.8+Inv4.5 ShY9.5+Sol2.6 \
    Inv9.6+AC8.1 Eq6.3+Rot9.3 ShX9.4+Sol3.3 ShY8.8+Inv7.4 Eq9.5+TrY6.6 Inv9.4+Eq6.7 Con3.3+Rot8.4 ShX9.3+Inv5.3 \
    ShY9.8+Inv4.5 Eq6.3+Sol2.3 Inv9.4+Eq5.6 Eq6.1+Rot9.3 Inv8.5+TrY0.2 ShY7.6+Sol4.8 Inv6.4+Rot8.4 ShY3.7+TrX9.3 \
    ShX1.6+Inv6.5 Sol7.2+TrY6.7 ShY8.4+Inv8.8 ShX7.9+TrY8.3 ShY8.5+AC7.3 ShX7.2+Inv1.5 ShY8.9+ShX7.7 ShY7.4+Sol9.7 \
    ShY9.5+Inv0.4 TrX8.3+ShY7.7 Inv1.7+Sol3.9 Inv6.2+Inv9.4 Eq5.2+Sol9.7 ShY6.7+Sol8.3 ShY6.3+Inv6.1 ShX4.2+Rot7.5";

/// timm's `v0` and `v0r`.
pub(super) const V0: &str = "\
    Eq8.1+ShY8.4 Col4.9+Eq6.3 Col4.1+Rot6.8 Sol8.3+Eq4.7 Sol4.2+Sol6.2 Col2.0+Eq8.8 Eq4.8+SoA8.3 \
    ShX2.9+Rot6.8 Col6.1+Eq10.2 Inv4.9+Rot6.0 Eq10.9+ShY6.3 Col4.7+Eq6.0 Pos4.6+AC4.7 \
    Sol6.8+Col6.9 Sol2.4+Rot8.9 Rot10.7+TrY8.9 ShX0.0+Sol8.4 ShY8.0+Col6.4 Col10.0+Rot6.2 \
    Eq8.4+Eq0.8 Eq10.4+AC6.2 ShY4.7+SoA6.7 Pos8.2+Sol6.10 Sol6.8+Eq6.1 Col8.6+Rot4.5";

/// timm's `original` and `originalr`.
pub(super) const ORIGINAL: &str = "\
    Pos4.8+Rot6.9 Sol6.5+AC6.5 Eq8.8+Eq6.3 Pos6.7+Pos6.6 Eq4.7+Sol2.4 Eq4.4+Rot8.8 Sol6.3+Eq6.7 \
    Pos8.5+Eq10.2 Rot2.3+Sol6.8 Eq6.8+Pos4.6 Rot8.8+Col4.0 Rot4.9+Eq6.2 Eq0.7+Eq8.8 \
    Inv6.4+Eq10.8 Col6.4+Con10.8 Rot8.8+Col10.2 Col8.8+Sol8.7 Sha4.7+Inv6.8 ShX6.5+Eq10.9 \
    Col4.0+Eq6.3 Eq4.7+Sol2.4 Sol6.5+AC6.5 Inv6.4+Eq10.8 Col6.4+Con10.8 Eq8.8+Eq6.3";

/// timm's `3a`.
pub(super) const THREE: &str = "Sol10.5+Id0.0 Des10.10+Id0.0 Blu10.10+Id0.0";

/// Reads a table; panics on anything else; a test reads all tables.
pub(super) fn read(text: &str) -> Vec<[Entry; 2]> {
    let pair = |text: &str| {
        let (first, second) = text.split_once('+').unwrap_or_else(|| panic!("a pair, not {text}"));
        [entry(first), entry(second)]
    };
    text.split_whitespace().map(pair).collect()
}

fn entry(text: &str) -> Entry {
    let split = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
    let (name, numbers) = text.split_at(split);
    let name = match name {
        "Inv" => OpName::Invert,
        "Con" => OpName::Contrast,
        "Rot" => OpName::Rotate,
        "TrX" => OpName::TranslateX,
        "TrY" => OpName::TranslateY,
        "Sha" => OpName::Sharpness,
        "ShX" => OpName::ShearX,
        "ShY" => OpName::ShearY,
        "AC" => OpName::AutoContrast,
        "Eq" => OpName::Equalize,
        "Sol" => OpName::Solarize,
        "SoA" => OpName::SolarizeAdd,
        "Col" => OpName::Color,
        "Pos" => OpName::Posterize,
        "Bri" => OpName::Brightness,
        "Cut" => OpName::Cutout,
        "Des" => OpName::Desaturate,
        "Blu" => OpName::GaussianBlur,
        "Id" => OpName::Identity,
        other => panic!("no operation {other}"),
    };
    let parsed = numbers.split_once('.').and_then(|(tenths, level)| {
        let both = (tenths.parse::<u8>().ok()?, level.parse::<u8>().ok()?);
        Some(both).filter(|(tenths, level)| *tenths <= 10 && *level <= 10)
    });
    let (tenths, level) = parsed.unwrap_or_else(|| panic!("tenths and a level, not {numbers}"));
    Entry { name, probability: f64::from(tenths) / 10.0, level: f64::from(level) }
}
