//! Networks that translate, with their tokenizers: what back-translation asks for.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use augment::rng::{Key, Rng};
use augment::text::TextError;
use augment::text::back_translation::Translator;
use augment::text::paraphrases::one_line;
use data_pipeline::digest::Digest;
use data_pipeline::text::MarianTokenizer;
use dialog_models::decode::{
    BatchSize, Beam, Candidate, Prompt, SampleConfig, Sampling, Special, beam_all, decode_batched,
    sample_all,
};
use dialog_models::hub::MarianCheckpoint;
use dialog_models::{Autoregressive, Marian};
use torch::Device;
use weights::find::{Places, find};

use super::published::HUB;

/// How many tokens a translation may have more than what is translated, as tensor2tensor decodes.
const MORE: usize = 100;

/// Texts of two languages as token ids.
trait Languages: Send + Sync {
    /// Of a text that is to be translated, its end included.
    fn source_ids(&self, text: &str) -> Result<Vec<i64>, String>;

    /// Of a translation.
    fn text(&self, ids: &[i64]) -> String;
}

impl Languages for MarianTokenizer {
    fn source_ids(&self, text: &str) -> Result<Vec<i64>, String> {
        Self::source_ids(self, text).map_err(|error| error.to_string())
    }

    fn text(&self, ids: &[i64]) -> String {
        Self::text(self, ids)
    }
}

/// A network that translates. On the CPU it computes in several threads, each on whole batches of
/// its own, so that their number changes no bit.
pub(crate) struct Translation {
    name: String,
    /// Out of which language and into which, where its folder says so.
    way: [Option<String>; 2],
    languages: Box<dyn Languages>,
    /// One for each thread, of the same tensors.
    nets: Vec<Box<dyn Autoregressive + Send>>,
    special: Special,
    /// The search that the folder asks for.
    beam: Beam,
    /// Tokens of a text at most, its end included.
    longest: usize,
    /// Texts that were longer and were cut.
    cut: usize,
}

/// A part of a text that is translated by itself.
struct Piece {
    /// The number of the text.
    text: usize,
    ids: Vec<i64>,
}

impl Translation {
    /// Opens a folder as opus-mt's, a row of a run that trained such networks (`RUN/ROW`), or what
    /// a name stands for in the hub's cache, to compute in this many threads on the CPU.
    pub(crate) fn open(asked: &str, device: Device, threads: usize) -> Result<Self> {
        let places = Places::of_user();
        let asked = &of_run(asked)?;
        let checkpoint = MarianCheckpoint::open(asked, &places)?;
        let path = find(asked, &places)?.path;
        let folder = if path.is_dir() { &*path } else { path.parent().unwrap_or(Path::new(".")) };
        let tokenizer = MarianTokenizer::open(folder)?;
        let config = &checkpoint.config;
        let (rows, sizes) = (config.network.vocabularies, tokenizer.sizes());
        ensure!(
            sizes[0] <= rows[0] && sizes[1] <= rows[1],
            "{}: the vocabulary has {} and {} tokens, the network {} and {}: they do not belong \
             together",
            folder.display(),
            sizes[0],
            sizes[1],
            rows[0],
            rows[1]
        );
        let end = tokenizer.specials().end;
        ensure!(
            end == config.special.end,
            "{}: `eos_token_id` is {}, and </s> has the number {end}",
            folder.display(),
            config.special.end
        );
        let (_, params) = checkpoint.build(device)?;
        let workers = if device == Device::Cpu { threads.max(1) } else { 1 };
        let net = || -> Box<dyn Autoregressive + Send> {
            Box::new(params.sharing(|scope| Marian::new(scope, &config.network)))
        };
        Ok(Self {
            name: format!("marian {}", identity(&checkpoint, folder)?),
            way: way(folder),
            languages: Box::new(tokenizer),
            nets: (0..workers).map(|_| net()).collect(),
            special: config.special.clone(),
            beam: config.beam.clone(),
            longest: config.network.positions as usize,
            cut: 0,
        })
    }

    /// Out of which language it translates and into which, where its folder says so.
    pub(crate) fn way(&self) -> [Option<&str>; 2] {
        self.way.each_ref().map(Option::as_deref)
    }

    /// The likeliest translation of each text that the search finds which the folder asks for.
    pub(crate) fn best(&mut self, texts: &[String]) -> Result<Vec<String>, TextError> {
        let (special, beam) = (self.special.clone(), self.beam.clone());
        let search = |net: &dyn Autoregressive, prompts: &[Prompt<'_>]| {
            beam_all(net, prompts, &special, &beam)
        };
        let all = self.translations(texts, (1, beam.width), 0, &search)?;
        Ok(all.into_iter().flatten().collect())
    }

    /// Translations of each text, as many as candidates are drawn.
    fn sampled(
        &mut self,
        texts: &[String],
        config: &SampleConfig,
        seed: u64,
    ) -> Result<Vec<Vec<String>>, TextError> {
        let (special, copies) = (self.special.clone(), config.candidates);
        let draw = |net: &dyn Autoregressive, prompts: &[Prompt<'_>]| {
            sample_all(net, prompts, &special, config)
        };
        self.translations(texts, (copies, copies), seed, &draw)
    }

    /// The first `copies` of what `decode` finds for each text, of which `rows` are written at a
    /// time.
    fn translations(
        &mut self,
        texts: &[String],
        (copies, rows): (usize, usize),
        seed: u64,
        decode: &Decode<'_>,
    ) -> Result<Vec<Vec<String>>, TextError> {
        let fault = |fault| TextError::Translator { translator: self.name.clone(), fault };
        let mut pieces = Vec::new();
        for (text, line) in texts.iter().enumerate() {
            let ids = self.languages.source_ids(line).map_err(fault)?;
            self.cut += usize::from(ids.len() > self.longest);
            pieces.extend(parts(ids, self.longest, self.special.end, text));
        }
        let numbered = pieces.iter().enumerate();
        let prompts = numbered.map(|(i, piece)| Prompt {
            context: &piece.ids,
            seed: seed_of(seed, i),
            max_tokens: piece.ids.len() + MORE,
        });
        let prompts: Vec<Prompt<'_>> = prompts.collect();
        let done = decode_batched(&mut self.nets, &prompts, rows, BatchSize::default(), decode);
        let mut all = vec![vec![String::new(); copies]; texts.len()];
        for (piece, found) in pieces.iter().zip(done) {
            for (text, one) in all[piece.text].iter_mut().zip(found) {
                let part = self.languages.text(&one.tokens);
                if !text.is_empty() && !part.is_empty() {
                    text.push(' ');
                }
                text.push_str(&one_line(&part));
            }
        }
        Ok(all)
    }
}

/// What finds candidates for each of some contexts.
type Decode<'a> = dyn Fn(&dyn Autoregressive, &[Prompt<'_>]) -> Vec<Vec<Candidate>> + Sync + 'a;

impl Translator for Translation {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn cut(&self) -> usize {
        self.cut
    }

    fn translate(
        &mut self,
        lines: &[String],
        temperature: f64,
        rng: &mut Rng,
    ) -> Result<Vec<String>, TextError> {
        let all = self.translate_each(lines, 1, temperature, rng)?;
        Ok(all.into_iter().flatten().collect())
    }

    fn translate_each(
        &mut self,
        lines: &[String],
        copies: usize,
        temperature: f64,
        rng: &mut Rng,
    ) -> Result<Vec<Vec<String>>, TextError> {
        let sampling = Sampling { temperature, top_k: None, nucleus: None };
        let config = SampleConfig { candidates: copies, max_tokens: usize::MAX, sampling };
        self.sampled(lines, &config, rng.next_u64())
    }
}

/// The folder of a network that a run trained, where `asked` is the folder of one of its rows, or
/// names a row behind the folder of the run, of which the first seed is taken; anything else as it
/// is.
fn of_run(asked: &str) -> Result<String> {
    let path = Path::new(asked);
    let in_row = |row: &Path| Some(row.join(HUB)).filter(|hub| hub.join("config.json").is_file());
    let mut found = in_row(path);
    if let (None, Some(run), Some(row)) = (&found, path.parent(), path.file_name())
        && run.join("recipe.toml").is_file()
    {
        let read = std::fs::read_dir(run).with_context(|| run.display().to_string())?;
        let mut seeds: Vec<(u64, PathBuf)> = Vec::new();
        for entry in read {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let seed = name.strip_prefix("seed-").and_then(|seed| seed.parse().ok());
            seeds.extend(seed.map(|seed| (seed, path.join(row))));
        }
        seeds.sort();
        found = seeds.iter().find_map(|(_, row)| in_row(row));
    }
    let Some(found) = found else {
        let run = [Some(path), path.parent()].into_iter().flatten();
        let run = run.into_iter().find(|run| run.join("recipe.toml").is_file());
        if let Some(run) = run.filter(|_| !path.join("config.json").is_file()) {
            let run = run.display();
            bail!("{asked} is no network that translates: name a row of the run, as {run}/en-fr");
        }
        return Ok(asked.to_owned());
    };
    let text = found.to_str();
    Ok(text.with_context(|| format!("{}: the path is no UTF-8", found.display()))?.to_owned())
}

/// The file of a folder that says out of which language it translates and into which.
pub(crate) const TOKENIZER: &str = "tokenizer_config.json";

/// The keys of it.
pub(crate) const WAY: [&str; 2] = ["source_lang", "target_lang"];

/// Both languages, as the folder names them.
fn way(folder: &Path) -> [Option<String>; 2] {
    let bytes = std::fs::read(folder.join(TOKENIZER)).unwrap_or_default();
    let config: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    WAY.map(|key| config[key].as_str().map(str::to_owned))
}

/// The random numbers of a piece follow from its place among those that are translated together.
fn seed_of(seed: u64, piece: usize) -> u64 {
    Key { seed, epoch: 0, index: piece as u64, view: 3001 }.rng().next_u64()
}

/// A text's tokens in parts that a network can read, each with the end behind it.
fn parts(ids: Vec<i64>, longest: usize, end: i64, text: usize) -> Vec<Piece> {
    if ids.len() <= longest {
        return vec![Piece { text, ids }];
    }
    let part = |part: &[i64]| Piece { text, ids: [part, &[end]].concat() };
    // Without the end, which comes behind each part.
    ids[..ids.len() - 1].chunks((longest - 1).max(1)).map(part).collect()
}

/// Which network and vocabulary these are: texts that different ones translate must not be mixed.
fn identity(checkpoint: &MarianCheckpoint, folder: &Path) -> Result<Digest> {
    let mut bytes = Vec::new();
    for (name, tensor) in &checkpoint.weights.tensors {
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(&Digest::of(tensor.bytes()).to_bytes());
    }
    let names = ["source.spm", "target.spm", "vocab.json", "target_vocab.json"];
    for path in names.map(|name| folder.join(name)) {
        // Networks whose two sides share a vocabulary have no fourth file.
        if path.ends_with("target_vocab.json") && !path.exists() {
            continue;
        }
        let read = std::fs::read(&path).with_context(|| path.display().to_string())?;
        bytes.extend_from_slice(&Digest::of(&read).to_bytes());
    }
    let config = &checkpoint.config;
    bytes.extend_from_slice(format!("{:?} {:?}", config.network, config.special).as_bytes());
    Ok(Digest::of(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_and_nothing_is_lost() {
        let ids: Vec<i64> = (10..31).chain([0]).collect();
        let cut = parts(ids.clone(), 8, 0, 3);
        assert!(cut.iter().all(|part| part.ids.len() <= 8 && part.text == 3));
        let joined: Vec<i64> =
            cut.iter().flat_map(|part| part.ids[..part.ids.len() - 1].to_vec()).collect();
        assert_eq!(joined, ids[..21]);
        assert_eq!(parts(ids[..8].to_vec(), 8, 0, 0).len(), 1);
    }
}
