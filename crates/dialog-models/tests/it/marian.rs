//! Marian as transformers has it: logits, what beam search finds, folders; see `golden_marian.py`.
//!
//! The small networks of the folders have large weights, which make rounding large: what is to be
//! equal is computed in float64.

use std::fs;
use std::path::{Path, PathBuf};

use dialog_models::decode::{
    BatchSize, Beam, Patience, Prompt, SampleConfig, Sampling, Special, beam, beam_all,
    decode_batched, sample, sample_all,
};
use dialog_models::hub::MarianCheckpoint;
use dialog_models::{Autoregressive, LanguageModel, Marian, Pairs};
use serde_json::Value;
use torch::{Device, Kind, Mode, Params, Tensor, no_grad, store};
use weights::find::Places;

const FOLDERS: [&str; 2] = ["marian", "marian_apart"];

/// What logits may be off in float32: twice what those of transformers are (1.2e-4 on an AMD
/// processor, 5.7e-5 on an Intel one).
const FLOAT32: f64 = 2.4e-4;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn open(path: &Path) -> Result<(MarianCheckpoint, Marian, Params), String> {
    let asked = path.to_str().expect("UTF-8");
    let read = MarianCheckpoint::open(asked, &Places::default()).map_err(|e| e.to_string())?;
    let (net, params) = read.build(Device::Cpu).map_err(|e| e.to_string())?;
    Ok((read, net, params))
}

/// The network of a folder in float64.
fn exact(name: &str) -> (MarianCheckpoint, Marian) {
    let (read, _, params) = open(&folder(name)).expect(name);
    let net = params.in_kind(Kind::Double, |scope| Marian::new(scope, &read.config.network));
    (read, net)
}

fn close(what: &str, a: &Tensor, b: &Tensor) {
    let difference = (a - b).abs().max().double_value(&[]);
    assert!(difference < 1e-10, "{what}: {difference}");
}

fn expected(name: &str) -> Value {
    let text = fs::read_to_string(folder(name).join("expected.json")).expect("text");
    serde_json::from_str(&text).expect("JSON")
}

fn ids(json: &Value) -> Vec<i64> {
    serde_json::from_value(json.clone()).expect("token ids")
}

#[test]
fn logits_are_those_of_transformers() {
    for name in FOLDERS {
        let (_, net) = exact(name);
        let (_, single, _) = open(&folder(name)).expect(name);
        let golden = store::load(&folder(name).join("expected.safetensors")).expect("tensors");
        let json = expected(name);
        let all = |key: &str| json[key].as_array().expect("lists").iter().map(ids).collect();
        let (contexts, responses): (Vec<Vec<i64>>, Vec<Vec<i64>>) =
            (all("contexts"), all("responses"));
        let theirs = |i: usize| &golden.tensors[&format!("logits.{i}")];
        let difference = |net: &Marian, pairs: &Pairs, theirs: &Tensor| {
            let found = no_grad(|| net.logits(pairs, Mode::Eval));
            (found - theirs).abs().max().double_value(&[])
        };
        for i in 0..contexts.len() {
            let pairs = Pairs::new(&[&contexts[i]], &[&responses[i]], Device::Cpu);
            let found = difference(&net, &pairs, theirs(i));
            assert!(found < 1e-9, "{name} {i}: {found}");
            let found = difference(&single, &pairs, theirs(i));
            assert!(found < FLOAT32, "{name} {i}: {found} in float32");
        }
        // A batch gives what each gives alone.
        let slices = |all: &[Vec<i64>]| -> Vec<Vec<i64>> { all.to_vec() };
        let (read, written) = (slices(&contexts), slices(&responses));
        let read: Vec<&[i64]> = read.iter().map(Vec::as_slice).collect();
        let written: Vec<&[i64]> = written.iter().map(Vec::as_slice).collect();
        let pairs = Pairs::new(&read, &written, Device::Cpu);
        let parts: Vec<&Tensor> = (0..read.len()).map(theirs).collect();
        let found = difference(&net, &pairs, &Tensor::cat(&parts, 0));
        assert!(found < 1e-9, "{name}, together: {found}");
        let found = difference(&single, &pairs, &Tensor::cat(&parts, 0));
        assert!(found < FLOAT32, "{name}, together: {found} in float32");
    }
}

/// The search that a case of the golden file asks for.
fn search(beam: &Beam, changes: &Value) -> Beam {
    let mut beam = beam.clone();
    let whole = |key: &str| changes[key].as_u64().map(|n| n as usize);
    beam.width = whole("num_beams").unwrap_or(beam.width);
    beam.max_tokens = whole("max_length").map_or(beam.max_tokens, |most| most - 1);
    beam.length_power = changes["length_penalty"].as_f64().unwrap_or(beam.length_power);
    beam.patience = match &changes["early_stopping"] {
        Value::Bool(true) => Patience::First,
        Value::Bool(false) => Patience::Present,
        Value::String(_) => Patience::Any,
        _ => beam.patience,
    };
    beam
}

#[test]
fn beam_search_finds_what_that_of_transformers_finds() {
    for name in FOLDERS {
        let (read, net) = exact(name);
        let special = &read.config.special;
        let json = expected(name);
        let contexts: Vec<Vec<i64>> =
            json["contexts"].as_array().expect("lists").iter().map(ids).collect();
        for case in json["beams"].as_array().expect("cases") {
            let config = search(&read.config.beam, &case["changes"]);
            let prompt = |context| {
                let max_tokens = config.max_tokens;
                Prompt { context, seed: 0, max_tokens }
            };
            let prompts: Vec<Prompt<'_>> = contexts.iter().map(|c| prompt(c.as_slice())).collect();
            let together = beam_all(&net, &prompts, special, &config);
            for (i, context) in contexts.iter().enumerate() {
                let what = format!("{name} {} context {i}", case["changes"]);
                let found = beam(&net, context, special, &config);
                let theirs = case["found"][i].as_array().expect("a list");
                assert_eq!(found.len(), theirs.len(), "{what}");
                for (ours, theirs) in found.iter().zip(theirs) {
                    let mut tokens = ours.tokens.clone();
                    tokens.extend(ours.finished.then_some(special.end));
                    assert_eq!(tokens, ids(&theirs["tokens"]), "{what}");
                    let length = (ours.generated() as f64).powf(config.length_power);
                    // Theirs add up in float32.
                    if let Some(score) = theirs["score"].as_f64() {
                        let own = ours.log_probability / length;
                        let off = (own - score).abs() / (1.0 + score.abs());
                        assert!(off < 1e-6, "{what}: {own}, not {score}");
                    }
                }
                let alone: Vec<_> = found.iter().map(|c| &c.tokens).collect();
                let tokens: Vec<_> = together[i].iter().map(|c| &c.tokens).collect();
                assert_eq!(tokens, alone, "{what}, together");
            }
        }
    }
}

#[test]
fn cached_steps_are_those_of_the_whole_text() {
    for name in FOLDERS {
        let (_, net) = exact(name);
        let contexts: [&[i64]; 3] = [&[3, 7, 0], &[5, 5, 9, 22, 31, 8, 0], &[0]];
        let text =
            |start: i64| -> Vec<i64> { (0..44).map(|i| (start + 7 * i * i) % 37 + 1).collect() };
        let texts = [text(3), text(8), text(20), text(5)];
        // Two texts of the second context, in rows that are not in the contexts' order.
        let owners = [1, 0, 2, 1];
        let ln = |logits: &Tensor| logits.log_softmax(-1, Kind::Double);
        let whole: Vec<Tensor> = texts
            .iter()
            .zip(owners)
            .map(|(text, owner)| {
                let pairs = Pairs::new(&[contexts[owner]], &[text], Device::Cpu);
                no_grad(|| ln(&net.logits(&pairs, Mode::Eval)))
            })
            .collect();
        let (mut decoding, first) = net.start(&contexts);
        let first = ln(&first);
        decoding.select(&owners);
        for (row, whole) in whole.iter().enumerate() {
            close("first", &first.get(owners[row] as i64), &whole.get(0));
        }
        let mut open: Vec<usize> = vec![0, 1, 2, 3];
        #[expect(clippy::needless_range_loop, reason = "it is a place in several texts")]
        for place in 0..43 {
            // Texts leave, a context with its last one, and change places.
            if place == 10 {
                decoding.select(&[3, 0, 1]);
                open = vec![3, 0, 1];
            }
            if place == 20 {
                decoding.select(&[1, 0]);
                open = vec![0, 3];
            }
            let tokens: Vec<i64> = open.iter().map(|&row| texts[row][place]).collect();
            let logits = ln(&decoding.step(&Tensor::from_slice(&tokens)));
            for (at, &row) in open.iter().enumerate() {
                let what = format!("{name} row {row} after {} tokens", place + 1);
                close(&what, &logits.get(at as i64), &whole[row].get(place as i64 + 1));
            }
        }
    }
}

/// A batch draws what each draws alone, and more copies begin with those that fewer would have.
#[test]
fn drawn_translations_do_not_depend_on_their_batch() {
    let (read, net) = exact("marian");
    let special = &read.config.special;
    let contexts: [&[i64]; 4] = [&[3, 7, 0], &[5, 5, 9, 22, 31, 8, 0], &[0], &[9, 9, 9, 0]];
    let config = |candidates| SampleConfig {
        candidates,
        max_tokens: 30,
        sampling: Sampling { temperature: 0.9, top_k: None, nucleus: None },
    };
    let prompt = |(i, context): (usize, &&'static [i64])| Prompt {
        context,
        seed: 100 + i as u64,
        max_tokens: if i == 3 { 4 } else { 30 },
    };
    let prompts: Vec<Prompt<'_>> = contexts.iter().enumerate().map(prompt).collect();
    let all = sample_all(&net, &prompts, special, &config(5));
    assert_eq!((all.len(), all[0].len()), (4, 5));
    for (i, found) in all.iter().enumerate() {
        let most = prompts[i].max_tokens;
        let alone = SampleConfig { max_tokens: most, ..config(2) };
        let alone = sample(&net, contexts[i], special, &alone, prompts[i].seed);
        for (ours, theirs) in alone.iter().zip(found) {
            assert_eq!(ours.tokens, theirs.tokens, "context {i}");
            assert!((ours.log_probability - theirs.log_probability).abs() < 1e-9);
        }
        // The last token that may be written is the end, for certain.
        assert!(found.iter().all(|c| c.finished && c.generated() <= most));
        let never = |c: &dialog_models::decode::Candidate| c.tokens.contains(&39);
        assert!(!found.iter().any(never), "padding is never written");
    }
    assert!(all.concat().iter().any(|c| c.generated() < 30));
    let unforced = Special { forced: false, ..special.clone() };
    let cut = sample_all(&net, &prompts[3..], &unforced, &config(20));
    assert!(cut[0].iter().any(|c| !c.finished && c.tokens.len() == 4));
    assert!(sample_all(&net, &[], special, &config(1)).is_empty());
}

/// The network is the same on the tensors of another one, and in another thread.
#[test]
fn tensors_are_shared_with_another_thread() {
    let (read, net, params) = open(&folder("marian")).expect("the network");
    let again = params.sharing(|scope| Marian::new(scope, &read.config.network));
    let special = read.config.special.clone();
    let search = read.config.beam.clone();
    let here = beam(&net, &[3, 7, 0], &special, &search);
    let there = std::thread::spawn(move || beam(&again, &[3, 7, 0], &special, &search));
    let there = there.join().expect("no panic");
    let tokens = |all: &[dialog_models::decode::Candidate]| -> Vec<Vec<i64>> {
        all.iter().map(|c| c.tokens.clone()).collect()
    };
    assert_eq!(tokens(&here), tokens(&there));
}

#[test]
fn a_network_learns_a_pair() {
    let (_, net, params) = open(&folder("marian")).expect("the network");
    let pairs = Pairs::new(&[&[3, 7, 0]], &[&[5, 6, 0]], Device::Cpu);
    let nll = || no_grad(|| net.token_loss(&pairs, 0.0, Mode::Eval)).nll.mean(Kind::Float);
    let before = nll().double_value(&[]);
    let adam = torch::optim::OptimConfig::Adamw(torch::optim::AdamW::default());
    let mut optimizer = adam.build(&params);
    for _ in 0..5 {
        optimizer.zero_grad();
        net.token_loss(&pairs, 0.1, Mode::TrainWithoutNoise).loss.backward();
        optimizer.step(3e-3);
    }
    let after = nll().double_value(&[]);
    assert!(after < before, "{before} to {after}");
}

#[test]
fn folders_that_are_half_there_are_named() {
    let copy = tempfile::tempdir().expect("a folder");
    let at = |name: &str| copy.path().join(name);
    let files = ["config.json", "generation_config.json", "model.safetensors"];
    let restore = || {
        for name in files {
            fs::copy(folder("marian").join(name), at(name)).expect("copied");
        }
    };
    let refused = || open(copy.path()).map(drop).expect_err("not whole");
    restore();
    fs::remove_file(at("config.json")).expect("removed");
    assert!(refused().contains("config.json"), "{}", refused());
    restore();
    fs::remove_file(at("model.safetensors")).expect("removed");
    assert!(refused().contains("without weights"), "{}", refused());
    restore();
    for (from, to, expected) in [
        (r#""marian""#, r#""bert""#, "bert; marian is known"),
        (r#""normalize_before": false"#, r#""normalize_before": true"#, "`normalize_before`"),
        (r#""activation_function": "swish""#, r#""activation_function": "elu""#, "swish"),
        (r#""d_model": 16"#, r#""d_model": 18"#, "no multiple of 4 heads"),
        (r#""encoder_layers": 2"#, r#""encoder_layers": 3"#, "layers.2.fc1.bias"),
        (r#""vocab_size": 40"#, r#""vocab_size": 41"#, "41 and 40 in one table"),
    ] {
        let text = fs::read_to_string(folder("marian").join("config.json")).expect("text");
        assert!(text.contains(from), "{from}");
        fs::write(at("config.json"), text.replace(from, to)).expect("written");
        assert!(refused().contains(expected), "{expected}: {}", refused());
    }
    restore();
    fs::write(at("generation_config.json"), r#"{"bad_words_ids": [[1, 2]]}"#).expect("written");
    assert!(refused().contains("single tokens"), "{}", refused());
    fs::write(at("generation_config.json"), "{").expect("written");
    assert!(refused().contains("generation_config.json"), "{}", refused());
    // Without it the folder is whole.
    fs::remove_file(at("generation_config.json")).expect("removed");
    assert!(open(copy.path()).is_ok());
}

/// Networks in threads, and contexts in batches, give what each gives alone.
#[test]
fn many_contexts_are_decoded_in_any_number_of_threads() {
    let (read, _, params) = open(&folder("marian")).expect("the network");
    let special = &read.config.special;
    let contexts: Vec<Vec<i64>> = (0..40)
        .map(|i| (0..1 + i % 9).map(|k| (i + 3 * k) % 38 + 1).chain([0]).collect())
        .collect();
    let prompt = |(i, context): (usize, &'_ Vec<i64>)| (i as u64, context.clone());
    let owned: Vec<(u64, Vec<i64>)> = contexts.iter().enumerate().map(prompt).collect();
    let prompts: Vec<Prompt<'_>> = owned
        .iter()
        .map(|(seed, context)| Prompt { context, seed: *seed, max_tokens: 12 })
        .collect();
    let sampling = Sampling { temperature: 1.0, top_k: None, nucleus: None };
    let config = SampleConfig { candidates: 2, max_tokens: 12, sampling };
    let decode = |net: &dyn Autoregressive, prompts: &[Prompt<'_>]| {
        sample_all(net, prompts, special, &config)
    };
    let mut before = None;
    for threads in [1, 3] {
        let mut nets: Vec<Box<dyn Autoregressive + Send>> = (0..threads)
            .map(|_| -> Box<dyn Autoregressive + Send> {
                Box::new(params.sharing(|scope| Marian::new(scope, &read.config.network)))
            })
            .collect();
        let size = BatchSize { rows: 16, tokens: 100 };
        let all = decode_batched(&mut nets, &prompts, 2, size, &decode);
        for (prompt, found) in prompts.iter().zip(&all) {
            let alone = sample(&*nets[0], prompt.context, special, &config, prompt.seed);
            assert!(alone.iter().zip(found).all(|(a, b)| a.tokens == b.tokens));
        }
        // Bit for bit.
        assert!(before.is_none_or(|before| before == all));
        before = Some(all);
    }
}
