// Depthwise convolutions along sequences that lie one after another, as rows of a matrix whose
// columns are channels. Beyond the ends of a sequence there are zeros, which nobody has to put
// there. oneDNN makes code for each new number of rows, and no two batches of texts have the same.

#include "lanes.h"

#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cstdint>

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

// More taps are left to others.
constexpr int64_t MOST_TAPS = 32;
// Multiplications that are worth a thread of their own.
constexpr int64_t GRAIN = 1 << 16;

// Sequence i has rows starts[i] to starts[i + 1]; the result at a row is that of the taps on the
// rows from `back` before it on.
struct Shape {
  const int64_t *starts;
  int64_t sequences, channels, taps, back;
};

// Taps that see rows of the sequence [start, end) when the first one would be on this row.
struct Taps {
  int64_t first, end;
};
INLINE Taps within(int64_t row, int64_t start, int64_t end, int64_t taps) {
  return {std::max<int64_t>(0, start - row), std::min(taps, end - row)};
}

// Rows [first, first + count) of the result.
template <class T>
INLINE void convolve(const T *x, const float *weight, T *y, int64_t first, int64_t count, const Shape &s) {
  const int64_t whole = s.channels / LANES * LANES;
  const int64_t *next = std::upper_bound(s.starts, s.starts + s.sequences + 1, first);
  for (int64_t t = first; t < first + count; ++t) {
    // Sequences may be empty.
    while (*next <= t)
      ++next;
    const int64_t row = t - s.back;
    const Taps taps = within(row, next[-1], next[0], s.taps);
    for (int64_t c = 0; c < whole; c += LANES) {
      Floats sum = {};
      for (int64_t k = taps.first; k < taps.end; ++k) {
        Floats value, factor;
        load_lanes(value, x + (row + k) * s.channels + c);
        load_lanes(factor, weight + k * s.channels + c);
        sum += factor * value;
      }
      store_lanes(y + t * s.channels + c, sum);
    }
    for (int64_t c = whole; c < s.channels; ++c) {
      float sum = 0;
      for (int64_t k = taps.first; k < taps.end; ++k)
        sum += weight[k * s.channels + c] * load(x[(row + k) * s.channels + c]);
      store(y[t * s.channels + c], sum);
    }
  }
}

// The gradient of the weights of channels [first, first + count): sums of each sequence, then of
// all, so that many small numbers are not added to a large one.
template <class T>
INLINE void weigh(const T *x, const T *gradient, float *out, int64_t first, int64_t count, const Shape &s) {
  for (int64_t c = first; c < first + count; c += LANES) {
    const int64_t width = std::min(LANES, s.channels - c);
    Floats total[MOST_TAPS] = {};
    for (int64_t i = 0; i < s.sequences; ++i) {
      const int64_t start = s.starts[i], end = s.starts[i + 1];
      Floats sum[MOST_TAPS] = {};
      for (int64_t t = start; t < end; ++t) {
        const int64_t row = t - s.back;
        const Taps taps = within(row, start, end, s.taps);
        Floats slope, value;
        if (width == LANES) {
          load_lanes(slope, gradient + t * s.channels + c);
          for (int64_t k = taps.first; k < taps.end; ++k) {
            load_lanes(value, x + (row + k) * s.channels + c);
            sum[k] += slope * value;
          }
        } else {
          for (int64_t k = taps.first; k < taps.end; ++k)
            for (int64_t j = 0; j < width; ++j)
              sum[k][j] += load(gradient[t * s.channels + c + j]) * load(x[(row + k) * s.channels + c + j]);
        }
      }
      for (int64_t k = 0; k < s.taps; ++k)
        total[k] += sum[k];
    }
    for (int64_t k = 0; k < s.taps; ++k)
      for (int64_t j = 0; j < width; ++j)
        out[k * s.channels + c + j] = total[k][j];
  }
}

// One copy a vector width (shim.h), for templates cannot have them.
EACH_WIDTH void run_convolve(const float *x, const float *weight, float *y, int64_t first, int64_t n, const Shape &s) {
  convolve(x, weight, y, first, n, s);
}
EACH_WIDTH void run_convolve(const Half *x, const float *weight, Half *y, int64_t first, int64_t n, const Shape &s) {
  convolve(x, weight, y, first, n, s);
}
EACH_WIDTH void run_weigh(const float *x, const float *gradient, float *out, int64_t first, int64_t n, const Shape &s) {
  weigh(x, gradient, out, first, n, s);
}
EACH_WIDTH void run_weigh(const Half *x, const Half *gradient, float *out, int64_t first, int64_t n, const Shape &s) {
  weigh(x, gradient, out, first, n, s);
}

Shape shape(const Tensor &starts, const Tensor &weight, int64_t back) {
  return {starts.const_data_ptr<int64_t>(), starts.size(0) - 1, weight.size(1), weight.size(0), back};
}

int64_t parts_of(const Tensor &x, int64_t taps, int64_t most) {
  const int64_t threads = std::max(1, at::get_num_threads());
  return std::clamp<int64_t>(x.numel() * taps / GRAIN, 1, std::max<int64_t>(1, std::min(most, 4 * threads)));
}

// The weights, [taps, channels], are float32 here.
Tensor convolved(const Tensor &x, const Tensor &weight, const Tensor &starts, int64_t back) {
  const Tensor y = at::empty_like(x);
  const Shape s = shape(starts, weight, back);
  const float *factors = weight.const_data_ptr<float>();
  by_kind(x, [&](auto kind) {
    using T = decltype(kind);
    const T *from = static_cast<const T *>(x.const_data_ptr());
    T *to = elements<T>(y);
    const int64_t rows = x.size(0);
    in_parts(rows, 1, parts_of(x, s.taps, rows),
             [&](int64_t, int64_t first, int64_t n) { run_convolve(from, factors, to, first, n, s); });
  });
  return y;
}

// float32 [taps, channels]. Threads share channels, so that their number changes no bit.
Tensor weighed(const Tensor &x, const Tensor &gradient, const Tensor &weight, const Tensor &starts, int64_t back) {
  const Tensor out = at::empty_like(weight);
  const Shape s = shape(starts, weight, back);
  float *to = out.mutable_data_ptr<float>();
  by_kind(x, [&](auto kind) {
    using T = decltype(kind);
    const T *from = static_cast<const T *>(x.const_data_ptr());
    const T *slopes = static_cast<const T *>(gradient.const_data_ptr());
    in_parts(s.channels, LANES, parts_of(x, s.taps, (s.channels + LANES - 1) / LANES),
             [&](int64_t, int64_t first, int64_t n) { run_weigh(from, slopes, to, first, n, s); });
  });
  return out;
}

struct Sequences : torch::autograd::Function<Sequences> {
  static Tensor forward(AutogradContext *context, const Tensor &x, const Tensor &weight, const Tensor &starts,
                        int64_t back) {
    const Tensor rows = x.contiguous(), factors = weight.to(at::kFloat).contiguous();
    context->save_for_backward({rows, factors, starts});
    context->saved_data["back"] = back;
    context->saved_data["kind"] = weight.scalar_type();
    return convolved(rows, factors, starts, back);
  }
  static variable_list backward(AutogradContext *context, variable_list gradients) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "a convolution along sequences has first derivatives only");
    const variable_list saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], &starts = saved[2];
    const int64_t back = context->saved_data["back"].toInt();
    const Tensor gradient = gradients[0].contiguous();
    Tensor of_x, of_weight;
    if (context->needs_input_grad(0))
      of_x = convolved(gradient, weight.flip(0).contiguous(), starts, weight.size(0) - 1 - back);
    if (context->needs_input_grad(1))
      of_weight = weighed(x, gradient, weight, starts, back).to(context->saved_data["kind"].toScalarType());
    return {of_x, of_weight, Tensor(), Tensor()};
  }
};

} // namespace

extern "C" {

// Each channel of x [rows, channels] convolved with its column of weight [taps, channels] along the
// sequences that `starts` [sequences + 1] (int64 on the CPU, from 0 to the number of rows) tells
// apart; the first tap is `back` rows before the one that is computed. First derivatives only. Null
// for anything but float32 and bfloat16 on the CPU, and for more taps than there is room for.
char *tutor_sequences(const Tensor *x, const Tensor *weight, const Tensor *starts, int64_t back, Tensor **out) {
  return guarded([&] {
    *out = nullptr;
    const bool kind = x->scalar_type() == at::kFloat || x->scalar_type() == at::kBFloat16;
    if (!x->device().is_cpu() || !kind || weight->size(0) > MOST_TAPS)
      return;
    TORCH_CHECK(x->dim() == 2 && weight->dim() == 2 && weight->size(1) == x->size(1), "a matrix of ", weight->size(1),
                " channels was expected");
    const int64_t *last = starts->const_data_ptr<int64_t>() + starts->numel() - 1;
    TORCH_CHECK(starts->is_contiguous() && *last == x->size(0), "sequences of ", *last, " rows were expected");
    TORCH_CHECK(weight->device().is_cpu(), "weights on the CPU were expected, where the rows are");
    TORCH_CHECK(back >= 0 && back < weight->size(0), "the first tap is out of reach");
    *out = new Tensor(Sequences::apply(*x, *weight, *starts, back));
  });
}
}
