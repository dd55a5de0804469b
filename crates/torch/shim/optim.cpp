// Optimisers, clipping and moving averages over lists of tensors: plain loops for float32 on the
// CPU, libtorch's fused and foreach kernels for everything else.

#include "shim.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_addcdiv.h>
#include <ATen/ops/_foreach_addcmul.h>
#include <ATen/ops/_foreach_copy.h>
#include <ATen/ops/_foreach_lerp.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_foreach_sqrt.h>
#include <ATen/ops/_foreach_sub.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <cstdint>
#include <vector>

using at::Tensor;

namespace {

// Whether element i of one lies where element i of the other does. Strides of axes with one place
// do not matter.
bool same_layout(const Tensor &a, const Tensor &b) {
  if (a.sizes() != b.sizes() || a.scalar_type() != b.scalar_type() || a.device() != b.device())
    return false;
  for (int64_t axis = 0; axis < a.dim(); ++axis)
    if (a.size(axis) > 1 && a.stride(axis) != b.stride(axis))
      return false;
  return true;
}

// The gradient laid out as its parameter: the fused kernels walk both by one index.
Tensor laid_out_as(const Tensor &t, const Tensor &like) {
  return same_layout(t, like) ? t : at::empty_like(like).copy_(t);
}

// The same for optimiser state, which keeps the new layout.
void lay_out_as(Tensor &t, const Tensor &like) {
  if (!same_layout(t, like))
    t.set_data(laid_out_as(t, like));
}

bool plain_float(const Tensor &t) {
  return t.device().is_cpu() && t.scalar_type() == at::kFloat && t.is_non_overlapping_and_dense();
}

// Parameters with a gradient, and what belongs to them, that share a weight decay and a factor of
// the learning rate.
struct Group {
  double decay, rate;
  std::vector<Tensor> param, grad, a, b, step;
};

std::vector<Group> groups(Handles p, Handles a, Handles b, Handles step, const double *decay, const double *rate,
                          size_t n) {
  std::vector<Group> out;
  for (size_t i = 0; i < n; ++i) {
    const Tensor &grad = p[i]->grad();
    if (!grad.defined())
      continue;
    size_t k = 0;
    while (k < out.size() && (out[k].decay != decay[i] || out[k].rate != rate[i]))
      ++k;
    if (k == out.size())
      out.push_back(Group{decay[i], rate[i], {}, {}, {}, {}, {}});
    Group &group = out[k];
    group.param.push_back(*p[i]);
    group.grad.push_back(laid_out_as(grad, *p[i]));
    if (a) {
      lay_out_as(*a[i], *p[i]);
      group.a.push_back(*a[i]);
    }
    if (b) {
      lay_out_as(*b[i], *p[i]);
      group.b.push_back(*b[i]);
    }
    if (step)
      group.step.push_back(*step[i]);
  }
  return out;
}

// Runs `loop(parameter, gradient, a, b, places, index)` on each float32 tensor of the CPU and gives
// the group of the others. One pass over memory on one thread: libtorch's fused CPU kernels open a
// parallel region for every tensor, which costs more than the work itself on the small tensors that
// most of a network's are.
template <class Loop> Group after_loops(Group &all, bool loops, Loop &&loop) {
  Group rest{all.decay, all.rate, {}, {}, {}, {}, {}};
  const auto keep = [](std::vector<Tensor> &to, const std::vector<Tensor> &from, size_t i) {
    if (!from.empty())
      to.push_back(from[i]);
  };
  const auto data = [](const std::vector<Tensor> &from, size_t i) {
    return from.empty() ? nullptr : from[i].mutable_data_ptr<float>();
  };
  for (size_t i = 0; i < all.param.size(); ++i) {
    const Tensor &w = all.param[i];
    if (loops && plain_float(w)) {
      loop(w.mutable_data_ptr<float>(), all.grad[i].const_data_ptr<float>(), data(all.a, i), data(all.b, i), w.numel(),
           i);
      for (const auto *tensors : {&all.param, &all.a, &all.b})
        if (!tensors->empty())
          (*tensors)[i].unsafeGetTensorImpl()->bump_version();
    } else {
      keep(rest.param, all.param, i);
      keep(rest.grad, all.grad, i);
      keep(rest.a, all.a, i);
      keep(rest.b, all.b, i);
      keep(rest.step, all.step, i);
    }
  }
  return rest;
}

EACH_WIDTH void sgd_loop(float *__restrict__ p, const float *__restrict__ g, int64_t n, float lr, float decay) {
  for (int64_t i = 0; i < n; ++i)
    p[i] = p[i] - lr * (g[i] + decay * p[i]);
}

EACH_WIDTH void momentum_loop(float *__restrict__ p, const float *__restrict__ g, float *__restrict__ m, int64_t n,
                              float lr, float momentum, float decay) {
  for (int64_t i = 0; i < n; ++i) {
    m[i] = momentum * m[i] + (g[i] + decay * p[i]);
    p[i] = p[i] - lr * m[i];
  }
}

EACH_WIDTH void nesterov_loop(float *__restrict__ p, const float *__restrict__ g, float *__restrict__ m, int64_t n,
                              float lr, float momentum, float decay) {
  for (int64_t i = 0; i < n; ++i) {
    const float grad = g[i] + decay * p[i];
    m[i] = momentum * m[i] + grad;
    p[i] = p[i] - lr * (grad + momentum * m[i]);
  }
}

EACH_WIDTH void rmsprop_loop(float *__restrict__ p, const float *__restrict__ g, float *__restrict__ s,
                             float *__restrict__ m, int64_t n, float lr, float fresh, float momentum, float eps,
                             float decay) {
  for (int64_t i = 0; i < n; ++i) {
    const float grad = g[i] + decay * p[i];
    s[i] = s[i] + fresh * (grad * grad - s[i]);
    m[i] = m[i] * momentum + lr * grad / std::sqrt(s[i] + eps);
    p[i] = p[i] - m[i];
  }
}

// `size` is the rate over the first bias correction, `root` the root of the second, `keep` what
// decay leaves.
EACH_WIDTH void adamw_loop(float *__restrict__ p, const float *__restrict__ g, float *__restrict__ m,
                           float *__restrict__ s, int64_t n, float size, float root, float keep, float fresh_mean,
                           float beta2, float fresh_square, float eps) {
  for (int64_t i = 0; i < n; ++i) {
    m[i] = m[i] + fresh_mean * (g[i] - m[i]);
    s[i] = beta2 * s[i] + fresh_square * g[i] * g[i];
    p[i] = keep * p[i] - size * m[i] / (std::sqrt(s[i]) / root + eps);
  }
}

EACH_WIDTH void lerp_loop(float *__restrict__ to, const float *__restrict__ from, int64_t n, float weight) {
  for (int64_t i = 0; i < n; ++i)
    to[i] = to[i] + weight * (from[i] - to[i]);
}

// libtorch has no fused RMSProp.
void rmsprop_group(Group &g, double lr, double rho, double momentum, double eps) {
  if (g.decay != 0.0)
    g.grad = at::_foreach_add(g.grad, g.param, g.decay);
  auto change = at::_foreach_mul(g.grad, g.grad);
  at::_foreach_sub_(change, g.a);
  at::_foreach_add_(g.a, change, 1.0 - rho);
  auto root = at::_foreach_add(g.a, eps);
  at::_foreach_sqrt_(root);
  at::_foreach_mul_(g.b, momentum);
  at::_foreach_addcdiv_(g.b, g.grad, root, lr);
  at::_foreach_sub_(g.param, g.b);
}

// libtorch's fused Adam always corrects its means.
void adam_group(Group &g, double lr, double beta1, double beta2, double eps) {
  at::_foreach_lerp_(g.a, g.grad, 1.0 - beta1);
  at::_foreach_mul_(g.b, beta2);
  at::_foreach_addcmul_(g.b, g.grad, g.grad, 1.0 - beta2);
  auto root = at::_foreach_sqrt(g.b);
  at::_foreach_add_(root, eps);
  if (g.decay != 0.0)
    at::_foreach_mul_(g.param, 1.0 - lr * g.decay);
  at::_foreach_addcdiv_(g.param, g.a, root, -lr);
}

} // namespace

extern "C" {

char *tutor_zero_grad(Handles p, size_t n) {
  return guarded([&] {
    for (size_t i = 0; i < n; ++i)
      p[i]->mutable_grad().reset();
  });
}

static std::vector<Tensor> grads_of(Handles p, size_t n) {
  std::vector<Tensor> grads;
  for (size_t i = 0; i < n; ++i)
    if (p[i]->grad().defined())
      grads.push_back(p[i]->grad());
  return grads;
}

static Tensor joint_norm(const std::vector<Tensor> &grads) {
  return at::linalg_vector_norm(at::stack(at::_foreach_norm(grads, 2)), 2);
}

// Scales all gradients so that their norm is at most `max` and writes the norm before that.
char *tutor_clip_grad_norm(Handles p, size_t n, double max, double *norm) {
  return guarded([&] {
    at::NoGradGuard guard;
    std::vector<Tensor> grads = grads_of(p, n);
    *norm = 0.0;
    if (grads.empty())
      return;
    *norm = joint_norm(grads).item().toDouble();
    const double factor = max / (*norm + 1e-6);
    if (factor < 1.0)
      at::_foreach_mul_(grads, factor);
  });
}

// The same without waiting for the device, on which the norm stays.
char *tutor_clip_grad_norm_later(Handles p, size_t n, double max, Tensor **norm) {
  return guarded([&] {
    at::NoGradGuard guard;
    std::vector<Tensor> grads = grads_of(p, n);
    if (grads.empty()) {
      *norm = new Tensor(at::zeros({}));
      return;
    }
    Tensor before = joint_norm(grads);
    at::_foreach_mul_(grads, before.add(1e-6).reciprocal().mul(max).clamp_max(1.0));
    *norm = new Tensor(before);
  });
}

// `loops` false takes libtorch's kernels on the CPU too: what the loops are tested against.
char *tutor_sgd(Handles p, Handles buffer, const double *decay, const double *rate, size_t n, double lr, double momentum, bool nesterov,
                bool loops) {
  return guarded([&] {
    at::NoGradGuard guard;
    for (Group &all : groups(p, buffer, nullptr, nullptr, decay, rate, n)) {
      const double scaled = lr * all.rate;
      const auto eta = static_cast<float>(scaled), mu = static_cast<float>(momentum), wd = static_cast<float>(all.decay);
      Group g = after_loops(all, loops, [&](float *w, const float *grad, float *m, float *, int64_t places, size_t) {
        if (m == nullptr)
          sgd_loop(w, grad, places, eta, wd);
        else if (nesterov)
          nesterov_loop(w, grad, m, places, eta, mu, wd);
        else
          momentum_loop(w, grad, m, places, eta, mu, wd);
      });
      if (!g.param.empty())
        at::_fused_sgd_(g.param, g.grad, g.a, g.decay, momentum, scaled, 0.0, nesterov, false, false);
    }
  });
}

char *tutor_rmsprop(Handles p, Handles square, Handles buffer, const double *decay, const double *rate, size_t n, double lr, double rho,
                    double momentum, double eps, bool loops) {
  return guarded([&] {
    at::NoGradGuard guard;
    for (Group &all : groups(p, square, buffer, nullptr, decay, rate, n)) {
      const double scaled = lr * all.rate;
      Group g = after_loops(all, loops, [&](float *w, const float *grad, float *s, float *m, int64_t places, size_t) {
        rmsprop_loop(w, grad, s, m, places, static_cast<float>(scaled), static_cast<float>(1.0 - rho),
                     static_cast<float>(momentum), static_cast<float>(eps), static_cast<float>(all.decay));
      });
      if (!g.param.empty())
        rmsprop_group(g, scaled, rho, momentum, eps);
    }
  });
}

char *tutor_adamw(Handles p, Handles mean, Handles square, Handles step, const double *decay, const double *rate, size_t n,
                  double lr, double beta1, double beta2, double eps, bool corrected, bool loops) {
  return guarded([&] {
    at::NoGradGuard guard;
    for (Group &all : groups(p, mean, square, step, decay, rate, n)) {
      const double scaled = lr * all.rate;
      Group g = after_loops(all, loops, [&](float *w, const float *grad, float *m, float *s, int64_t places, size_t i) {
        const double t = *all.step[i].mutable_data_ptr<float>() += 1.0f;
        const double size = corrected ? scaled / (1.0 - std::pow(beta1, t)) : scaled;
        const double root = corrected ? std::sqrt(1.0 - std::pow(beta2, t)) : 1.0;
        adamw_loop(w, grad, m, s, places, static_cast<float>(size), static_cast<float>(root),
                   static_cast<float>(1.0 - scaled * all.decay), static_cast<float>(1.0 - beta1),
                   static_cast<float>(beta2), static_cast<float>(1.0 - beta2), static_cast<float>(eps));
      });
      if (g.param.empty())
        continue;
      at::_foreach_add_(g.step, 1);
      if (corrected)
        at::_fused_adamw_(g.param, g.grad, g.a, g.b, {}, g.step, scaled, beta1, beta2, g.decay, eps, false, false);
      else
        adam_group(g, scaled, beta1, beta2, eps);
    }
  });
}

char *tutor_lerp(Handles to, Handles from, size_t n, double weight, bool loops) {
  return guarded([&] {
    at::NoGradGuard guard;
    std::vector<Tensor> rest, ends;
    for (size_t i = 0; i < n; ++i) {
      // From 0.5 on libtorch computes from the other end.
      if (loops && weight < 0.5 && plain_float(*to[i]) && same_layout(*to[i], *from[i])) {
        if (to[i]->const_data_ptr() == from[i]->const_data_ptr())
          continue;
        lerp_loop(to[i]->mutable_data_ptr<float>(), from[i]->const_data_ptr<float>(), to[i]->numel(),
                  static_cast<float>(weight));
        to[i]->unsafeGetTensorImpl()->bump_version();
      } else {
        rest.push_back(*to[i]);
        ends.push_back(*from[i]);
      }
    }
    if (!rest.empty())
      at::_foreach_lerp_(rest, ends, weight);
  });
}

char *tutor_copy(Handles to, Handles from, size_t n) {
  return guarded([&] {
    at::NoGradGuard guard;
    if (n == 0)
      return;
    std::vector<Tensor> ends, starts;
    for (size_t i = 0; i < n; ++i) {
      ends.push_back(*to[i]);
      starts.push_back(*from[i]);
    }
    at::_foreach_copy_(ends, starts);
  });
}

} // extern "C"
