//! Devices: choosing one by name, opening CUDA at run time, threads and memory.
//!
//! Programs link only libtorch's CPU library. [`select`] opens `libtorch_cuda.so` when a GPU is
//! asked for and the machine has a driver, so that one binary serves both kinds of machine.
//! libtorch decides once whether there is CUDA: call [`select`] before anything else touches a
//! tensor.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tch::kind::Element;
use tch::{Cuda, Device, Tensor};

use crate::ffi;

/// Why a device cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// A name that is not known.
    #[error("device `{name}` is not known; use cpu, cuda, cuda:N or auto")]
    Unknown {
        /// The name that was given.
        name: String,
    },
    /// The machine has no CUDA driver.
    #[error(
        "no CUDA device: the driver's libcuda.so.1 cannot be opened ({reason}); use --device cpu"
    )]
    NoDriver {
        /// The dynamic loader's message.
        reason: String,
    },
    /// libtorch is installed without its CUDA part.
    #[error(
        "there is a CUDA driver, but {} is missing: `cargo xtask setup --cuda` fetches it; without a \
         toolchain, put the lib folder of a CUDA build of torch {} first in LD_LIBRARY_PATH",
        path.display(),
        ffi::version()
    )]
    NoLibrary {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// libtorch's CUDA part is there and cannot be loaded.
    #[error(
        "{} cannot be opened ({reason}); `cargo xtask setup --cuda` fetches what belongs to it",
        path.display()
    )]
    Load {
        /// The library.
        path: PathBuf,
        /// The dynamic loader's message.
        reason: String,
    },
    /// Everything is loaded, and libtorch finds no GPU.
    #[error(
        "libtorch {version} finds no CUDA device: the driver may be too old for it, or CUDA_VISIBLE_DEVICES hides all"
    )]
    NoDevice {
        /// libtorch's version.
        version: String,
    },
    /// A device number that is too large.
    #[error("cuda:{index} is asked for, but there are {count} CUDA devices (numbered from 0)")]
    Index {
        /// The number that was given.
        index: usize,
        /// How many there are.
        count: usize,
    },
}

static CUDA: OnceLock<Result<(), DeviceError>> = OnceLock::new();

/// Opens libtorch's CUDA library, once in a process; later calls return the result of the first.
/// Call it before any tensor is made. An `Err` says what is missing; the CPU can be used all the
/// same.
pub fn load_cuda() -> Result<(), DeviceError> {
    CUDA.get_or_init(|| {
        ffi::open("libcuda.so.1").map_err(|reason| DeviceError::NoDriver { reason })?;
        let path = libtorch_folder().join("libtorch_cuda.so");
        open_cuda_library(&path)
    })
    .clone()
}

fn open_cuda_library(path: &Path) -> Result<(), DeviceError> {
    if !path.is_file() {
        return Err(DeviceError::NoLibrary { path: path.to_owned() });
    }
    ffi::open(&path.to_string_lossy())
        .map_err(|reason| DeviceError::Load { path: path.to_owned(), reason })?;
    ffi::cuda_defaults();
    Ok(())
}

/// Whether [`load_cuda`] succeeded before.
pub(crate) fn cuda_is_loaded() -> bool {
    CUDA.get().is_some_and(Result::is_ok)
}

/// How many GPUs this process can use; 0 where CUDA cannot be loaded. Call it before any tensor is
/// made.
pub fn gpus() -> usize {
    load_cuda().map_or(0, |()| usize::try_from(Cuda::device_count()).unwrap_or(0))
}

/// The folder of the libtorch_cpu.so that this process runs with.
fn libtorch_folder() -> PathBuf {
    ffi::libtorch_folder().map(PathBuf::from).unwrap_or_else(|| {
        // A statically linked program has no such library; then the variable of the build may say.
        std::env::var_os("LIBTORCH").map(|f| PathBuf::from(f).join("lib")).unwrap_or_default()
    })
}

/// The device called `cpu`, `cuda`, `cuda:N` or `auto` (the first GPU if one works, else the CPU).
/// Asking for CUDA on a machine without it is an error that says what is missing.
pub fn select(name: &str) -> Result<Device, DeviceError> {
    let unknown = || DeviceError::Unknown { name: name.to_owned() };
    match name {
        "cpu" => Ok(Device::Cpu),
        "cuda" => cuda(0),
        "auto" => Ok(cuda(0).unwrap_or(Device::Cpu)),
        _ => {
            let index = name.strip_prefix("cuda:").and_then(|n| n.parse().ok());
            cuda(index.ok_or_else(unknown)?)
        }
    }
}

fn cuda(index: usize) -> Result<Device, DeviceError> {
    load_cuda()?;
    let count = usize::try_from(Cuda::device_count()).unwrap_or(0);
    if count == 0 {
        return Err(DeviceError::NoDevice { version: libtorch_version() });
    }
    if index >= count {
        return Err(DeviceError::Index { index, count });
    }
    Ok(Device::Cuda(index))
}

/// What a device is, for reports: the processor's name and the threads in use, or the GPU's name
/// and memory.
pub fn describe(device: Device) -> String {
    match device {
        Device::Cuda(index) => match ffi::cuda_device(index) {
            Ok((name, bytes)) => format!("cuda:{index} ({name}, {} GiB)", bytes >> 30),
            Err(reason) => format!("cuda:{index} ({reason})"),
        },
        _ => {
            let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
            let name = info
                .lines()
                .find_map(|line| line.strip_prefix("model name"))
                .and_then(|rest| rest.split_once(':'))
                .map_or(std::env::consts::ARCH, |(_, name)| name.trim());
            let threads = threads();
            let s = if threads == 1 { "" } else { "s" };
            format!("cpu ({name}, {threads} thread{s})")
        }
    }
}

/// The version of libtorch that this was built with, as `2.11.0`.
pub fn libtorch_version() -> String {
    ffi::version()
}

/// Sets how many threads one CPU operation uses. Sums are split among them, so that results are bit
/// for bit the same only for the same number of threads. Panics if `n` is 0.
pub fn set_threads(n: usize) {
    assert!(n > 0, "0 threads");
    tch::set_num_threads(i32::try_from(n).expect("number of threads"));
}

/// How many threads one CPU operation uses.
pub fn threads() -> usize {
    usize::try_from(tch::get_num_threads()).unwrap_or(1)
}

/// A tensor of the CPU on `device`, as [`Tensor::to_device`] gives it. A GPU is not waited for: the
/// values go through pinned memory, the copy waits in line with the operations of this thread's
/// stream, and whoever uses the result comes after it. `tensor`, if it is not pinned itself, may be
/// changed or dropped at once. On the CPU the result is the same tensor and shares its memory.
///
/// ```
/// use torch::{Device, Tensor, device::copy_async};
/// let labels = Tensor::from_slice(&[3i64, 1, 4]);
/// assert_eq!(copy_async(&labels, Device::Cpu), labels);
/// ```
pub fn copy_async(tensor: &Tensor, device: Device) -> Tensor {
    match device {
        Device::Cuda(_) => ffi::send(tensor, device),
        _ => tensor.to_device(device),
    }
}

/// A tensor `[values.len()]` of some values on `device`, for which a GPU is not waited for
/// ([`copy_async`]).
pub fn tensor_on<T: Element>(values: &[T], device: Device) -> Tensor {
    copy_async(&Tensor::from_slice(values), device)
}

/// Waits until a GPU has done what it was told; on a CPU there is nothing to wait for.
pub fn synchronize(device: Device) {
    if let Device::Cuda(index) = device {
        Cuda::synchronize(i64::try_from(index).expect("a device's number"));
    }
}

/// The most bytes that tensors of this process have had at once on a GPU; `None` on the CPU, where
/// the system counts those of the whole process, and where libtorch does not know.
pub fn peak_memory(device: Device) -> Option<u64> {
    ffi::peak_memory(device).ok()
}

/// Whether float32 convolutions and matrix products may be computed in TF32, with ten bits after
/// the point, on GPUs that have it. It is forbidden until this allows it, unlike in PyTorch, where
/// convolutions begin in TF32. Call it after [`select`], which forbids it.
pub fn set_tf32(allowed: bool) {
    ffi::tf32(allowed);
}

/// Re-executes the current program with `GOMP_SPINCOUNT=1000`, in the same process and with the
/// same arguments, unless `GOMP_SPINCOUNT` or `OMP_WAIT_POLICY` is set already, as it is after the
/// restart. Call it in `main` before anything that must happen once. libtorch's threads then wait
/// only microseconds for each other before they sleep.
///
/// By default they keep their cores busy for milliseconds while they wait; where loaders or other
/// programs need these cores, training becomes several times slower. The OpenMP library reads the
/// variable before `main`, hence the restart.
///
/// # Errors
/// If the program cannot be restarted; it can go on without.
pub fn reexec_with_passive_spin() -> io::Result<()> {
    let is_set = |name| std::env::var_os(name).is_some();
    if is_set("OMP_WAIT_POLICY") || is_set("GOMP_SPINCOUNT") {
        return Ok(());
    }
    let mut arguments = std::env::args_os();
    let mut again = Command::new(std::env::current_exe()?);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    Err(again.args(arguments).env("GOMP_SPINCOUNT", "1000").exec())
}

/// Lets the process keep the memory that tensors free. Otherwise it goes back to the system, which
/// clears every page again in each step. Call it early in `main`. On the CPU small networks train
/// about 1.5 times as fast; peak memory stays about the same. Without glibc it does nothing.
pub fn retain_freed_memory() {
    ffi::retain_freed_memory();
}

/// Ends the program with this exit status, as the last thing that `main` does: flushes standard
/// output, but does not run the destructors of C and C++ libraries. libtorch takes a tenth of a
/// second to undo what it registered when it was loaded, in memory that the system takes back
/// anyway.
pub fn exit_skipping_destructors(status: u8) -> ! {
    // There is nobody left to tell.
    let _ = io::stdout().flush();
    ffi::exit_at_once(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_broken_cuda_library_is_named_with_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libtorch_cuda.so");
        let missing = open_cuda_library(&path).unwrap_err();
        assert_eq!(missing, DeviceError::NoLibrary { path: path.clone() });
        std::fs::write(&path, "half a library").unwrap();
        let broken = open_cuda_library(&path).unwrap_err();
        assert!(matches!(&broken, DeviceError::Load { path: p, .. } if *p == path), "{broken}");
        for error in [missing, broken] {
            let text = error.to_string();
            assert!(
                text.contains("libtorch_cuda.so") && text.contains("xtask setup --cuda"),
                "{text}"
            );
        }
    }

    #[test]
    fn libtorch_is_found_where_it_was_loaded_from() {
        assert!(libtorch_folder().join("libtorch_cpu.so").is_file());
    }
}
