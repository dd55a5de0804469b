// Depthwise convolutions with small kernels on the CPU, with channels last: for networks that only
// run, with bias and bounds, and for training, with their gradients. oneDNN has no padding that
// differs between two sides, which a strided convolution with TensorFlow's padding needs, and
// copies the image for it; the gradient of its kernels is some ten times as slow as these loops.

#include "lanes.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <limits>
#include <utility>
#include <vector>

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

// Output columns that are computed at once, so that a pixel that several of them see is read once.
constexpr int64_t TILE = 4;

// Calls body(0), ..., body(N - 1), each with its number as a type.
template <class Body, size_t... I> INLINE void each_of(Body &&body, std::index_sequence<I...>) {
  (body(std::integral_constant<int64_t, static_cast<int64_t>(I)>()), ...);
}
template <int64_t N, class Body> INLINE void each(Body &&body) {
  each_of(body, std::make_index_sequence<static_cast<size_t>(N)>());
}

struct Depthwise {
  int64_t channels, height, width, rows, columns, top, left;
  // [kernel · kernel][padded] and [padded]: channels filled up to whole vectors.
  int64_t padded;
  const float *weight, *bias;
  // What the results are held between.
  float low, high;
};

// TILE columns from x0 on of one output row, for V vectors of channels from c on. INNER: all pixels
// that they see are within the row.
template <class T, int64_t K, int64_t S, int64_t V, bool INNER>
INLINE void tile(const T *image, T *out, int64_t y, int64_t x0, int64_t c, const Depthwise &d) {
  Floats sum[TILE][V];
  each<V>([&](auto v) INLINE_LAMBDA {
    load_lanes(sum[0][v], d.bias + c + v * LANES);
    each<TILE - 1>([&](auto t) INLINE_LAMBDA { sum[t + 1][v] = sum[0][v]; });
  });
  for (int64_t ky = 0; ky < K; ++ky) {
    const int64_t row = y * S - d.top + ky, first = x0 * S - d.left;
    if (row < 0 || row >= d.height)
      continue;
    Floats weight[K][V];
    each<K>([&](auto kx) INLINE_LAMBDA {
      each<V>([&](auto v) INLINE_LAMBDA {
        load_lanes(weight[kx][v], d.weight + (ky * K + kx) * d.padded + c + v * LANES);
      });
    });
    const T *line = image + (row * d.width + first) * d.channels + c;
    each<(TILE - 1) * S + K>([&](auto j) INLINE_LAMBDA {
      if (!INNER && (first + j < 0 || first + j >= d.width))
        return;
      each<V>([&](auto v) INLINE_LAMBDA {
        Floats pixel;
        load_lanes(pixel, line + j * d.channels + v * LANES);
        each<TILE>([&](auto t) INLINE_LAMBDA {
          constexpr int64_t kx = decltype(j)::value - decltype(t)::value * S;
          if constexpr (kx >= 0 && kx < K)
            sum[t][v] += pixel * weight[kx][v];
        });
      });
    });
  }
  each<TILE>([&](auto t) INLINE_LAMBDA {
    if (!INNER && x0 + t >= d.columns)
      return;
    each<V>([&](auto v) INLINE_LAMBDA {
      Floats x = sum[t][v];
      x = x < d.low ? x * 0 + d.low : x;
      x = x > d.high ? x * 0 + d.high : x;
      store_lanes(out + (y * d.columns + x0 + t) * d.channels + c + v * LANES, x);
    });
  });
}

template <class T, int64_t K, int64_t S, int64_t V>
INLINE void columns(const T *image, T *out, int64_t y, int64_t c, const Depthwise &d) {
  for (int64_t x0 = 0; x0 < d.columns; x0 += TILE) {
    const int64_t first = x0 * S - d.left;
    if (first >= 0 && first + (TILE - 1) * S + K <= d.width && x0 + TILE <= d.columns)
      tile<T, K, S, V, true>(image, out, y, x0, c, d);
    else
      tile<T, K, S, V, false>(image, out, y, x0, c, d);
  }
}

// The channels that fill no vector, for one output pixel.
template <class T, int64_t K, int64_t S>
INLINE void rest(const T *image, T *out, int64_t y, int64_t x, int64_t c, const Depthwise &d) {
  for (; c < d.channels; ++c) {
    float sum = d.bias[c];
    for (int64_t ky = 0; ky < K; ++ky)
      for (int64_t kx = 0; kx < K; ++kx) {
        const int64_t row = y * S - d.top + ky, column = x * S - d.left + kx;
        if (row >= 0 && row < d.height && column >= 0 && column < d.width)
          sum += load(image[(row * d.width + column) * d.channels + c]) * d.weight[(ky * K + kx) * d.padded + c];
      }
    sum = sum < d.low ? d.low : sum;
    store(out[(y * d.columns + x) * d.channels + c], sum > d.high ? d.high : sum);
  }
}

// Output rows [first, first + count) of all images of a batch, one after another.
template <class T, int64_t K, int64_t S>
INLINE void rows(const T *x, T *out, int64_t first, int64_t count, const Depthwise &d) {
  for (int64_t at = first; at < first + count; ++at) {
    const T *image = x + at / d.rows * d.height * d.width * d.channels;
    T *to = out + at / d.rows * d.rows * d.columns * d.channels;
    const int64_t y = at % d.rows;
    int64_t c = 0;
    for (; c + 2 * LANES <= d.channels; c += 2 * LANES)
      columns<T, K, S, 2>(image, to, y, c, d);
    if (c + LANES <= d.channels) {
      columns<T, K, S, 1>(image, to, y, c, d);
      c += LANES;
    }
    for (int64_t column = 0; c < d.channels && column < d.columns; ++column)
      rest<T, K, S>(image, to, y, column, c, d);
  }
}

// One copy a vector width (shim.h), for templates cannot have them.
#define COPIES(T, K, S)                                                                                                \
  EACH_WIDTH void run_##K##_##S(const T *x, T *out, int64_t first, int64_t count, const Depthwise &d) {                \
    rows<T, K, S>(x, out, first, count, d);                                                                            \
  }
COPIES(float, 3, 1)
COPIES(float, 3, 2)
COPIES(float, 5, 1)
COPIES(float, 5, 2)
COPIES(Half, 3, 1)
COPIES(Half, 3, 2)
COPIES(Half, 5, 1)
COPIES(Half, 5, 2)

// Multiplications that are worth a thread of their own, and parts a thread, so that none waits long
// for another.
constexpr int64_t GRAIN = 1 << 18, PARTS = 4;

template <class T> void depthwise(const Tensor &x, const Tensor &out, int64_t kernel, int64_t stride, const Depthwise &d) {
  const T *from = elements<T>(x);
  T *to = elements<T>(out);
  const int64_t all = x.size(0) * d.rows, work = out.numel() * kernel * kernel;
  const int64_t parts = std::min(all, std::clamp<int64_t>(work / GRAIN, 1, PARTS * std::max(1, at::get_num_threads())));
  in_parts(all, 1, std::max<int64_t>(1, parts), [&](int64_t, int64_t first, int64_t count) {
    if (kernel == 3)
      stride == 1 ? run_3_1(from, to, first, count, d) : run_3_2(from, to, first, count, d);
    else
      stride == 1 ? run_5_1(from, to, first, count, d) : run_5_2(from, to, first, count, d);
  });
}

// Calls body(c) for the first channel of each vector; the last one may overlap the one before. There
// are at least as many channels as lanes.
template <class Body> INLINE void vectors(int64_t channels, Body &&body) {
  int64_t c = 0;
  for (; c + LANES <= channels; c += LANES)
    body(c);
  if (c < channels)
    body(channels - LANES);
}

// Rows [first, first + count) of the gradient of the input with stride 2, of all images one after
// another: each pixel from the output pixels that saw it.
template <class T, int64_t K> INLINE void spread_rows(const T *grad, T *out, int64_t first, int64_t count, const Depthwise &d) {
  for (int64_t at = first; at < first + count; ++at) {
    const T *from = grad + at / d.height * d.rows * d.columns * d.channels;
    const int64_t y = at % d.height;
    for (int64_t x = 0; x < d.width; ++x) {
      T *to = out + (at * d.width + x) * d.channels;
      vectors(d.channels, [&](int64_t c) INLINE_LAMBDA {
        Floats sum{};
        for (int64_t ky = (y + d.top) % 2; ky < K && ky <= y + d.top; ky += 2) {
          const int64_t row = (y + d.top - ky) / 2;
          if (row >= d.rows)
            continue;
          for (int64_t kx = (x + d.left) % 2; kx < K && kx <= x + d.left; kx += 2) {
            const int64_t column = (x + d.left - kx) / 2;
            if (column >= d.columns)
              continue;
            Floats g, w;
            load_lanes(g, from + (row * d.columns + column) * d.channels + c);
            load_lanes(w, d.weight + (ky * K + kx) * d.padded + c);
            sum += g * w;
          }
        }
        store_lanes(to + c, sum);
      });
    }
  }
}

// Adds what one output pixel gives to the gradients of one vector of kernels. INNER: all columns
// that it sees are within the row.
template <class T, int64_t K, int64_t S, bool INNER>
INLINE void kernel_pixel(const T *image, const T *grad, int64_t y, int64_t x, int64_t c, const Depthwise &d, Floats *sum) {
  Floats g;
  load_lanes(g, grad + (y * d.columns + x) * d.channels + c);
  const int64_t column = x * S - d.left;
  each<K>([&](auto ky) INLINE_LAMBDA {
    const int64_t row = y * S - d.top + ky;
    if (row < 0 || row >= d.height)
      return;
    const T *line = image + (row * d.width + column) * d.channels + c;
    each<K>([&](auto kx) INLINE_LAMBDA {
      if (!INNER && (column + kx < 0 || column + kx >= d.width))
        return;
      Floats pixel;
      load_lanes(pixel, line + kx * d.channels);
      sum[ky * K + kx] += pixel * g;
    });
  });
}

// The gradients of the kernels of one vector of channels over some images, `out[K * K][channels]`.
template <class T, int64_t K, int64_t S>
INLINE void kernel_sums(const T *x, const T *grad, int64_t images, int64_t c, const Depthwise &d, double *out) {
  double whole[K * K][LANES] = {};
  for (int64_t i = 0; i < images; ++i) {
    const T *image = x + i * d.height * d.width * d.channels, *up = grad + i * d.rows * d.columns * d.channels;
    Floats sum[K * K] = {};
    for (int64_t y = 0; y < d.rows; ++y) {
      int64_t column = 0;
      for (; column < d.columns && column * S < d.left; ++column)
        kernel_pixel<T, K, S, false>(image, up, y, column, c, d, sum);
      for (; column < d.columns && column * S - d.left + K <= d.width; ++column)
        kernel_pixel<T, K, S, true>(image, up, y, column, c, d, sum);
      for (; column < d.columns; ++column)
        kernel_pixel<T, K, S, false>(image, up, y, column, c, d, sum);
    }
    for (int64_t k = 0; k < K * K; ++k)
      for (int64_t lane = 0; lane < LANES; ++lane)
        whole[k][lane] += sum[k][lane];
  }
  for (int64_t k = 0; k < K * K; ++k)
    std::memcpy(out + k * d.channels + c, whole[k], sizeof whole[k]);
}

#define GRADIENTS(T, K)                                                                                                \
  EACH_WIDTH void run_spread_##K(const T *grad, T *out, int64_t first, int64_t count, const Depthwise &d) {            \
    spread_rows<T, K>(grad, out, first, count, d);                                                                     \
  }                                                                                                                    \
  EACH_WIDTH void run_kernel_##K##_1(const T *x, const T *grad, int64_t n, int64_t c, const Depthwise &d, double *out) { \
    kernel_sums<T, K, 1>(x, grad, n, c, d, out);                                                                       \
  }                                                                                                                    \
  EACH_WIDTH void run_kernel_##K##_2(const T *x, const T *grad, int64_t n, int64_t c, const Depthwise &d, double *out) { \
    kernel_sums<T, K, 2>(x, grad, n, c, d, out);                                                                       \
  }
GRADIENTS(float, 3)
GRADIENTS(float, 5)
GRADIENTS(Half, 3)
GRADIENTS(Half, 5)

// Kernel, stride, rows of zeros above and columns to the left, rows and columns of the result.
struct Shape {
  int64_t kernel, stride, top, left, rows, columns;
  explicit Shape(const int64_t *n) : kernel(n[0]), stride(n[1]), top(n[2]), left(n[3]), rows(n[4]), columns(n[5]) {}
};

constexpr float INFINITE = std::numeric_limits<float>::infinity();

// Kernels [channels, 1, k, k] as [k * k, padded], turned by half a circle if asked for.
Tensor packed(const Tensor &weight, bool turned) {
  const int64_t channels = weight.size(0), padded = (channels + LANES - 1) / LANES * LANES;
  Tensor flat = weight.detach().reshape({channels, -1});
  if (turned)
    flat = flat.flip({1});
  return at::constant_pad_nd(flat.t(), {0, padded - channels}).contiguous();
}

Tensor last(const Tensor &x) { return x.contiguous(at::MemoryFormat::ChannelsLast); }

Depthwise described(const Tensor &x, const Shape &s, const Tensor &weight, const Tensor &bias) {
  return {x.size(1), x.size(2), x.size(3), s.rows, s.columns, s.top, s.left, weight.size(1),
          weight.const_data_ptr<float>(), bias.const_data_ptr<float>(), -INFINITE, INFINITE};
}

Tensor input_gradient(const Tensor &x, const Tensor &weight, const Tensor &grad, const Shape &s) {
  const Tensor kernels = packed(weight, s.stride == 1), bias = at::zeros({kernels.size(1)}, kernels.options());
  const Tensor out = at::empty_like(x);
  by_kind(x, [&](auto kind) {
    using T = decltype(kind);
    if (s.stride == 1) {
      // Correlation with the kernels turned; input and output change places.
      Depthwise d = described(grad, s, kernels, bias);
      d.rows = x.size(2), d.columns = x.size(3);
      d.top = s.kernel - 1 - s.top, d.left = s.kernel - 1 - s.left;
      return depthwise<T>(grad, out, s.kernel, 1, d);
    }
    const Depthwise d = described(x, s, kernels, bias);
    const T *from = elements<T>(grad);
    T *to = elements<T>(out);
    const int64_t all = x.size(0) * d.height;
    const int64_t parts = std::clamp<int64_t>(x.numel() * s.kernel * s.kernel / 4 / GRAIN, 1, PARTS * std::max(1, at::get_num_threads()));
    in_parts(all, 1, std::min(all, parts), [&](int64_t, int64_t first, int64_t count) {
      s.kernel == 3 ? run_spread_3(from, to, first, count, d) : run_spread_5(from, to, first, count, d);
    });
  });
  return out;
}

// Images whose sums belong together: the same whatever the number of threads is, so that it changes
// no bit.
constexpr int64_t GROUP = 8;

Tensor kernel_gradient(const Tensor &x, const Tensor &weight, const Tensor &grad, const Shape &s) {
  const Tensor kernels = packed(weight, false), bias = at::zeros({kernels.size(1)}, kernels.options());
  const Depthwise d = described(x, s, kernels, bias);
  const int64_t n = x.size(0), groups = (n + GROUP - 1) / GROUP, slices = (d.channels + LANES - 1) / LANES;
  const Tensor sums = at::empty({groups, s.kernel * s.kernel, d.channels}, weight.options().dtype(at::kDouble));
  double *to = sums.mutable_data_ptr<double>();
  by_kind(x, [&](auto kind) {
    using T = decltype(kind);
    const T *images = elements<T>(x), *up = elements<T>(grad);
    in_parts(groups * slices, 1, groups * slices, [&](int64_t part, int64_t, int64_t) {
      const int64_t first = part / slices * GROUP, count = std::min(GROUP, n - first);
      const int64_t c = std::min(part % slices * LANES, d.channels - LANES);
      const T *some = images + first * d.height * d.width * d.channels, *of = up + first * d.rows * d.columns * d.channels;
      double *out = to + part / slices * sums.stride(0);
      if (s.kernel == 3)
        s.stride == 1 ? run_kernel_3_1(some, of, count, c, d, out) : run_kernel_3_2(some, of, count, c, d, out);
      else
        s.stride == 1 ? run_kernel_5_1(some, of, count, c, d, out) : run_kernel_5_2(some, of, count, c, d, out);
    });
  });
  return sums.sum(0).t().reshape_as(weight).to(weight.scalar_type());
}

// The same by libtorch's operations, which know the gradients of their gradients.
Tensor composed(const Tensor &x, const Tensor &weight, const Shape &s) {
  const auto after = [&](int64_t before, int64_t outputs, int64_t inputs) {
    return (outputs - 1) * s.stride + s.kernel - before - inputs;
  };
  const Tensor wide = at::constant_pad_nd(x, {s.left, after(s.left, s.columns, x.size(3)), s.top, after(s.top, s.rows, x.size(2))});
  const std::vector<int64_t> stride{s.stride, s.stride}, none{0, 0}, one{1, 1};
  return at::convolution(wide, weight.to(x.scalar_type()), {}, stride, none, one, false, none, x.size(1));
}

struct DepthwiseConv : torch::autograd::Function<DepthwiseConv> {
  static Tensor forward(AutogradContext *ctx, const Tensor &x, const Tensor &weight, std::vector<int64_t> shape) {
    const Shape s(shape.data());
    const Tensor in = last(x), kernels = packed(weight, false), bias = at::zeros({kernels.size(1)}, kernels.options());
    const Tensor out = at::empty({x.size(0), x.size(1), s.rows, s.columns}, x.options(), at::MemoryFormat::ChannelsLast);
    const Depthwise d = described(in, s, kernels, bias);
    by_kind(in, [&](auto kind) { depthwise<decltype(kind)>(in, out, s.kernel, s.stride, d); });
    ctx->save_for_backward({x, weight});
    ctx->saved_data["shape"] = std::move(shape);
    return out;
  }

  static variable_list backward(AutogradContext *ctx, variable_list grads) {
    const variable_list saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1];
    const std::vector<int64_t> shape = ctx->saved_data["shape"].toIntVector();
    const Shape s(shape.data());
    const bool of_x = ctx->needs_input_grad(0), of_weight = ctx->needs_input_grad(1);
    Tensor dx, dweight;
    if (at::GradMode::is_enabled()) {
      // A gradient of the gradient is wanted.
      const Tensor x1 = x.view_as(x), weight1 = weight.view_as(weight);
      variable_list inputs;
      if (of_x)
        inputs.push_back(x1);
      if (of_weight)
        inputs.push_back(weight1);
      const variable_list found = torch::autograd::grad({composed(x1, weight1, s)}, inputs, {grads[0]}, true, true);
      dx = of_x ? found[0] : Tensor();
      dweight = of_weight ? found.back() : Tensor();
    } else {
      const Tensor in = last(x), grad = last(grads[0].to(x.scalar_type()));
      dx = of_x ? input_gradient(in, weight, grad, s) : Tensor();
      dweight = of_weight ? kernel_gradient(in, weight, grad, s) : Tensor();
    }
    return {dx, dweight, Tensor()};
  }
};

} // namespace

extern "C" {

// A depthwise convolution of x [n, c, h, w] (float32 or bfloat16, channels last) with a kernel of 3
// or 5 and stride 1 or 2, held between two bounds. `weight` is float32 [kernel · kernel, padded]
// and `bias` [padded], with channels filled up to a multiple of 16. `shape` are kernel, stride, rows
// of zeros above and columns of zeros to the left, rows and columns of the result.
char *tutor_depthwise(const Tensor *x, const Tensor *weight, const Tensor *bias, const int64_t *shape, double low,
                      double high, Tensor **out) {
  return guarded([&] {
    const int64_t kernel = shape[0], stride = shape[1], *pad = shape + 2, *size = shape + 4;
    const at::NoGradGuard no_grad;
    const bool kind = x->scalar_type() == at::kFloat || x->scalar_type() == at::kBFloat16;
    TORCH_CHECK(x->device().is_cpu() && kind && x->dim() == 4 && x->is_contiguous(at::MemoryFormat::ChannelsLast),
                "a batch of images with channels last was expected");
    const int64_t padded = (x->size(1) + LANES - 1) / LANES * LANES;
    TORCH_CHECK((kernel == 3 || kernel == 5) && (stride == 1 || stride == 2), "kernel ", kernel, ", stride ", stride);
    TORCH_CHECK(weight->is_contiguous() && weight->numel() == kernel * kernel * padded && bias->numel() == padded,
                "weights of ", padded, " channels were expected");
    Tensor y = at::empty({x->size(0), x->size(1), size[0], size[1]}, x->options(), at::MemoryFormat::ChannelsLast);
    const Depthwise d{x->size(1), x->size(2), x->size(3), size[0], size[1], pad[0], pad[1], padded,
                      weight->const_data_ptr<float>(), bias->const_data_ptr<float>(), static_cast<float>(low),
                      static_cast<float>(high)};
    by_kind(*x, [&](auto kind) { depthwise<decltype(kind)>(*x, y, kernel, stride, d); });
    *out = new Tensor(y);
  });
}
// The same for training, without a bias, with kernels [channels, 1, k, k] in float32 and their
// gradients: x of at least 16 channels, float32 or bfloat16, in any layout.
char *tutor_depthwise_train(const Tensor *x, const Tensor *weight, const int64_t *shape, Tensor **out) {
  return guarded([&] {
    const Shape s(shape);
    const bool kind = x->scalar_type() == at::kFloat || x->scalar_type() == at::kBFloat16;
    TORCH_CHECK(x->device().is_cpu() && kind && x->dim() == 4, "a batch of images was expected");
    TORCH_CHECK((s.kernel == 3 || s.kernel == 5) && (s.stride == 1 || s.stride == 2), "kernel ", s.kernel, ", stride ", s.stride);
    TORCH_CHECK(weight->dim() == 4 && weight->size(0) == x->size(1) && weight->size(1) == 1 && weight->size(2) == s.kernel &&
                    weight->scalar_type() == at::kFloat && x->size(1) >= LANES,
                "kernels of each channel were expected");
    *out = new Tensor(DepthwiseConv::apply(*x, *weight, std::vector<int64_t>(shape, shape + 6)));
  });
}
}
