//! The networks of a pre-training.

use torch::nn::Linear;
use torch::{Device, InvalidConfig, Params, Scope};

use super::{PretrainConfig, Sharing, Task};
use crate::encoder::{Embeddings, fresh};
use crate::heads::{ReplacedHead, VocabularyHead};
use crate::{Encoder, Family};

/// What is pre-trained: the network that is kept, with its head, and the generator with its own.
///
/// Tensors: `electra.…` is the network that is kept, `discriminator_predictions.…` its head. The
/// generator's are `generator.…` (embeddings only if they are not shared),
/// `generator_predictions.…` and `generator_lm_head.bias`. A masked language model's head is
/// `predictions.…`, the gate to copy `copy_gate`.
pub struct Pretrainer {
    pub(super) config: PretrainConfig,
    pub(super) main: Encoder,
    pub(super) generator: Option<Generator>,
    pub(super) head: MainHead,
    pub(super) params: Params,
}

/// The generator: none where tokens are drawn uniformly, or there is nothing to fill in for.
pub(super) struct Generator {
    /// Its encoder; `None` is the network that is kept.
    pub(super) encoder: Option<Encoder>,
    pub(super) head: VocabularyHead,
}

/// The head of the network that is kept.
pub(super) enum MainHead {
    Replaced(ReplacedHead),
    Vocabulary(VocabularyHead),
    /// With the gate's layer.
    Copying(VocabularyHead, Linear),
}

impl Pretrainer {
    /// Makes the networks of a configuration. Panics if it has [faults](PretrainConfig::faults).
    pub fn new(config: &PretrainConfig, device: Device) -> Self {
        let (net, params) = Params::build(device, |scope| Networks::new(scope, config));
        Self::of(net, params, config)
    }

    /// The names and shapes of its tensors, without memory for their values.
    pub fn outline(config: &PretrainConfig) -> Params {
        Params::outline(|scope| drop(Networks::new(scope, config)))
    }

    fn of(net: Networks, params: Params, config: &PretrainConfig) -> Self {
        let Networks { main, generator, head } = net;
        Self { config: config.clone(), main, generator, head, params }
    }

    /// How it was made.
    pub fn config(&self) -> &PretrainConfig {
        &self.config
    }

    /// The network that is kept.
    pub fn encoder(&self) -> &Encoder {
        &self.main
    }

    /// All tensors.
    pub fn tensors(&self) -> &Params {
        &self.params
    }
}

struct Networks {
    main: Encoder,
    generator: Option<Generator>,
    head: MainHead,
}

impl Networks {
    fn new(scope: &mut Scope<'_>, config: &PretrainConfig) -> Self {
        InvalidConfig::assert_none(config.faults(), "nothing can be pre-trained so");
        let shape = &config.encoder;
        assert_eq!(shape.family, Family::Electra, "the family of pre-trained networks");
        let main = Encoder::new(&mut scope.sub("electra"), shape);
        let vocabulary =
            |scope: &mut Scope<'_>| VocabularyHead::named(scope, shape, ["predictions"; 2]);
        let head = match config.task {
            Task::Electra | Task::Electra15 => MainHead::Replaced(ReplacedHead::new(scope, shape)),
            Task::Mlm | Task::ReplaceMlm => MainHead::Vocabulary(vocabulary(scope)),
            Task::AllTokensMlm => {
                let gate = fresh(scope, "copy_gate", shape.hidden, 1);
                MainHead::Copying(vocabulary(scope), gate)
            }
        };
        let sharing = config.generator.sharing;
        let generator = if config.task == Task::Mlm || config.generator.uniform {
            None
        } else if sharing == Sharing::Everything {
            Some(Generator { encoder: None, head: VocabularyHead::new(scope, shape) })
        } else {
            let shape = config.generator_encoder().expect("a generator of its own");
            let mut sub = scope.sub("generator");
            let embeddings = match sharing {
                Sharing::Nothing => Embeddings::new(&mut sub.sub("embeddings"), &shape),
                _ => main.embeddings().shared(),
            };
            let encoder = Some(Encoder::with_embeddings(&mut sub, &shape, embeddings));
            Some(Generator { encoder, head: VocabularyHead::new(scope, &shape) })
        };
        Self { main, generator, head }
    }
}
