// What libtorch has and tch does not bind: fused optimiser kernels, generator state, autocast, memory formats and
// loading CUDA at run time. src/ffi.rs declares every function of this file.
//
// Every function catches C++ exceptions and returns their message (to be given to tutor_free), or a null pointer. Only
// the headers of the operators that are used are included, so that this file compiles in seconds.

#include <ATen/Context.h>
#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_addcdiv.h>
#include <ATen/ops/_foreach_copy.h>
#include <ATen/ops/_foreach_lerp.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_foreach_sqrt.h>
#include <ATen/ops/_foreach_sub.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>
#include <torch/version.h>

#include <dlfcn.h>
#include <link.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

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

// One copy of a loop for each vector width, chosen when the program starts. Contraction to fused multiply-add is off
// (build.rs), so that all copies give the same bits.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define EACH_WIDTH __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define EACH_WIDTH
#endif

namespace {

using at::Tensor;
using Handles = Tensor *const *;

template <class F> char *guarded(F &&body) noexcept {
  try {
    body();
    return nullptr;
  } catch (const c10::Error &e) {
    return strdup(e.what_without_backtrace());
  } catch (const std::exception &e) {
    return strdup(e.what());
  } catch (...) {
    return strdup("an exception of unknown type");
  }
}

at::Device device_of(int32_t index) {
  return index < 0 ? at::Device(at::kCPU) : at::Device(at::kCUDA, static_cast<at::DeviceIndex>(index));
}

// Whether element i of one lies where element i of the other does. Strides of axes with one place do not matter.
bool same_layout(const Tensor &a, const Tensor &b) {
  if (a.sizes() != b.sizes() || a.scalar_type() != b.scalar_type() || a.device() != b.device())
    return false;
  for (int64_t axis = 0; axis < a.dim(); ++axis)
    if (a.size(axis) > 1 && a.stride(axis) != b.stride(axis))
      return false;
  return true;
}

// The gradient laid out as its parameter: the fused kernels walk both by one index.
Tensor laid_out_as(const Tensor &t, const Tensor &like) {
  return same_layout(t, like) ? t : at::empty_like(like).copy_(t);
}

// The same for optimiser state, which keeps the new layout.
void lay_out_as(Tensor &t, const Tensor &like) {
  if (!same_layout(t, like))
    t.set_data(laid_out_as(t, like));
}

bool plain_float(const Tensor &t) {
  return t.device().is_cpu() && t.scalar_type() == at::kFloat && t.is_non_overlapping_and_dense();
}

void changed(const Tensor &t) { t.unsafeGetTensorImpl()->bump_version(); }

// Parameters with a gradient, and what belongs to them, that share a weight decay.
struct Group {
  double decay;
  std::vector<Tensor> param, grad, a, b, step;
};

std::vector<Group> groups(Handles p, Handles a, Handles b, Handles step, const double *decay, size_t n) {
  std::vector<Group> out;
  for (size_t i = 0; i < n; ++i) {
    const Tensor &grad = p[i]->grad();
    if (!grad.defined())
      continue;
    size_t k = 0;
    while (k < out.size() && out[k].decay != decay[i])
      ++k;
    if (k == out.size())
      out.push_back(Group{decay[i], {}, {}, {}, {}, {}});
    Group &group = out[k];
    group.param.push_back(*p[i]);
    group.grad.push_back(laid_out_as(grad, *p[i]));
    if (a) {
      lay_out_as(*a[i], *p[i]);
      group.a.push_back(*a[i]);
    }
    if (b) {
      lay_out_as(*b[i], *p[i]);
      group.b.push_back(*b[i]);
    }
    if (step)
      group.step.push_back(*step[i]);
  }
  return out;
}

struct RmsProp {
  double lr, decay, momentum, eps;
};

// The order of the operations is that of rmsprop_group, which gives the same bits.
EACH_WIDTH void rmsprop_loop(float *__restrict__ p, const float *__restrict__ g, float *__restrict__ s,
                             float *__restrict__ m, int64_t n, float lr, float fresh, float momentum, float eps,
                             float weight_decay) {
  for (int64_t i = 0; i < n; ++i) {
    const float grad = g[i] + weight_decay * p[i];
    s[i] = s[i] + fresh * (grad * grad - s[i]);
    m[i] = m[i] * momentum + lr * grad / std::sqrt(s[i] + eps);
    p[i] = p[i] - m[i];
  }
}

EACH_WIDTH void lerp_loop(float *__restrict__ to, const float *__restrict__ from, int64_t n, float weight) {
  for (int64_t i = 0; i < n; ++i)
    to[i] = to[i] + weight * (from[i] - to[i]);
}

void rmsprop_group(Group &g, const RmsProp &c) {
  if (g.decay != 0.0)
    g.grad = at::_foreach_add(g.grad, g.param, g.decay);
  auto change = at::_foreach_mul(g.grad, g.grad);
  at::_foreach_sub_(change, g.a);
  at::_foreach_add_(g.a, change, 1.0 - c.decay);
  auto root = at::_foreach_add(g.a, c.eps);
  at::_foreach_sqrt_(root);
  at::_foreach_mul_(g.b, c.momentum);
  at::_foreach_addcdiv_(g.b, g.grad, root, c.lr);
  at::_foreach_sub_(g.param, g.b);
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

char *tutor_zero_grad(Handles p, size_t n) {
  return guarded([&] {
    for (size_t i = 0; i < n; ++i)
      p[i]->mutable_grad().reset();
  });
}

// Scales all gradients so that their norm is at most `max` and writes the norm before that.
char *tutor_clip_grad_norm(Handles p, size_t n, double max, double *norm) {
  return guarded([&] {
    at::NoGradGuard guard;
    std::vector<Tensor> grads;
    for (size_t i = 0; i < n; ++i)
      if (p[i]->grad().defined())
        grads.push_back(p[i]->grad());
    *norm = 0.0;
    if (grads.empty())
      return;
    *norm = at::linalg_vector_norm(at::stack(at::_foreach_norm(grads, 2)), 2).item().toDouble();
    const double factor = max / (*norm + 1e-6);
    if (factor < 1.0)
      at::_foreach_mul_(grads, factor);
  });
}

char *tutor_sgd(Handles p, Handles buffer, const double *decay, size_t n, double lr, double momentum, bool nesterov) {
  return guarded([&] {
    at::NoGradGuard guard;
    for (Group &g : groups(p, buffer, nullptr, nullptr, decay, n))
      at::_fused_sgd_(g.param, g.grad, g.a, g.decay, momentum, lr, 0.0, nesterov, false, false);
  });
}

// `fused` false takes libtorch's operators on the CPU too: what the loop is tested against.
char *tutor_rmsprop(Handles p, Handles square, Handles buffer, const double *decay, size_t n, double lr, double rho,
                    double momentum, double eps, bool fused) {
  return guarded([&] {
    at::NoGradGuard guard;
    const RmsProp config{lr, rho, momentum, eps};
    for (Group &all : groups(p, square, buffer, nullptr, decay, n)) {
      Group rest{all.decay, {}, {}, {}, {}, {}};
      for (size_t i = 0; i < all.param.size(); ++i) {
        const Tensor &w = all.param[i], &g = all.grad[i], &s = all.a[i], &m = all.b[i];
        if (fused && plain_float(w)) {
          rmsprop_loop(w.mutable_data_ptr<float>(), g.const_data_ptr<float>(), s.mutable_data_ptr<float>(),
                       m.mutable_data_ptr<float>(), w.numel(), static_cast<float>(lr), static_cast<float>(1.0 - rho),
                       static_cast<float>(momentum), static_cast<float>(eps), static_cast<float>(all.decay));
          changed(w);
          changed(s);
          changed(m);
        } else {
          rest.param.push_back(w);
          rest.grad.push_back(g);
          rest.a.push_back(s);
          rest.b.push_back(m);
        }
      }
      if (!rest.param.empty())
        rmsprop_group(rest, config);
    }
  });
}

char *tutor_adamw(Handles p, Handles mean, Handles square, Handles step, const double *decay, size_t n, double lr,
                  double beta1, double beta2, double eps) {
  return guarded([&] {
    at::NoGradGuard guard;
    for (Group &g : groups(p, mean, square, step, decay, n)) {
      if (g.param[0].device().is_cpu()) {
        for (const Tensor &s : g.step)
          *s.mutable_data_ptr<float>() += 1.0f;
      } else {
        at::_foreach_add_(g.step, 1);
      }
      at::_fused_adamw_(g.param, g.grad, g.a, g.b, {}, g.step, lr, beta1, beta2, g.decay, eps, false, false);
    }
  });
}

char *tutor_lerp(Handles to, Handles from, size_t n, double weight, bool fused) {
  return guarded([&] {
    at::NoGradGuard guard;
    std::vector<Tensor> rest, ends;
    for (size_t i = 0; i < n; ++i) {
      // From 0.5 on libtorch computes from the other end.
      if (fused && weight < 0.5 && plain_float(*to[i]) && same_layout(*to[i], *from[i])) {
        if (to[i]->const_data_ptr() == from[i]->const_data_ptr())
          continue;
        lerp_loop(to[i]->mutable_data_ptr<float>(), from[i]->const_data_ptr<float>(), to[i]->numel(),
                  static_cast<float>(weight));
        changed(*to[i]);
      } else {
        rest.push_back(*to[i]);
        ends.push_back(*from[i]);
      }
    }
    if (!rest.empty())
      at::_foreach_lerp_(rest, ends, weight);
  });
}

char *tutor_copy(Handles to, Handles from, size_t n) {
  return guarded([&] {
    at::NoGradGuard guard;
    if (n == 0)
      return;
    std::vector<Tensor> ends, starts;
    for (size_t i = 0; i < n; ++i) {
      ends.push_back(*to[i]);
      starts.push_back(*from[i]);
    }
    at::_foreach_copy_(ends, starts);
  });
}

// Gives every four-dimensional tensor the channels-last memory format, in place: all that share it see the change.
char *tutor_channels_last(Handles t, size_t n) {
  return guarded([&] {
    at::NoGradGuard guard;
    for (size_t i = 0; i < n; ++i)
      if (t[i]->dim() == 4)
        t[i]->set_data(t[i]->detach().contiguous(at::MemoryFormat::ChannelsLast));
  });
}

// CUDA's generators are only asked for when its library is loaded: asking earlier would make libtorch decide for good
// that there is no CUDA.
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

// The cache of cast weights stays off: a weight cast inside no_grad would be taken again by a later forward pass of the
// same region, which then has no gradient.
char *tutor_autocast_enter(int32_t device, Autocast *before) {
  return guarded([&] {
    const at::DeviceType type = device_of(device).type();
    before->dtype = static_cast<int32_t>(at::autocast::get_autocast_dtype(type));
    before->enabled = at::autocast::is_autocast_enabled(type);
    before->cache = at::autocast::is_autocast_cache_enabled();
    at::autocast::increment_nesting();
    at::autocast::set_autocast_dtype(type, at::kBFloat16);
    at::autocast::set_autocast_enabled(type, true);
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

char *tutor_set_deterministic(bool on) {
  return guarded([&] {
    auto &context = at::globalContext();
    context.setDeterministicAlgorithms(on, false);
    context.setDeterministicFillUninitializedMemory(false);
    context.setDeterministicCuDNN(on);
    context.setBenchmarkCuDNN(!on);
  });
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

} // extern "C"
