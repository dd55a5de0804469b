//! The pinned wheels that libtorch is unpacked from: version, checksum, and the few files of each
//! that are needed.
//!
//! The pins follow torch 2.11.0's own metadata (built for CUDA 13.0). Two sets: what every machine
//! needs, and what a GPU machine needs on top. `libtorch_cpu.so` itself asks for `libcudart.so.13`
//! and `libcupti.so.13`, GPU or not.

/// libtorch's version, which `tch` dictates: it is written against exactly one.
pub(crate) const VERSION: &str = "2.11.0";

/// One wheel of the Python registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wheel {
    /// The project's name and version as pip takes them.
    pub(crate) project: String,
    pub(crate) version: String,
    /// Checksum of the whole file, lower-case hex.
    pub(crate) sha256: String,
    /// Size of the file to download, and of what `take` selects from it, in megabytes (for the
    /// check of the disk).
    pub(crate) megabytes: u64,
    pub(crate) unpacked_megabytes: u64,
    /// What to unpack: a folder (ending in `/`, static libraries left out) or one file.
    pub(crate) take: Vec<String>,
}

impl Wheel {
    /// What pip is asked for. `===` compares as text, so that `2.11.0+cpu` from another index is
    /// not taken for it.
    pub(crate) fn requirement(&self) -> String {
        format!("{}==={}", self.project, self.version)
    }

    /// Whether an entry of the archive is to be unpacked.
    pub(crate) fn takes(&self, entry: &str) -> bool {
        let wanted =
            |t: &String| if t.ends_with('/') { entry.starts_with(t.as_str()) } else { entry == t };
        !entry.ends_with('/')
            && !entry.ends_with(".a")
            && !entry.ends_with(".bc")
            && self.take.iter().any(wanted)
    }
}

/// The two sets of wheels.
#[derive(Clone, Debug)]
pub(crate) struct Wheels {
    pub(crate) cpu: Vec<Wheel>,
    /// On top of `cpu`. The wheel with `libtorch_cuda.so` comes first here too, for its other
    /// files.
    pub(crate) cuda: Vec<Wheel>,
}

impl Wheels {
    /// What the libraries for GPUs take: to fetch, and on the disk.
    pub(crate) fn cuda_size(&self) -> String {
        let gigabytes =
            |size: fn(&Wheel) -> u64| self.cuda.iter().map(size).sum::<u64>() as f64 / 1000.0;
        let (fetched, unpacked) = (gigabytes(|w| w.megabytes), gigabytes(|w| w.unpacked_megabytes));
        format!("{fetched:.1} GB to fetch, {unpacked:.1} GB on the disk")
    }
}

/// The file whose presence says that the GPU set is there; it is put in place last.
pub(crate) const CUDA_LIBRARY: &str = "torch/lib/libtorch_cuda.so";

/// The table this workspace is built with.
pub(crate) fn pinned() -> Wheels {
    let torch_sha = "7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a";
    let torch = |unpacked, take: &[&str]| wheel("torch", VERSION, torch_sha, (531, unpacked), take);
    Wheels {
        cpu: vec![
            torch(
                550,
                &[
                    "torch/include/",
                    "torch/lib/libc10.so",
                    "torch/lib/libgomp.so.1",
                    "torch/lib/libtorch.so",
                    "torch/lib/libtorch_cpu.so",
                    "torch/lib/libtorch_global_deps.so",
                    "torch/version.py",
                    "torch-2.11.0.dist-info/licenses/",
                ],
            ),
            wheel(
                "nvidia-cuda-runtime",
                "13.0.96",
                "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
                (3, 1),
                &["nvidia/cu13/lib/libcudart.so.13"],
            ),
            wheel(
                "nvidia-cuda-cupti",
                "13.0.85",
                "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
                (11, 5),
                &["nvidia/cu13/lib/libcupti.so.13"],
            ),
        ],
        cuda: vec![
            torch(
                515,
                &[
                    "torch/lib/libc10_cuda.so",
                    "torch/lib/libcaffe2_nvrtc.so",
                    "torch/lib/libtorch_cuda_linalg.so",
                    "torch/lib/libtorch_nvshmem.so",
                    CUDA_LIBRARY,
                ],
            ),
            cu13(
                "nvidia-cublas",
                "13.1.0.3",
                "ee8722c1f0145ab246bccb9e452153b5e0515fd094c3678df50b2a0888b8b171",
                (424, 600),
            ),
            cu13(
                "nvidia-cuda-nvrtc",
                "13.0.88",
                "ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575",
                (91, 230),
            ),
            cu13(
                "nvidia-cufft",
                "12.0.0.61",
                "6c44f692dce8fd5ffd3e3df134b6cdb9c2f72d99cf40b62c32dde45eea9ddad3",
                (215, 290),
            ),
            cu13(
                "nvidia-cufile",
                "1.15.1.6",
                "08a3ecefae5a01c7f5117351c64f17c7c62efa5fffdbe24fc7d298da19cd0b44",
                (2, 4),
            ),
            cu13(
                "nvidia-curand",
                "10.4.0.35",
                "1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc",
                (60, 135),
            ),
            cu13(
                "nvidia-cusolver",
                "12.0.4.66",
                "0a759da5dea5c0ea10fd307de75cdeb59e7ea4fcb8add0924859b944babf1112",
                (202, 250),
            ),
            cu13(
                "nvidia-cusparse",
                "12.6.3.3",
                "2b3c89c88d01ee0e477cb7f82ef60a11a4bcd57b6b87c33f789350b59759360b",
                (147, 165),
            ),
            cu13(
                "nvidia-nvjitlink",
                "13.0.88",
                "13a74f429e23b921c1109976abefacc69835f2f433ebd323d3946e11d804e47b",
                (41, 100),
            ),
            wheel(
                "nvidia-cudnn-cu13",
                "9.19.0.56",
                "d20e1734305e9d68889a96e3f35094d733ff1f83932ebe462753973e53a572bf",
                (367, 495),
                &["nvidia/cudnn/lib/"],
            ),
            wheel(
                "nvidia-cusparselt-cu13",
                "0.8.0",
                "25e30a8a7323935d4ad0340b95a0b69926eee755767e8e0b1cf8dd85b197d3fd",
                (170, 235),
                &["nvidia/cusparselt/lib/"],
            ),
            wheel(
                "nvidia-nccl-cu13",
                "2.28.9",
                "e4553a30f34195f3fa1da02a6da3d6337d28f2003943aa0a3d247bbc25fefc42",
                (197, 220),
                &["nvidia/nccl/lib/"],
            ),
            wheel(
                "nvidia-nvshmem-cu13",
                "3.4.5",
                "290f0a2ee94c9f3687a02502f3b9299a9f9fe826e6d0287ee18482e78d495b80",
                (61, 80),
                &["nvidia/nvshmem/lib/"],
            ),
        ],
    }
}

fn cu13(project: &str, version: &str, sha256: &str, megabytes: (u64, u64)) -> Wheel {
    wheel(project, version, sha256, megabytes, &["nvidia/cu13/lib/"])
}

fn wheel(
    project: &str,
    version: &str,
    sha256: &str,
    megabytes: (u64, u64),
    take: &[&str],
) -> Wheel {
    Wheel {
        project: project.into(),
        version: version.into(),
        sha256: sha256.into(),
        megabytes: megabytes.0,
        unpacked_megabytes: megabytes.1,
        take: take.iter().map(|t| (*t).into()).collect(),
    }
}

#[cfg(test)]
mod tests {
    /// The figures that README tells.
    #[test]
    fn the_gpu_libraries_take_what_is_written_about_them() {
        assert_eq!(super::pinned().cuda_size(), "2.5 GB to fetch, 3.3 GB on the disk");
    }
}
