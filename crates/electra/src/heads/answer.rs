//! ELECTRA's head for questions: the end of an answer given its start, and whether there is one.

use torch::device::tensor_on;
use torch::nn::Linear;
use torch::{Kind, Mode, Scope, Tensor, loss, no_grad};

use crate::encoder::fresh;
use crate::{Encoder, EncoderConfig, PackedSequences};

/// Width of the two perceptrons inside.
const INNER: i64 = 512;
/// What is added to the logits of tokens that are no part of the text.
const OUTSIDE: f64 = -1000.0;

/// An encoder, and on it (ELECTRA's released code, `finetune/qa`):
///
/// - start: linear to one number a token;
/// - end: of each token's vector beside that of the start, linear to 512, GELU, linear. In training
///   the start is the true one, else each of the best `beam`;
/// - answerability: of the first token's vector beside the mean of all, weighted by the start's
///   softmax, linear to 512, GELU, linear; above 0 it says that there is no answer.
#[derive(Debug)]
pub struct AnswerHead {
    encoder: Encoder,
    start: Linear,
    end: [Linear; 2],
    answerable: [Linear; 2],
}

/// Where an answer stands in a sequence: its first and last token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first token.
    pub start: usize,
    /// Its last token.
    pub end: usize,
}

/// The losses of a batch.
#[derive(Debug)]
pub struct AnswerLoss {
    /// Mean cross entropy of start and end, halved sum of both: a scalar.
    pub span: Tensor,
    /// Mean cross entropy of whether there is no answer: a scalar. Its weight is 0.5 in the
    /// released code.
    pub answerable: Tensor,
}

/// What is said of one sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Spans with their scores ln p(start) + ln p(end | start), best first.
    pub spans: Vec<(Span, f64)>,
    /// The logit of there being no answer.
    pub impossible: f64,
}

impl AnswerHead {
    /// Makes the encoder's tensors and `answer.{start,end.dense,end.out,impossible.dense,
    /// impossible.out}`.
    pub fn new(scope: &mut Scope<'_>, config: &EncoderConfig) -> Self {
        let encoder = Encoder::new(&mut scope.sub(config.family.prefix()), config);
        let mut scope = scope.sub("answer");
        let start = fresh(&mut scope, "start", config.hidden, 1);
        let mut pair = |name: &str| {
            let mut scope = scope.sub(name);
            let dense = fresh(&mut scope, "dense", 2 * config.hidden, INNER);
            [dense, fresh(&mut scope, "out", INNER, 1)]
        };
        Self { encoder, start, end: pair("end"), answerable: pair("impossible") }
    }

    /// The losses of a batch. `visible` says of each token whether an answer may begin or end
    /// there: the text's, and the first of the sequence; bool `[tokens]`. `spans` are the true
    /// answers, (0, 0) where there is none in this sequence; `impossible` says so of the question.
    /// Panics if these are not as many as sequences, or a span lies outside.
    pub fn loss(
        &self,
        batch: &PackedSequences,
        visible: &Tensor,
        spans: &[Span],
        impossible: &[bool],
        mode: Mode,
    ) -> AnswerLoss {
        let n = batch.sequences();
        assert_eq!((spans.len(), impossible.len()), (n, n), "answers of {n} sequences");
        for (span, &length) in spans.iter().zip(batch.lengths()) {
            assert!(span.start < length && span.end < length, "{span:?} of {length} tokens");
        }
        let x = self.encoder.forward(batch, mode);
        let shut = shut(visible);
        let start = self.start.forward(&x).squeeze_dim(1).to_kind(Kind::Float) + &shut;
        let at = |place: &dyn Fn(&Span) -> usize| {
            let places: Vec<i64> = spans.iter().map(|s| place(s) as i64).collect();
            tensor_on(&places, batch.device())
        };
        let (first, last) = (at(&|s| s.start), at(&|s| s.end));
        let begin = x.index_select(0, &(batch.starts() + &first));
        let lengths: Vec<i64> = batch.lengths().iter().map(|&n| n as i64).collect();
        let repeats = tensor_on(&lengths, batch.device());
        let begins = begin.repeat_interleave_self_tensor(&repeats, 0, x.size()[0]);
        let end = pair(&self.end, &x, &begins).to_kind(Kind::Float) + &shut;
        let [start_rows, end_rows] = [&start, &end].map(|logits| rows(batch, logits));
        let cross = |rows: &Tensor, truth: &Tensor| loss::cross_entropy(rows, truth);
        let both = cross(&start_rows, &first) + cross(&end_rows, &last);
        let yes: Vec<f32> = impossible.iter().map(|&i| f32::from(u8::from(i))).collect();
        let yes = tensor_on(&yes, batch.device());
        let logits = self.impossible(batch, &x, &start);
        AnswerLoss {
            span: both.mean(Kind::Float) * 0.5,
            answerable: loss::binary_cross_entropy(&logits, &yes).mean(Kind::Float),
        }
    }

    /// The `best` spans of each sequence, from the `beam` best starts and for each its `beam` best
    /// ends; spans of more than `longest` tokens, or that end before they begin, are left out.
    pub fn answers(
        &self,
        batch: &PackedSequences,
        visible: &Tensor,
        beam: usize,
        longest: usize,
        best: usize,
    ) -> Vec<Answer> {
        no_grad(|| {
            let x = self.encoder.forward(batch, Mode::Eval);
            let shut = shut(visible);
            let start = self.start.forward(&x).squeeze_dim(1).to_kind(Kind::Float) + &shut;
            let impossible = numbers(&self.impossible(batch, &x, &start));
            let parts = [&x, &start, &shut].map(|t| batch.split(t));
            let [x, start, shut] = &parts;
            let answer = |i: usize| {
                let spans = self.search([&x[i], &start[i], &shut[i]], beam, longest, best);
                Answer { spans, impossible: impossible[i] }
            };
            (0..batch.sequences()).map(answer).collect()
        })
    }

    /// The best spans of one sequence: vectors `[tokens, hidden]`, start logits and what is shut.
    fn search(
        &self,
        [x, start, shut]: [&Tensor; 3],
        beam: usize,
        longest: usize,
        best: usize,
    ) -> Vec<(Span, f64)> {
        let (tokens, hidden) = x.size2().expect("vectors");
        let beam = (beam as i64).min(tokens);
        let (scores, places) = start.log_softmax(0, Kind::Float).topk(beam, 0, true, true);
        let begins = x.index_select(0, &places);
        let shape = [beam, tokens, hidden];
        let each = x.unsqueeze(0).expand(shape, false);
        let begin = begins.unsqueeze(1).expand(shape, false);
        let ends = pair(&self.end, &each, &begin).to_kind(Kind::Float) + shut.unsqueeze(0);
        let (end_scores, end_places) = ends.log_softmax(1, Kind::Float).topk(beam, 1, true, true);
        let joint = numbers(&(end_scores + scores.unsqueeze(1)));
        let (places, end_places) = (numbers(&places), numbers(&end_places));
        let mut spans: Vec<(Span, f64)> = joint
            .into_iter()
            .enumerate()
            .map(|(i, score)| {
                let start = places[i / beam as usize] as usize;
                (Span { start, end: end_places[i] as usize }, score)
            })
            .filter(|(span, _)| span.end >= span.start && span.end - span.start < longest)
            .collect();
        spans.sort_by(|a, b| b.1.total_cmp(&a.1));
        spans.truncate(best);
        spans
    }

    /// The logit of there being no answer, float32 `[sequences]`.
    fn impossible(&self, batch: &PackedSequences, x: &Tensor, start: &Tensor) -> Tensor {
        let share = rows(batch, start).softmax(1, Kind::Float).unsqueeze(1);
        let seen = share.matmul(&batch.padded(&x.to_kind(Kind::Float))).squeeze_dim(1);
        let first = x.index_select(0, batch.starts()).to_kind(Kind::Float);
        pair(&self.answerable, &first, &seen).to_kind(Kind::Float)
    }
}

/// Linear, GELU, linear to one number, of two vectors side by side.
fn pair([dense, out]: &[Linear; 2], a: &Tensor, b: &Tensor) -> Tensor {
    out.forward(&dense.forward(&Tensor::cat(&[a, b], -1)).gelu("none")).squeeze_dim(-1)
}

/// 0 where a token is visible, −1000 elsewhere.
fn shut(visible: &Tensor) -> Tensor {
    visible.logical_not().to_kind(Kind::Float) * OUTSIDE
}

/// Numbers of tokens `[tokens]` as `[sequences, longest]`, −∞ behind the shorter ones.
fn rows(batch: &PackedSequences, logits: &Tensor) -> Tensor {
    let longest = batch.lengths().iter().copied().max().unwrap_or(0);
    let rows = batch.split(logits).into_iter().map(|part| {
        let room = longest as i64 - part.size()[0];
        part.pad([0, room], "constant", f64::NEG_INFINITY)
    });
    Tensor::stack(&rows.collect::<Vec<_>>(), 0)
}

fn numbers(t: &Tensor) -> Vec<f64> {
    Vec::try_from(t.to_kind(Kind::Double).reshape([-1])).expect("numbers")
}
