// What the files of the shim with loops of their own share: element kinds and threads.
#pragma once

#include "shim.h"

#include <ATen/Parallel.h>

#include <dlfcn.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>

using at::Tensor;

// The arithmetic is written once and compiled for each element kind and vector width. Channels are
// independent of each other and contraction is off (build.rs), so that all copies give the same
// bits.
#define INLINE inline __attribute__((always_inline))
#define INLINE_LAMBDA __attribute__((always_inline))

namespace {

INLINE float load(float x) { return x; }
// bfloat16 is the upper half of a float; as a plain integer, for the compiler to see through.
using Half = uint16_t;
INLINE float load(Half x) {
  const uint32_t bits = static_cast<uint32_t>(x) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
INLINE void store(float &to, float x) { to = x; }
// To the nearest, ties to even.
INLINE void store(Half &to, float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  to = static_cast<Half>(x == x ? rounded : 0x7fc0);
}

// libtorch's own OpenMP library, found where libtorch has loaded it: with one of our own there
// could be two in a process.
using Parallel = void (*)(void (*)(void *), void *, unsigned, unsigned);
Parallel parallel_region() {
  static const auto found = reinterpret_cast<Parallel>(dlsym(RTLD_DEFAULT, "GOMP_parallel"));
  return found;
}

// Calls body(part, first, count) for each part of n elements, on as many threads as libtorch uses
// at most. Each part but the last is a multiple of `unit`.
template <class Body> void in_parts(int64_t n, int64_t unit, int64_t parts, Body &&body) {
  const int64_t units = (n + unit - 1) / unit, each = (units + parts - 1) / parts * unit;
  struct Job {
    Body &body;
    int64_t n, each, parts;
    std::atomic<int64_t> next{0};
    void work() {
      for (int64_t i = next++; i < parts; i = next++)
        if (i * each < n)
          body(i, i * each, std::min(each, n - i * each));
    }
  } job{body, n, each, parts};
  const Parallel region = parallel_region();
  if (parts == 1 || region == nullptr || at::in_parallel_region())
    job.work();
  else
    region([](void *job) { static_cast<Job *>(job)->work(); }, &job,
           static_cast<unsigned>(std::min<int64_t>(parts, std::max(1, at::get_num_threads()))), 0);
}

template <class F> void by_kind(const Tensor &x, F &&body) {
  if (x.scalar_type() == at::kBFloat16)
    body(Half());
  else
    body(float());
}

template <class T> T *elements(const Tensor &x) { return static_cast<T *>(x.mutable_data_ptr()); }

} // namespace
