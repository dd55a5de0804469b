//! A class for each text.

use serde::{Deserialize, Serialize};
use torch::device::tensor_on;
use torch::nn::Linear;
use torch::{ConfigError, Faults, Features, InvalidConfig, Kind, Mode, Scope, Tensor};

use super::Pooler;
use crate::encoder::fresh;
use crate::{Encoder, EncoderConfig, PackedSequences};

/// How a vector of a text is made, and classes of it. Dropout comes before each linear layer that
/// is trained anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeadForm {
    /// The first token, linear, GELU, linear: transformers' `ElectraForSequenceClassification`.
    #[default]
    Electra,
    /// The first token, linear: ELECTRA's released code. Tensors `classifier`.
    Linear,
    /// BERT's pooler, linear: transformers' `BertForSequenceClassification`.
    Pooler,
    /// The mean of all tokens, linear: as sentence encoders are used.
    Mean,
}

/// A classifier of texts.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `encoder` | ELECTRA-Small | the encoder | |
/// | `form` | `electra` | the head | `electra`, `linear`, `pooler`, `mean` |
/// | `dropout` | the encoder's | dropout in the head | \[0, 1) |
/// | `pad` | 0 | the token that fills padded input | |
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClassifierConfig {
    /// The encoder.
    pub encoder: EncoderConfig,
    /// The head.
    pub form: HeadForm,
    /// Dropout in the head; `None` is the encoder's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f64>,
    /// The token that fills padded input.
    pub pad: i64,
}

impl ClassifierConfig {
    /// Every value that no classifier can have.
    pub fn faults(&self) -> Vec<ConfigError> {
        let mut faults = Faults::default();
        faults.within("encoder", self.encoder.faults());
        faults.rate("dropout", self.dropout.unwrap_or(0.0)).done()
    }
}

/// An encoder with a head that makes classes (or one number) of texts.
///
/// As a [`torch::Net`] it takes padded input, int64 `[batch, 2, tokens]` with ids and segments, so
/// that methods which know nothing of text can train it; [`classify`](Self::classify) takes a
/// [`PackedSequences`] batch.
#[derive(Debug)]
pub struct Classifier {
    encoder: Encoder,
    pooler: Option<Pooler>,
    dense: Option<Linear>,
    head: Linear,
    form: HeadForm,
    dropout: f64,
    pad: i64,
}

impl Classifier {
    /// Makes the encoder's tensors and the head's. Panics if the configuration has
    /// [faults](ClassifierConfig::faults) or there is no class.
    pub fn new(scope: &mut Scope<'_>, config: &ClassifierConfig, classes: i64) -> Self {
        assert!(classes >= 1, "a classifier of {classes} classes: at least 1 is needed");
        InvalidConfig::assert_none(config.faults(), "no classifier can have this");
        let (shape, form) = (&config.encoder, config.form);
        let encoder = Encoder::new(&mut scope.sub(shape.family.prefix()), shape);
        let hidden = shape.hidden;
        let pooler = (form == HeadForm::Pooler).then(|| Pooler::new(scope, shape));
        let dense = (form == HeadForm::Electra)
            .then(|| fresh(&mut scope.sub("classifier"), "dense", hidden, hidden));
        let name = if dense.is_some() { "classifier.out_proj" } else { "classifier" };
        let head = fresh(scope, name, hidden, classes);
        let dropout = config.dropout.unwrap_or(shape.dropout);
        Self { encoder, pooler, dense, head, form, dropout, pad: config.pad }
    }

    /// Its encoder.
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// Logits `[sequences, classes]`.
    pub fn classify(&self, batch: &PackedSequences, mode: Mode) -> Tensor {
        self.head.forward(&self.features_of(batch, mode))
    }

    /// What the last linear layer takes, `[sequences, hidden]`.
    pub fn features_of(&self, batch: &PackedSequences, mode: Mode) -> Tensor {
        match self.form {
            HeadForm::Mean => self.pooled(&self.encoder.forward(batch, mode), batch, mode),
            _ => self.of_first(&self.encoder.forward_first(batch, mode), batch, mode),
        }
    }

    /// A vector of each sequence from the encoder's `x` `[tokens, hidden]`.
    fn pooled(&self, x: &Tensor, batch: &PackedSequences, mode: Mode) -> Tensor {
        match self.form {
            HeadForm::Mean => batch.drop_sequences(&batch.mean(x), self.dropout, mode),
            _ => self.of_first(&x.index_select(0, batch.starts()), batch, mode),
        }
    }

    /// A vector of each sequence from that of its first token, `[sequences, hidden]`.
    fn of_first(&self, x: &Tensor, batch: &PackedSequences, mode: Mode) -> Tensor {
        let drop = |x: &Tensor| batch.drop_sequences(x, self.dropout, mode);
        match (&self.pooler, &self.dense) {
            (Some(pooler), _) => drop(&pooler.of_first(x)),
            (_, Some(dense)) => drop(&dense.forward(&drop(x)).gelu("none")),
            _ => drop(x),
        }
    }
}

impl Features for Classifier {
    fn forward_features(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.features_of(&PackedSequences::from_padded(x, self.pad), mode)
    }

    fn classifier(&self) -> &Linear {
        &self.head
    }

    /// `perturbation` is `[batch, tokens, embedding]`; what it is at padding has no influence.
    fn perturbed_features(&self, x: &Tensor, perturbation: &Tensor, mode: Mode) -> Tensor {
        let batch = PackedSequences::from_padded(x, self.pad);
        let states = self.encoder.forward_perturbed(&batch, &batch.unpadded(perturbation), mode);
        self.pooled(&states, &batch, mode)
    }

    /// Zero at padding.
    fn random_perturbation(&self, x: &Tensor) -> Tensor {
        let (batch, _, tokens) = x.size3().expect("ids and segments [batch, 2, tokens]");
        let size = [batch, tokens, self.encoder.config().embedding];
        let batch = PackedSequences::from_padded(x, self.pad);
        let lengths: Vec<i64> = batch.lengths().iter().map(|&n| n as i64).collect();
        let lengths = tensor_on(&lengths, x.device()).view([-1, 1, 1]);
        let places = Tensor::arange(tokens, (Kind::Int64, x.device())).view([1, -1, 1]);
        let draw = |device| Tensor::randn(size, (Kind::Float, device));
        torch::rng::draw_on(x.device(), draw) * places.less_tensor(&lengths)
    }
}
