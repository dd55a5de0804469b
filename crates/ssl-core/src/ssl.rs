//! The one adapter from a method to the training loop: it owns the networks and updates the
//! averages.

use torch::{Model, Params, Tensor};
use train::{Ema, Loss, Objective, Progress, Swa};

use crate::{Batch, Head, Method, Nets};

/// A method together with the networks it trains.
pub struct Ssl<M> {
    method: M,
    nets: Nets,
    ema: Option<Ema>,
    swa: Option<(Model, Swa)>,
}

impl<M: Method> Ssl<M> {
    /// `ema` is the EMA model, a network of the same shape, and how it follows the student; its
    /// values are overwritten by the student's.
    ///
    /// Adds the method's heads to both networks: make the optimiser afterwards.
    pub fn new(method: M, mut student: Model, ema: Option<(Model, Ema)>) -> Self {
        let (mut model, ema) = ema.map_or((None, None), |(model, ema)| (Some(model), Some(ema)));
        for model in [&mut student].into_iter().chain(&mut model) {
            for Head { name, outputs } in method.heads() {
                model.add_head(name, outputs);
            }
        }
        if let Some(model) = &model {
            model.params.copy_from(&student.params);
        }
        Self { method, nets: Nets { student, ema: model }, ema, swa: None }
    }

    /// Adds an SWA model, which is then what is evaluated; the EMA model, if there is one, still
    /// serves the method. `model` is a network of the same shape; its values are overwritten
    /// by the student's.
    #[must_use]
    pub fn with_swa(mut self, mut model: Model, swa: Swa) -> Self {
        for Head { name, outputs } in self.method.heads() {
            model.add_head(name, outputs);
        }
        model.params.copy_from(&self.nets.student.params);
        self.swa = Some((model, swa));
        self
    }

    /// The SWA model, if there is one. Before it is evaluated, its running statistics have to be
    /// computed ([`Mode::Calibrate`](torch::Mode::Calibrate)).
    pub fn swa(&self) -> Option<&Model> {
        self.swa.as_ref().map(|(model, _)| model)
    }

    /// The networks.
    pub fn nets(&self) -> &Nets {
        &self.nets
    }

    /// The network that is evaluated: the SWA model if there is one, else the EMA model, else the
    /// student.
    pub fn evaluated(&self) -> &Model {
        self.swa().or(self.nets.ema.as_ref()).unwrap_or(&self.nets.student)
    }

    /// The method.
    pub fn method(&self) -> &M {
        &self.method
    }

    /// The network that is evaluated, by value.
    pub fn into_evaluated(self) -> Model {
        self.swa.map(|(model, _)| model).or(self.nets.ema).unwrap_or(self.nets.student)
    }
}

impl<M: Method> Objective for Ssl<M> {
    type Batch = Batch;

    fn params(&self) -> &Params {
        &self.nets.student.params
    }

    /// Panics if the batch does not fit the method's views.
    fn loss(&mut self, batch: Batch, at: Progress) -> Loss {
        if let Err(fault) = batch.check(&self.method.views()) {
            panic!("a batch that its method cannot learn from: {fault}");
        }
        self.method.loss(&self.nets, &batch, at)
    }

    fn after_step(&mut self, at: Progress) {
        if let (Some(model), Some(ema)) = (&self.nets.ema, &self.ema) {
            ema.update(&model.params, &self.nets.student.params, at);
        }
        if let Some((model, swa)) = &self.swa {
            swa.update(&model.params, &self.nets.student.params, at);
        }
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        let mut state = self.method.state();
        if let Some(ema) = &self.nets.ema {
            state.extend(train::ema::state_of("ema.", &ema.params));
        }
        if let Some(model) = self.swa() {
            state.extend(train::ema::state_of("swa.", &model.params));
        }
        state
    }
}
