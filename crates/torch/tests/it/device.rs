//! Devices by name. What CUDA answers depends on the machine; that it never falls back silently does not.

use torch::Device;
use torch::device::{self, DeviceError};

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
        // A name is judged before the machine is asked.
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
