//! The generator: seeds, and states that continue.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use torch::{Device, Kind, Tensor, rng};

fn draw() -> (Tensor, Tensor) {
    let x = Tensor::ones([40], (Kind::Float, Device::Cpu));
    (x.dropout(0.5, true), x.randn_like())
}

/// What the library draws waits for a thread that holds the generator, which may ask again.
#[test]
fn nobody_else_draws_meanwhile() {
    let options = (Kind::Float, Device::Cpu);
    let held = rng::exclusive();
    drop(rng::exclusive());
    let (start, over) = (Barrier::new(2), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let others = scope.spawn(|| {
            start.wait();
            let x = Tensor::ones([1000], options).view([10, 100]);
            while !over.load(Ordering::Relaxed) {
                drop(torch::nn::dropout(&x, 0.5, torch::Mode::Train));
            }
        });
        start.wait();
        for _ in 0..20 {
            let [first, again] = [0, 1].map(|_| {
                rng::seed(1);
                std::thread::sleep(Duration::from_millis(1));
                Tensor::rand([2], options)
            });
            assert_eq!(first, again);
        }
        over.store(true, Ordering::Relaxed);
        drop(held);
        others.join().expect("it ends");
    });
}

#[test]
fn a_restored_state_continues_and_a_seed_starts_anew() {
    let _alone = torch::rng::exclusive();
    rng::seed(7);
    let first = draw();
    // One normal number more leaves a half-used pair behind, which the state must hold too.
    let _ = Tensor::randn([1], (Kind::Double, Device::Cpu));
    let state = rng::state(Device::Cpu).unwrap();
    let next = draw();
    assert!(first.1 != next.1);
    rng::set_state(Device::Cpu, &state).unwrap();
    assert_eq!(draw(), next);
    rng::seed(7);
    assert_eq!(draw(), first);
    rng::seed(8);
    assert!(draw().1 != first.1);
}

#[test]
fn a_state_that_is_none_is_an_error() {
    let _alone = torch::rng::exclusive();
    let before = rng::state(Device::Cpu).unwrap();
    for wrong in [Tensor::from_slice(&[1u8, 2, 3]), Tensor::from_slice(&[1f32])] {
        let text = rng::set_state(Device::Cpu, &wrong).unwrap_err().to_string();
        assert!(text.starts_with("generator of Cpu: "), "{text}");
    }
    assert_eq!(rng::state(Device::Cpu).unwrap(), before);
}

#[test]
fn a_device_that_nobody_chose_has_no_generator() {
    let cuda = Device::Cuda(0);
    if torch::device::select("cuda").is_err() {
        let text = rng::state(cuda).unwrap_err().to_string();
        assert!(text.starts_with("generator of Cuda(0): "), "{text}");
        assert!(rng::set_state(cuda, &Tensor::from_slice(&[1u8])).is_err());
    } else {
        let state = rng::state(cuda).unwrap();
        let first = Tensor::randn([9], (Kind::Float, cuda));
        rng::set_state(cuda, &state).unwrap();
        assert_eq!(Tensor::randn([9], (Kind::Float, cuda)), first);
    }
}
