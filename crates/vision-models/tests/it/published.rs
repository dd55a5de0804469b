//! Published weights: names of other code bases, prefixes, heads of another size, and errors.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use torch::{Device, Init, Params, Role, Tensor};
use vision_models::efficientnet::Variant;
use vision_models::published::{Head, Loaded, PublishedError, load, to_timm};
use vision_models::vit::Size;
use vision_models::{EfficientNetConfig, NetConfig, ResNetConfig, VitConfig, WideResNetConfig};
use weights::{Dtype, StateDict, TensorData, meta};

/// Their name, ours, and which part of ours it is where it is one.
type Pair = (String, String, Option<usize>);

/// The pairs of each code base.
fn published_names() -> BTreeMap<String, Vec<Pair>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/published_names.txt.gz");
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    let mut all: BTreeMap<String, Vec<Pair>> = BTreeMap::new();
    let mut title = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("# ") {
            title = name.to_owned();
            continue;
        }
        let mut words = line.split(' ').map(str::to_owned);
        let (theirs, ours) = (words.next().unwrap(), words.next().unwrap());
        let part = words.next().map(|part| part.parse().unwrap());
        all.entry(title.clone()).or_default().push((theirs, ours, part));
    }
    all
}

fn shape(tensor: &Tensor) -> Vec<usize> {
    tensor.size().iter().map(|&n| n as usize).collect()
}

/// A tensor whose values tell it apart from others.
fn numbered(shape: Vec<usize>, number: usize) -> TensorData {
    let count = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|i| number as f32 + (i % 97) as f32 / 128.0).collect();
    TensorData::from_f32(shape, &values)
}

/// A file with a tensor for each of `params`, under its own name.
fn own(params: &Params) -> StateDict {
    let tensors = params.iter().enumerate();
    let tensors = tensors.map(|(i, p)| (p.name.clone(), numbered(shape(&p.tensor), i + 1)));
    StateDict { tensors: tensors.collect(), source: "net.pth".into(), ..StateDict::default() }
}

/// The same under the names of another code base.
fn theirs(own: &StateDict, pairs: &[Pair]) -> StateDict {
    let tensors = pairs.iter().map(|(theirs, ours, part)| {
        let whole = &own.tensors[ours];
        let third = whole.shape()[0] / 3;
        let tensor =
            part.map_or(whole.clone(), |part| whole.rows(part * third..(part + 1) * third));
        (theirs.clone(), tensor)
    });
    StateDict { tensors: tensors.collect(), ..own.clone() }
}

fn renamed(given: &StateDict, rename: impl Fn(&str) -> String) -> StateDict {
    let tensors = given.tensors.iter().map(|(name, t)| (rename(name), t.clone())).collect();
    StateDict { tensors, ..given.clone() }
}

/// That `params` have the values of `own`, those of `but` aside.
fn check_values(params: &Params, own: &StateDict, but: &str) {
    for p in params.iter().filter(|p| !p.name.starts_with(but) || but.is_empty()) {
        let expected = own.tensors[&p.name].to_f32();
        let found: Vec<f32> = Vec::try_from(p.tensor.detach().flatten(0, -1)).unwrap();
        assert_eq!(found, expected, "{}", p.name);
    }
}

fn narrow() -> NetConfig {
    EfficientNetConfig { width: Some(0.5), depth: Some(1.1), ..Default::default() }.into()
}

fn resnet() -> NetConfig {
    ResNetConfig { layers: [1, 2, 1, 1], stem: 8, ..Default::default() }.into()
}

#[test]
fn names_of_other_code_bases_are_translated() {
    let names = published_names();
    for (title, config, scheme) in [
        ("lukemelas", narrow(), "lukemelas/EfficientNet-PyTorch"),
        ("torchvision-efficientnet", narrow(), "torchvision (EfficientNet)"),
        ("transformers-efficientnet", narrow(), "transformers (EfficientNet)"),
        ("transformers-resnet", resnet(), "transformers (ResNet)"),
    ] {
        let params = config.build(Device::Cpu, 3, 7).params;
        let own = own(&params);
        let mut given = theirs(&own, &names[title]);
        assert_eq!(given.tensors.len(), params.iter().count(), "{title}");
        let counter = TensorData::new(Dtype::I64, vec![], vec![0; 8]).unwrap();
        given.tensors.insert("_bn0.num_batches_tracked".to_owned(), counter);
        let loaded = load(&params, &given, Head::Keep).unwrap();
        assert_eq!((loaded.scheme.as_str(), &loaded.replaced_head), (scheme, &None), "{title}");
        assert_eq!(loaded.applied[0], format!("names of {scheme} translated"));
        check_values(&params, &own, "");
    }
    // A trunk without a head.
    let params = resnet().build(Device::Cpu, 3, 7).params;
    let own = own(&params);
    let trunk = theirs(&own, &names["sequential-resnet"]);
    let loaded = load(&params, &trunk, Head::Replace).unwrap();
    assert_eq!(loaded.applied.last().unwrap(), "no head in the file: a new one of 7 outputs");
    check_values(&params, &own, "fc");
    let error = load(&params, &trunk, Head::Keep).unwrap_err().to_string();
    assert!(error.contains("2 missing: fc.weight, fc.bias"), "{error}");
}

/// Padding and eps as the code bases have them: timm's `efficientnet_*` and torchvision's pad on
/// every side, and only torchvision's B5 to B7 have TensorFlow's eps.
#[test]
fn an_efficientnet_has_the_form_of_the_code_base_that_trained_its_weights() {
    let names = published_names();
    let of = |variant| EfficientNetConfig {
        width: Some(0.5),
        depth: Some(1.1),
        ..EfficientNetConfig::new(variant)
    };
    let form = |net: &NetConfig| match net {
        NetConfig::EfficientNet(config) => (config.symmetric_padding, config.bn_eps),
        other => panic!("{other:?}"),
    };
    let own = own(&narrow().outline(3, 7));
    for (title, variant, expected) in [
        ("lukemelas", Variant::B0, (false, 1e-3)),
        ("transformers-efficientnet", Variant::B0, (false, 1e-3)),
        ("torchvision-efficientnet", Variant::B0, (true, 1e-5)),
        ("torchvision-efficientnet", Variant::B4, (true, 1e-5)),
        ("torchvision-efficientnet", Variant::B5, (true, 1e-3)),
    ] {
        // Whatever the net was before, and whatever wraps the names.
        let given = renamed(&theirs(&own, &names[title]), |name| format!("module.{name}"));
        for before in [(false, 1e-3), (true, 1e-5)] {
            let (symmetric_padding, bn_eps) = before;
            let net = EfficientNetConfig { symmetric_padding, bn_eps, ..of(variant) };
            let net = NetConfig::from(net);
            assert_eq!(form(&net.clone().in_form_of(&given)), expected, "{title} {variant:?}");
            assert_eq!(net.caveat(&given).is_some(), before != expected, "{title} {variant:?}");
        }
    }
    // timm's names are the same in both forms: the header tells, or nothing does.
    for (architecture, expected) in [
        ("efficientnet_b0.ra_in1k", (true, 1e-5)),
        ("tf_efficientnet_b0.ns_jft_in1k", (false, 1e-3)),
        ("tf_efficientnet_lite0", (false, 1e-3)),
        ("efficientnet_lite0.ra_in1k", (true, 1e-5)),
    ] {
        let by_name = NetConfig::by_name(architecture).unwrap();
        assert_eq!(form(&by_name), expected, "{architecture}");
        let mut given = own.clone();
        given.meta.insert(meta::ARCHITECTURE.to_owned(), architecture.to_owned());
        assert_eq!(form(&narrow().in_form_of(&given)), expected, "{architecture}");
    }
    assert_eq!(narrow().in_form_of(&own), narrow());
    assert_eq!(narrow().caveat(&own), None);
    // What is exported says its form: by a name of timm's, and beside it where that says another.
    for (symmetric_padding, bn_eps, name, keys) in [
        (false, 1e-3, "tf_efficientnet_b5", 1),
        (true, 1e-5, "efficientnet_b5", 1),
        (true, 1e-3, "efficientnet_b5", 3),
        (false, 1e-5, "tf_efficientnet_b5", 3),
    ] {
        let net = EfficientNetConfig {
            symmetric_padding,
            bn_eps,
            ..EfficientNetConfig::new(Variant::B5)
        };
        let net = NetConfig::from(net);
        let mut given = own.clone();
        net.set_meta(&mut given.meta);
        assert_eq!((given.meta[meta::ARCHITECTURE].as_str(), given.meta.len()), (name, keys));
        assert_eq!(NetConfig::by_name(name).unwrap().in_form_of(&given), net);
    }
    let given = theirs(&own, &names["torchvision-efficientnet"]);
    let caveat = narrow().caveat(&given).unwrap();
    assert!(caveat.contains("symmetric_padding = true and bn_eps = 1e-5"), "{caveat}");
}

#[test]
fn positions_are_for_pictures_of_the_size_that_the_weights_were_trained_on() {
    let shape = VitConfig {
        width: Some(6),
        depth: Some(1),
        heads: Some(2),
        ..VitConfig::dinov2(Size::Small)
    };
    let net = NetConfig::Vit(VitConfig { side: 28, patch: 14, ..shape });
    let weights = |name: &str, count: usize| StateDict {
        tensors: [(name.to_owned(), numbered(vec![1, count, 6], 1))].into(),
        ..StateDict::default()
    };
    let side = |given: &StateDict| match net.clone().in_form_of(given) {
        NetConfig::Vit(config) => config.side,
        other => panic!("{other:?}"),
    };
    for (count, expected) in [(5, 28), (4, 28), (50, 98), (49, 98), (1370, 518), (7, 28)] {
        assert_eq!(side(&weights("model.pos_embed", count)), expected, "{count}");
    }
    assert_eq!(side(&weights("vit.embeddings.position_embeddings", 10)), 42);
    assert_eq!(side(&weights("head.weight", 10)), 28);
    // Then they are loaded as they are.
    let given = weights("pos_embed", 50);
    let model = net.clone().in_form_of(&given).build(Device::Cpu, 3, 2);
    let mut all = own(&model.params);
    all.tensors.extend(given.tensors);
    load(&model.params, &all, Head::Keep).expect("they fit");
    assert!(load(&net.build(Device::Cpu, 3, 2).params, &all, Head::Keep).is_err());
}

#[test]
fn vision_transformers_of_transformers_and_dinov2_are_translated() {
    let names = published_names();
    for (title, scheme) in [
        ("transformers-vit", "transformers (ViT)"),
        ("transformers-dinov2", "transformers (ViT)"),
        ("transformers-registers", "transformers (ViT)"),
        ("dinov2", "facebookresearch/dinov2"),
    ] {
        // timm's names, which are those of the net; dinov2's differ in the registers alone.
        let pairs = names.get(title).unwrap_or(&names["transformers-registers"]);
        let registers = pairs.iter().any(|(_, ours, _)| ours == "reg_token");
        let size = |name: &str| match name {
            "cls_token" => vec![1, 1, 6],
            "reg_token" => vec![1, 4, 6],
            "pos_embed" => vec![1, if registers { 4 } else { 5 }, 6],
            "head.weight" => vec![7, 6],
            name if name.contains("qkv") => vec![18],
            _ => vec![6],
        };
        let (_, params) = Params::build(Device::Cpu, |scope| {
            let mut made = BTreeMap::new();
            for (_, ours, _) in pairs {
                made.entry(ours.clone()).or_insert_with(|| {
                    scope.tensor(ours, &size(ours), Role::Weight, Init::Const(0.0))
                });
            }
        });
        let mut own = own(&params);
        let mut given = theirs(&own, pairs);
        if title == "dinov2" {
            given = renamed(&own, |name| match name.strip_prefix("blocks.") {
                Some(rest) => format!("blocks.0.{rest}"),
                None => name.replace("reg_token", "register_tokens"),
            });
            let mask = TensorData::from_f32(vec![1, 6], &[0.0; 6]);
            given.tensors.insert("mask_token".to_owned(), mask);
        }
        if registers {
            // Published with a position for the class token, which ours has not.
            let name = given.tensors.keys().find(|name| name.contains("pos")).unwrap().clone();
            let quarter = TensorData::from_f32(vec![1, 1, 6], &[0.25; 6]);
            let parts = [quarter, own.tensors["pos_embed"].clone()].map(|t| {
                let count = t.count() / 6;
                t.reshaped(vec![count, 6]).unwrap()
            });
            let all = TensorData::concatenated(&[&parts[0], &parts[1]]).unwrap();
            given.tensors.insert(name, all.reshaped(vec![1, 5, 6]).unwrap());
            let sum: Vec<f32> =
                own.tensors["cls_token"].to_f32().iter().map(|v| v + 0.25).collect();
            own.tensors.insert("cls_token".to_owned(), TensorData::from_f32(vec![1, 1, 6], &sum));
        }
        let loaded = load(&params, &given, Head::Keep).unwrap_or_else(|e| panic!("{title}: {e}"));
        assert_eq!(loaded.scheme, scheme, "{title}");
        check_values(&params, &own, "");
    }
}

#[test]
fn a_head_of_another_size_stays_as_it_was_started_and_this_is_said() {
    let file = own(&WideResNetConfig::wrn10_1().outline_of(10));
    // TorchSSL's and USB's name of the head, behind DataParallel's prefix.
    let file = renamed(&file, |name| format!("module.{}", name.replace("fc.", "classifier.")));
    let params = NetConfig::from(WideResNetConfig::wrn10_1()).build(Device::Cpu, 3, 4).params;
    let before = params.get("fc.weight").unwrap().copy();
    let error = load(&params, &file, Head::Keep).unwrap_err().to_string();
    assert!(error.starts_with("net.pth: ") && error.contains("2 of another shape"), "{error}");
    assert!(error.contains("fc.weight is [10, 64], not [4, 64]"), "{error}");
    assert!(error.contains("behind the prefix module."), "{error}");
    assert_ne!(params.get("conv1.weight").unwrap().double_value(&[0, 0, 0, 0]), 1.0);
    let loaded = load(&params, &file, Head::Replace).unwrap();
    let head = loaded.replaced_head.unwrap();
    assert_eq!(
        (head.name.as_str(), head.found, head.wanted),
        ("fc", Some(vec![10, 64]), vec![4, 64])
    );
    let said = ["prefix module. removed", "head fc of 10 outputs replaced by a new one of 4"];
    assert_eq!(loaded.applied, said);
    assert_eq!(params.get("fc.weight").unwrap(), &before);
    let own = renamed(&file, |name| name.trim_start_matches("module.").to_owned());
    check_values(&params, &own, "fc");
}

/// The net with its tensors under their own names.
trait OutlineOf {
    fn outline_of(self, classes: i64) -> Params;
}

impl<C: Into<NetConfig>> OutlineOf for C {
    fn outline_of(self, classes: i64) -> Params {
        self.into().outline(3, classes)
    }
}

#[test]
fn layers_of_self_supervised_training_are_left_out_and_deeper_nets_refused() {
    let params = resnet().build(Device::Cpu, 3, 7).params;
    let own = own(&params);
    // moco-v3: two encoders, each with its projection in place of the head, and a predictor.
    let mut given = StateDict { source: "moco.pth.tar".into(), ..StateDict::default() };
    for (name, tensor) in own.tensors.iter().filter(|(name, _)| !name.starts_with("fc.")) {
        let other = numbered(tensor.shape().to_vec(), 0);
        given.tensors.insert(format!("module.base_encoder.{name}"), tensor.clone());
        given.tensors.insert(format!("module.momentum_encoder.{name}"), other);
    }
    for name in ["base_encoder.fc.0.weight", "predictor.0.weight"] {
        given.tensors.insert(format!("module.{name}"), numbered(vec![3, 3], 0));
    }
    let loaded: Loaded = load(&params, &given, Head::Replace).unwrap();
    check_values(&params, &own, "fc");
    assert_eq!(loaded.applied[0], "prefix module.base_encoder. removed");
    assert!(loaded.unexpected.contains(&"fc.0.weight".to_owned()), "{:?}", loaded.unexpected);
    assert!(loaded.unexpected.contains(&"module.predictor.0.weight".to_owned()));

    // A deeper net of the same kind has blocks too many: not to be left out silently.
    let deeper = ResNetConfig { layers: [1, 3, 1, 1], stem: 8, ..Default::default() };
    let deeper = self::own(&deeper.outline_of(7));
    let error = load(&params, &deeper, Head::Replace).unwrap_err();
    let PublishedError::Mismatch { error, .. } = error else { panic!("{error}") };
    assert!(error.missing.is_empty() && error.mismatched.is_empty());
    assert_eq!(error.unexpected.len(), 15);
    assert!(error.unexpected.iter().all(|name| name.starts_with("layer2.2.")), "{error}");
}

#[test]
fn every_difference_is_named_at_once_with_what_the_file_says_it_is() {
    let params = narrow().build(Device::Cpu, 3, 7).params;
    let mut given = theirs(&own(&params), &published_names()["lukemelas"]);
    given.tensors.remove("_blocks.3._bn1.bias");
    given.tensors.insert("_blocks.99._bn1.bias".to_owned(), numbered(vec![1], 0));
    given.tensors.insert("_conv_stem.weight".to_owned(), numbered(vec![16, 1, 3, 3], 0));
    given.meta.insert(meta::ARCHITECTURE.to_owned(), "efficientnet_b5".to_owned());
    let text = load(&params, &given, Head::Replace).unwrap_err().to_string();
    for part in [
        "net.pth: ",
        "1 missing: blocks.1.1.bn2.bias",
        "1 unexpected: _blocks.99._bn1.bias",
        "conv_stem.weight is [16, 1, 3, 3], not [16, 3, 3, 3]",
        "the file says that it is efficientnet_b5",
        "read as those of lukemelas",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn numbers_that_no_net_can_have_are_refused() {
    let params = resnet().build(Device::Cpu, 3, 7).params;
    let mut given = own(&params);
    given.tensors.insert("bn1.bias".to_owned(), TensorData::from_f32(vec![8], &[f32::NAN; 8]));
    let text = load(&params, &given, Head::Keep).unwrap_err().to_string();
    assert!(text.contains("net.pth: tensor bn1.bias holds NaN"), "{text}");
    // Its root would be none.
    let mut below = own(&params);
    let variances = TensorData::from_f32(vec![8], &[-0.5; 8]);
    below.tensors.insert("bn1.running_var".to_owned(), variances);
    let text = load(&params, &below, Head::Keep).unwrap_err().to_string();
    assert!(text.contains("tensor bn1.running_var holds variances below 0"), "{text}");
    let bytes = TensorData::new(Dtype::I8, vec![8], vec![1; 8]).unwrap();
    given.tensors.insert("bn1.bias".to_owned(), bytes);
    let text = load(&params, &given, Head::Keep).unwrap_err().to_string();
    assert!(text.contains("tensor bn1.bias holds integers"), "{text}");
    let half: Vec<u8> = [0, 0x3c].repeat(8);
    given
        .tensors
        .insert("bn1.bias".to_owned(), TensorData::new(Dtype::F16, vec![8], half).unwrap());
    load(&params, &given, Head::Keep).unwrap();
    assert_eq!(params.get("bn1.bias").unwrap().double_value(&[3]), 1.0);
}

#[test]
fn lite_weights_become_timms() {
    let pairs = &published_names()["lukemelas-lite"];
    let tensors = pairs.iter().enumerate();
    let tensors = tensors.map(|(i, (theirs, ..))| (theirs.clone(), numbered(vec![i + 1], i)));
    let given = StateDict { tensors: tensors.collect(), ..StateDict::default() };
    let blocks = [1, 3, 3, 4, 4, 5, 1];
    let timm = to_timm(&given, &blocks).unwrap();
    assert_eq!(timm.tensors.len(), pairs.len());
    for (theirs, ours, _) in pairs {
        assert_eq!(timm.tensors[ours], given.tensors[theirs], "{theirs} {ours}");
    }
    let mut other = given.clone();
    other.tensors.remove("_fc.bias");
    other.tensors.insert("_blocks.21._bn0.bias".to_owned(), numbered(vec![1], 0));
    let error = to_timm(&other, &blocks).unwrap_err().to_string();
    assert!(error.contains("1 missing: classifier.bias"), "{error}");
    assert!(error.contains("1 unexpected: _blocks.21._bn0.bias"), "{error}");
}

#[test]
fn the_catalogs_nets_are_those_of_this_crate() {
    for entry in weights::catalog::entries() {
        let net = NetConfig::by_name(&entry.architecture).unwrap();
        let own = own(&net.outline(3, 1000));
        let timm = to_timm(&own, &entry.blocks).unwrap_or_else(|e| panic!("{}: {e}", entry.name));
        assert_eq!(timm.tensors, own.tensors, "{}", entry.name);
    }
}
