// Dropout whose mask follows from a key and each number's place: nothing is stored for the backward
// pass, which computes the same bits again, and no random number is drawn one by one. libtorch's
// takes as long as a layer's matrix products on small networks.

#include "loops.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/ops/dropout.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <cstdint>
#include <mutex>
#include <stdexcept>
#include <vector>

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

// Numbers that are worth a thread of their own.
constexpr int64_t GRAIN = 1 << 15;

struct Key {
  uint32_t first, second;
  // What is dropped: places whose hash is below.
  uint32_t below;
  float scale;
};

// Murmur3's finalizer, with the second half of the key between its rounds.
INLINE uint32_t hash(uint32_t place, const Key &key) {
  uint32_t h = (place ^ key.first) * 0x9e3779b1u;
  h = (h ^ (h >> 16)) + key.second;
  h *= 0x85ebca6bu;
  h = (h ^ (h >> 13)) * 0xc2b2ae35u;
  return h ^ (h >> 16);
}

template <class T> INLINE void drop(const T *__restrict__ x, T *__restrict__ y, int64_t first, int64_t n, const Key &key) {
  const uint32_t start = static_cast<uint32_t>(first);
  for (int64_t i = 0; i < n; ++i) {
    const float v = load(x[i]) * key.scale;
    store(y[i], hash(start + static_cast<uint32_t>(i), key) < key.below ? 0.0f : v);
  }
}

// One copy a vector width (shim.h), for templates cannot have them.
EACH_WIDTH void run_drop(const float *x, float *y, int64_t first, int64_t n, const Key &key) { drop(x, y, first, n, key); }
EACH_WIDTH void run_drop(const Half *x, Half *y, int64_t first, int64_t n, const Key &key) { drop(x, y, first, n, key); }

// Numbers of a part of a batch have the places that they have in the whole: of each range of them `places` has that of
// the first one, and how many there are.
Tensor dropped(const Tensor &given, const Key &key, const std::vector<int64_t> &places) {
  const Tensor x = given.contiguous();
  Tensor y = at::empty_like(x);
  by_kind(x, [&](auto kind) {
    using T = decltype(kind);
    const T *from = static_cast<const T *>(x.const_data_ptr());
    T *to = elements<T>(y);
    for (size_t i = 0; i < places.size(); i += 2) {
      const int64_t place = places[i], n = places[i + 1];
      const int64_t parts = std::clamp<int64_t>(n / GRAIN, 1, 4 * std::max(1, at::get_num_threads()));
      in_parts(n, 1, parts,
               [&](int64_t, int64_t first, int64_t count) { run_drop(from + first, to + first, place + first, count, key); });
      from += n;
      to += n;
    }
  });
  return y;
}

struct Dropout : torch::autograd::Function<Dropout> {
  static Tensor forward(AutogradContext *context, const Tensor &x, double rate, int64_t key, std::vector<int64_t> places) {
    context->saved_data["rate"] = rate;
    context->saved_data["places"] = places;
    context->saved_data["key"] = key;
    const uint64_t bits = static_cast<uint64_t>(key);
    const double below = std::round(rate * 4294967296.0);
    return dropped(x, Key{static_cast<uint32_t>(bits), static_cast<uint32_t>(bits >> 32),
                          static_cast<uint32_t>(std::min(below, 4294967295.0)), static_cast<float>(1.0 / (1.0 - rate))},
                   places);
  }
  static variable_list backward(AutogradContext *context, variable_list gradients) {
    // Through the same function, so that a gradient has a gradient.
    const double rate = context->saved_data["rate"].toDouble();
    const int64_t key = context->saved_data["key"].toInt();
    const std::vector<int64_t> places = context->saved_data["places"].toIntVector();
    return {Dropout::apply(gradients[0], rate, key, places), Tensor(), Tensor(), Tensor()};
  }
};

} // namespace

extern "C" {

// Each number is 0 with this probability (below 1), else divided by what is left of 1. Float32 and
// bfloat16 on the CPU; libtorch's own for everything else. The key is drawn from the default
// generator; `places` has two numbers for each range of `x`, one behind the other: the place of its
// first number in the whole, and how many there are.
char *tutor_dropout(const Tensor *x, double rate, const int64_t *places, size_t ranges, Tensor **out) {
  return guarded([&] {
    const bool kind = x->scalar_type() == at::kFloat || x->scalar_type() == at::kBFloat16;
    if (!x->device().is_cpu() || !kind) {
      *out = new Tensor(at::dropout(*x, rate, true));
      return;
    }
    const std::vector<int64_t> all(places, places + 2 * ranges);
    int64_t count = 0;
    for (size_t i = 1; i < all.size(); i += 2)
      count += all[i];
    if (count != x->numel())
      throw std::runtime_error("places of other numbers");
    at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
    uint64_t key = 0;
    {
      std::lock_guard<std::mutex> lock(generator.mutex());
      key = generator.get<at::CPUGeneratorImpl>()->random64();
    }
    *out = new Tensor(Dropout::apply(*x, rate, static_cast<int64_t>(key), all));
  });
}
}
