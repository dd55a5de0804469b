//! The one adapter from a method to the training loop: it owns the networks and keeps the averaged twin up to date.

use torch::{Model, Params, Tensor};
use train::{Ema, Loss, Objective, Progress, Swa};

use crate::{Batch, Head, Method, Nets};

/// A method together with the networks it trains.
pub struct Ssl<M> {
    method: M,
    nets: Nets,
    average: Option<Ema>,
    swa: Option<(Model, Swa)>,
}

impl<M: Method> Ssl<M> {
    /// `average` is the averaged twin, a network of the same shape, and how it follows; its values are overwritten by the
    /// student's.
    ///
    /// Adds the method's heads to both networks: optimisers are made afterwards.
    pub fn new(method: M, mut student: Model, average: Option<(Model, Ema)>) -> Self {
        let (mut ema, average) =
            average.map_or((None, None), |(model, ema)| (Some(model), Some(ema)));
        for model in [&mut student].into_iter().chain(&mut ema) {
            for Head { name, outputs } in method.heads() {
                model.add_head(name, outputs);
            }
        }
        if let Some(ema) = &ema {
            ema.params.copy_from(&student.params);
        }
        Self { method, nets: Nets { student, ema }, average, swa: None }
    }

    /// The same with a mean of late weights, which is then what is evaluated; the averaged twin, if there is one, stays the method's own.
    /// `model` is a network of the same shape; its values are overwritten by the student's.
    #[must_use]
    pub fn with_swa(mut self, mut model: Model, swa: Swa) -> Self {
        for Head { name, outputs } in self.method.heads() {
            model.add_head(name, outputs);
        }
        model.params.copy_from(&self.nets.student.params);
        self.swa = Some((model, swa));
        self
    }

    /// The mean of late weights, if there is one: before it is evaluated, its running statistics have to be taken anew.
    pub fn swa(&self) -> Option<&Model> {
        self.swa.as_ref().map(|(model, _)| model)
    }

    /// The networks.
    pub fn nets(&self) -> &Nets {
        &self.nets
    }

    /// The network that is evaluated: the mean of late weights if there is one, else the averaged twin, else the student.
    pub fn evaluated(&self) -> &Model {
        self.swa().or(self.nets.ema.as_ref()).unwrap_or(&self.nets.student)
    }

    /// The method.
    pub fn method(&self) -> &M {
        &self.method
    }

    /// The network that is evaluated, itself.
    pub fn into_evaluated(self) -> Model {
        self.swa.map(|(model, _)| model).or(self.nets.ema).unwrap_or(self.nets.student)
    }
}

impl<M: Method> Objective for Ssl<M> {
    type Batch = Batch;

    fn params(&self) -> &Params {
        &self.nets.student.params
    }

    fn loss(&mut self, batch: Batch, at: Progress) -> Loss {
        self.method.loss(&self.nets, &batch, at)
    }

    fn after_step(&mut self, at: Progress) {
        if let (Some(ema), Some(average)) = (&self.nets.ema, &self.average) {
            average.update(&ema.params, &self.nets.student.params, at);
        }
        if let Some((model, swa)) = &self.swa {
            swa.update(&model.params, &self.nets.student.params, at);
        }
    }

    fn memory(&self) -> Vec<(String, Tensor)> {
        let mut kept = self.method.memory();
        if let Some(ema) = &self.nets.ema {
            kept.extend(train::ema::memory_of("ema.", &ema.params));
        }
        if let Some(model) = self.swa() {
            kept.extend(train::ema::memory_of("swa.", &model.params));
        }
        kept
    }
}
