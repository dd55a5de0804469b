//! What ELECTRA's discriminator says of each token of a text: was it replaced?

use anyhow::{Context, Result, ensure};
use data_pipeline::text::{Piece, Sequence, Tokenizer};
use electra::heads::ReplacedHead;
use electra::hub::Heads;
use electra::{Encoder, Family};
use serde::Serialize;
use torch::{Device, Kind, Mode, Params, no_grad};

use super::published;
use super::tokens::in_batches;

/// A discriminator with its tokenizer.
pub(crate) struct Discriminator {
    encoder: Encoder,
    head: ReplacedHead,
    tokenizer: Tokenizer,
    /// Tokens of a sequence at most.
    longest: usize,
    device: Device,
}

/// A token of a text, and what is said of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Judged {
    pub(crate) token: String,
    /// Its first character in the text, and the one behind its last.
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// How probable it is that another stood there.
    pub(crate) probability: f64,
}

/// Sequences of a batch.
const BATCH: usize = 16;

/// Tokens that a network of so many positions reads at once: it may have more positions than it
/// has learned.
fn longest(positions: usize, tokenizer: &Tokenizer) -> usize {
    positions.min(tokenizer.longest().unwrap_or(positions))
}

impl Discriminator {
    /// A published one, or that of a run of pre-training.
    pub(crate) fn open(asked: &str, device: Device) -> Result<Self> {
        let asked = published::locate(asked)?;
        let (checkpoint, tokenizer) = published::open(&asked)?;
        let config = &checkpoint.config;
        let has_head = checkpoint.weights.tensors.keys().any(|n| n.starts_with("discriminator_"));
        ensure!(
            config.encoder.family == Family::Electra && has_head,
            "{asked} is no discriminator of ELECTRA but {}: it has no discriminator_predictions",
            config.architecture.as_deref().unwrap_or("another network")
        );
        let ((encoder, head), params) = Params::build(device, |scope| {
            let encoder = Encoder::new(&mut scope.sub("electra"), &config.encoder);
            (encoder, ReplacedHead::new(scope, &config.encoder))
        });
        checkpoint.load(&params, Heads::Keep)?;
        let longest = longest(config.encoder.positions as usize, &tokenizer);
        ensure!(longest > 2, "{asked} reads {longest} tokens, too few for a text");
        Ok(Self { encoder, head, tokenizer, longest, device })
    }

    /// What it says of each token; a text of more tokens than it reads is shown in parts.
    pub(crate) fn judge(&self, text: &str) -> Result<Vec<Judged>> {
        let pieces = self.tokenizer.pieces(text)?;
        let parts: Vec<&[Piece]> = pieces.chunks(self.longest - 2).collect();
        let sequence = |part: &&[Piece]| {
            let ids: Vec<u32> = part.iter().map(|piece| piece.id).collect();
            Sequence::new(&ids, &[], self.tokenizer.specials())
        };
        let sequences: Vec<Sequence> = parts.iter().map(sequence).collect();
        let mut found: Vec<Vec<f64>> = vec![Vec::new(); parts.len()];
        for (places, packed) in in_batches(&sequences, BATCH, self.device) {
            let said = no_grad(|| {
                let x = self.encoder.forward(&packed, Mode::Eval);
                self.head.forward(&x).to_kind(Kind::Double).sigmoid()
            });
            let mut said = Vec::<f64>::try_from(said.to_device(Device::Cpu))?.into_iter();
            for (place, &length) in places.into_iter().zip(packed.lengths()) {
                // Without [CLS] and [SEP].
                let of_sequence: Vec<f64> = said.by_ref().take(length).collect();
                found[place] = of_sequence[1..length - 1].to_vec();
            }
        }
        let each = pieces.iter().zip(found.into_iter().flatten());
        each.map(|(piece, probability)| {
            let &Piece { id, start, end } = piece;
            let token = self.tokenizer.token(id).context("a token of the vocabulary")?;
            Ok(Judged { token, start, end, probability })
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_that_were_never_learned_are_not_used() {
        let dir = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            std::fs::write(dir.path().join(name), text).expect("written");
        };
        write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\n");
        for (config, wanted) in
            [("{}", 64), (r#"{"model_max_length": 16}"#, 16), (r#"{"model_max_length": 128}"#, 64)]
        {
            write("tokenizer_config.json", config);
            let tokenizer = Tokenizer::open(dir.path()).expect("a tokenizer");
            assert_eq!(longest(64, &tokenizer), wanted, "{config}");
        }
    }
}
