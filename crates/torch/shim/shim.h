// What the files of the shim share: how an exception becomes an error text.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstring>
#include <exception>

using Handles = at::Tensor *const *;

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
