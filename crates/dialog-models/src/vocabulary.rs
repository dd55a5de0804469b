//! The softmax over the vocabulary and its loss, piece by piece: logits are never all in memory.

use torch::{Device, Kind, Tensor, no_grad};

/// Numbers that one piece of logits has at most: so many are still in a processor's memory when
/// they are needed again.
const PIECE: i64 = 1 << 22;
/// Numbers that one piece of logits has at most on a GPU.
const GPU_PIECE: i64 = 1 << 27;

/// What a network says of the tokens that it should have written.
#[derive(Debug)]
pub struct TokenLoss {
    /// What is minimised: the mean over the tokens of −Σ q ln p, with q = 1 − ε + ε/K for the true
    /// one of K tokens and ε/K for the others (Szegedy et al. 2016). A float32 scalar; its graph
    /// has first derivatives only.
    pub loss: Tensor,
    /// −ln p of each token, in nats, without smoothing, float32 `[tokens]`, without a graph.
    pub nll: Tensor,
}

/// Panics if labels cannot be smoothed so.
pub(crate) fn check_smoothing(smoothing: f64) {
    assert!((0.0..1.0).contains(&smoothing), "label smoothing {smoothing} is not in [0, 1)");
}

/// The loss of hidden states `[tokens, hidden]` whose logits are products with the rows of `table`
/// `[vocabulary, hidden]`. `truth` is int64 `[tokens]`, `smoothing` is ε. Panics without a token,
/// or if ε is not in \[0, 1).
pub(crate) fn token_loss(x: &Tensor, table: &Tensor, truth: &Tensor, smoothing: f64) -> TokenLoss {
    let piece = if x.device() == Device::Cpu { PIECE } else { GPU_PIECE };
    token_loss_by((piece / table.size()[0]).max(1), x, table, truth, smoothing)
}

/// The same, `rows` tokens at a time.
fn token_loss_by(
    rows: i64,
    x: &Tensor,
    table: &Tensor,
    truth: &Tensor,
    smoothing: f64,
) -> TokenLoss {
    let (tokens, vocabulary) = (x.size()[0], table.size()[0]);
    assert!(tokens > 0, "a loss over no token");
    check_smoothing(smoothing);
    // A part of the table, for the table itself requires a gradient where none is recorded too.
    let trained = x.requires_grad() || table.narrow(0, 0, 1).requires_grad();
    let (mut losses, mut nlls, mut slopes) = (Vec::new(), Vec::new(), Vec::new());
    let mut of_table: Option<Tensor> = None;
    no_grad(|| {
        let fixed = table.detach();
        for start in (0..tokens).step_by(rows as usize) {
            let count = rows.min(tokens - start);
            let x = x.detach().narrow(0, start, count);
            let truth = truth.narrow(0, start, count).unsqueeze(1);
            let logits = x.linear(&fixed, None::<&Tensor>).to_kind(Kind::Float);
            let mut log_p = logits.log_softmax(1, Kind::Float);
            let nll = -log_p.gather(1, &truth, false).squeeze_dim(1);
            losses.push(match smoothing {
                0.0 => nll.shallow_clone(),
                e => &nll * (1.0 - e) - log_p.mean_dim([1].as_slice(), false, Kind::Float) * e,
            });
            nlls.push(nll);
            if trained {
                // By the logits: p − q.
                let mut slope = log_p.exp_();
                if smoothing > 0.0 {
                    slope -= smoothing / vocabulary as f64;
                }
                let minus =
                    Tensor::full([count, 1], smoothing - 1.0, (Kind::Float, slope.device()));
                let slope = slope.scatter_add_(1, &truth, &minus);
                slopes.push(slope.matmul(&fixed).to_kind(Kind::Float));
                let share = slope.tr().matmul(&x).to_kind(Kind::Float);
                of_table = Some(of_table.take().map_or(share.shallow_clone(), |sum| sum + share));
            }
        }
    });
    let (nll, sum) = (Tensor::cat(&nlls, 0), Tensor::cat(&losses, 0).sum(Kind::Float));
    let loss = match of_table {
        None => sum,
        Some(of_table) => {
            // A scalar of value 0 whose gradients are those that were computed.
            let zero = |x: &Tensor, slope: &Tensor| {
                let product = (x.to_kind(Kind::Float) * slope).sum(Kind::Float);
                &product - product.detach()
            };
            sum + zero(x, &Tensor::cat(&slopes, 0)) + zero(table, &of_table)
        }
    };
    TokenLoss { loss: loss / tokens as f64, nll }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens in three pieces, of 4, 4 and 1, give the loss and the gradients of all logits at once
    /// in float64.
    #[test]
    fn pieces_of_the_vocabularys_softmax_are_the_whole() {
        let (tokens, vocabulary, smoothing) = (9, 50, 0.1);
        let wave = |rows: i64| {
            (Tensor::arange(rows * 3, (Kind::Float, Device::Cpu)) * 1.7).sin().view([rows, 3])
        };
        let inputs = |kind| {
            [wave(tokens), wave(vocabulary) + 0.5]
                .map(|t| t.to_kind(kind).detach().set_requires_grad(true))
        };
        let truth = Tensor::arange(tokens, (Kind::Int64, Device::Cpu)) * 5;
        let [x, table] = inputs(Kind::Float);
        let found = token_loss_by(4, &x, &table, &truth, smoothing);
        found.loss.backward();

        // −((1 − ε) ln p of the true token + ε · the mean ln p), and of all tokens the mean.
        let [whole_x, whole_table] = inputs(Kind::Double);
        let log_p = whole_x.matmul(&whole_table.tr()).log_softmax(1, Kind::Double);
        let of_truth = log_p.gather(1, &truth.unsqueeze(1), false).squeeze_dim(1);
        let mean = log_p.mean_dim([1].as_slice(), false, Kind::Double);
        let loss = -(&of_truth * (1.0 - smoothing) + mean * smoothing).mean(Kind::Double);
        loss.backward();

        let near = |what: &str, ours: &Tensor, theirs: &Tensor, bound: f64| {
            assert_eq!(ours.size(), theirs.size(), "{what}");
            let largest = |t: &Tensor| t.detach().abs().max().double_value(&[]);
            let off = largest(&(ours.to_kind(Kind::Double) - theirs)) / largest(theirs);
            assert!(off < bound, "{what} is off by {off:e}");
        };
        near("loss", &found.loss, &loss, 1e-6);
        near("-ln p", &found.nll, &-of_truth, 1e-6);
        near("the gradient by x", &x.grad(), &whole_x.grad(), 1e-5);
        near("the gradient by the table", &table.grad(), &whole_table.grad(), 1e-5);
    }
}
