//! From documents to sequences, in files and in batches.

use super::small;
use augment::rng::Rng;
use data_pipeline::dataset::Samples;
use data_pipeline::loader::{Loader, Stream};
use data_pipeline::sampler::Order;
use data_pipeline::text::corpus::{Boundary, Corpus, ReadOptions};
use data_pipeline::text::pretrain::{
    BuildOptions, Builder, Chosen, Draws, Segments, Shard, Split, TokenShards, build,
};
use data_pipeline::text::{Pack, Packed, Sequence, Specials, Tokenizer};
use proptest::prelude::*;
use std::fs;
use std::path::Path;
use std::sync::Arc;

const SPECIALS: Specials = Specials { pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 };

/// Random numbers that are written down; the last one is repeated.
struct Script(Vec<f64>);

impl Draws for Script {
    fn unit(&mut self) -> f64 {
        if self.0.len() > 1 { self.0.remove(0) } else { self.0[0] }
    }

    fn length(&mut self, least: usize, _: usize) -> usize {
        least
    }
}

/// The first sequence of sentences of these lengths; sentence `i` consists of id `10 + i`.
fn sequence(lengths: &[usize], draws: &[f64], segments: Segments) -> Sequence {
    let mut builder = Builder::new(segments, SPECIALS);
    let mut draws = Script(draws.to_vec());
    for (i, &length) in lengths.iter().enumerate() {
        if let Some(sequence) = builder.add(&vec![10 + i as u32; length], &mut draws) {
            assert_eq!(i + 1, lengths.len(), "the sequence is full only at its last sentence");
            return sequence;
        }
    }
    builder.end(&mut draws).unwrap()
}

/// How many tokens of each sentence stand in each segment.
fn spread(sequence: &Sequence) -> [Vec<usize>; 2] {
    let (first, second) = sequence.ids.split_at(sequence.first as usize);
    [first, second].map(|ids| {
        let count = |id| ids.iter().filter(|&&found| found == id).count();
        (10..16).map(count).collect()
    })
}

const SENTENCES: [usize; 6] = [30, 25, 20, 30, 10, 20];

/// Which sentences go to which segment for drawn numbers, worked out by hand.
#[test]
fn segments_are_filled_by_the_drawn_lengths() {
    let segments = Segments::default();
    let made = sequence(&SENTENCES, &[0.5, 0.7], segments);
    assert_eq!((made.len(), made.first), (128, 57));
    assert_eq!(spread(&made), [vec![30, 25, 0, 0, 0, 0], vec![0, 0, 20, 30, 10, 10]]);
    assert_eq!([0, 56, 127].map(|at| made.ids[at]), [SPECIALS.cls, SPECIALS.sep, SPECIALS.sep]);

    let made = sequence(&SENTENCES, &[0.5, 0.2], segments);
    assert_eq!((made.len(), made.first), (128, 77));
    assert_eq!(spread(&made), [vec![30, 25, 20, 0, 0, 0], vec![0, 0, 0, 30, 10, 10]]);

    let made = sequence(&SENTENCES, &[0.05, 0.7], segments);
    assert_eq!((made.len(), made.first), (128, 128));
    assert_eq!(spread(&made)[0], [30, 25, 20, 30, 10, 11]);

    let mut builder = Builder::new(segments, SPECIALS);
    let made = builder.add(&[10; 300], &mut Script(vec![0.5])).unwrap();
    assert_eq!((made.len(), made.first, spread(&made)[0][0]), (128, 128, 126));
    assert_eq!(builder.dropped(), 174);
    assert_eq!(builder.end(&mut Script(vec![0.5])), None, "nothing is carried over");
}

/// The first release of ELECTRA puts everything into segment 1.
#[test]
fn the_first_release_fills_segment_1_alone() {
    let segments = Segments { first_release: true, ..Segments::default() };
    for coin in [0.2, 0.7] {
        let made = sequence(&SENTENCES, &[0.5, coin], segments);
        assert_eq!((made.len(), made.first), (128, 128));
        assert_eq!(spread(&made)[0], [30, 25, 20, 30, 10, 11]);
    }
}

#[test]
fn shares_of_lengths_and_segments() {
    let mut builder = Builder::new(Segments::default(), SPECIALS);
    let mut rng = Rng::new(3);
    let (mut made, mut text) = (vec![], Rng::new(4));
    builder.begin(&mut rng);
    for _ in 0..60_000 {
        made.extend(builder.add(&vec![9; 3 + text.below(12)], &mut rng));
    }
    let share =
        |is: &dyn Fn(&&Sequence) -> bool| made.iter().filter(is).count() as f64 / made.len() as f64;
    let one = share(&|s| s.first as usize == s.len());
    let short = share(&|s| s.len() < 110);
    assert!((one - 0.1).abs() < 0.02, "{one}");
    // Of the 5 % with a length of 5 to 128, what aims at less than some 105 stays below 110.
    assert!((0.03..0.055).contains(&short), "{short} of {}", made.len());
}

/// 60 documents of a few lines, in three files.
fn corpus(folder: &Path) -> Corpus {
    let mut rng = Rng::new(7);
    for file in 0..3 {
        let mut text = String::new();
        for _ in 0..20 {
            for _ in 0..1 + rng.below(40) {
                for _ in 0..1 + rng.below(12) {
                    let word = ["the", "film", "was", "good", "long", "naïve", "x", "y."];
                    text.push_str(word[rng.below(8)]);
                    text.push(' ');
                }
                text.push('\n');
            }
            text.push('\n');
        }
        fs::write(folder.join(format!("{file}.txt")), text).unwrap();
    }
    Corpus::open(&[folder.to_path_buf()], ReadOptions::default()).unwrap()
}

fn words() -> Tokenizer {
    small(&["the", "film", "was", "good", "long", "naive"])
}

fn options(workers: usize) -> BuildOptions {
    BuildOptions { seed: 3, shard_tokens: 1000, workers, ..BuildOptions::default() }
}

/// The files of tokens with their bytes.
fn shards(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |path: &std::path::PathBuf| {
        (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap())
    };
    files.iter().map(read).filter(|(name, _)| name.ends_with(".shard")).collect()
}

#[test]
fn any_number_of_workers_and_any_interruption_give_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    let texts = folder.path().join("texts");
    fs::create_dir(&texts).unwrap();
    let (corpus, tokenizer) = (corpus(&texts), words());
    let whole = folder.path().join("whole");
    let built = build(&corpus, &tokenizer, &whole, &options(1), |_| {}).unwrap();
    let expected = shards(&whole);
    assert!(expected.len() > 4, "{}", expected.len());
    assert_eq!((built.shards as usize, built.read.documents), (expected.len(), 60));
    for workers in [2, 5] {
        let again = folder.path().join(format!("workers-{workers}"));
        build(&corpus, &tokenizer, &again, &options(workers), |_| {}).unwrap();
        assert!(shards(&again) == expected, "{workers} workers");
    }
    // Stopped after any number of files, with a half-written one beside them.
    let stopped = folder.path().join("stopped");
    for kept in 0..expected.len() {
        fs::create_dir_all(&stopped).unwrap();
        fs::copy(whole.join("build.json"), stopped.join("build.json")).unwrap();
        for (name, bytes) in &expected[..kept] {
            fs::write(stopped.join(name), bytes).unwrap();
        }
        fs::write(stopped.join(".tokens-00009.shard.1.part"), b"half").unwrap();
        if kept > 0 {
            let error = TokenShards::open(&stopped).unwrap_err().to_string();
            assert!(error.contains("last file of tokens is missing"), "{error}");
        }
        let again = build(&corpus, &tokenizer, &stopped, &options(2), |_| {}).unwrap();
        assert!(shards(&stopped) == expected, "{kept} files kept");
        assert_eq!((again.sequences, again.tokens), (built.sequences, built.tokens));
        assert_eq!(again.dropped, built.dropped);
        fs::remove_dir_all(&stopped).unwrap();
    }
    // A finished folder is left as it is; another seed is another build.
    assert_eq!(
        build(&corpus, &tokenizer, &whole, &options(2), |_| {}).unwrap().tokens,
        built.tokens
    );
    let other = BuildOptions { seed: 4, ..options(1) };
    let error = build(&corpus, &tokenizer, &whole, &other, |_| {}).unwrap_err().to_string();
    assert!(error.contains("begun with other settings"), "{error}");
    let error = build(&corpus, &small(&[]), &whole, &options(1), |_| {}).unwrap_err().to_string();
    assert!(error.contains("begun with other vocabulary"), "{error}");
    fs::write(texts.join("3.txt"), "more").unwrap();
    let more = Corpus::open(&[texts], ReadOptions::default()).unwrap();
    let error = build(&more, &tokenizer, &whole, &options(1), |_| {}).unwrap_err().to_string();
    assert!(error.contains("begun with other texts"), "{error}");
}

#[test]
fn files_hold_what_was_built() {
    let folder = tempfile::tempdir().unwrap();
    let texts = folder.path().join("texts");
    fs::create_dir(&texts).unwrap();
    let (corpus, tokenizer) = (corpus(&texts), words());
    let tokens = folder.path().join("tokens");
    let built = build(&corpus, &tokenizer, &tokens, &options(2), |_| {}).unwrap();
    let set = TokenShards::open(&tokens).unwrap();
    set.verify().unwrap();
    set.check_tokenizer(&tokenizer).unwrap();
    assert!(set.check_tokenizer(&small(&[])).is_err());
    assert_eq!(
        (set.len() as u64, set.tokens(), set.documents()),
        (built.sequences, built.tokens, 60)
    );
    // Every token of the texts is in a sequence or counted as dropped.
    let mut all = 0;
    for document in corpus.documents() {
        let lines = document.unwrap().lines;
        all += tokenizer.batch(&lines).unwrap().iter().map(Vec::len).sum::<usize>();
    }
    let specials = tokenizer.specials();
    let mut kept = 0;
    for i in 0..set.len() {
        let sequence = set.item(i).unwrap();
        assert!(sequence.len() <= 128 && sequence.len() == set.size(i) as usize);
        assert_eq!(sequence.ids[0], specials.cls);
        assert_eq!(sequence.ids[sequence.first as usize - 1], specials.sep);
        assert_eq!(sequence.ids[sequence.len() - 1], specials.sep);
        kept += sequence.ids.iter().filter(|&&id| !specials.is_special(id)).count();
    }
    assert_eq!(kept as u64 + built.dropped, all as u64);
    assert_eq!(set.id(0), "tokens-00000.shard/0");
    // Large vocabularies take four bytes an id.
    let words: Vec<String> = (0..70_000).map(|i| format!("w{i}x")).collect();
    let wide = small(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let text = folder.path().join("wide.txt");
    fs::write(&text, "w69999x w0x\n").unwrap();
    let corpus = Corpus::open(&[text], ReadOptions::default()).unwrap();
    build(&corpus, &wide, &folder.path().join("wide"), &options(1), |_| {}).unwrap();
    let ids = TokenShards::open(&folder.path().join("wide")).unwrap().item(0).unwrap().ids;
    assert_eq!(ids[1..3], wide.ids("w69999x w0x").unwrap());
    assert!(ids[1] > 1 << 16);
}

/// What is measured on is never learned from, and nothing is lost.
#[test]
fn documents_are_held_out_by_their_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let texts = folder.path().join("texts");
    fs::create_dir(&texts).unwrap();
    let (corpus, tokenizer) = (corpus(&texts), words());
    let of = |name: &str, documents| {
        let dir = folder.path().join(name);
        let options = BuildOptions { documents, ..options(2) };
        build(&corpus, &tokenizer, &dir, &options, |_| {}).unwrap();
        let set = TokenShards::open(&dir).unwrap();
        assert_eq!(set.documents(), 60);
        (0..set.len()).map(|i| set.item(i).unwrap()).collect::<Vec<_>>()
    };
    let all = of("all", Chosen::All);
    let (learned, held_out) =
        (of("learned", Chosen::AllButEvery(7)), of("held-out", Chosen::Every(7)));
    assert!(!held_out.is_empty() && learned.len() > 4 * held_out.len());
    assert_eq!(learned.len() + held_out.len(), all.len());
    // Each document has its own random numbers, so that both parts are those of the whole.
    assert!(learned.iter().chain(&held_out).all(|sequence| all.contains(sequence)));
    assert_eq!(of("none", Chosen::AllButEvery(61)), all);
    let other = BuildOptions { documents: Chosen::Every(7), ..options(2) };
    let all = folder.path().join("all");
    let error = build(&corpus, &tokenizer, &all, &other, |_| {}).unwrap_err().to_string();
    assert!(error.contains("begun with other settings"), "{error}");
}

/// Texts of one line lose little when their sentences are told apart.
#[test]
fn sentences_of_long_lines() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("reviews.txt");
    fs::write(&file, format!("{}\n", "It was a good film. ".repeat(200)).repeat(3)).unwrap();
    let read = ReadOptions { boundary: Boundary::Line, ..ReadOptions::default() };
    let corpus = Corpus::open(&[file], read).unwrap();
    let dropped = |split, name: &str| {
        let segments = Segments { split, ..Segments::default() };
        let options = BuildOptions { segments, ..options(1) };
        let built = build(&corpus, &words(), &folder.path().join(name), &options, |_| {}).unwrap();
        built.dropped as f64 / (built.dropped + built.tokens) as f64
    };
    assert!(dropped(Split::Lines, "lines") > 0.9);
    assert!(dropped(Split::Sentences, "sentences") < 0.1);
}

fn loader(set: Arc<TokenShards>, order: Order, from: u64, workers: usize) -> Vec<Packed> {
    let entries = (0..set.len() as u32).collect();
    let stream = Stream { set, entries, collate: Pack, batch: 8, seed: 1, order };
    let steps = Loader::builder(vec![stream]).steps(from..40).workers(workers).start();
    steps.map(|step| step.unwrap().batches.remove(0).data).collect()
}

#[test]
fn batches_resume_and_buckets_are_even() {
    let folder = tempfile::tempdir().unwrap();
    let texts = folder.path().join("texts");
    fs::create_dir(&texts).unwrap();
    let tokens = folder.path().join("tokens");
    build(&corpus(&texts), &words(), &tokens, &options(2), |_| {}).unwrap();
    let set = Arc::new(TokenShards::open(&tokens).unwrap());
    for order in [Order::Shuffled, Order::Bucketed] {
        let whole = loader(set.clone(), order, 0, 0);
        for (from, workers) in [(0, 3), (7, 0), (39, 2)] {
            assert!(loader(set.clone(), order, from, workers) == whole[from as usize..]);
        }
        // Each sequence once an epoch.
        let mut first: Vec<u64> =
            whole.iter().flat_map(|p| &p.keys).take(set.len()).map(|k| k.index).collect();
        first.sort();
        assert_eq!(first, (0..set.len() as u64).collect::<Vec<_>>());
    }
    let padding = |order| {
        let batches = loader(set.clone(), order, 0, 1);
        let padded: u32 = batches.iter().map(|p| p.longest() * p.sequences() as u32).sum();
        let real: usize = batches.iter().map(|p| p.ids.len()).sum();
        f64::from(padded) / real as f64
    };
    assert!(padding(Order::Bucketed) < 0.5 + 0.5 * padding(Order::Shuffled));
}

#[test]
fn damaged_files_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let texts = folder.path().join("texts");
    fs::create_dir(&texts).unwrap();
    let tokens = folder.path().join("tokens");
    build(&corpus(&texts), &words(), &tokens, &options(2), |_| {}).unwrap();
    let path = tokens.join("tokens-00001.shard");
    let whole = fs::read(&path).unwrap();
    let open = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        TokenShards::open(&tokens).map_err(|error| error.to_string())
    };
    let error = open(&whole[..whole.len() - 1]).unwrap_err();
    assert!(error.contains("cut short") && error.contains("tokens-00001"), "{error}");
    assert!(open(&whole[..50]).unwrap_err().contains("50 bytes are no file of tokens"));
    assert!(open(b"PAR1").unwrap_err().contains("no file of tokens"));
    assert!(open(&[&whole[..], b"x"].concat()).is_err());
    for at in 0..136 {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        let opened = open(&bytes);
        // The digest of the content is checked against the content.
        assert!(opened.is_err() || opened.unwrap().verify().is_err(), "byte {at}");
    }
    let mut bytes = whole.clone();
    *bytes.last_mut().unwrap() = 0xff;
    let set = open(&bytes).unwrap();
    assert!(set.verify().unwrap_err().to_string().contains("digest"));
    let errors: Vec<String> =
        (0..set.len()).filter_map(|i| set.item(i).err()).map(|e| e.to_string()).collect();
    assert!(errors.len() == 1 && errors[0].contains("the vocabulary has"), "{errors:?}");
    fs::remove_file(&path).unwrap();
    assert!(TokenShards::open(&tokens).unwrap_err().to_string().contains("is missing"));
    fs::copy(tokens.join("tokens-00000.shard"), &path).unwrap();
    assert!(TokenShards::open(&tokens).unwrap_err().to_string().contains("does not belong"));
}

proptest! {
    #[test]
    fn no_bytes_make_a_file_of_tokens_panic(bytes: Vec<u8>, magic: bool) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens-00000.shard");
        let start: &[u8] = if magic { b"TUTORTOK\x01\0\0\0" } else { b"" };
        fs::write(&path, [start, &bytes].concat()).unwrap();
        prop_assert!(Shard::open(&path).is_err());
    }

    #[test]
    fn sequences_fit_and_nothing_vanishes(
        lengths in proptest::collection::vec(0usize..60, 1..60), longest in 5usize..80, seed: u64,
        first_release: bool,
    ) {
        let segments = Segments { longest, first_release, ..Segments::default() };
        let mut builder = Builder::new(segments, SPECIALS);
        let mut rng = Rng::new(seed);
        let mut made = vec![];
        builder.begin(&mut rng);
        for (i, &length) in lengths.iter().enumerate() {
            made.extend(builder.add(&vec![10 + i as u32; length], &mut rng));
        }
        made.extend(builder.end(&mut rng));
        let mut kept = 0;
        for sequence in &made {
            prop_assert!(sequence.len() <= longest && sequence.first as usize <= sequence.len());
            kept += sequence.ids.iter().filter(|&&id| id >= 10).count();
        }
        prop_assert_eq!(kept as u64 + builder.dropped(), lengths.iter().sum::<usize>() as u64);
    }
}
