//! Several contexts that were read, and which of them each sequence that is written goes on from.

use torch::device::{copy_async, tensor_on};
use torch::rows::Rows;
use torch::{Device, Kind, Tensor};

/// Contexts, each with any number of sequences that go on from it: the rows of a decoder.
#[derive(Debug)]
pub(crate) struct Contexts {
    lengths: Vec<usize>,
    /// The context of each row.
    owners: Vec<usize>,
    /// Float32 `[contexts, 1, 1, room]`, −∞ beyond the end of a context; none where all are as
    /// long.
    mask: Option<Tensor>,
    seats: Seats,
    device: Device,
}

/// Rows side by side, as many for each context.
#[derive(Debug)]
struct Seats {
    each: i64,
    /// The row of each seat, and the seat of each row, int64; none where they are in order.
    moved: Option<[Tensor; 2]>,
}

/// What is left of rows and contexts; none where all stayed in their places.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) rows: Option<Tensor>,
    pub(crate) contexts: Option<Tensor>,
}

impl Contexts {
    /// Contexts of these lengths, with one row each.
    pub(crate) fn new(lengths: &[usize], device: Device) -> Self {
        let mut new = Self {
            lengths: lengths.to_vec(),
            owners: (0..lengths.len()).collect(),
            mask: None,
            seats: Seats { each: 1, moved: None },
            device,
        };
        new.mask = new.mask_of(new.room());
        new
    }

    /// How many contexts there are.
    pub(crate) fn count(&self) -> i64 {
        self.lengths.len() as i64
    }

    /// Tokens of the longest context.
    fn room(&self) -> usize {
        self.lengths.iter().copied().max().unwrap_or(0)
    }

    fn mask_of(&self, room: usize) -> Option<Tensor> {
        if self.lengths.iter().all(|&length| length == room) {
            return None;
        }
        let seen = |seen: bool| if seen { 0.0 } else { f32::NEG_INFINITY };
        let of = |&length: &usize| (0..room).map(move |place| seen(place < length));
        let values: Vec<f32> = self.lengths.iter().flat_map(of).collect();
        let mask = Tensor::from_slice(&values).view([self.lengths.len() as i64, 1, 1, room as i64]);
        Some(copy_async(&mask, self.device))
    }

    /// How many tokens the context of each row has.
    pub(crate) fn lengths_of_rows(&self) -> Vec<i64> {
        self.owners.iter().map(|&context| self.lengths[context] as i64).collect()
    }

    /// How contexts that lie one after another, `[tokens, width]`, are brought side by side,
    /// `[contexts · room, width]`, zeros where they are shorter.
    pub(crate) fn spread(&self) -> Rows {
        let (room, mut token) = (self.room(), 0);
        let mut places = Vec::new();
        for &length in &self.lengths {
            places.extend((token..token + length).map(Some));
            places.extend(std::iter::repeat_n(None, room - length));
            token += length;
        }
        Rows::new(&places, token, self.device)
    }

    /// Goes on with these rows, and with the contexts that they go on from.
    pub(crate) fn select(&mut self, rows: &[usize]) -> Kept {
        let on = |list: &[usize]| {
            let list: Vec<i64> = list.iter().map(|&i| i as i64).collect();
            tensor_on(&list, self.device)
        };
        let whole = |list: &[usize], all: usize| list.iter().copied().eq(0..all);
        let owners: Vec<usize> = rows.iter().map(|&row| self.owners[row]).collect();
        let kept: Vec<usize> =
            (0..self.lengths.len()).filter(|context| owners.contains(context)).collect();
        let contexts = (!whole(&kept, self.lengths.len())).then(|| on(&kept));
        let rows = (!whole(rows, self.owners.len())).then(|| on(rows));
        // The room stays that of the first contexts, as that of their keys and values does.
        self.mask = match (&self.mask, &contexts) {
            (Some(mask), Some(contexts)) => Some(mask.index_select(0, contexts)),
            (mask, _) => mask.as_ref().map(Tensor::shallow_clone),
        };
        self.lengths = kept.iter().map(|&context| self.lengths[context]).collect();
        let place = |owner: &usize| kept.iter().position(|context| context == owner);
        self.owners = owners.iter().map(|owner| place(owner).expect("it is kept")).collect();
        self.seats = self.seated();
        Kept { rows, contexts }
    }

    fn seated(&self) -> Seats {
        let mut taken = vec![0; self.lengths.len()];
        let number = |owner: &usize| {
            taken[*owner] += 1;
            taken[*owner] - 1
        };
        let numbers: Vec<usize> = self.owners.iter().map(number).collect();
        let each = taken.iter().copied().max().unwrap_or(0);
        let seat_of: Vec<usize> =
            self.owners.iter().zip(numbers).map(|(owner, number)| owner * each + number).collect();
        let seats = each * self.lengths.len();
        if seat_of.iter().copied().eq(0..seats) {
            return Seats { each: each as i64, moved: None };
        }
        // An empty seat has some row, whose result is not used.
        let mut rows = vec![0_i64; seats];
        for (row, &seat) in seat_of.iter().enumerate() {
            rows[seat] = row as i64;
        }
        let seat_of: Vec<i64> = seat_of.iter().map(|&seat| seat as i64).collect();
        let moved = [rows, seat_of].map(|list| tensor_on(&list, self.device));
        Seats { each: each as i64, moved: Some(moved) }
    }

    /// Queries `[rows, heads, width]` beside those of their context: `[contexts, heads, seats,
    /// width]`.
    fn seat(&self, q: &Tensor) -> Tensor {
        let (_, heads, width) = q.size3().expect("[rows, heads, width]");
        let q = match &self.seats.moved {
            Some([rows, _]) => q.index_select(0, rows),
            None => q.shallow_clone(),
        };
        q.view([self.lengths.len() as i64, self.seats.each, heads, width]).transpose(1, 2)
    }

    /// `[contexts, heads, seats, n]` back to `[rows, heads, n]`.
    fn rows(&self, x: &Tensor) -> Tensor {
        let (_, heads, _, n) = x.size4().expect("[contexts, heads, seats, n]");
        let x = x.transpose(1, 2).reshape([-1, heads, n]);
        match &self.seats.moved {
            Some([_, seats]) => x.index_select(0, seats),
            None => x,
        }
    }
}

/// Keys and values of contexts, which all sequences that go on from a context share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// `[contexts, heads, width, room]`.
    keys: Tensor,
    /// `[contexts, heads, room, width]`.
    values: Tensor,
}

impl Shared {
    /// Splits up keys and values `[tokens, heads · width]` of all contexts, which lie one after
    /// another.
    pub(crate) fn new(keys: &Tensor, values: &Tensor, heads: i64, contexts: &Contexts) -> Self {
        let spread = contexts.spread();
        let count = contexts.lengths.len() as i64;
        let by_head = |x: &Tensor| {
            let width = x.size()[1] / heads;
            spread.forward(x).view([count, -1, heads, width])
        };
        Self {
            keys: by_head(keys).permute([0, 2, 3, 1]).contiguous(),
            values: by_head(values).transpose(1, 2).contiguous(),
        }
    }

    /// Goes on with what is left of the contexts.
    pub(crate) fn keep(&mut self, kept: &Kept) {
        if let Some(contexts) = &kept.contexts {
            self.keys = self.keys.index_select(0, contexts);
            self.values = self.values.index_select(0, contexts);
        }
    }

    /// q kᵀ of queries `[rows, heads, width]`, masked: `[contexts, heads, seats, room]`.
    fn scores(&self, q: &Tensor, contexts: &Contexts) -> Tensor {
        let scores = contexts.seat(q).matmul(&self.keys);
        match &contexts.mask {
            Some(mask) => &scores + mask.to_kind(scores.kind()),
            None => scores,
        }
    }

    /// What rows see, `[rows, heads, width]`, of queries `[rows, heads, width]` that are scaled.
    pub(crate) fn seen(&self, q: &Tensor, contexts: &Contexts) -> Tensor {
        let weights = self.scores(q, contexts).softmax(-1, None::<Kind>);
        contexts.rows(&weights.matmul(&self.values))
    }

    /// The scores alone, `[rows, heads, room]`.
    pub(crate) fn scores_of_rows(&self, q: &Tensor, contexts: &Contexts) -> Tensor {
        contexts.rows(&self.scores(q, contexts))
    }

    /// What rows see with these weights, `[rows, heads, room]`: `[rows, heads, width]`.
    pub(crate) fn mixed(&self, weights: &Tensor, contexts: &Contexts) -> Tensor {
        contexts.rows(&contexts.seat(weights).matmul(&self.values))
    }
}
