//! Groups of processes: each test starts its own binary several times as the ranks of a group.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use torch::group::{Ended, Group, Launch, Reduce, Reducer, Rendezvous};
use torch::{BatchPart, Device, Kind, Mode, Net, Params, Role, Tensor, nn, no_grad};

/// The variables that tell a child which case it is and where to write.
const CASE: &str = "TORCH_TEST_CASE";
const FOLDER: &str = "TORCH_TEST_FOLDER";

/// Starts the ranks of a case; each leaves what it says in `FOLDER/rank`.
fn ranks(case: &str, size: usize, folder: &Path) -> Ended {
    let program = std::env::current_exe().expect("this binary");
    let make = |_rank: usize| {
        let mut command = Command::new(&program);
        command
            .args(["--ignored", "--exact", "group::child", "--nocapture"])
            .env(CASE, case)
            .env(FOLDER, folder)
            .env("OMP_NUM_THREADS", "1")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    };
    let limit = Some(Duration::from_secs(150));
    Launch { limit, ..Launch::new(size) }.run(make, || false).expect("processes")
}

fn said(folder: &Path, rank: usize) -> String {
    std::fs::read_to_string(folder.join(rank.to_string())).unwrap_or_default()
}

fn all_well(case: &str, size: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let ended = ranks(case, size, folder.path());
    for (rank, status) in ended.statuses.iter().enumerate() {
        assert!(status.success(), "{case}, rank {rank} of {size}: {}", said(folder.path(), rank));
    }
    assert!(ended.killed.is_empty() && ended.first.is_none());
}

fn rendezvous(seconds: u64) -> Rendezvous {
    let rendezvous = Rendezvous::from_env().expect("variables").expect("a group");
    Rendezvous { timeout: Duration::from_secs(seconds), ..rendezvous }
}

#[test]
#[ignore = "a part of the tests below, which run it in processes of its own"]
fn child() {
    let folder = std::env::var(FOLDER).expect("a folder");
    let rank = std::env::var("RANK").expect("a rank");
    let result = std::panic::catch_unwind(|| match std::env::var(CASE).expect("a case").as_str() {
        "operations" => operations(),
        "reducer" => reducer(),
        "norm" => norm(),
        "noise" => noise(),
        "gone" => gone(),
        "waits" => waits_for_first(),
        "late" => late(),
        other => panic!("no case {other}"),
    });
    if let Err(panic) = result {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or(panic.downcast_ref::<&str>().map(|t| (*t).to_owned()));
        std::fs::write(Path::new(&folder).join(&rank), text.unwrap_or_default()).expect("written");
        std::process::exit(1);
    }
}

fn operations() {
    let group = Group::join(&rendezvous(60)).expect("all come");
    let (rank, size) = (group.rank() as i64, group.size() as i64);
    let total = size * (size - 1) / 2;
    for kind in [Kind::Float, Kind::Double, Kind::BFloat16, Kind::Int64] {
        let own = || (Tensor::arange(6, (Kind::Int64, Device::Cpu)) + rank).to_kind(kind);
        let t = own();
        group.all_reduce(&t, Reduce::Sum).expect("a sum");
        let wanted = Tensor::arange(6, (Kind::Int64, Device::Cpu)) * size + total;
        assert_eq!(t, wanted.to_kind(kind), "{kind:?}");
        let t = own();
        group.all_reduce(&t, Reduce::Max).expect("the largest");
        let wanted = Tensor::arange(6, (Kind::Int64, Device::Cpu)) + (size - 1);
        assert_eq!(t, wanted.to_kind(kind), "{kind:?}");
        let t = own();
        group.broadcast(&t, 1).expect("rank 1's");
        assert_eq!(t, (Tensor::arange(6, (Kind::Int64, Device::Cpu)) + 1).to_kind(kind));
        let all = group.all_gather(&own()).expect("all");
        for (r, t) in all.iter().enumerate() {
            assert_eq!(
                *t,
                (Tensor::arange(6, (Kind::Int64, Device::Cpu)) + r as i64).to_kind(kind)
            );
        }
    }
    // Not contiguous.
    let t = Tensor::arange(6, (Kind::Float, Device::Cpu)).view([2, 3]).tr() + rank as f64;
    let t = t.transpose(0, 1).contiguous().transpose(0, 1);
    group.all_reduce(&t, Reduce::Sum).expect("a sum");
    assert_eq!(t.double_value(&[2, 1]), (5 * size + total) as f64);
    let rows = Tensor::arange(2 * size, (Kind::Float, Device::Cpu)).view([size, 2]);
    let own = group.reduce_scatter(&rows).expect("a share");
    assert_eq!(own, rows.narrow(0, rank, 1) * size as f64);
    // As many rows as the rank says.
    let own = Tensor::full([rank, 2], rank, (Kind::Int64, Device::Cpu));
    let all = group.all_gather_rows(&own).expect("all rows");
    assert_eq!(all.size(), [total, 2]);
    assert_eq!(all.int64_value(&[total - 1, 0]), size - 1);
    // Begun one after the other, waited for in the other order.
    let tensors: Vec<Tensor> =
        (0..4).map(|i| Tensor::full([1000], i + rank, (Kind::Float, Device::Cpu))).collect();
    let works: Vec<_> =
        tensors.iter().map(|t| group.start_all_reduce(t, Reduce::Sum).expect("begun")).collect();
    works.into_iter().rev().for_each(|work| work.wait().expect("done"));
    for (i, t) in tensors.iter().enumerate() {
        assert_eq!(t.double_value(&[999]), (i as i64 * size + total) as f64);
    }
    let words: &[u8] = if rank == 0 { b"from the first" } else { b"" };
    assert_eq!(group.broadcast_bytes(words).expect("bytes"), b"from the first");
    assert!(group.any(rank == 1).expect("one says so"));
    assert!(!group.any(false).expect("none says so"));
    // Within the group, and without it.
    let own = Tensor::from(rank as f32);
    let mean = group.within(|| torch::group::mean(&own)).expect("a mean").double_value(&[]);
    assert_eq!(mean, total as f64 / size as f64);
    assert_eq!(torch::group::mean(&own), own);
    group.barrier().expect("all are here");
}

#[test]
fn two_and_four_processes_compute_together() {
    all_well("operations", 2);
    all_well("operations", 4);
}

/// Gradients of shares of a batch are averaged to that of the whole, parameter by parameter.
fn reducer() {
    let group = Group::join(&rendezvous(60)).expect("all come");
    let (rank, size) = (group.rank() as i64, group.size() as i64);
    let options = (Kind::Float, Device::Cpu);
    let make = |i: i64| ((Tensor::arange(40, options) + i).sin()).view([4, 10]);
    let params: Vec<Tensor> = (0..5).map(|i| make(i).set_requires_grad(true)).collect();
    // A bucket takes two of them, the first one takes one.
    let reducer = Reducer::with_buckets(&group, &params, 160, 320).expect("buckets");
    assert_eq!(reducer.buckets(), 3);
    let samples = (Tensor::arange(8 * 10, options) * 0.7).cos().view([8, 10]);
    let loss = |x: &Tensor, with_last: bool| {
        let mut h = Tensor::zeros([x.size()[0], 4], options);
        for w in &params[..4] {
            h = &h + x.matmul(&w.tr()).sigmoid();
        }
        let h = if with_last { h + x.matmul(&params[4].tr()) } else { h };
        h.square().mean(Kind::Float)
    };
    let grads = || params.iter().map(|p| p.grad()).map(|g| if g.defined() { g.copy() } else { g });
    let clear = || params.iter().for_each(|p| p.shallow_clone().zero_grad());
    let own = samples.narrow(0, rank * (8 / size), 8 / size);
    // The last parameter has a gradient in rank 0 alone; the fifth step has none of it anywhere.
    loss(&samples, false).backward();
    let whole: Vec<Tensor> = grads().collect();
    params.iter().for_each(|p| {
        let mut g = p.grad();
        if g.defined() {
            let _ = g.detach_();
            let _ = g.zero_();
        }
    });
    clear();
    let fresh: Vec<Tensor> = (0..5).map(|i| make(i).set_requires_grad(true)).collect();
    drop(reducer);
    no_grad(|| {
        for (p, f) in params.iter().zip(&fresh) {
            p.shallow_clone().copy_(f);
        }
    });
    let reducer = Reducer::with_buckets(&group, &params, 160, 320).expect("buckets");
    // In two parts: only the second is sent.
    let half = own.size()[0] / 2;
    (loss(&own.narrow(0, 0, half), false) * 0.5).backward();
    assert_eq!(reducer.sent(), 0);
    reducer.arm();
    (loss(&own.narrow(0, half, half), false) * 0.5).backward();
    // The bucket with the unused parameter comes first and waits; nothing is sent out of order.
    reducer.finish().expect("means");
    for (i, (found, whole)) in grads().zip(&whole).enumerate() {
        assert_eq!(found.defined(), whole.defined(), "parameter {i}");
        if found.defined() {
            let far = (found - whole).abs().max().double_value(&[]);
            assert!(far < 1e-6, "parameter {i} is off by {far}");
        }
    }
    clear();
    reducer.arm();
    loss(&own, true).backward();
    assert_eq!(reducer.sent(), 3, "all are sent during the backward pass");
    reducer.finish().expect("means");
    clear();
    // Used by rank 0 alone.
    reducer.arm();
    loss(&own, rank == 0).backward();
    reducer.finish().expect("means");
    let last = params[4].grad();
    assert!(last.defined() && last.abs().max().double_value(&[]) > 0.0);
    let all = group.all_gather(&last).expect("all");
    assert!(all.iter().all(|t| *t == all[0]));
}

#[test]
fn gradients_of_shares_are_averaged_while_the_backward_pass_runs() {
    all_well("reducer", 2);
    all_well("reducer", 4);
}

/// Batch norm over the shares of a batch is batch norm over the batch, gradients included.
fn norm() {
    let group = Group::join(&rendezvous(60)).expect("all come");
    let (rank, size) = (group.rank() as i64, group.size() as i64);
    let options = (Kind::Float, Device::Cpu);
    let wave = |n: i64, step: f64| (Tensor::arange(n, options) * step).sin();
    for channels_last in [false, true] {
        let shape = [8, 3, 4, 4];
        let image = |step| {
            let x = (wave(8 * 3 * 16, step) + 2.0).view(shape);
            if channels_last { super::channels_last(&x) } else { x }
        };
        let run = |x: &Tensor, toward: &Tensor, keep: &Tensor, within: bool| {
            let make = |scope: &mut torch::Scope<'_>| nn::BatchNorm::new(scope, 3, 0.3, 1e-3);
            let (norm, params) = Params::build(Device::Cpu, make);
            no_grad(|| {
                let w = params.get("weight").expect("it");
                w.shallow_clone().copy_(&(wave(3, 2.0) + 1.5));
            });
            let x = x.copy().set_requires_grad(true);
            let mean = || {
                let y = norm.forward_residual(&x, toward, Some(keep), 0.1, Mode::Train);
                (y * toward).mean(Kind::Float)
            };
            let loss = if within { group.within(mean).expect("well") } else { mean() };
            loss.backward();
            group.check().expect("well");
            let mut found = vec![x.grad(), params.get("weight").expect("it").grad()];
            found.push(params.get("bias").expect("it").grad());
            for name in ["running_mean", "running_var"] {
                found.push(params.get(name).expect("it").copy());
            }
            found
        };
        let (x, toward) = (image(1.7), image(0.9));
        let keep = Tensor::from_slice(&[0f32, 2.0, 2.0, 0.0, 2.0, 0.0, 2.0, 2.0]);
        let whole = run(&x, &toward, &keep, false);
        let own = |t: &Tensor| t.narrow(0, rank * (8 / size), 8 / size);
        let found = run(&own(&x), &own(&toward), &own(&keep), true);
        // The loss is the mean over processes.
        let near = |a: &Tensor, b: &Tensor, what: &str| {
            let far = (a - b).abs().max().double_value(&[]);
            assert!(far < 2e-6, "{what} is off by {far}");
        };
        near(&(&found[0] / size as f64), &own(&whole[0]), "the gradient of the input");
        for (i, what) in [(1, "weight"), (2, "bias")] {
            let mean = found[i].copy();
            group.all_reduce(&mean, Reduce::Sum).expect("a sum");
            near(&(mean / size as f64), &whole[i], what);
        }
        near(&found[3], &whole[3], "the running mean");
        near(&found[4], &whole[4], "the running variance");
    }
}

#[test]
fn batch_norm_sees_the_whole_batch() {
    all_well("norm", 2);
    all_well("norm", 4);
}

struct Noisy(Tensor);

impl Net for Noisy {
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        nn::stochastic_depth(&nn::dropout(&(x * &self.0), 0.3, mode), 0.4, mode)
    }
}

/// A sample gets the noise that it gets in a single process.
fn noise() {
    let group = Group::join(&rendezvous(60)).expect("all come");
    let (rank, size) = (group.rank() as i64, group.size() as i64);
    let options = (Kind::Float, Device::Cpu);
    let make = |scope: &mut torch::Scope<'_>| {
        Noisy(scope.tensor("w", &[5], Role::Weight, torch::Init::Const(1.0)))
    };
    let (net, _params) = Params::build(Device::Cpu, make);
    let (labeled, unlabeled) = (8, 24);
    let (x, u) = (Tensor::ones([labeled, 5], options), Tensor::ones([unlabeled, 5], options));
    let own = |t: &Tensor| t.narrow(0, rank * (t.size()[0] / size), t.size()[0] / size);
    for mode in [Mode::Train, Mode::TrainNoisyRows(labeled)] {
        torch::rng::seed(5);
        let whole = net.forward(&Tensor::cat(&[&x, &u], 0), mode);
        let wanted = Tensor::cat(
            &[own(&whole.narrow(0, 0, labeled)), own(&whole.narrow(0, labeled, unlabeled))],
            0,
        );
        torch::rng::seed(5);
        let mode = match mode {
            Mode::TrainNoisyRows(_) => Mode::TrainNoisyRows(labeled / size),
            other => other,
        };
        let both = Tensor::cat(&[own(&x), own(&u)], 0);
        let sizes = [labeled / size, unlabeled / size];
        let found = group
            .within(|| torch::group::joint(&sizes, || net.forward(&both, mode)))
            .expect("well");
        assert_eq!(found, wanted, "{mode:?}");
    }
    by_place(&group);
    unequal(&group);
}

fn rows_of(own: &[std::ops::Range<usize>], x: &Tensor) -> Tensor {
    let rows = own.iter().map(|own| x.narrow(0, own.start as i64, own.len() as i64));
    Tensor::cat(&rows.collect::<Vec<_>>(), 0)
}

/// Of the second batch each process has another number of samples, the first one none.
fn unequal(group: &Group) {
    let (rank, size) = (group.rank(), group.size());
    let counts: Vec<usize> = (0..size).map(|rank| 3 * rank).collect();
    let first = 2 * size + counts[..rank].iter().sum::<usize>();
    let own = [2 * rank..2 * rank + 2, first..first + counts[rank]];
    let all = 2 * size + counts.iter().sum::<usize>();
    let x = Tensor::ones([all as i64, 5], (Kind::Float, Device::Cpu));
    let keyed = |x: &Tensor| nn::keyed_dropout(x, 0.3, Mode::Train);
    let noise = |x: &Tensor| nn::dropout(&keyed(x), 0.2, Mode::Train);
    torch::rng::seed(7);
    let whole = noise(&x);
    torch::rng::seed(7);
    let sizes = own.each_ref().map(|own| own.len() as i64);
    let lengths: Vec<usize> = (0..all).map(|i| 1 + (i * i) % 11).collect();
    let wanted = BatchPart::new(&lengths, own.clone());
    let found = group.within(|| {
        torch::group::joint_unequal(&sizes, || {
            let found = noise(&rows_of(&own, &x));
            assert_eq!(BatchPart::of_group(wanted.lengths()), wanted);
            found
        })
    });
    assert_eq!(found.expect("well"), rows_of(&own, &whole));
}

/// The same by the place in batches that were put together, of samples and of texts, of whose
/// lengths no process knows the others'.
fn by_place(group: &Group) {
    let (rank, size) = (group.rank(), group.size());
    let batches = [8, 24];
    let together = |f: &dyn Fn() -> Tensor| {
        let sizes = batches.map(|rows| (rows / size) as i64);
        torch::rng::seed(6);
        group.within(|| torch::group::joint(&sizes, f)).expect("well")
    };
    // Of both batches, the second behind the first one.
    let own = batches.map(|rows| rank * (rows / size)..(rank + 1) * (rows / size));
    let own = [own[0].clone(), 8 + own[1].start..8 + own[1].end];
    let x = Tensor::ones([32, 5], (Kind::Float, Device::Cpu));
    torch::rng::seed(6);
    let whole = nn::keyed_dropout(&x, 0.3, Mode::Train);
    let found = together(&|| nn::keyed_dropout(&rows_of(&own, &x), 0.3, Mode::Train));
    assert_eq!(found, rows_of(&own, &whole));

    let lengths: Vec<usize> = (0..32).map(|i| 1 + (i * i) % 11).collect();
    let wanted = BatchPart::new(&lengths, own.clone());
    let count = lengths.iter().sum::<usize>() as i64;
    let tokens = Tensor::ones([count, 3], (Kind::Float, Device::Cpu));
    let drop = |part: &BatchPart| {
        let places = part.token_ranges();
        nn::keyed_dropout_at(places, &rows_of(places, &tokens), 0.3, Mode::Train)
    };
    torch::rng::seed(6);
    let whole = nn::keyed_dropout(&tokens, 0.3, Mode::Train);
    let found = together(&|| {
        let part = BatchPart::of_group(wanted.lengths());
        assert_eq!(part, wanted);
        drop(&part)
    });
    assert_eq!(found, rows_of(wanted.token_ranges(), &whole));
    // Of a pass over the second batch alone.
    let alone = BatchPart::new(&lengths[8..], Some(own[1].start - 8..own[1].end - 8));
    let part = group.within(|| BatchPart::of_group(alone.lengths())).expect("well");
    assert_eq!(part, alone);
}

#[test]
fn noise_belongs_to_samples_not_to_processes() {
    all_well("noise", 2);
    all_well("noise", 4);
}

/// Rank 2 kills itself between two operations; the others name it.
fn gone() {
    let group = Group::join(&rendezvous(60)).expect("all come");
    let t = Tensor::ones([1000], (Kind::Float, Device::Cpu));
    group.all_reduce(&t, Reduce::Sum).expect("all are there");
    if group.rank() == 2 {
        let kill = format!("kill -KILL {}", std::process::id());
        let _ = Command::new("sh").args(["-c", &kill]).status();
    }
    let error = (0..3).find_map(|_| group.all_reduce(&t, Reduce::Sum).err()).expect("an error");
    // What comes after it fails at once.
    assert!(group.all_reduce(&t, Reduce::Sum).is_err());
    group.leave("another is gone");
    panic!("{error}");
}

#[test]
fn a_killed_rank_is_named_by_the_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let began = Instant::now();
    let ended = ranks("gone", 4, folder.path());
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    assert_eq!(ended.first, Some(2));
    for rank in [0, 1, 3] {
        assert_eq!(ended.statuses[rank].code(), Some(1), "rank {rank}: {}", ended.statuses[rank]);
        let said = said(folder.path(), rank);
        assert!(said.starts_with(&format!("rank {rank} of 4: all-reduce: ")), "{said}");
        assert!(said.contains("rank 2 is gone"), "{said}");
    }
}

/// Rank 1 kills itself; rank 2 waits for nobody but rank 0, and so sees it end only.
fn waits_for_first() {
    let group = Group::join(&rendezvous(60)).expect("all come");
    let t = Tensor::ones([1000], (Kind::Float, Device::Cpu));
    group.all_reduce(&t, Reduce::Sum).expect("all are there");
    let error = match group.rank() {
        0 => (0..3).find_map(|_| group.all_reduce(&t, Reduce::Sum).err()).expect("an error"),
        1 => {
            let kill = format!("kill -KILL {}", std::process::id());
            let _ = Command::new("sh").args(["-c", &kill]).status();
            return;
        }
        _ => group.broadcast_bytes(&[]).expect_err("rank 0 sends nothing"),
    };
    group.leave("another is gone");
    panic!("{error}");
}

#[test]
fn a_killed_rank_is_named_by_one_that_waits_for_the_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let ended = ranks("waits", 3, folder.path());
    for rank in [0, 2] {
        assert_eq!(ended.statuses[rank].code(), Some(1), "rank {rank}: {}", ended.statuses[rank]);
        let said = said(folder.path(), rank);
        assert!(said.contains("rank 1 is gone"), "{said}");
    }
}

/// One rank never comes.
fn late() {
    if std::env::var("RANK").is_ok_and(|rank| rank == "1") {
        return;
    }
    let error = Group::join(&rendezvous(3)).expect_err("one is missing");
    panic!("{error}");
}

#[test]
fn who_does_not_come_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let ended = ranks("late", 2, folder.path());
    assert_eq!(ended.statuses[0].code(), Some(1));
    let said = said(folder.path(), 0);
    assert!(said.contains("rank 1 has not come within 3 s; RANK and WORLD_SIZE say"), "{said}");
}

#[test]
fn a_port_of_another_program_is_named_within_the_time_out() {
    // It lets others come and never answers.
    let other = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = other.local_addr().expect("an address").port();
    let timeout = Duration::from_secs(2);
    for rank in [0, 1] {
        let rendezvous = Rendezvous {
            host: "127.0.0.1".into(),
            port,
            rank,
            local_rank: rank,
            size: 2,
            external_store: false,
            name: "test".into(),
            timeout,
            launcher: None,
        };
        let began = Instant::now();
        let error = Group::join(&rendezvous).expect_err("another program").to_string();
        assert!(began.elapsed() < timeout + Duration::from_secs(5), "{:?}", began.elapsed());
        assert!(error.contains("MASTER_PORT") && !error.contains("frame #"), "{error}");
        assert!(error.contains(&port.to_string()), "{error}");
    }
}
