//! A device whose memory is full: libtorch panics, and a user is told what to try.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe, catch_unwind, resume_unwind};

use anyhow::{Result, bail};

/// What cuDNN says where no algorithm's buffers fit in memory, and also where it has none for the
/// precision on this GPU.
const NO_ENGINE: &str = "unable to find an engine to execute this computation";

/// How libtorch's messages of full memory are known, on a GPU and on the CPU. cuBLAS and cuDNN have
/// words of their own.
const SIGNS: [&str; 4] =
    ["out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED", NO_ENGINE];

/// What a panic says, if it says something.
pub(crate) fn text(panic: &(dyn Any + Send)) -> Option<&str> {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
}

/// The first line of what a panic says, without the frames of libtorch's stack. Line breaks of its
/// errors are two characters, for they are printed as Rust writes a string.
pub(crate) fn first_line(text: &str) -> &str {
    let ends = ["\n", "\\n", "Exception raised from "].map(|end| text.find(end));
    &text[..ends.into_iter().flatten().min().unwrap_or(text.len())]
}

/// What libtorch says, if a panic is about memory: the sentence that has the sign, and the next.
fn told(panic: &(dyn Any + Send)) -> Option<String> {
    let text = text(panic)?;
    let sign = SIGNS.iter().find_map(|sign| text.find(sign))?;
    let start = text[..sign].rfind(['"', '[', '\n']).map_or(0, |at| at + 1);
    let sentences: Vec<&str> = first_line(&text[start..]).split(". ").take(2).collect();
    Some(sentences.join(". ").trim_end_matches(['.', '"', ')', ' ']).to_owned())
}

/// Leaves the report of a panic about memory to whoever catches it, and all others as they are.
/// Called once, when the program begins.
pub(crate) fn quiet() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if told(info.payload()).is_none() {
            before(info);
        }
    }));
}

/// Trains with batches of so many samples; where memory is full, the error names a smaller one.
pub(crate) fn guarded<T>(batch: usize, train: impl FnOnce() -> Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(train)) {
        Ok(trained) => trained,
        Err(panic) => match told(panic.as_ref()) {
            Some(told) if told.contains(NO_ENGINE) => bail!(
                "memory may be full with train.batch {batch}, or this GPU cannot compute this \
                 precision: {told}. Try --set train.batch={} or float32. Checkpoints are kept",
                (batch / 2).max(1)
            ),
            Some(told) => bail!(
                "memory is full with train.batch {batch}: {told}. Try --set train.batch={}; if it \
                 happened while measuring, evaluate.batch. Checkpoints are kept",
                (batch / 2).max(1)
            ),
            None => resume_unwind(panic),
        },
    }
}

/// Runs a command; where memory gets full in it, that is an error.
pub(crate) fn told_when_full(command: impl FnOnce() -> Result<()>) -> Result<()> {
    match catch_unwind(AssertUnwindSafe(command)) {
        Ok(result) => result,
        Err(panic) => match told(panic.as_ref()) {
            Some(told) if told.contains(NO_ENGINE) => bail!(
                "memory may be full, or this GPU cannot compute this precision: {told}. Try a \
                 smaller batch or float32"
            ),
            Some(told) => bail!(
                "memory is full: {told}. Give it less at once: a smaller batch or network, or \
                 bfloat16, which takes half"
            ),
            None => resume_unwind(panic),
        },
    }
}

#[cfg(test)]
mod tests {
    use torch::{Device, Kind, Tensor};

    use super::*;

    #[test]
    fn full_memory_is_an_error_that_names_a_smaller_batch() {
        let error = guarded(64, || Ok(Tensor::zeros([1 << 45], (Kind::Float, Device::Cpu))));
        let error = error.expect_err("32 TiB").to_string();
        for part in ["train.batch 64", "train.batch=32", "allocate", "evaluate.batch"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn what_cuda_says_is_told_without_its_advice() {
        let text = "called `Result::unwrap()` on an `Err` value: Torch(\"CUDA out of memory. Tried \
                    to allocate 20.00 GiB. GPU 0 has a total capacity of 79.11 GiB\\nException";
        let panic: Box<dyn Any + Send> = Box::new(text.to_owned());
        let told = told(panic.as_ref()).expect("it is about memory");
        assert_eq!(told, "CUDA out of memory. Tried to allocate 20.00 GiB");
    }

    #[test]
    fn what_cudas_libraries_say_is_known() {
        let stack =
            "\\nException raised from create at Handle.cpp:58 (first call):\\nframe #0: c10";
        let full =
            "Torch(\"CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`";
        let engine = "Torch(\"GET was unable to find an engine to execute this computation";
        let [full, engine] = [full, engine].map(|text| format!("{text}{stack}"));
        for (text, start) in [(&full, "memory is full"), (&engine, "memory may be full")] {
            let command = || -> Result<()> { panic!("{text}") };
            let error = told_when_full(command).expect_err("full").to_string();
            assert!(error.starts_with(start) && !error.contains("frame #0"), "{error}");
            let error = guarded(8, command).expect_err("full").to_string();
            assert!(error.starts_with(&format!("{start} with train.batch 8")), "{error}");
            assert!(error.contains("train.batch=4"), "{error}");
        }
        let error = guarded(8, || -> Result<()> { panic!("{engine}") }).expect_err("full");
        assert!(error.to_string().contains("or float32"), "{error}");
    }

    #[test]
    fn other_panics_go_on() {
        let caught = catch_unwind(|| guarded(1, || -> Result<()> { panic!("a bug") }));
        let panic = caught.expect_err("it goes on");
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"a bug"));
    }
}
