//! The modes of a network: training and evaluation, with and without noise.

/// How a network is run: which statistics batch norm uses, and which samples get the model's
/// noise (dropout, stochastic depth).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Batch statistics, which also update the running ones; noise for every sample.
    Train,
    /// Batch statistics; no noise.
    TrainWithoutNoise,
    /// Batch statistics; noise only for the first samples of the batch, as many as given here.
    TrainNoisyRows(i64),
    /// Batch statistics, which leave the running ones as they are; noise for every sample.
    TrainUntracked,
    /// Batch statistics; no noise. The running statistics become the mean over a series of batches,
    /// of which this is the one with this number, counted from 0.
    Calibrate(u32),
    /// Running statistics; no noise.
    Eval,
    /// Running statistics; noise for every sample.
    EvalWithNoise,
}

/// Which samples of a batch get the model's noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoisyRows {
    /// None of them.
    None,
    /// The first ones, as many as given here.
    First(i64),
    /// All of them.
    All,
}

impl Mode {
    /// Whether batch norm uses the batch's own statistics.
    pub fn batch_statistics(self) -> bool {
        !matches!(self, Mode::Eval | Mode::EvalWithNoise)
    }

    /// The weight of the batch in the running statistics, where a training step gives it
    /// `momentum`; `None` leaves them as they are.
    pub fn momentum(self, momentum: f64) -> Option<f64> {
        match self {
            Mode::Train | Mode::TrainWithoutNoise | Mode::TrainNoisyRows(_) => Some(momentum),
            Mode::Calibrate(number) => Some(1.0 / (f64::from(number) + 1.0)),
            Mode::TrainUntracked | Mode::Eval | Mode::EvalWithNoise => None,
        }
    }

    /// Which samples get dropout and stochastic depth.
    pub fn noise(self) -> NoisyRows {
        match self {
            Mode::Train | Mode::TrainUntracked | Mode::EvalWithNoise => NoisyRows::All,
            Mode::TrainNoisyRows(rows) => NoisyRows::First(rows),
            Mode::TrainWithoutNoise | Mode::Calibrate(_) | Mode::Eval => NoisyRows::None,
        }
    }
}
