// What libtorch has and tch does not bind: generator state, autocast, memory formats, loading CUDA
// at run time, copies to a GPU that are not waited for, and the memory of tensors there; and the
// allocator. Optimisers, batch norm, convolutions and process groups have files of their own; src/ffi.rs and the files below it declare every function of all.
//
// Every function catches C++ exceptions and returns their message (to be given to tutor_free), or a
// null pointer. Only the headers of the operators that are used are included, so that they compile
// in seconds.

#include "shim.h"

#include <ATen/Context.h>
#include <ATen/core/Generator.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <torch/version.h>

#include <dlfcn.h>
#include <link.h>
#include <malloc.h>

#include <cstdint>
#include <cstdlib>
#include <limits>
#include <mutex>
#include <string>

// ATen/autocast_mode.h declares these among templates that take ten seconds to compile.
namespace at::autocast {
TORCH_API bool is_autocast_enabled(at::DeviceType device_type);
TORCH_API void set_autocast_enabled(at::DeviceType device_type, bool enabled);
TORCH_API at::ScalarType get_autocast_dtype(at::DeviceType device_type);
TORCH_API void set_autocast_dtype(at::DeviceType device_type, at::ScalarType dtype);
TORCH_API void clear_cache();
TORCH_API int increment_nesting();
TORCH_API int decrement_nesting();
TORCH_API bool is_autocast_cache_enabled();
TORCH_API void set_autocast_cache_enabled(bool enabled);
} // namespace at::autocast

using at::Tensor;

namespace {

at::Device device_of(int32_t index) {
  return index < 0 ? at::Device(at::kCPU) : at::Device(at::kCUDA, static_cast<at::DeviceIndex>(index));
}

int find_library(dl_phdr_info *info, size_t, void *out) {
  const char *slash = std::strrchr(info->dlpi_name, '/');
  if (slash == nullptr || std::strcmp(slash, "/libtorch_cpu.so") != 0)
    return 0;
  static_cast<std::string *>(out)->assign(info->dlpi_name, slash);
  return 1;
}

} // namespace

extern "C" {

void tutor_free(char *text) { std::free(text); }

const char *tutor_version() { return TORCH_VERSION; }

// Whether operations of this thread keep what gradients need.
bool tutor_keeps_graph() { return at::GradMode::is_enabled(); }

// How often the values of a tensor were changed in place.
uint64_t tutor_changes(const Tensor *tensor) { return tensor->_version(); }

// CUDA's generators are only asked for when its library is loaded: asking earlier would make
// libtorch decide for good that there is no CUDA.
char *tutor_seed(uint64_t seed, bool cuda) {
  return guarded([&] {
    auto &context = at::globalContext();
    const int32_t devices = cuda ? static_cast<int32_t>(at::detail::getCUDAHooks().deviceCount()) : 0;
    for (int32_t index = -1; index < devices; ++index) {
      at::Generator generator = context.defaultGenerator(device_of(index));
      std::lock_guard<std::mutex> lock(generator.mutex());
      generator.set_current_seed(seed);
    }
  });
}

char *tutor_generator_state(int32_t device, Tensor **out) {
  return guarded([&] {
    at::Generator generator = at::globalContext().defaultGenerator(device_of(device));
    std::lock_guard<std::mutex> lock(generator.mutex());
    *out = new Tensor(generator.get_state());
  });
}

char *tutor_set_generator_state(int32_t device, const Tensor *state) {
  return guarded([&] {
    at::Generator generator = at::globalContext().defaultGenerator(device_of(device));
    std::lock_guard<std::mutex> lock(generator.mutex());
    generator.set_state(*state);
  });
}

struct Autocast {
  int32_t dtype;
  bool enabled, cache;
};

// The cache of cast weights stays off: a weight cast inside no_grad would be taken again by a later
// forward pass of the same region, which then has no gradient.
char *tutor_autocast_enter(int32_t device, bool on, Autocast *before) {
  return guarded([&] {
    const at::DeviceType type = device_of(device).type();
    before->dtype = static_cast<int32_t>(at::autocast::get_autocast_dtype(type));
    before->enabled = at::autocast::is_autocast_enabled(type);
    before->cache = at::autocast::is_autocast_cache_enabled();
    at::autocast::increment_nesting();
    at::autocast::set_autocast_dtype(type, at::kBFloat16);
    at::autocast::set_autocast_enabled(type, on);
    at::autocast::set_autocast_cache_enabled(false);
  });
}

char *tutor_autocast_leave(int32_t device, const Autocast *before) {
  return guarded([&] {
    const at::DeviceType type = device_of(device).type();
    if (at::autocast::decrement_nesting() == 0)
      at::autocast::clear_cache();
    at::autocast::set_autocast_dtype(type, static_cast<at::ScalarType>(before->dtype));
    at::autocast::set_autocast_enabled(type, before->enabled);
    at::autocast::set_autocast_cache_enabled(before->cache);
  });
}

// What libtorch's CUDA part does from the start. float32 is float32: convolutions in TF32 would be
// the default. cuDNN's attention gives gradients that are no numbers for some masks on sm90
// (pytorch #196678), and makes a plan for each new shape, of which packed batches have many.
char *tutor_cuda_defaults() {
  return guarded([&] {
    at::globalContext().setSDPUseCuDNN(false);
    at::globalContext().setAllowTF32CuDNN(false);
    at::globalContext().setAllowTF32CuBLAS(false);
  });
}

// Whether float32 convolutions and products may be computed in TF32 on GPUs that have it.
char *tutor_tf32(bool allowed) {
  return guarded([&] {
    at::globalContext().setAllowTF32CuDNN(allowed);
    at::globalContext().setAllowTF32CuBLAS(allowed);
  });
}

// Lets the allocator keep what is freed. Its largest threshold is 32 MiB on 64-bit machines;
// larger blocks still come from the system.
void tutor_keep_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  mallopt(M_TOP_PAD, 64 << 20);
#endif
}

// The folder from which this process loaded libtorch_cpu.so, as text for tutor_free, or null.
char *tutor_libtorch_folder() {
  std::string folder;
  dl_iterate_phdr(find_library, &folder);
  return folder.empty() ? nullptr : strdup(folder.c_str());
}

// Opens a shared library for the rest of the process. Its message is the dynamic loader's.
char *tutor_open(const char *path) {
  if (dlopen(path, RTLD_NOW | RTLD_GLOBAL) != nullptr)
    return nullptr;
  const char *reason = dlerror();
  return strdup(reason != nullptr ? reason : "the dynamic loader gives no reason");
}

// Name and memory in bytes of a CUDA device, from the driver. `name` has room for `room` bytes.
char *tutor_cuda_device(int32_t index, char *name, size_t room, uint64_t *bytes) {
  return guarded([&] {
    void *driver = dlopen("libcuda.so.1", RTLD_NOW);
    TORCH_CHECK(driver != nullptr, "libcuda.so.1 cannot be opened");
    auto init = reinterpret_cast<int (*)(unsigned)>(dlsym(driver, "cuInit"));
    auto get = reinterpret_cast<int (*)(int *, int)>(dlsym(driver, "cuDeviceGet"));
    auto get_name = reinterpret_cast<int (*)(char *, int, int)>(dlsym(driver, "cuDeviceGetName"));
    auto memory = reinterpret_cast<int (*)(size_t *, int)>(dlsym(driver, "cuDeviceTotalMem_v2"));
    TORCH_CHECK(init && get && get_name && memory, "libcuda.so.1 lacks a function");
    int device = 0;
    size_t total = 0;
    TORCH_CHECK(init(0) == 0 && get(&device, index) == 0 &&
                    get_name(name, static_cast<int>(room), device) == 0 && memory(&total, device) == 0,
                "the CUDA driver does not answer for device ", index);
    *bytes = total;
  });
}

// Copies a tensor of the CPU to a CUDA device through pinned memory, without waiting for the device:
// what is computed with the copy follows it on the same stream. The pinned memory goes back to
// libtorch's allocator at once, which gives it away again only when the copy is over.
char *tutor_send(const Tensor *tensor, int32_t device, Tensor **out) {
  return guarded([&] {
    // Pinned memory keeps strides, and nothing can be copied into rows that share memory.
    const Tensor whole =
        tensor->is_non_overlapping_and_dense() ? *tensor : tensor->contiguous();
    const Tensor pinned = whole.pin_memory();
    *out = new Tensor(pinned.to(device_of(device), pinned.scalar_type(), /*non_blocking=*/true));
  });
}

// The most bytes of a CUDA device that tensors have had at once.
char *tutor_peak_memory(int32_t device, uint64_t *bytes) {
  return guarded([&] {
    TORCH_CHECK(device >= 0, "the memory of tensors is counted on CUDA devices");
    const auto stats =
        c10::getDeviceAllocator(at::kCUDA)->getDeviceStats(static_cast<c10::DeviceIndex>(device));
    const auto all = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
    *bytes = static_cast<uint64_t>(stats.allocated_bytes[all].peak);
  });
}

} // extern "C"
