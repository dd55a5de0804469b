// Batch norm and the (leaky) ReLU, or ReLU6, after it as one operation, with a residual connection between
// them if there is one. On the CPU, with channels last, both directions are two passes over memory
// each: libtorch's two operations take four forwards and four backwards, and at these sizes memory
// is what they wait for.

#include "loops.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/add.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/hardtanh.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/mul.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

// A tensor with channels last is a row of elements whose channel is the place modulo the channels.
// Few channels are repeated, so that the innermost loops run over `period` elements, enough to fill
// vectors.
constexpr int64_t MIN_PERIOD = 128;
// Elements after which float sums are put into double ones, and from which a thread of its own is
// worth its start.
constexpr int64_t PIECES = 32, GRAIN = 32768;

// What belongs to each place of the period. Forwards `scale · x + shift` is what the ReLU sees.
struct Places {
  int64_t period;
  std::vector<float> mean, scale, shift, constant, linear;
};

// Sums of two numbers an element over one thread's part.
struct Sums {
  std::vector<double> first, second;
  explicit Sums(int64_t n) : first(n), second(n) {}
};

template <class Terms> INLINE void sum_pieces(int64_t n, int64_t period, Sums &sums, Terms &&terms) {
  std::vector<float> buffer(2 * period);
  float *__restrict__ a = buffer.data(), *__restrict__ b = a + period;
  for (int64_t start = 0; start < n; start += PIECES * period) {
    std::fill(buffer.begin(), buffer.end(), 0.0f);
    const int64_t end = std::min(n, start + PIECES * period);
    for (int64_t at = start; at < end; at += period)
      terms(at, std::min(period, end - at), a, b);
    for (int64_t i = 0; i < period; ++i) {
      sums.first[i] += a[i];
      sums.second[i] += b[i];
    }
  }
}

// Of x − mean, where `mean` is any value near the true one, and of its square.
template <class T> INLINE void moments(const T *x, int64_t n, const Places &p, Sums &sums) {
  const float *__restrict__ mean = p.mean.data();
  sum_pieces(n, p.period, sums, [&](int64_t at, int64_t m, float *__restrict__ a, float *__restrict__ b) INLINE_LAMBDA {
    const T *__restrict__ xs = x + at;
    for (int64_t i = 0; i < m; ++i) {
      const float d = load(xs[i]) - mean[i];
      a[i] += d;
      b[i] += d * d;
    }
  });
}

// A run of elements: in all of them the normalised value counts `keep` times (1 where no sample is
// dropped).
struct Run {
  int64_t n;
  float keep, slope, high;
};

INLINE float bend(float z, const float slope, const float high) {
  const float held = z < high ? z : high;
  return z > 0.0f ? held : z * slope;
}

// The gradient before the ReLU, of which z is the input, or the output.
INLINE float through(float dy, float z, const float slope, const float high) {
  const float above = z < high ? dy : 0.0f;
  return z > 0.0f ? above : dy * slope;
}

template <class T> INLINE void activate(const T *x, T *y, const Run &run, const Places &p) {
  const float *__restrict__ scale = p.scale.data(), *__restrict__ shift = p.shift.data();
  const float slope = run.slope, high = run.high;
  for (int64_t at = 0; at < run.n; at += p.period) {
    const int64_t m = std::min(p.period, run.n - at);
    const T *__restrict__ xs = x + at;
    T *__restrict__ ys = y + at;
    for (int64_t i = 0; i < m; ++i) {
      const float z = load(xs[i]) * scale[i] + shift[i];
      store(ys[i], bend(z, slope, high));
    }
  }
}

// The same with `rest` added before the ReLU.
template <class T> INLINE void activate_sum(const T *x, const T *rest, T *y, const Run &run, const Places &p) {
  const float *__restrict__ scale = p.scale.data(), *__restrict__ shift = p.shift.data();
  const float slope = run.slope, high = run.high, keep = run.keep;
  for (int64_t at = 0; at < run.n; at += p.period) {
    const int64_t m = std::min(p.period, run.n - at);
    const T *__restrict__ xs = x + at, *__restrict__ rs = rest + at;
    T *__restrict__ ys = y + at;
    for (int64_t i = 0; i < m; ++i) {
      const float z = (load(xs[i]) * scale[i] + shift[i]) * keep + load(rs[i]);
      store(ys[i], bend(z, slope, high));
    }
  }
}

// The gradient of what was added, which is that before the ReLU; the output has the sign of the
// ReLU's input.
template <class T> INLINE void behind(const T *y, const T *dy, T *drest, const Run &run) {
  const T *__restrict__ ys = y, *__restrict__ ds = dy;
  T *__restrict__ out = drest;
  const float slope = run.slope, high = run.high;
  for (int64_t i = 0; i < run.n; ++i)
    store(out[i], through(load(ds[i]), load(ys[i]), slope, high));
}

// Of that gradient and of its product with x − mean.
template <class T> INLINE void reduce(const T *x, const T *dy, const Run &run, const Places &p, Sums &sums) {
  const float *__restrict__ mean = p.mean.data(), *__restrict__ scale = p.scale.data(),
                            *__restrict__ shift = p.shift.data();
  const float slope = run.slope, high = run.high, keep = run.keep;
  sum_pieces(run.n, p.period, sums, [&](int64_t at, int64_t m, float *__restrict__ a, float *__restrict__ b) INLINE_LAMBDA {
    const T *__restrict__ xs = x + at, *__restrict__ ds = dy + at;
    for (int64_t i = 0; i < m; ++i) {
      const float v = load(xs[i]), g = keep * through(load(ds[i]), v * scale[i] + shift[i], slope, high);
      a[i] += g;
      b[i] += g * (v - mean[i]);
    }
  });
}

// scale · gradient − constant − linear · (x − mean).
template <class T> INLINE void spread(const T *x, const T *dy, T *dx, const Run &run, const Places &p) {
  const float *__restrict__ mean = p.mean.data(), *__restrict__ scale = p.scale.data(),
                            *__restrict__ shift = p.shift.data(), *__restrict__ constant = p.constant.data(),
                            *__restrict__ linear = p.linear.data();
  const float slope = run.slope, high = run.high, keep = run.keep;
  for (int64_t at = 0; at < run.n; at += p.period) {
    const int64_t m = std::min(p.period, run.n - at);
    const T *__restrict__ xs = x + at, *__restrict__ ds = dy + at;
    T *__restrict__ out = dx + at;
    for (int64_t i = 0; i < m; ++i) {
      const float v = load(xs[i]), g = keep * through(load(ds[i]), v * scale[i] + shift[i], slope, high);
      store(out[i], scale[i] * g - constant[i] - linear[i] * (v - mean[i]));
    }
  }
}

// One copy a vector width (shim.h), for templates cannot have them.
#define COPIES(T)                                                                                                      \
  EACH_WIDTH void run_moments(const T *x, int64_t n, const Places &p, Sums &sums) { moments(x, n, p, sums); }          \
  EACH_WIDTH void run_activate(const T *x, T *y, const Run &run, const Places &p) { activate(x, y, run, p); }          \
  EACH_WIDTH void run_activate_sum(const T *x, const T *rest, T *y, const Run &run, const Places &p) {                 \
    activate_sum(x, rest, y, run, p);                                                                                  \
  }                                                                                                                    \
  EACH_WIDTH void run_behind(const T *y, const T *dy, T *drest, const Run &run) { behind(y, dy, drest, run); }         \
  EACH_WIDTH void run_reduce(const T *x, const T *dy, const Run &run, const Places &p, Sums &sums) {                   \
    reduce(x, dy, run, p, sums);                                                                                       \
  }                                                                                                                    \
  EACH_WIDTH void run_spread(const T *x, const T *dy, T *dx, const Run &run, const Places &p) {                        \
    spread(x, dy, dx, run, p);                                                                                         \
  }
COPIES(float)
COPIES(Half)

int64_t parts_of(int64_t n) {
  return std::clamp<int64_t>((n + GRAIN - 1) / GRAIN, 1, std::max(1, at::get_num_threads()));
}

// The two sums of each channel over all of x.
template <class Each> Sums channel_sums(int64_t n, int64_t unit, int64_t channels, int64_t period, Each &&each) {
  const int64_t parts = parts_of(n);
  std::vector<Sums> all(parts, Sums(period));
  in_parts(n, unit, parts, [&](int64_t part, int64_t first, int64_t count) { each(first, count, all[part]); });
  Sums out(channels);
  for (const Sums &sums : all)
    for (int64_t i = 0; i < period; ++i) {
      out.first[i % channels] += sums.first[i];
      out.second[i % channels] += sums.second[i];
    }
  return out;
}

void repeat(std::vector<float> &values, int64_t period) {
  const size_t channels = values.size();
  values.resize(period);
  for (size_t i = channels; i < values.size(); ++i)
    values[i] = values[i - channels];
}

// What follows: x times the slope below 0, at most `high` above it.
struct Bend {
  double slope, high;
};
constexpr Bend NO_BEND{1.0, std::numeric_limits<double>::infinity()};

struct Settings {
  // Undefined if nothing follows the batch.
  Tensor running_mean, running_var;
  double momentum, eps;
  Bend bend;
  bool tracked() const { return running_mean.defined(); }
};

// How often each sample's normalised value counts, `[samples]`; undefined for once.
struct Kept {
  int64_t sample, n;
  const float *factor;
  Kept(const Tensor &x, const Tensor &keep)
      : sample(x.numel() / x.size(0)), n(x.numel()), factor(keep.defined() ? keep.const_data_ptr<float>() : nullptr) {}
  // What parts are cut at.
  int64_t unit(int64_t period) const { return factor ? sample : period; }
  // Calls body(first, run) for the runs of a part.
  template <class Body> void runs(int64_t first, int64_t count, const Bend &bend, Body &&body) const {
    const auto slope = static_cast<float>(bend.slope), high = static_cast<float>(bend.high);
    if (!factor)
      return body(first, Run{count, 1.0f, slope, high});
    for (int64_t at = first; at < first + count; at += sample)
      body(at, Run{sample, factor[at / sample], slope, high});
  }
};

at::MemoryFormat format_of(const Tensor &x) {
  return x.dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
}

// Whether the loops above can do it.
bool loops_fit(const Tensor &x) {
  const bool kind = x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16;
  return x.device().is_cpu() && kind && (x.dim() == 4 || x.dim() == 2) && x.is_contiguous(format_of(x)) &&
         x.numel() > x.size(1);
}

// Scale and shift of each channel, given its mean and 1 / standard deviation.
void set_affine(Places &p, const float *invstd, const Tensor &weight, const Tensor &bias) {
  const float *w = weight.const_data_ptr<float>(), *b = bias.const_data_ptr<float>();
  for (int64_t c = 0; c < weight.numel(); ++c) {
    p.scale.push_back(w[c] * invstd[c]);
    p.shift.push_back(b[c] - p.mean[c] * p.scale[c]);
  }
}

int64_t period_of(int64_t channels) { return channels * ((MIN_PERIOD + channels - 1) / channels); }

Tensor composed(const Tensor &x, const Tensor &weight, const Tensor &bias, const Tensor &rest, const Tensor &keep,
                const std::optional<Tensor> &mean, const std::optional<Tensor> &var, bool batch, double momentum, double eps,
                const Bend &bend) {
  Tensor z = at::batch_norm(x, weight, bias, mean, var, batch, momentum, eps, true);
  if (keep.defined()) {
    std::vector<int64_t> shape(x.dim(), 1);
    shape[0] = x.size(0);
    z = at::mul(z, keep.to(z.scalar_type()).view(shape));
  }
  if (rest.defined())
    z = at::add(z, rest);
  // A slope of 1 is no ReLU; its gradient would need the result, which may be changed in place.
  if (bend.slope == 1.0)
    return z;
  // With an upper bound the slope is 0 (tutor_norm_relu).
  return std::isinf(bend.high) ? at::leaky_relu_(z, bend.slope) : at::hardtanh_(z, 0.0, bend.high);
}

// With batch statistics. `rest` and `keep` may be undefined; `keep` has no gradient.
struct NormRelu : torch::autograd::Function<NormRelu> {
  static Tensor forward(AutogradContext *ctx, const Tensor &x, const Tensor &weight, const Tensor &bias,
                        const std::optional<Tensor> &rest, const std::optional<Tensor> &keep, const Settings &set) {
    const int64_t channels = x.size(1), n = x.numel();
    const double rows = static_cast<double>(n / channels);
    const Kept kept(x, keep.value_or(Tensor()));
    Places p{period_of(channels), {}, {}, {}, {}, {}};
    Tensor stats = at::empty({2, channels}, weight.options());
    float *mean = stats.mutable_data_ptr<float>(), *invstd = mean + channels;
    Tensor y = at::empty_like(x);
    by_kind(x, [&](auto kind) {
      using T = decltype(kind);
      const T *in = elements<T>(x);
      // The first row is near enough to the mean for sums of squares to keep their digits.
      for (int64_t c = 0; c < channels; ++c)
        p.mean.push_back(load(in[c]));
      const std::vector<float> near = p.mean;
      repeat(p.mean, p.period);
      const Sums sums = channel_sums(n, p.period, channels, p.period, [&](int64_t first, int64_t count, Sums &to) {
        run_moments(in + first, count, p, to);
      });
      p.mean.resize(channels);
      for (int64_t c = 0; c < channels; ++c) {
        const double offset = sums.first[c] / rows, var = std::max(0.0, sums.second[c] / rows - offset * offset);
        p.mean[c] = mean[c] = static_cast<float>(near[c] + offset);
        invstd[c] = static_cast<float>(1.0 / std::sqrt(var + set.eps));
        if (set.tracked()) {
          float *m = set.running_mean.mutable_data_ptr<float>() + c, *v = set.running_var.mutable_data_ptr<float>() + c;
          // In this form a momentum of 1 forgets everything, to the last bit.
          const auto fresh = static_cast<float>(set.momentum), old = static_cast<float>(1.0 - set.momentum);
          *m = fresh * mean[c] + old * *m;
          *v = fresh * static_cast<float>(var * rows / (rows - 1.0)) + old * *v;
        }
      }
      set_affine(p, invstd, weight, bias);
      repeat(p.scale, p.period);
      repeat(p.shift, p.period);
      T *out = elements<T>(y);
      const T *added = rest ? elements<T>(*rest) : nullptr;
      in_parts(n, kept.unit(p.period), parts_of(n), [&](int64_t, int64_t first, int64_t count) {
        kept.runs(first, count, set.bend, [&](int64_t at, const Run &run) {
          if (added)
            run_activate_sum(in + at, added + at, out + at, run, p);
          else
            run_activate(in + at, out + at, run, p);
        });
      });
    });
    if (set.tracked())
      for (const Tensor *t : {&set.running_mean, &set.running_var})
        t->unsafeGetTensorImpl()->bump_version();
    const Tensor none;
    // What was added is kept for a gradient of the gradient alone, and is a tensor that lives on
    // anyway.
    ctx->save_for_backward({x, weight, bias, stats, rest.value_or(none), keep.value_or(none), rest ? y : none});
    ctx->saved_data["eps"] = set.eps;
    ctx->saved_data["slope"] = set.bend.slope;
    ctx->saved_data["high"] = set.bend.high;
    return y;
  }

  static variable_list backward(AutogradContext *ctx, variable_list grads) {
    const variable_list saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], &bias = saved[2], &rest = saved[4], &keep = saved[5];
    const double eps = ctx->saved_data["eps"].toDouble();
    const Bend bend{ctx->saved_data["slope"].toDouble(), ctx->saved_data["high"].toDouble()};
    if (!at::GradMode::is_enabled())
      return loops(saved, grads[0], bend);
    // A gradient of the gradient is wanted: libtorch's operations know theirs. Under new names,
    // since x may itself come from what is added.
    const auto renamed = [](const Tensor &t) { return t.defined() ? t.view_as(t) : t; };
    const Tensor x1 = renamed(x), rest1 = renamed(rest);
    const Tensor y = composed(x1, weight, bias, rest1, keep, {}, {}, true, 0.0, eps, bend);
    variable_list inputs;
    for (const Tensor *t : {&x1, &weight, &bias, &rest1})
      if (t->defined() && t->requires_grad())
        inputs.push_back(*t);
    const variable_list found = torch::autograd::grad({y}, inputs, {grads[0]}, true, true);
    auto next = found.begin();
    const auto of = [&](const Tensor &t) { return t.defined() && t.requires_grad() ? *next++ : Tensor(); };
    const Tensor dx = of(x1), dweight = of(weight), dbias = of(bias), drest = of(rest1);
    return {dx, dweight, dbias, drest, Tensor(), Tensor()};
  }

  static variable_list loops(const variable_list &saved, const Tensor &grad, const Bend &bend) {
    const Tensor &x = saved[0], &weight = saved[1], &bias = saved[2], &stats = saved[3], &keep = saved[5], &y = saved[6];
    const int64_t channels = x.size(1), n = x.numel();
    const double rows = static_cast<double>(n / channels);
    const float *mean = stats.const_data_ptr<float>(), *invstd = mean + channels;
    const Tensor dy = grad.to(x.scalar_type()).contiguous(format_of(x));
    const Kept kept(x, keep);
    Places p{period_of(channels), std::vector<float>(mean, mean + channels), {}, {}, {}, {}};
    set_affine(p, invstd, weight, bias);
    for (std::vector<float> *values : {&p.mean, &p.scale, &p.shift})
      repeat(*values, p.period);
    Tensor dx = at::empty_like(x), dweight = at::empty_like(weight), dbias = at::empty_like(bias), drest;
    float *dw = dweight.mutable_data_ptr<float>(), *db = dbias.mutable_data_ptr<float>();
    by_kind(x, [&](auto kind) {
      using T = decltype(kind);
      const T *in = elements<T>(x), *up = elements<T>(dy);
      Bend left = bend;
      const auto each = [&](auto body) {
        return [&, body](int64_t first, int64_t count, auto &...to) {
          kept.runs(first, count, left, [&](int64_t at, const Run &run) { body(at, run, to...); });
        };
      };
      if (y.defined()) {
        drest = at::empty_like(x);
        const T *out = elements<T>(y);
        T *down = elements<T>(drest);
        in_parts(n, kept.unit(p.period), parts_of(n), [&](int64_t, int64_t first, int64_t count) {
          run_behind(out + first, up + first, down + first, Run{count, 1.0f, static_cast<float>(bend.slope), static_cast<float>(bend.high)});
        });
        // From here on the ReLU is dealt with.
        up = down;
        left = NO_BEND;
      }
      const auto sum = each([&](int64_t at, const Run &run, Sums &to) { run_reduce(in + at, up + at, run, p, to); });
      const Sums sums = channel_sums(n, kept.unit(p.period), channels, p.period, sum);
      for (int64_t c = 0; c < channels; ++c) {
        db[c] = static_cast<float>(sums.first[c]);
        dw[c] = static_cast<float>(sums.second[c] * invstd[c]);
        const double scale = p.scale[c], inv = invstd[c];
        p.constant.push_back(static_cast<float>(scale * sums.first[c] / rows));
        p.linear.push_back(static_cast<float>(scale * inv * inv * sums.second[c] / rows));
      }
      repeat(p.constant, p.period);
      repeat(p.linear, p.period);
      T *out = elements<T>(dx);
      const auto spread = each([&](int64_t at, const Run &run) { run_spread(in + at, up + at, out + at, run, p); });
      in_parts(n, kept.unit(p.period), parts_of(n), [&](int64_t, int64_t first, int64_t count) { spread(first, count); });
    });
    return {dx, dweight, dbias, drest, Tensor(), Tensor()};
  }
};

} // namespace

extern "C" {

// Batch norm, times `keep` (a factor a sample, or null), plus `rest` (or null), leaky ReLU or, with
// a slope of 0, ReLU with an upper bound.
// `batch` says whether the batch's own statistics are used; the running ones, if there are any,
// then follow them by `momentum`, else they are used. `loops` false takes libtorch's operations:
// what the loops are tested against.
char *tutor_norm_relu(const Tensor *x, const Tensor *weight, const Tensor *bias, const Tensor *running_mean,
                      const Tensor *running_var, const Tensor *rest, const Tensor *keep, bool batch, double momentum,
                      double eps, double slope, double high, bool loops, Tensor **out) {
  return guarded([&] {
    TORCH_CHECK(slope == 0.0 || std::isinf(high), "a slope of ", slope, " below an upper bound");
    const Bend bend{slope, high};
    const auto given = [](const Tensor *t) { return t ? std::make_optional(*t) : std::nullopt; };
    const Tensor none;
    TORCH_CHECK(x->dim() > 1 && (!keep || (keep->dim() == 1 && keep->size(0) == x->size(0))),
                "a factor for each sample of ", x->sizes(), " was expected");
    // What does not fit is told by libtorch's operations.
    const auto of_channels = [&](const Tensor *t) {
      return !t || (t->device().is_cpu() && t->scalar_type() == at::kFloat && t->is_contiguous() && t->numel() == x->size(1));
    };
    const bool each = of_channels(weight) && of_channels(bias) && of_channels(running_mean) && of_channels(running_var) &&
                      (!keep || (keep->device().is_cpu() && keep->scalar_type() == at::kFloat && keep->is_contiguous()));
    const bool same = !rest || (rest->sizes() == x->sizes() && rest->scalar_type() == x->scalar_type() &&
                                rest->is_contiguous(format_of(*x)));
    if (batch && loops && same && each && loops_fit(*x)) {
      const Settings set{running_mean ? *running_mean : none, running_var ? *running_var : none, momentum, eps, bend};
      *out = new Tensor(NormRelu::apply(*x, *weight, *bias, given(rest), given(keep), set));
      return;
    }
    *out = new Tensor(composed(*x, *weight, *bias, rest ? *rest : none, keep ? *keep : none, given(running_mean),
                               given(running_var), batch, momentum, eps, bend));
  });
}

} // extern "C"
