// Rows of a matrix in another order, with rows of zeros between them: how sequences of different
// lengths are laid out for operations that want equal ones, and back. Where each row goes is known,
// so that the gradient is the same operation with the other list of places; libtorch's index_select
// would add up gradients row by row.

#include "loops.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cstdint>
#include <cstring>

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

// Bytes that are worth a thread of their own.
constexpr int64_t GRAIN = 1 << 18;

Tensor moved(const Tensor &x, const Tensor &places) {
  if (!x.device().is_cpu()) {
    const Tensor taken = x.index_select(0, places.clamp_min(0));
    return taken.masked_fill(places.lt(0).unsqueeze(1), 0);
  }
  const Tensor from = x.contiguous();
  const int64_t count = places.size(0), row = from.size(1) * static_cast<int64_t>(from.element_size());
  Tensor out = at::empty({count, from.size(1)}, from.options());
  const int64_t *at = places.const_data_ptr<int64_t>();
  const char *source = static_cast<const char *>(from.const_data_ptr());
  char *target = static_cast<char *>(out.mutable_data_ptr());
  const int64_t parts = std::clamp<int64_t>(count * row / GRAIN, 1, 4 * std::max(1, at::get_num_threads()));
  in_parts(count, 1, parts, [&](int64_t, int64_t first, int64_t n) {
    for (int64_t i = first; i < first + n; ++i)
      if (at[i] < 0)
        std::memset(target + i * row, 0, row);
      else
        std::memcpy(target + i * row, source + at[i] * row, row);
  });
  return out;
}

struct Rows : torch::autograd::Function<Rows> {
  static Tensor forward(AutogradContext *context, const Tensor &x, const Tensor &places, const Tensor &back) {
    context->save_for_backward({places, back});
    return moved(x, places);
  }
  static variable_list backward(AutogradContext *context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    // Through the same function, so that a gradient has a gradient.
    return {Rows::apply(gradients[0], saved[1], saved[0]), Tensor(), Tensor()};
  }
};

} // namespace

extern "C" {

// Row i of the result is row places[i] of x [n, width], or zeros where that is negative; `back`
// says of each row of x where it went, or is negative. Both are int64 on the device of x.
char *tutor_rows(const Tensor *x, const Tensor *places, const Tensor *back, Tensor **out) {
  return guarded([&] {
    TORCH_CHECK(x->dim() == 2 && back->size(0) == x->size(0), "a matrix of ", back->size(0), " rows was expected");
    TORCH_CHECK(places->is_contiguous() && back->is_contiguous(), "places one after another were expected");
    *out = new Tensor(Rows::apply(*x, *places, *back));
  });
}
}
