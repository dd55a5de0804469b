// Groups of processes: libtorch's own (c10d), with Gloo between processors. And gradients averaged
// over a group, several parameters at a time, while the backward pass still runs. One file, since
// c10d's headers take long to compile.

#include "shim.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <c10/util/Logging.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

using at::Tensor;
using std::chrono::milliseconds;

namespace {

// The first operation that fails leaves its message; from then on none is begun, so that nobody
// waits for processes that are gone.
struct Group : torch::CustomClassHolder {
  c10::intrusive_ptr<c10d::Backend> backend;
  milliseconds timeout{0};
  int size = 1;

  void fail(const std::string &what) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (failure_.empty())
      failure_ = what;
  }

  std::string failure() {
    std::lock_guard<std::mutex> lock(mutex_);
    return failure_;
  }

  bool failed() { return !failure().empty(); }

  // Begins an operation; throws if one failed before.
  template <class F> c10::intrusive_ptr<c10d::Work> begin(F &&operation) {
    const std::string before = failure();
    if (!before.empty())
      throw std::runtime_error(before);
    try {
      return operation();
    } catch (const std::exception &e) {
      fail(text(e));
      throw std::runtime_error(text(e));
    }
  }

  void wait(const c10::intrusive_ptr<c10d::Work> &work) {
    try {
      work->wait(timeout);
    } catch (const std::exception &e) {
      fail(text(e));
      throw std::runtime_error(text(e));
    }
  }

  // The sum over all processes, in place of a contiguous tensor.
  c10::intrusive_ptr<c10d::Work> begin_sum(const Tensor &t, c10d::ReduceOp::RedOpType op = c10d::ReduceOp::SUM) {
    return begin([&] {
      std::vector<Tensor> tensors{t};
      c10d::AllreduceOptions options;
      options.reduceOp = op;
      options.timeout = timeout;
      return backend->allreduce(tensors, options);
    });
  }

  static std::string text(const std::exception &e) {
    const auto *own = dynamic_cast<const c10::Error *>(&e);
    return own ? own->what_without_backtrace() : e.what();
  }

private:
  std::mutex mutex_;
  std::string failure_;
};

using GroupHandle = c10::intrusive_ptr<Group>;

struct StoreHandle {
  c10::intrusive_ptr<c10d::Store> store;
};

struct WorkHandle {
  GroupHandle group;
  c10::intrusive_ptr<c10d::Work> work;
};

// The sum over all processes, whose gradient is the sum over all of them too. A failure leaves the
// numbers as they are: whoever runs the network asks the group afterwards.
class SumOverAll : public torch::autograd::Function<SumOverAll> {
public:
  static Tensor forward(torch::autograd::AutogradContext *ctx, const Tensor &x, const GroupHandle &group) {
    ctx->saved_data["group"] = c10::IValue::make_capsule(group);
    Tensor sum = x.clone(at::MemoryFormat::Contiguous);
    try {
      group->wait(group->begin_sum(sum));
    } catch (const std::exception &) {
      // The group keeps what happened.
    }
    return sum;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext *ctx,
                                                 torch::autograd::variable_list grads) {
    const auto group = c10::static_intrusive_pointer_cast<Group>(ctx->saved_data["group"].toCapsule());
    return {SumOverAll::apply(grads[0], group), Tensor()};
  }
};

char *give_work(WorkHandle **out, const GroupHandle &group, c10::intrusive_ptr<c10d::Work> work) {
  *out = new WorkHandle{group, std::move(work)};
  return nullptr;
}

// Some parameters with one buffer: first the gradients one after another, then one number for each
// parameter, 1 where it has a gradient. The sum of these tells whether any process has one.
struct Bucket {
  std::vector<size_t> members;
  std::vector<int64_t> starts;
  int64_t places = 0;
  Tensor flat;
  size_t waiting = 0;
  c10::intrusive_ptr<c10d::Work> work;
};

struct Reducer {
  GroupHandle group;
  std::vector<Tensor> params;
  std::vector<size_t> bucket_of;
  std::vector<bool> arrived;
  std::vector<Bucket> buckets;
  // The next bucket to be sent: all processes send them in this order.
  size_t next = 0;
  bool armed = false;
  std::mutex mutex;

  void add(size_t param, int64_t limit) {
    const Tensor &p = params[param];
    const int64_t bytes = p.numel() * static_cast<int64_t>(p.element_size());
    const auto fits = [&](const Bucket &b) {
      const Tensor &first = params[b.members[0]];
      const int64_t held = b.places * static_cast<int64_t>(first.element_size());
      return first.scalar_type() == p.scalar_type() && first.device() == p.device() && held + bytes <= limit;
    };
    if (buckets.empty() || !fits(buckets.back()))
      buckets.emplace_back();
    Bucket &b = buckets.back();
    b.starts.push_back(b.places);
    b.places += p.numel();
    b.members.push_back(param);
    bucket_of[param] = buckets.size() - 1;
  }

  void arm() {
    std::lock_guard<std::mutex> lock(mutex);
    next = 0;
    arrived.assign(params.size(), false);
    for (Bucket &b : buckets) {
      b.waiting = b.members.size();
      b.work.reset();
    }
    armed = true;
  }

  void ready(size_t param) {
    std::lock_guard<std::mutex> lock(mutex);
    if (!armed || arrived[param])
      return;
    arrived[param] = true;
    --buckets[bucket_of[param]].waiting;
    while (next < buckets.size() && buckets[next].waiting == 0)
      send(buckets[next++]);
  }

  void send(Bucket &b) {
    at::NoGradGuard guard;
    if (group->failed())
      return;
    const int64_t count = static_cast<int64_t>(b.members.size());
    if (!b.flat.defined())
      b.flat = at::zeros({b.places + count}, params[b.members[0]].options().requires_grad(false));
    for (size_t i = 0; i < b.members.size(); ++i) {
      const Tensor &p = params[b.members[i]], &grad = p.grad();
      Tensor part = b.flat.narrow(0, b.starts[i], p.numel()).view(p.sizes());
      Tensor flag = b.flat.narrow(0, b.places + static_cast<int64_t>(i), 1);
      if (grad.defined()) {
        part.copy_(grad);
        flag.fill_(1);
      } else {
        part.zero_();
        flag.zero_();
      }
    }
    b.flat.narrow(0, 0, b.places).div_(group->size);
    b.work = group->begin_sum(b.flat);
  }

  // Sends what is left and puts the means where the gradients were.
  void finish() {
    std::lock_guard<std::mutex> lock(mutex);
    at::NoGradGuard guard;
    armed = false;
    while (next < buckets.size())
      send(buckets[next++]);
    for (Bucket &b : buckets) {
      if (group->failed() || !b.work)
        throw std::runtime_error(group->failure());
      group->wait(b.work);
      b.work.reset();
      const Tensor flags = b.flat.narrow(0, b.places, static_cast<int64_t>(b.members.size())).to(at::kCPU, at::kFloat);
      for (size_t i = 0; i < b.members.size(); ++i) {
        if (flags.const_data_ptr<float>()[i] == 0.0f)
          continue;
        Tensor &p = params[b.members[i]];
        const Tensor part = b.flat.narrow(0, b.starts[i], p.numel()).view(p.sizes());
        if (!p.grad().defined())
          p.mutable_grad() = at::empty_like(p);
        p.mutable_grad().copy_(part);
      }
    }
  }
};

struct Hook : torch::autograd::PostAccumulateGradHook {
  std::weak_ptr<Reducer> reducer;
  size_t param = 0;

  void operator()(const Tensor &) override {
    const auto live = reducer.lock();
    if (!live)
      return;
    try {
      live->ready(param);
    } catch (const std::exception &e) {
      live->group->fail(Group::text(e));
    }
  }
};

using ReducerHandle = std::shared_ptr<Reducer>;

} // namespace

extern "C" {

// A connection to the store at `host`; the process that serves it says so.
char *tutor_store(const char *host, uint16_t port, bool serves, int64_t timeout_ms, StoreHandle **out) {
  return guarded([&] {
    // c10d logs what it throws too, beside the stack: our errors say it, once.
    if (!std::getenv("TORCH_CPP_LOG_LEVEL"))
      FLAGS_caffe2_log_level = c10::GLOG_FATAL;
    c10d::TCPStoreOptions options;
    options.port = port;
    options.isServer = serves;
    options.waitWorkers = false;
    options.timeout = milliseconds(timeout_ms);
    *out = new StoreHandle{c10::make_intrusive<c10d::TCPStore>(host, options)};
  });
}

// The same store with names of its own for all keys.
char *tutor_store_within(StoreHandle *store, const char *prefix, StoreHandle **out) {
  return guarded([&] { *out = new StoreHandle{c10::make_intrusive<c10d::PrefixStore>(prefix, store->store)}; });
}

void tutor_store_free(StoreHandle *store) { delete store; }

char *tutor_store_add(StoreHandle *store, const char *key, int64_t amount, int64_t *out) {
  return guarded([&] { *out = store->store->add(key, amount); });
}

char *tutor_store_set(StoreHandle *store, const char *key, const char *value) {
  return guarded([&] {
    const std::string text(value);
    store->store->set(key, std::vector<uint8_t>(text.begin(), text.end()));
  });
}

// The value of a key, to be freed, or null where there is none yet.
char *tutor_store_get(StoreHandle *store, const char *key, char **out) {
  return guarded([&] {
    *out = nullptr;
    if (!store->store->check({key}))
      return;
    const auto value = store->store->get(key);
    *out = strdup(std::string(value.begin(), value.end()).c_str());
  });
}

// `address` is that of this machine in the network between the processes.
char *tutor_group(StoreHandle *store, int rank, int size, const char *address, int64_t timeout_ms, GroupHandle **out) {
  return guarded([&] {
    auto options = c10d::ProcessGroupGloo::Options::create(milliseconds(timeout_ms));
    const char *interface = std::getenv("GLOO_SOCKET_IFNAME");
    options->devices.push_back(interface && *interface ? c10d::ProcessGroupGloo::createDeviceForInterface(interface)
                                                       : c10d::ProcessGroupGloo::createDeviceForHostname(address));
    auto group = c10::make_intrusive<Group>();
    group->backend = c10::make_intrusive<c10d::ProcessGroupGloo>(store->store, rank, size, options);
    group->timeout = milliseconds(timeout_ms);
    group->size = size;
    *out = new GroupHandle(std::move(group));
  });
}

void tutor_group_free(GroupHandle *group) { delete group; }

// What the first operation that failed said, to be freed; null if all went well.
char *tutor_group_failure(GroupHandle *group) {
  const std::string failure = (*group)->failure();
  return failure.empty() ? nullptr : strdup(failure.c_str());
}

// Adds up, or takes the largest, in place.
char *tutor_all_reduce(GroupHandle *group, at::Tensor *t, bool largest, WorkHandle **out) {
  return guarded([&] {
    auto op = largest ? c10d::ReduceOp::MAX : c10d::ReduceOp::SUM;
    give_work(out, *group, (*group)->begin_sum(*t, op));
  });
}

char *tutor_broadcast(GroupHandle *group, at::Tensor *t, int root, WorkHandle **out) {
  return guarded([&] {
    give_work(out, *group, (*group)->begin([&] {
      std::vector<Tensor> tensors{*t};
      c10d::BroadcastOptions options;
      options.rootRank = root;
      options.timeout = (*group)->timeout;
      return (*group)->backend->broadcast(tensors, options);
    }));
  });
}

// `parts` has a tensor for each process.
char *tutor_all_gather(GroupHandle *group, Handles parts, at::Tensor *t, WorkHandle **out) {
  return guarded([&] {
    give_work(out, *group, (*group)->begin([&] {
      std::vector<std::vector<Tensor>> outputs(1);
      for (int i = 0; i < (*group)->size; ++i)
        outputs[0].push_back(*parts[i]);
      std::vector<Tensor> inputs{*t};
      c10d::AllgatherOptions options;
      options.timeout = (*group)->timeout;
      return (*group)->backend->allgather(outputs, inputs, options);
    }));
  });
}

char *tutor_barrier(GroupHandle *group, WorkHandle **out) {
  return guarded([&] {
    give_work(out, *group, (*group)->begin([&] {
      c10d::BarrierOptions options;
      options.timeout = (*group)->timeout;
      return (*group)->backend->barrier(options);
    }));
  });
}

char *tutor_sum_over_all(GroupHandle *group, at::Tensor *t, at::Tensor **out) {
  return guarded([&] { *out = new Tensor(SumOverAll::apply(*t, *group)); });
}

char *tutor_work_wait(WorkHandle *work) {
  return guarded([&] { work->group->wait(work->work); });
}

bool tutor_work_done(WorkHandle *work) { return work->work->isCompleted(); }

void tutor_work_free(WorkHandle *work) { delete work; }

// Buckets of at most `limit` bytes (or of one parameter), the last parameters first: their
// gradients are there first. The first bucket is small, so that sending begins early.
char *tutor_reducer(GroupHandle *group, Handles p, size_t n, int64_t first, int64_t limit, ReducerHandle **out) {
  return guarded([&] {
    auto made = std::make_shared<Reducer>();
    made->group = *group;
    made->bucket_of.resize(n);
    for (size_t i = 0; i < n; ++i)
      made->params.push_back(*p[i]);
    for (size_t i = n; i-- > 0;)
      made->add(i, made->buckets.size() <= 1 ? first : limit);
    for (size_t i = 0; i < n; ++i) {
      auto hook = std::make_unique<Hook>();
      hook->reducer = made;
      hook->param = i;
      torch::autograd::impl::set_post_acc_grad_hooks(made->params[i], std::move(hook));
    }
    *out = new ReducerHandle(std::move(made));
  });
}

void tutor_reducer_free(ReducerHandle *reducer) {
  for (const Tensor &p : (*reducer)->params)
    torch::autograd::impl::set_post_acc_grad_hooks(p, nullptr);
  delete reducer;
}

size_t tutor_reducer_buckets(ReducerHandle *reducer) { return (*reducer)->buckets.size(); }

// How many buckets the backward pass itself has sent so far.
size_t tutor_reducer_sent(ReducerHandle *reducer) {
  std::lock_guard<std::mutex> lock((*reducer)->mutex);
  return (*reducer)->next;
}

// Says that the next backward pass is the last one of a step.
void tutor_reducer_arm(ReducerHandle *reducer) { (*reducer)->arm(); }

char *tutor_reducer_finish(ReducerHandle *reducer) {
  return guarded([&] { (*reducer)->finish(); });
}

} // extern "C"
