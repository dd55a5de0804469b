//! From messages to pairs, for `cargo xtask bench dialog --peers`: `xtask/peers/bench_dialog.py`
//! does the same in plain Python.
//!
//! ```text
//! dialog make DIR
//! dialog DIR
//! ```
//!
//! The first form writes the conversations that the program carries as `messages.jsonl.gz`, and a
//! vocabulary of 8,192 tokens made of them. For the second one each line of the input is a
//! question: `pipeline` is answered with the seconds that all messages take from the file to pairs
//! without near-duplicates, `messages`, `kept` and `pairs` with numbers of the last time, `peak`
//! with the most memory so far in MiB.
#![allow(clippy::print_stdout, reason = "it answers on its output")]

use std::io::{BufRead, stdin};
use std::path::{Path, PathBuf};
use std::time::Instant;

use benches::Error;
use data_pipeline::dataset::dialogues;
use data_pipeline::dialog::{
    BpeSize, BpeTrainer, Checks, DialogFormat, DialogReadOptions, DialogSource, DialogSplit,
    DialogTokenizer, Dialogs, Filters, SafetyWords, Selected, read_all,
};

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["make", folder] => make(Path::new(folder)),
        [folder] => serve(Path::new(folder)),
        _ => Err("dialog [make] DIR".into()),
    }
}

fn source(folder: &Path) -> DialogSource {
    let path: PathBuf = folder.join("messages.jsonl.gz");
    DialogSource { path, format: DialogFormat::JsonLines, part: None }
}

fn make(folder: &Path) -> Result<(), Error> {
    std::fs::write(folder.join("messages.jsonl.gz"), dialogues::FILE)?;
    let (messages, _) = read_all(&[source(folder)], &DialogReadOptions::default())?;
    let mut trainer = BpeTrainer::default();
    messages.iter().for_each(|message| trainer.count(&message.text));
    trainer.tokenizer(BpeSize::default())?.save(folder)?;
    Ok(())
}

fn serve(folder: &Path) -> Result<(), Error> {
    let tokenizer = DialogTokenizer::open(folder)?;
    let safety = SafetyWords::shipped();
    let subwords = |text: &str| tokenizer.ids(text).unwrap_or_default();
    let checks = Checks { subwords: &subwords, safety: &safety };
    let mut last = Selected::default();
    for question in stdin().lock().lines() {
        match question?.trim() {
            "pipeline" => {
                let begin = Instant::now();
                let (messages, _) = read_all(&[source(folder)], &DialogReadOptions::default())?;
                let dialogs = Dialogs::new(messages, &DialogSplit::default())?;
                last = dialogs.select(&Filters::default(), &checks)?;
                last.remove_near_duplicates();
                println!("{}", begin.elapsed().as_secs_f64());
            }
            "messages" => println!("{}", last.funnel.messages),
            "kept" => println!("{}", last.funnel.kept),
            "pairs" => println!("{}", last.pairs.len()),
            "peak" => println!("{}", benches::peak()),
            other => return Err(format!("no question {other}").into()),
        }
    }
    Ok(())
}
