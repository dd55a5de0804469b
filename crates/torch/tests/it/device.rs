//! Devices by name. Whether CUDA works depends on the machine; it never falls back silently.

use torch::device::{self, DeviceError};
use torch::{Device, Kind, Tensor};

#[test]
fn the_cpu_is_always_there() {
    assert_eq!(device::select("cpu"), Ok(Device::Cpu));
    let text = device::describe(Device::Cpu);
    assert!(text.starts_with("cpu (") && text.contains("thread"), "{text}");
    assert_eq!(device::libtorch_version(), "2.11.0");
}

#[test]
fn names_that_mean_nothing_are_errors() {
    for name in ["", "gpu", "CUDA", "cuda:", "cuda:-1", "cuda:x", "cpu:0"] {
        let error = device::select(name);
        // The name is checked before the machine is.
        assert_eq!(error, Err(DeviceError::Unknown { name: name.to_owned() }));
    }
}

#[test]
fn cuda_works_or_says_why_not() {
    match (device::load_cuda(), device::select("cuda")) {
        (Ok(()), Ok(device)) => {
            assert_eq!(device, Device::Cuda(0));
            assert_eq!(device::select("auto"), Ok(device));
            assert!(matches!(device::select("cuda:99"), Err(DeviceError::Index { index: 99, .. })));
        }
        (loaded, Err(error)) => {
            assert_eq!(device::select("auto"), Ok(Device::Cpu));
            assert_eq!(device::select("cuda:1"), Err(error.clone()));
            assert!(loaded.is_ok() || loaded == Err(error.clone()));
            assert!(!error.to_string().is_empty());
        }
        (Err(error), Ok(device)) => panic!("{device:?} although {error}"),
    }
}

/// On the GPU where there is one; on the CPU a copy is the tensor itself, and stays as it is.
#[test]
fn copies_keep_their_values_whatever_becomes_of_the_source() {
    let device = device::select("auto").expect("the CPU at least");
    let copies: Vec<Tensor> = (0..8i64)
        .map(|i| {
            let mut source = Tensor::full([10_000], i, (Kind::Int64, Device::Cpu));
            let copy = device::copy_async(&source, device);
            assert_eq!(copy.device(), device);
            assert_eq!(copy.data_ptr() == source.data_ptr(), device == Device::Cpu);
            if device != Device::Cpu {
                let _ = source.fill_(-1);
            }
            copy
        })
        .collect();
    for (i, copy) in (0..).zip(copies) {
        let there = copy.to_device(Device::Cpu);
        assert_eq!(there, Tensor::full([10_000], i, (Kind::Int64, Device::Cpu)));
    }
    assert_eq!(device::peak_memory(Device::Cpu), None);
    let peak = device::peak_memory(device);
    assert_eq!(peak.is_some_and(|bytes| bytes >= 8 * 80_000), device != Device::Cpu, "{peak:?}");
}

/// The program that [`a_program_starts_anew_once`] starts: says what it runs with.
#[test]
#[ignore = "run by another test, as a program"]
fn program() {
    device::reexec_with_passive_spin().unwrap();
    let (spin, arguments) = (std::env::var("GOMP_SPINCOUNT"), std::env::args().count());
    let text = format!("{} {spin:?} {arguments}", std::process::id());
    std::fs::write(std::env::var("SAYS").unwrap(), text).unwrap();
}

#[test]
fn a_program_starts_anew_once() {
    let folder = tempfile::tempdir().unwrap();
    for (set, expected) in [(None, "1000"), (Some("7"), "7")] {
        let says = folder.path().join("says");
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "device::program", "--ignored"]).env("SAYS", &says);
        command.env_remove("OMP_WAIT_POLICY").env_remove("GOMP_SPINCOUNT");
        command.envs(set.map(|n| ("GOMP_SPINCOUNT", n)));
        let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
        assert!(child.wait().unwrap().success());
        // The same process, the same arguments.
        let expected = format!("{} Ok({expected:?}) 4", child.id());
        assert_eq!(std::fs::read_to_string(&says).unwrap(), expected);
    }
}
