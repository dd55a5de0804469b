// What the files of the shim share: how an exception becomes an error text, and how loops are
// compiled.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstring>
#include <exception>

using Handles = at::Tensor *const *;

// One copy of a loop for each vector width, chosen when the program starts. Contraction to fused
// multiply-add is off (build.rs), so that all copies give the same bits.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12
// The fourth level has AVX-512 for 16-bit integers, which bfloat16 is made of.
#define EACH_WIDTH __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#elif defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define EACH_WIDTH __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define EACH_WIDTH
#endif

// Runs `body`. The result is null, or the message of what was thrown, to be given to tutor_free.
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
