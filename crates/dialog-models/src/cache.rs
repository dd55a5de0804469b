//! What a decoder remembers of the tokens before: keys and values of attention, and the last frames
//! that its convolutions look back at.

use torch::{Kind, Tensor};

/// Tokens that the first memory has room for; it doubles when they are used up.
const ROOM: i64 = 32;

/// Keys and values of several sequences of equal lengths that grow token by token.
#[derive(Debug, Default)]
pub(crate) struct Growing {
    /// `[rows, heads, room, width]` each.
    kept: Option<[Tensor; 2]>,
    tokens: i64,
}

impl Growing {
    /// Adds a token: keys and values `[rows, heads, width]`.
    pub(crate) fn push(&mut self, keys: &Tensor, values: &Tensor) {
        let (rows, heads, width) = keys.size3().expect("[rows, heads, width]");
        let room = self.kept.as_ref().map_or(0, |kept| kept[0].size()[2]);
        if self.tokens == room {
            let more = if room == 0 { ROOM } else { room };
            let grown = |old: Option<&Tensor>, like: &Tensor| {
                let zeros = Tensor::zeros([rows, heads, more, width], (like.kind(), like.device()));
                old.map_or_else(|| zeros.shallow_clone(), |old| Tensor::cat(&[old, &zeros], 2))
            };
            let old = self.kept.as_ref();
            self.kept = Some([grown(old.map(|k| &k[0]), keys), grown(old.map(|k| &k[1]), values)]);
        }
        let kept = self.kept.as_ref().expect("there is room");
        for (to, from) in kept.iter().zip([keys, values]) {
            to.select(2, self.tokens).copy_(from);
        }
        self.tokens += 1;
    }

    /// Goes on with these rows, int64; a row may be taken several times.
    pub(crate) fn select(&mut self, rows: &Tensor) {
        if let Some(kept) = &mut self.kept {
            *kept = kept.each_ref().map(|x| x.index_select(0, rows));
        }
    }

    /// Keys and values `[rows, heads, tokens, width]`.
    fn seen(&self) -> Option<[Tensor; 2]> {
        self.kept.as_ref().map(|kept| kept.each_ref().map(|x| x.narrow(2, 0, self.tokens)))
    }
}

/// softmax(q kᵀ / √width) v of one token each of several sequences, `[rows, heads, width]`, on keys
/// and values `[heads, tokens, width]` that all share, followed by those of each: `[rows, heads ·
/// width]`.
pub(crate) fn attend(q: &Tensor, shared: Option<&[Tensor; 2]>, own: Option<&Growing>) -> Tensor {
    let (rows, heads, width) = q.size3().expect("[rows, heads, width]");
    let q = q / (width as f64).sqrt();
    let own = own.and_then(Growing::seen);
    // All scores are [rows, heads, 1, tokens].
    let mut scores = Vec::new();
    if let Some([keys, _]) = shared {
        let all = q.transpose(0, 1).matmul(&keys.transpose(1, 2));
        scores.push(all.transpose(0, 1).unsqueeze(2));
    }
    if let Some([keys, _]) = &own {
        scores.push(q.unsqueeze(2).matmul(&keys.transpose(2, 3)));
    }
    let weights = Tensor::cat(&scores, 3).softmax(-1, None::<Kind>);
    let mut mixed = None;
    let mut seen = 0;
    if let Some([_, values]) = shared {
        seen = values.size()[1];
        let part = weights.narrow(3, 0, seen).squeeze_dim(2).transpose(0, 1);
        mixed = Some(part.matmul(values).transpose(0, 1));
    }
    if let Some([_, values]) = &own {
        let part = weights.narrow(3, seen, values.size()[2]).matmul(values).squeeze_dim(2);
        mixed = Some(mixed.map_or(part.shallow_clone(), |shared| shared + part));
    }
    mixed.expect("something to look at").reshape([rows, heads * width])
}

/// Adds a frame `[rows, width]` to the last ones `[rows, frames, width]`; gives all of them, and
/// keeps as many as there were.
pub(crate) fn push_frame(last: &mut Tensor, frame: &Tensor) -> Tensor {
    let frames = Tensor::cat(&[last.shallow_clone(), frame.unsqueeze(1)], 1);
    *last = frames.narrow(1, 1, last.size()[1]);
    frames
}
