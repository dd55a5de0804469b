// Sixteen float32 at once, read from and written to either kind of elements.
#pragma once

#include "loops.h"

namespace {

constexpr int64_t LANES = 16;

using Floats = float __attribute__((vector_size(4 * LANES)));
using Words = uint32_t __attribute__((vector_size(4 * LANES)));
using Halves = uint16_t __attribute__((vector_size(2 * LANES)));

INLINE void load_lanes(Floats &to, const float *from) { std::memcpy(&to, from, sizeof to); }
INLINE void load_lanes(Floats &to, const Half *from) {
  Halves half;
  std::memcpy(&half, from, sizeof half);
  const Words bits = __builtin_convertvector(half, Words) << 16;
  std::memcpy(&to, &bits, sizeof to);
}
INLINE void store_lanes(float *to, const Floats &x) { std::memcpy(to, &x, sizeof x); }
// As `store` of one.
INLINE void store_lanes(Half *to, const Floats &x) {
  Words bits;
  std::memcpy(&bits, &x, sizeof bits);
  const Words rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16, bad = bits * 0 + 0x7fc0;
  const Halves half = __builtin_convertvector(x == x ? rounded : bad, Halves);
  std::memcpy(to, &half, sizeof half);
}

} // namespace
