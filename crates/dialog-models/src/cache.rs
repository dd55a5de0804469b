//! What a decoder remembers of the tokens before: keys and values of attention, and the last frames
//! that its convolutions look back at.

use torch::{Kind, Tensor};

use crate::contexts::{Contexts, Kept, Shared};

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

    /// Goes on with what is left of the rows; a row may be there several times.
    pub(crate) fn keep(&mut self, kept: &Kept) {
        if let (Some(own), Some(rows)) = (&mut self.kept, &kept.rows) {
            *own = own.each_ref().map(|x| x.index_select(0, rows));
        }
    }

    /// Keys and values `[rows, heads, tokens, width]`.
    fn seen(&self) -> Option<[Tensor; 2]> {
        self.kept.as_ref().map(|kept| kept.each_ref().map(|x| x.narrow(2, 0, self.tokens)))
    }
}

/// softmax(q kᵀ / √width) v of one token each of several sequences, `[rows, heads, width]`, on the
/// keys and values of their contexts, followed by their own: `[rows, heads · width]`.
pub(crate) fn attend(
    q: &Tensor,
    read: Option<(&Shared, &Contexts)>,
    own: Option<&Growing>,
) -> Tensor {
    let (rows, heads, width) = q.size3().expect("[rows, heads, width]");
    let q = q / (width as f64).sqrt();
    let seen = match (read, own.and_then(Growing::seen)) {
        (Some((shared, contexts)), None) => shared.seen(&q, contexts),
        (read, own) => {
            let [keys, values] = own.expect("something to look at");
            let scores = q.unsqueeze(2).matmul(&keys.transpose(2, 3));
            match read {
                None => scores.softmax(-1, None::<Kind>).matmul(&values).squeeze_dim(2),
                Some((shared, contexts)) => {
                    let before = shared.scores_of_rows(&q, contexts);
                    let room = before.size()[2];
                    let scores = Tensor::cat(&[before, scores.squeeze_dim(2)], 2);
                    let weights = scores.softmax(-1, None::<Kind>);
                    let own = weights.narrow(2, room, values.size()[2]).unsqueeze(2);
                    let before = shared.mixed(&weights.narrow(2, 0, room), contexts);
                    before + own.matmul(&values).squeeze_dim(2)
                }
            }
        }
    };
    seen.reshape([rows, heads * width])
}

/// Adds a frame `[rows, width]` to the last ones `[rows, frames, width]`; gives all of them, and
/// keeps as many as there were.
pub(crate) fn push_frame(last: &mut Tensor, frame: &Tensor) -> Tensor {
    let frames = Tensor::cat(&[last.shallow_clone(), frame.unsqueeze(1)], 1);
    *last = frames.narrow(1, 1, last.size()[1]);
    frames
}
