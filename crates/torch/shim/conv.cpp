// Convolutions of networks that only run: bias, activation and residual connection belong to them.
// Most are oneDNN's, which does all that in one pass, with weights that are laid out beforehand.
// Depthwise ones with small kernels are loops of our own: oneDNN has no padding that differs
// between two sides, which a strided convolution with TensorFlow's padding needs, and copies the
// image for it.

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

constexpr int64_t LANES = 16;
// Output columns that are computed at once, so that a pixel that several of them see is read once.
constexpr int64_t TILE = 4;

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
}
