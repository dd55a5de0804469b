//! GPT-2 against transformers; its folders, its cache, and ranking by mutual information.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use dialog_models::decode::{SampleConfig, Sampling, Special, sample};
use dialog_models::hub::{Gpt2Checkpoint, Gpt2HubConfig};
use dialog_models::{
    Autoregressive, Gpt2, Gpt2Config, LanguageModel, PackedSequences, Texts, evaluate, joined, mmi,
};
use serde_json::json;
use torch::store::{self, Stored};
use torch::{Device, Kind, Mode, Params, Tensor, no_grad};
use weights::find::Places;

use crate::golden::{close, folder, list};

const END: i64 = 22;

fn open(folder: &Path) -> Gpt2Checkpoint {
    Gpt2Checkpoint::open(&folder.display().to_string(), &Places::default()).unwrap()
}

fn build(config: &Gpt2Config) -> (Gpt2, Params) {
    Params::build(Device::Cpu, |scope| Gpt2::new(scope, config))
}

/// The published-like folder: half precision in PyTorch's old format, with buffers and a tied head.
fn published() -> (Gpt2, Params) {
    assert!(
        ["config.json", "pytorch_model.bin"].iter().all(|f| folder().join("gpt2").join(f).exists())
    );
    let checkpoint = open(&folder().join("gpt2"));
    let (net, params) = build(&checkpoint.config.network);
    checkpoint.load(&params).unwrap();
    assert_eq!(checkpoint.config.end, END);
    (net, params)
}

#[test]
fn logits_and_gradients_are_those_of_transformers() {
    let (net, params) = published();
    let Stored { tensors: golden, .. } = store::load(&folder().join("gpt2.safetensors")).unwrap();
    let texts = [0, 1].map(|i| list(&golden[&format!("ids.{i}")]));
    let texts = texts.each_ref().map(Vec::as_slice);
    let logits = net.logits(&PackedSequences::new(&texts, Device::Cpu), Mode::Eval);
    let theirs = Tensor::cat(&[&golden["logits.0"], &golden["logits.1"]], 0);
    close("logits", &logits, &theirs);
    let loss =
        net.token_loss(&Texts::whole(&texts, Device::Cpu), 0.0, Mode::TrainWithoutNoise).loss;
    close("loss", &loss, &golden["loss"]);
    loss.backward();
    for p in params.iter() {
        close(&p.name, &p.tensor.grad(), &golden[&format!("grad.{}", p.name)]);
    }
}

/// Texts of 3, 9 and 20 tokens alone, and in one padded batch; what pads is a token like any other.
#[test]
fn a_batch_gives_what_single_texts_give() {
    let (net, _) = published();
    let texts = [3, 9, 20].map(|n| (0..n).map(|i| (5 * i * i + n) % 23).collect::<Vec<i64>>());
    let ln = |batch: &PackedSequences| {
        no_grad(|| net.logits(batch, Mode::Eval).log_softmax(-1, Kind::Float))
    };
    let alone = texts.each_ref().map(|text| ln(&PackedSequences::new(&[text], Device::Cpu)));
    for (room, pad) in [(20, 0), (25, 0), (60, 0), (25, END), (60, END)] {
        let padded = texts.iter().flat_map(|text| {
            text.iter().copied().chain(std::iter::repeat_n(pad, room - text.len()))
        });
        let ids = Tensor::from_slice(&padded.collect::<Vec<i64>>()).view([3, room as i64]);
        let batch = PackedSequences::from_padded(&ids, vec![3, 9, 20]);
        for (own, alone) in batch.split(&ln(&batch)).iter().zip(&alone) {
            close("in a batch", own, alone);
        }
    }
}

#[test]
fn names_without_prefix_and_other_names_of_the_head_are_known() {
    let (net, params) = published();
    let batch = PackedSequences::new(&[&[3, 0, 9, 22, 1]], Device::Cpu);
    let wanted = no_grad(|| net.logits(&batch, Mode::Eval));
    let table = params.get("transformer.wte.weight").unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::copy(crate::golden::folder().join("gpt2/config.json"), folder.path().join("config.json"))
        .unwrap();
    let write = |rename: &dyn Fn(&str) -> Option<String>, more: &[(&str, Tensor)]| {
        let own = params.tensors().into_iter().filter_map(|(n, t)| Some((rename(&n)?, t)));
        let more = more.iter().map(|(name, t)| ((*name).to_owned(), t.shallow_clone()));
        let tensors: Vec<_> = own.chain(more).collect();
        let path = folder.path().join("model.safetensors");
        store::save(&path, &tensors, &BTreeMap::new()).unwrap();
        open(folder.path())
    };
    let keep = |name: &str| Some(name.to_owned());
    let bare = |name: &str| Some(name.strip_prefix("transformer.").unwrap().to_owned());
    let mask = Tensor::ones([1, 1, 24, 24], (Kind::Uint8, Device::Cpu));
    let old = [("lm_head.decoder.weight", table.shallow_clone())];
    let tied = |name: &str| Some(name.replace("transformer.wte.weight", "lm_head.weight"));
    let wrapped = |name: &str| Some(format!("module.{name}"));
    for checkpoint in [
        write(&bare, &[("h.0.attn.bias", mask)]),
        write(&keep, &old),
        write(&tied, &[]),
        write(&wrapped, &[("module.lm_head.weight", table.shallow_clone())]),
    ] {
        let (net, fresh) = build(&checkpoint.config.network);
        checkpoint.load(&fresh).unwrap();
        assert_eq!(no_grad(|| net.logits(&batch, Mode::Eval)), wanted);
    }
    // What does not fit is named, and nothing is changed.
    let (_, fresh) = build(&open(folder.path()).config.network);
    let before: Vec<Tensor> = fresh.iter().map(|p| p.tensor.copy()).collect();
    let c_fc = "transformer.h.1.mlp.c_fc.weight";
    let without = |name: &str| (name != c_fc).then(|| name.to_owned());
    let kernel = params.get(c_fc).unwrap();
    let fault =
        |more: &[(&str, Tensor)]| write(&without, more).load(&fresh).unwrap_err().to_string();
    assert!(fault(&[]).contains(&format!("1 missing: {c_fc}")));
    let transposed = fault(&[(c_fc, kernel.tr().contiguous())]);
    assert!(transposed.contains(&format!("{c_fc} is [32, 8], not [8, 32]")), "{transposed}");
    assert!(fault(&[(c_fc, kernel * f64::NAN)]).contains("NaN"));
    assert!(fault(&[(c_fc, kernel.to_kind(Kind::Int))]).contains("integers"));
    let untied = fault(&[(c_fc, kernel.shallow_clone()), ("lm_head.weight", table * 2.0)]);
    assert!(untied.contains("1 unexpected: lm_head.weight"), "{untied}");
    let deeper = "transformer.h.2.ln_1.bias";
    assert!(fault(&[(c_fc, kernel.shallow_clone()), (deeper, kernel.get(0))]).contains(deeper));
    assert!(fresh.iter().zip(&before).all(|(p, before)| &p.tensor == before));
}

#[test]
fn configurations_say_what_they_cannot() {
    let read = |json: serde_json::Value| Gpt2HubConfig::from_json(&json);
    let small = read(json!({"model_type": "gpt2"})).unwrap();
    assert_eq!((small.network, small.end), (Gpt2Config::small(), 50_256));
    let old =
        json!({"n_ctx": 512, "n_embd": 1024, "n_layer": 24, "n_head": 16, "vocab_size": 50257});
    assert_eq!(read(old).unwrap().network, Gpt2Config { positions: 512, ..Gpt2Config::medium() });
    let fault = |json: serde_json::Value| read(json).unwrap_err();
    assert!(fault(json!({"model_type": "bert"})).contains("bert"));
    assert!(fault(json!({})).contains("model_type"));
    assert!(
        fault(json!({"model_type": "gpt2", "activation_function": "relu"})).contains("gelu_new")
    );
    assert!(fault(json!({"model_type": "gpt2", "n_head": 7})).contains("no multiple of 7 heads"));
    assert!(fault(json!({"model_type": "gpt2", "n_inner": 5})).contains("3072"));
    assert!(fault(json!({"model_type": "gpt2", "n_layer": "many"})).contains("n_layer"));
    assert!(fault(json!({"model_type": "gpt2", "eos_token_id": 50257})).contains("eos_token_id"));
    assert!(fault(json!({"model_type": "gpt2", "eos_token_id": []})).contains("eos_token_id"));
    let end = |vocabulary: i64, more: serde_json::Value| {
        read(json!({"model_type": "gpt2", "vocab_size": vocabulary, "eos_token_id": more}))
            .unwrap()
            .end
    };
    assert_eq!(end(50_304, json!(null)), 50_256, "a resized vocabulary");
    assert_eq!(end(100, json!(null)), 99);
    assert_eq!(end(50_304, json!([50_260, 50_256])), 50_260);
}

#[test]
fn published_sizes_have_their_numbers_of_parameters() {
    for (config, count) in [
        (Gpt2Config::small(), 124_439_808),
        (Gpt2Config::medium(), 354_823_168),
        (Gpt2Config::large(), 774_030_080),
    ] {
        assert_eq!(config.parameters(), count);
        let outline = Params::outline(|scope| Gpt2::new(scope, &config));
        assert_eq!(outline.count() as u64, count);
    }
}

#[test]
fn cached_steps_are_those_of_the_whole_text() {
    let (net, _) = published();
    let texts: [&[i64]; 2] = [&[3, 0, 9, 22, 1, 0, 7, 7, 12], &[3, 0, 9, 22, 4, 22, 5, 1, 0]];
    let ln = |logits: &Tensor| logits.log_softmax(-1, Kind::Float);
    let all = texts
        .map(|t| no_grad(|| ln(&net.logits(&PackedSequences::new(&[t], Device::Cpu), Mode::Eval))));
    let (mut decoding, logits) = net.start(&[&texts[0][..4]]);
    close("context", &ln(&logits), &all[0].narrow(0, 3, 1));
    decoding.select(&[0; 5]);
    // Rows leave before the first token and after it.
    decoding.select(&[0, 3, 2]);
    let _ = decoding.step(&Tensor::from_slice(&[9, texts[1][4], texts[0][4]]));
    decoding.select(&[2, 1]);
    for (place, (one, other)) in texts[0].iter().zip(texts[1]).enumerate().skip(5) {
        let logits = ln(&decoding.step(&Tensor::from_slice(&[*one, *other])));
        for (row, all) in all.iter().enumerate() {
            let what = format!("row {row}, place {place}");
            close(&what, &logits.get(row as i64), &all.get(place as i64));
        }
    }
}

#[test]
fn a_text_ends_where_positions_do() {
    let (net, _) = published();
    let config = SampleConfig { candidates: 6, max_tokens: 100, sampling: Sampling::default() };
    let special = Special { never: (0..10).collect(), ..Special::end(END) };
    let all = sample(&net, &[3; 20], &special, &config, 1);
    assert!(all.iter().all(|c| c.generated() <= 4), "24 positions");
    assert!(all.iter().any(|c| !c.finished && c.tokens.len() == 4));
    let none = sample(&net, &[3; 24], &special, &config, 1);
    assert!(none.iter().all(|c| c.tokens.is_empty() && !c.finished && c.score().is_none()));
}

/// ln p of the tokens of a text after the first `read`.
fn log_probability(net: &Gpt2, text: &[i64], read: usize) -> f64 {
    let logits = no_grad(|| net.logits(&PackedSequences::new(&[text], Device::Cpu), Mode::Eval));
    let ln = logits.log_softmax(-1, Kind::Double);
    let one = |i: usize| ln.double_value(&[i as i64 - 1, text[i]]);
    (read..text.len()).map(one).sum()
}

#[test]
fn dialogues_are_predicted_after_their_first_turn() {
    let (net, _) = published();
    let dialogues = [vec![vec![5, 6], vec![7, 8, 9], vec![1]], vec![vec![0], vec![2, 3]]];
    let batch = Texts::dialogues(&dialogues, END, 1, Device::Cpu);
    assert_eq!(batch.predicted(), 4 + 2 + 3);
    assert_eq!(batch.tokens().lengths(), [8, 4], "the last end is not read");
    let totals = evaluate(&net, [&batch]);
    let own = log_probability(&net, &joined(&dialogues[0], END), 3)
        + log_probability(&net, &joined(&dialogues[1], END), 2);
    assert!((totals.nll + own).abs() < 1e-4, "{} {own}", totals.nll);
    let last = Texts::dialogues(&dialogues[..1], END, 2, Device::Cpu);
    assert_eq!(list(last.truth()), [1, END]);
}

#[test]
fn mutual_information_is_that_of_the_context() {
    let (net, _) = published();
    let turns = [vec![5, 6], vec![7, 8, 9]];
    let responses = [vec![1, 2], vec![], vec![3, 4, 5, 6]];
    let scores = mmi::scores(&net, &turns, &responses, END);
    for (score, response) in scores.iter().zip(&responses) {
        let read = [response.as_slice(), &[END]].concat();
        let text = [read.as_slice(), &[7, 8, 9, END, 5, 6, END]].concat();
        let own = log_probability(&net, &text, read.len());
        assert!((score - own).abs() < 1e-4, "{score}, not {own}");
    }
    assert!(mmi::scores(&net, &turns, &[], END).is_empty());
}

/// The last token of a text is predicted, and never read.
#[test]
#[should_panic(expected = "is not in a vocabulary of")]
fn a_token_that_is_predicted_is_in_the_vocabulary() {
    let (net, _) = published();
    let _ = evaluate(&net, [&Texts::whole(&[&[3, 1000]], Device::Cpu)]);
}
