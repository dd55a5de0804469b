// Convolutions of networks that only run: bias, activation and residual connection belong to them.
// oneDNN does all that in one pass, with weights that are laid out beforehand. Depthwise ones have
// loops of their own (depthwise.cpp).

#include "loops.h"

#include <ATen/Context.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <limits>
#include <optional>
#include <utility>
#include <vector>

namespace {

// Runs an operation by its name: those of oneDNN have no functions in the headers.
template <class... Args> Tensor call(const c10::OperatorHandle &op, Args &&...args) {
  torch::jit::Stack stack;
  torch::jit::push(stack, std::forward<Args>(args)...);
  op.callBoxed(stack);
  return stack.at(0).toTensor();
}

c10::OperatorHandle named(const char *name, const char *overload) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, overload);
}

using Scalars = c10::List<std::optional<at::Scalar>>;

} // namespace

extern "C" {

// Whether oneDNN is there for tensors of float32, or of bfloat16 if asked for: the latter where the
// processor multiplies in it.
bool tutor_onednn(bool bfloat16) {
  const bool there = at::globalContext().userEnabledMkldnn() && at::Context::hasMKLDNN();
#if defined(__x86_64__) && defined(__GNUC__)
  return there && (!bfloat16 || __builtin_cpu_supports("avx512bf16"));
#else
  return there && !bfloat16;
#endif
}

// Whether this processor multiplies in bfloat16 faster than in float32. Intel's without AMX have the
// instruction (AVX512-BF16), and a training step of BERT takes 1.7 times float32's time with it
// (docs/results/uda-text.md).
bool tutor_fast_bfloat16() {
#if defined(__x86_64__) && defined(__GNUC__)
  return tutor_onednn(true) && (!__builtin_cpu_is("intel") || __builtin_cpu_supports("amx-bf16"));
#else
  return false;
#endif
}

// Lays the weights of a convolution out for oneDNN, for a batch of images [n, c, h, w] of this size.
// `shape` are stride, groups, rows of zeros and columns of zeros on each side.
char *tutor_conv_pack(const Tensor *weight, const int64_t *size, const int64_t *shape, Tensor **out) {
  return guarded([&] {
    const at::NoGradGuard no_grad;
    static const c10::OperatorHandle op = named("mkldnn::_reorder_convolution_weight", "");
    using List = std::vector<int64_t>;
    *out = new Tensor(call(op, *weight, List{shape[2], shape[3]}, List{shape[0], shape[0]}, List{1, 1}, shape[1],
                           List(size, size + 4)));
  });
}

// A convolution with such weights, plus `rest` unless that is null, and one of oneDNN's activations
// with its numbers, or "none". With `rest` the only one is "relu".
char *tutor_conv(const Tensor *x, const Tensor *weight, const Tensor *bias, const Tensor *rest, const int64_t *shape,
                 const char *activation, const double *numbers, size_t count, Tensor **out) {
  return guarded([&] {
    const at::NoGradGuard no_grad;
    static const c10::OperatorHandle one = named("mkldnn::_convolution_pointwise", "");
    static const c10::OperatorHandle two = named("mkldnn::_convolution_pointwise", "binary");
    using List = std::vector<int64_t>;
    const List pads{shape[2], shape[3]}, strides{shape[0], shape[0]}, dilations{1, 1};
    const int64_t groups = shape[1];
    Scalars scalars;
    for (size_t i = 0; i < count; ++i)
      scalars.push_back(at::Scalar(numbers[i]));
    const std::string name(activation);
    if (rest)
      *out = new Tensor(call(two, *x, *rest, *weight, *bias, pads, strides, dilations, groups, std::string("add"),
                             c10::IValue(), name == "none" ? c10::IValue() : c10::IValue(name), scalars, c10::IValue()));
    else
      *out = new Tensor(call(one, *x, *weight, *bias, pads, strides, dilations, groups, name, scalars, std::string()));
  });
}
}
