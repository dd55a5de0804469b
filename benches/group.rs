//! Sums over processes, for `cargo xtask bench group --peers`: `xtask/peers/bench_group.py` does
//! the same with `torch.distributed`.
//!
//! Each process is told by the variables of `torchrun` who it is. Rank 0 answers questions, a line
//! each: `all-reduce N` with the median seconds in which N float32 numbers are summed over all
//! processes, `peak` with its most memory so far in MiB.

use std::time::Instant;

use benches::Error;
use torch::group::{Group, Reduce, Rendezvous};
use torch::{Device, Kind, Tensor};

/// Sums of a turn.
const TIMES: usize = 5;

fn main() -> Result<(), Error> {
    let rendezvous = Rendezvous::from_env()?.ok_or("RANK and WORLD_SIZE say who this is")?;
    let group = Group::join(&rendezvous)?;
    if !group.is_first() {
        loop {
            let numbers = from_first(&group, 0)?;
            if numbers == 0 {
                return Ok(());
            }
            seconds(&group, numbers)?;
        }
    }
    benches::serve(|question| match question.split_once(' ') {
        Some(("all-reduce", numbers)) => seconds(&group, from_first(&group, numbers.parse()?)?),
        _ => Err(format!("all-reduce N, not {question}").into()),
    })?;
    from_first(&group, 0)?;
    Ok(())
}

/// What rank 0 is asked for, in all processes.
fn from_first(group: &Group, numbers: i64) -> Result<i64, Error> {
    let asked = Tensor::from_slice(&[numbers]);
    group.broadcast(&asked, 0)?;
    Ok(asked.int64_value(&[0]))
}

fn seconds(group: &Group, numbers: i64) -> Result<f64, Error> {
    let x = Tensor::ones([numbers], (Kind::Float, Device::Cpu));
    let mut times = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        group.barrier()?;
        let begin = Instant::now();
        group.all_reduce(&x, Reduce::Sum)?;
        times.push(begin.elapsed().as_secs_f64());
    }
    let wanted = (group.size() as f64).powi(TIMES as i32);
    assert_eq!(x.get(numbers - 1).double_value(&[]), wanted, "the sum");
    Ok(benches::median(times))
}
