#include "training/layers/matrix_kernel.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <dnnl.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/error.h"
#include "training/shards.h"

namespace errata::training {

namespace {

using dnnl::memory;
using Tag = dnnl::memory::format_tag;
using Dims = dnnl::memory::dims;

constexpr auto kFloat = memory::data_type::f32;

[[noreturn]] void fail(const dnnl::error& failure) {
  throw Error(ExitStatus::kComputation, "E506", fmt::format("oneDNN: {}", failure.what()));
}

void check(dnnl_status_t status) {
  if (status != dnnl_success) throw Error(ExitStatus::kComputation, "E506", "oneDNN: matrix product failed");
}

dnnl_dim_t length(std::size_t size) { return static_cast<dnnl_dim_t>(size); }

dnnl::primitive_attr scratchpad_by_caller() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

memory::data_type operand_type(Precision precision) {
  return precision == Precision::kBf16 ? memory::data_type::bf16 : kFloat;
}

/// Primitives of a convolution for one number of images. Operands of products may have a type of their own.
struct ConvolutionSet {
  memory::desc source, destination, bias;
  memory::desc source_operand, gradient_operand;
  memory::desc forward_weights, backward_weights, weight_gradient;
  memory::desc forward_scratch, input_scratch, weight_scratch;
  dnnl::convolution_forward forward;
  dnnl::convolution_backward_data backward_input;
  dnnl::convolution_backward_weights backward_weights_primitive;
};

struct Slide {
  Dims stride, pad_begin, pad_end;
};

Dims dims(std::initializer_list<std::size_t> sizes) { return Dims(sizes.begin(), sizes.end()); }

/// oneDNN wants begin and end padding that meet the output size exactly.
Slide slide_of(const MatrixGeometry& g) {
  const Window& w = g.window;
  const auto end = [](std::size_t in, std::size_t kernel, std::size_t stride, std::size_t pad, std::size_t out) {
    return static_cast<std::ptrdiff_t>((out - 1) * stride + kernel) - static_cast<std::ptrdiff_t>(in + pad);
  };
  return {dims({w.stride_h, w.stride_w}),
          dims({w.pad_top, w.pad_left}),
          {end(g.in_h, w.kernel_h, w.stride_h, w.pad_top, g.out_h),
           end(g.in_w, w.kernel_w, w.stride_w, w.pad_left, g.out_w)}};
}

/// `gradient_layout`: layout that weight gradients must have; empty: oneDNN's choice.
ConvolutionSet make_set(const MatrixGeometry& g, std::size_t images, Precision precision, const dnnl::engine& engine,
                        const std::optional<memory::desc>& gradient_layout) {
  const auto type = operand_type(precision);
  const memory::desc source_operand(dims({images, g.in_c, g.in_h, g.in_w}), type, Tag::nhwc);
  const memory::desc gradient_operand(dims({images, g.out_c, g.out_h, g.out_w}), type, Tag::nhwc);
  const memory::desc source(dims({images, g.in_c, g.in_h, g.in_w}), kFloat, Tag::nhwc);
  const memory::desc weights(dims({g.out_c, g.in_c, g.window.kernel_h, g.window.kernel_w}), type, Tag::any);
  const memory::desc gradient_weights(weights.dims(), kFloat, Tag::any);
  const memory::desc destination(dims({images, g.out_c, g.out_h, g.out_w}), kFloat, Tag::nhwc);
  const memory::desc bias(dims({g.out_c}), kFloat, Tag::a);
  const Slide w = slide_of(g);
  const auto attributes = scratchpad_by_caller();
  constexpr auto kDirect = dnnl::algorithm::convolution_direct;

  const dnnl::convolution_forward::primitive_desc forward(
      {dnnl::prop_kind::forward_training, kDirect, source_operand, weights, bias, destination, w.stride, w.pad_begin,
       w.pad_end},
      attributes, engine);
  const dnnl::convolution_backward_data::primitive_desc input(
      {kDirect, source, weights, gradient_operand, w.stride, w.pad_begin, w.pad_end}, attributes, engine, forward);
  const dnnl::convolution_backward_weights::primitive_desc gradient(
      {kDirect, source_operand, gradient_layout.value_or(gradient_weights), bias, gradient_operand, w.stride,
       w.pad_begin, w.pad_end},
      attributes, engine, forward);
  return {source,
          destination,
          bias,
          source_operand,
          gradient_operand,
          forward.weights_desc(),
          input.weights_desc(),
          gradient.diff_weights_desc(),
          forward.scratchpad_desc(),
          input.scratchpad_desc(),
          gradient.scratchpad_desc(),
          dnnl::convolution_forward(forward),
          dnnl::convolution_backward_data(input),
          dnnl::convolution_backward_weights(gradient)};
}

/// What one product needs for itself while it runs.
struct Bench {
  dnnl::stream stream;
  Tensor scratch;
  Tensor source, gradient;  ///< operands of another type
};

/// Benches for products that run at the same time. Which product gets which does not matter.
class Benches {
 public:
  /// At least `count`, each with at least so much scratch memory. Not while any is taken.
  void make(std::size_t count, std::size_t scratch_bytes, const dnnl::engine& engine) {
    while (all_.size() < count) {
      all_.push_back(std::make_unique<Bench>(Bench{dnnl::stream(engine), {}, {}, {}}));
      free_.push_back(all_.back().get());
    }
    for (auto& bench : all_) bench->scratch.resize(1, {1, 1, scratch_bytes / sizeof(float) + 1});
  }

  class Lease {
   public:
    explicit Lease(Benches& from) : from_(from), bench_(from.take()) {}
    ~Lease() { from_.give_back(bench_); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    Bench& operator*() const { return *bench_; }

   private:
    Benches& from_;
    Bench* bench_;
  };

 private:
  Bench* take() {
    const std::lock_guard lock(mutex_);
    Bench* bench = free_.back();
    free_.pop_back();
    return bench;
  }
  void give_back(Bench* bench) {
    const std::lock_guard lock(mutex_);
    free_.push_back(bench);
  }

  std::vector<std::unique_ptr<Bench>> all_;
  std::vector<Bench*> free_;
  std::mutex mutex_;
};

}  // namespace

struct MatrixKernel::Implementation {
  Implementation(const MatrixGeometry& g, Precision p) : geometry(g), precision(p) {}

  const ConvolutionSet& set(std::size_t images) const { return sets.at(images); }
  void execute(Bench& bench, const dnnl::primitive& primitive, const memory::desc& scratch,
               std::unordered_map<int, memory> arguments) const {
    arguments.emplace(DNNL_ARG_SCRATCHPAD, memory(scratch, engine, bench.scratch.data()));
    primitive.execute(bench.stream, arguments);
  }
  /// Values as an operand: as they are in fp32, else converted into `copy`.
  memory operand(Bench& bench, const memory::desc& own, const memory::desc& wanted, const float* values,
                 Tensor& copy) const {
    if (precision == Precision::kFp32) return bind(own, values);
    copy.resize(1, {1, 1, wanted.get_size() / sizeof(float) + 1});
    memory source = bind(own, values), target = bind(wanted, copy.data());
    dnnl::reorder(source, target).execute(bench.stream, source, target);
    return target;
  }
  memory::desc plain_weights() const {
    return {dims({geometry.out_c, geometry.in_c, geometry.window.kernel_h, geometry.window.kernel_w}), kFloat,
            Tag::hwio};
  }
  memory bind(const memory::desc& desc, const float* data) const {
    return memory(desc, engine, const_cast<float*>(data));
  }
  void reorder(const memory::desc& from_desc, const float* from, const memory::desc& to_desc, float* to) const;
  /// The weights in a layout; layouts that several shard sizes share are packed once.
  const Tensor& packed(const memory::desc& layout) const;
  void pack(const memory::desc& layout);
  void add_set(std::size_t images);

  MatrixGeometry geometry;
  Precision precision;
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  mutable Benches benches;
  dnnl::stream own_stream{engine};  ///< outside shards
  std::size_t scratch_bytes = 0;
  std::map<std::size_t, ConvolutionSet> sets;
  std::span<const float> plain;
  struct Packed {
    memory::desc layout;
    Tensor values;
    std::uint64_t generation = 0;  ///< of the weights it holds
  };
  std::uint64_t generation = 0;
  std::vector<Packed> packings;
  std::optional<memory::desc> gradient_layout;
};

void MatrixKernel::Implementation::reorder(const memory::desc& from_desc, const float* from,
                                           const memory::desc& to_desc, float* to) const {
  memory source = bind(from_desc, from), target = bind(to_desc, to);
  dnnl::stream stream = own_stream;
  dnnl::reorder(source, target).execute(stream, source, target);
}

void MatrixKernel::Implementation::pack(const memory::desc& layout) {
  auto found = std::ranges::find_if(packings, [&](const Packed& p) { return p.layout == layout; });
  if (found == packings.end()) {
    packings.push_back({layout, Tensor(1, {1, 1, layout.get_size() / sizeof(float) + 1})});
    found = packings.end() - 1;
  }
  if (found->generation == generation) return;
  found->generation = generation;
  reorder(plain_weights(), plain.data(), layout, found->values.data());
}

const Tensor& MatrixKernel::Implementation::packed(const memory::desc& layout) const {
  return std::ranges::find_if(packings, [&](const Packed& p) { return p.layout == layout; })->values;
}

void MatrixKernel::Implementation::add_set(std::size_t images) {
  const auto& made = sets.emplace(images, make_set(geometry, images, precision, engine, gradient_layout)).first->second;
  for (const auto* need : {&made.forward_scratch, &made.input_scratch, &made.weight_scratch})
    scratch_bytes = std::max(scratch_bytes, need->get_size());
  if (!gradient_layout) gradient_layout = made.weight_gradient;
}

bool has_precision(Precision precision) {
  if (precision != Precision::kBf16) return true;
  try {
    const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    run_as_shard([&] { make_set(convolution_geometry({8, 8, 16}, {3, 1, 1, 16}), 1, precision, engine, {}); });
    return true;
  } catch (const dnnl::error&) {
    return false;
  }
}

MatrixKernel::MatrixKernel(const MatrixGeometry& geometry, Precision precision)
    : implementation_(std::make_unique<Implementation>(geometry, precision)) {}
MatrixKernel::~MatrixKernel() = default;

void MatrixKernel::prepare(std::size_t images, int threads) {
  auto& self = *implementation_;
  if (self.geometry.is_linear()) return;
  try {
    // Gradients of all shards are summed as they lie, so every shard size uses the layout of full shards,
    // which therefore come first: results must not depend on the sizes seen before.
    for (const std::size_t size : {kShardImages, images})
      if (!self.sets.contains(size)) run_as_shard([&] { self.add_set(size); });
  } catch (const dnnl::error& failure) {
    fail(failure);
  }
  self.benches.make(static_cast<std::size_t>(threads), self.scratch_bytes, self.engine);
}

void MatrixKernel::set_weights(std::span<const float> weights, Use use) {
  auto& self = *implementation_;
  self.plain = weights;
  ++self.generation;
  if (self.geometry.is_linear()) return;
  run_as_shard([&] {
    for (const auto& [images, set] : self.sets) {
      self.pack(set.forward_weights);
      if (use == Use::kForwardAndBackward) self.pack(set.backward_weights);
    }
  });
}

void MatrixKernel::forward(std::size_t images, const float* input, const float* bias, float* product) const {
  const auto& self = *implementation_;
  const auto& g = self.geometry;
  if (g.is_linear()) {
    for (std::size_t i = 0; i < images; ++i) std::copy_n(bias, g.out_c, product + i * g.out_c);
    check(dnnl_sgemm('N', 'N', length(images), length(g.out_c), length(g.in_c), 1.0f, input, length(g.in_c),
                     self.plain.data(), length(g.out_c), 1.0f, product, length(g.out_c)));
    return;
  }
  const auto& set = self.set(images);
  const Benches::Lease lease(self.benches);
  Bench& bench = *lease;
  self.execute(bench, set.forward, set.forward_scratch,
               {{DNNL_ARG_SRC, self.operand(bench, set.source, set.source_operand, input, bench.source)},
                {DNNL_ARG_WEIGHTS, self.bind(set.forward_weights, self.packed(set.forward_weights).data())},
                {DNNL_ARG_BIAS, self.bind(set.bias, bias)},
                {DNNL_ARG_DST, self.bind(set.destination, product)}});
}

void MatrixKernel::backward_input(std::size_t images, const float* product_gradient, float* input_gradient) const {
  const auto& self = *implementation_;
  const auto& g = self.geometry;
  if (g.is_linear()) {
    check(dnnl_sgemm('N', 'T', length(images), length(g.in_c), length(g.out_c), 1.0f, product_gradient, length(g.out_c),
                     self.plain.data(), length(g.out_c), 0.0f, input_gradient, length(g.in_c)));
    return;
  }
  const auto& set = self.set(images);
  const Benches::Lease lease(self.benches);
  Bench& bench = *lease;
  self.execute(bench, set.backward_input, set.input_scratch,
               {{DNNL_ARG_DIFF_DST,
                 self.operand(bench, set.destination, set.gradient_operand, product_gradient, bench.gradient)},
                {DNNL_ARG_WEIGHTS, self.bind(set.backward_weights, self.packed(set.backward_weights).data())},
                {DNNL_ARG_DIFF_SRC, self.bind(set.source, input_gradient)}});
}

void MatrixKernel::backward_weights(std::size_t images, const float* input, const float* product_gradient,
                                    float* packed_gradient, float* bias_gradient) const {
  const auto& self = *implementation_;
  const auto& set = self.set(images);
  const Benches::Lease lease(self.benches);
  Bench& bench = *lease;
  self.execute(bench, set.backward_weights_primitive, set.weight_scratch,
               {{DNNL_ARG_SRC, self.operand(bench, set.source, set.source_operand, input, bench.source)},
                {DNNL_ARG_DIFF_DST,
                 self.operand(bench, set.destination, set.gradient_operand, product_gradient, bench.gradient)},
                {DNNL_ARG_DIFF_WEIGHTS, self.bind(set.weight_gradient, packed_gradient)},
                {DNNL_ARG_DIFF_BIAS, self.bind(set.bias, bias_gradient)}});
}

std::size_t MatrixKernel::packed_size() const { return implementation_->gradient_layout->get_size() / sizeof(float); }

void MatrixKernel::unpack_gradient(const float* packed, float* weights) const {
  const auto& self = *implementation_;
  run_as_shard([&] { self.reorder(*self.gradient_layout, packed, self.plain_weights(), weights); });
}

void MatrixKernel::backward_rows(std::size_t first, std::size_t count, std::size_t images, const float* input,
                                 const float* product_gradient, Sum sum, float* gradient) const {
  const auto& g = implementation_->geometry;
  check(dnnl_sgemm('T', 'N', length(count), length(g.out_c), length(images), 1.0f, input + first, length(g.in_c),
                   product_gradient, length(g.out_c), sum == Sum::kAdd ? 1.0f : 0.0f, gradient, length(g.out_c)));
}

}  // namespace errata::training
