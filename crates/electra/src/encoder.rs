//! The encoder of BERT and ELECTRA: embeddings, and layers of attention and a perceptron, each with
//! its norm behind it.
//!
//! Tensors have the names of Hugging Face's transformers: `embeddings.word_embeddings`,
//! `embeddings.LayerNorm`, `embeddings_project`, `encoder.layer.N.attention.self.query`, … below
//! `electra.` or `bert.`.

use torch::nn::{Embedding, LayerNorm, Linear};
use torch::{Init, Mode, Scope, Tensor};

use crate::{EncoderConfig, PackedSequences};

/// A linear layer of pre-training between `widths`, in and out. Its numbers are drawn as the shape
/// says.
pub(crate) fn linear(
    scope: &mut Scope<'_>,
    name: &str,
    [inputs, outputs]: [i64; 2],
    config: &EncoderConfig,
) -> Linear {
    let init = Init::TruncatedNormal { std: config.init };
    Linear::with_init(&mut scope.sub(name), inputs, outputs, init)
}

/// A linear layer on top of a trained encoder, started uniformly in ±√(6 / (inputs + outputs))
/// (Glorot & Bengio 2010), as in ELECTRA's released code.
pub(crate) fn fresh(scope: &mut Scope<'_>, name: &str, inputs: i64, outputs: i64) -> Linear {
    let bound = (6.0 / (inputs + outputs) as f64).sqrt();
    Linear::with_init(&mut scope.sub(name), inputs, outputs, Init::Uniform { bound })
}

/// Vectors of tokens, positions and segments, summed and normed.
#[derive(Debug)]
pub struct Embeddings {
    words: Embedding,
    positions: Embedding,
    segments: Embedding,
    norm: LayerNorm,
    dropout: f64,
}

impl Embeddings {
    /// Makes the tables of an encoder of this shape. Panics if the shape has
    /// [faults](EncoderConfig::faults).
    pub fn new(scope: &mut Scope<'_>, config: &EncoderConfig) -> Self {
        config.check();
        let init = Init::TruncatedNormal { std: config.init };
        let mut table =
            |name: &str, rows| Embedding::new(&mut scope.sub(name), rows, config.embedding, init);
        let words = table("word_embeddings", config.vocabulary);
        let positions = table("position_embeddings", config.positions);
        let segments = table("token_type_embeddings", config.segments);
        let norm = LayerNorm::new(&mut scope.sub("LayerNorm"), config.embedding, config.norm_eps);
        Self { words, positions, segments, norm, dropout: config.dropout }
    }

    /// The vectors `[tokens, embedding]` of a batch. `perturbation`, of that size, is added to them
    /// behind their norm, where a network cannot grow out of its reach. Panics if a token id or a
    /// segment number is in no table.
    pub fn forward(
        &self,
        batch: &PackedSequences,
        perturbation: Option<&Tensor>,
        mode: Mode,
    ) -> Tensor {
        let [vocabulary, segments] = [&self.words, &self.segments].map(|t| t.weight().size()[0]);
        batch.check(vocabulary, segments);
        let sum = self.words.forward(batch.ids())
            + self.segments.forward(batch.segments())
            + self.positions.forward(batch.positions());
        let normed = self.norm.forward(&sum);
        let normed = perturbation.map_or(normed.shallow_clone(), |change| &normed + change);
        batch.drop_tokens(&normed, self.dropout, mode)
    }

    /// Embeddings with these tensors, shared and not copied, for another encoder.
    pub fn shared(&self) -> Self {
        let [words, positions, segments] =
            [&self.words, &self.positions, &self.segments].map(Embedding::shared);
        Self { words, positions, segments, norm: self.norm.shared(), ..*self }
    }

    /// The table of tokens `[vocabulary, embedding]`, which heads that predict tokens share.
    pub fn words(&self) -> &Tensor {
        self.words.weight()
    }
}

/// Attention and a perceptron.
#[derive(Debug)]
struct Layer {
    qkv: [Linear; 3],
    mixed: Linear,
    mixed_norm: LayerNorm,
    inner: Linear,
    outer: Linear,
    norm: LayerNorm,
    heads: i64,
    dropout: f64,
    attention_dropout: f64,
}

impl Layer {
    fn new(scope: &mut Scope<'_>, config: &EncoderConfig) -> Self {
        let (hidden, eps) = (config.hidden, config.norm_eps);
        let mut own = scope.sub("attention.self");
        let qkv = ["query", "key", "value"].map(|name| linear(&mut own, name, [hidden; 2], config));
        let mut output = scope.sub("attention.output");
        let mixed = linear(&mut output, "dense", [hidden; 2], config);
        let mixed_norm = LayerNorm::new(&mut output.sub("LayerNorm"), hidden, eps);
        let inner = linear(scope, "intermediate.dense", [hidden, config.feed_forward], config);
        let outer = linear(scope, "output.dense", [config.feed_forward, hidden], config);
        let norm = LayerNorm::new(&mut scope.sub("output.LayerNorm"), hidden, eps);
        let &EncoderConfig { heads, dropout, attention_dropout, .. } = config;
        Self { qkv, mixed, mixed_norm, inner, outer, norm, heads, dropout, attention_dropout }
    }

    /// Rows of tokens and filler `[rows, hidden]` to the same shape.
    fn forward(&self, x: &Tensor, batch: &PackedSequences, mode: Mode) -> Tensor {
        let [q, k, v] = self.qkv.each_ref().map(|layer| layer.forward(x));
        let mixed =
            batch.attention().forward([&q, &k, &v], self.heads, self.attention_dropout, mode);
        self.finish(x, &mixed, |x| batch.drop_tokens(&x, self.dropout, mode))
    }

    /// What the first token of each sequence becomes: `[rows, hidden]` to `[sequences, hidden]`,
    /// without noise.
    fn first(&self, x: &Tensor, batch: &PackedSequences) -> Tensor {
        let own = x.index_select(0, batch.starts());
        let [query, key, value] = &self.qkv;
        let q = query.forward(&own);
        let [k, v] = [key, value].map(|layer| batch.without_filler(&layer.forward(x)));
        let attention = batch.attention_of_first();
        let mixed = attention.forward([&q, &k, &v], self.heads, 0.0, Mode::Eval);
        self.finish(&own, &mixed, |x| x)
    }

    /// The rest of the layer for the tokens `x`, of which attention made `mixed`.
    fn finish(&self, x: &Tensor, mixed: &Tensor, drop: impl Fn(Tensor) -> Tensor) -> Tensor {
        let x = self.mixed_norm.forward(&(x + drop(self.mixed.forward(mixed))));
        let inner = self.inner.forward(&x).gelu("none");
        self.norm.forward(&(&x + drop(self.outer.forward(&inner))))
    }
}

/// What layers, one after the other, make of `start`.
fn through(layers: &[Layer], start: Tensor, batch: &PackedSequences, mode: Mode) -> Tensor {
    layers.iter().fold(start, |x, layer| layer.forward(&x, batch, mode))
}

/// The encoder: token ids to a vector for each token.
///
/// ```
/// use electra::{Encoder, EncoderConfig, PackedSequences};
/// use torch::{Device, Mode, Params};
///
/// let config = EncoderConfig { vocabulary: 200, layers: 2, ..EncoderConfig::tiny() };
/// let (net, params) = Params::build(Device::Cpu, |scope| {
///     Encoder::new(&mut scope.sub(config.family.prefix()), &config)
/// });
/// let ids: [&[i64]; 2] = [&[101, 7, 8, 102], &[101, 9, 102]];
/// let batch = PackedSequences::new(&ids, &[&[0; 4], &[0; 3]], Device::Cpu);
/// assert_eq!(net.forward(&batch, Mode::Eval).size(), [7, 128]);
/// assert_eq!(net.forward_first(&batch, Mode::Eval).size(), [2, 128]);
/// assert!(params.get("electra.encoder.layer.1.attention.self.query.weight").is_some());
/// ```
#[derive(Debug)]
pub struct Encoder {
    embeddings: Embeddings,
    project: Option<Linear>,
    layers: Vec<Layer>,
    config: EncoderConfig,
}

impl Encoder {
    /// Makes the tensors at a scope of the family's name: `scope.sub(config.family.prefix())`.
    /// Linear layers and tables are drawn from N(0, init²) cut at two deviations. Panics if the
    /// shape has [faults](EncoderConfig::faults).
    pub fn new(scope: &mut Scope<'_>, config: &EncoderConfig) -> Self {
        let embeddings = Embeddings::new(&mut scope.sub("embeddings"), config);
        Self::with_embeddings(scope, config, embeddings)
    }

    /// Makes an encoder on embeddings that another one has too. Panics if these are of another
    /// width.
    pub fn with_embeddings(
        scope: &mut Scope<'_>,
        config: &EncoderConfig,
        embeddings: Embeddings,
    ) -> Self {
        config.check();
        let (width, hidden) = (config.embedding, config.hidden);
        let own = embeddings.words().size()[1];
        assert_eq!(own, width, "the width of embeddings, and that of the encoder's configuration");
        let project =
            (width != hidden).then(|| linear(scope, "embeddings_project", [width, hidden], config));
        let layer = |i| Layer::new(&mut scope.sub(format!("encoder.layer.{i}")), config);
        let layers = (0..config.layers).map(layer).collect();
        Self { embeddings, project, layers, config: config.clone() }
    }

    /// Its shape.
    pub fn config(&self) -> &EncoderConfig {
        &self.config
    }

    /// Its embeddings.
    pub fn embeddings(&self) -> &Embeddings {
        &self.embeddings
    }

    /// What the last layer gives, `[tokens, hidden]`.
    pub fn forward(&self, batch: &PackedSequences, mode: Mode) -> Tensor {
        let start = self.start(batch, None, mode);
        batch.without_filler(&through(&self.layers, start, batch, mode))
    }

    /// What the last layer gives for the first token of each sequence, `[sequences, hidden]`. In
    /// evaluation, where no gradient is wanted, the last layer works for these alone, which is less
    /// work by a fifteenth for a network of twelve layers.
    pub fn forward_first(&self, batch: &PackedSequences, mode: Mode) -> Tensor {
        let start = self.start(batch, None, mode);
        match self.layers.split_last() {
            Some((last, others)) if matches!(mode, Mode::Eval) && !start.requires_grad() => {
                last.first(&through(others, start, batch, mode), batch)
            }
            _ => through(&self.layers, start, batch, mode).index_select(0, batch.starts()),
        }
    }

    /// What [`forward`](Self::forward) gives if `perturbation` `[tokens, embedding]` is added to
    /// the embeddings.
    pub fn forward_perturbed(
        &self,
        batch: &PackedSequences,
        perturbation: &Tensor,
        mode: Mode,
    ) -> Tensor {
        let start = self.start(batch, Some(perturbation), mode);
        batch.without_filler(&through(&self.layers, start, batch, mode))
    }

    /// What goes into the first layer and what each layer gives, all `[tokens, hidden]`.
    pub fn hidden_states(&self, batch: &PackedSequences, mode: Mode) -> Vec<Tensor> {
        let mut states = vec![self.start(batch, None, mode)];
        for layer in &self.layers {
            let next = layer.forward(states.last().expect("the start"), batch, mode);
            states.push(next);
        }
        states.iter().map(|state| batch.without_filler(state)).collect()
    }

    /// What goes into the first layer, with the batch's filler.
    fn start(&self, batch: &PackedSequences, perturbation: Option<&Tensor>, mode: Mode) -> Tensor {
        let longest = batch.lengths().iter().max().copied().unwrap_or(0) as i64;
        let most = self.config.positions;
        assert!(
            longest <= most,
            "a sequence of {longest} tokens; the encoder has {most} positions"
        );
        let x = batch.with_filler(self.embeddings.forward(batch, perturbation, mode));
        match &self.project {
            Some(project) => project.forward(&x),
            None => x,
        }
    }
}
