//! Independent responses, token by token.

use std::ops::ControlFlow;

use super::{Candidate, Drawing, Prompt, SampleConfig, Special, Written};
use crate::Autoregressive;

/// Draws `config.candidates` responses to a context of token ids; see [`sample_each`].
pub fn sample(
    net: &dyn Autoregressive,
    context: &[i64],
    special: &Special,
    config: &SampleConfig,
    seed: u64,
) -> Vec<Candidate> {
    let each = &mut |_| ControlFlow::Continue(());
    sample_each(net, context, special, config, seed, each)
}

/// Draws `config.candidates` responses to a context of token ids, and tells `each` every token as
/// it is drawn: token by token for a single response, for several ones those of one place after
/// another. If it breaks, drawing ends, and what is not finished by then is cut off there.
///
/// What is drawn follows from the seed, the number of the response and the place of the token, so
/// that the first of 20 responses is that which is drawn alone. Panics as
/// [`Autoregressive::start`] does, if the configuration has faults, and if the network's vocabulary
/// cannot keep to `special`.
pub fn sample_each(
    net: &dyn Autoregressive,
    context: &[i64],
    special: &Special,
    config: &SampleConfig,
    seed: u64,
    each: &mut dyn FnMut(Written) -> ControlFlow<()>,
) -> Vec<Candidate> {
    let prompt = Prompt { context, seed, max_tokens: config.max_tokens };
    draw_all(net, &[prompt], special, config, each).remove(0)
}

/// Draws `config.candidates` responses to each of several contexts at once: those that are drawn to
/// each alone, to rounding. A context is read once for all of them. Panics as [`sample_each`] does.
pub fn sample_all(
    net: &dyn Autoregressive,
    prompts: &[Prompt<'_>],
    special: &Special,
    config: &SampleConfig,
) -> Vec<Vec<Candidate>> {
    draw_all(net, prompts, special, config, &mut |_| ControlFlow::Continue(()))
}

fn draw_all(
    net: &dyn Autoregressive,
    prompts: &[Prompt<'_>],
    special: &Special,
    config: &SampleConfig,
    each: &mut dyn FnMut(Written) -> ControlFlow<()>,
) -> Vec<Vec<Candidate>> {
    let wanted: Vec<_> = prompts.iter().map(|&prompt| (prompt, config)).collect();
    let mut drawing = Drawing::new(net, &wanted, special);
    // Of several contexts nobody is told anything that would end them.
    while drawing.step(&mut |_, written| each(written)) {}
    drawing.into_candidates()
}
