#include "tests/unit/onnx/reference.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace errata::training::onnx {

namespace {

class Machine {
 public:
  explicit Machine(const Graph& graph) : graph_(graph) {
    for (const auto& [name, constant] : graph.constants) {
      Array a{constant.shape, {}};
      for (const float v : constant.reals) a.values.push_back(v);
      for (const auto v : constant.integers) a.values.push_back(static_cast<double>(v));
      values_[name] = std::move(a);
    }
  }

  Array run(const Array& input) {
    values_[graph_.inputs[0].name] = input;
    for (const Node& n : graph_.nodes) {
      node_ = &n;
      values_[n.outputs[0]] = evaluate();
    }
    return values_.at(graph_.outputs[0].name);
  }

 private:
  const Array& in(std::size_t k) const { return values_.at(node_->inputs[k]); }
  bool has(std::size_t k) const { return k < node_->inputs.size() && !node_->inputs[k].empty(); }
  std::int64_t integer(const char* name, std::int64_t otherwise) const {
    const auto f = node_->attributes.find(name);
    return f == node_->attributes.end() ? otherwise : f->second.integer;
  }
  double real(const char* name, double otherwise) const {
    const auto f = node_->attributes.find(name);
    return f == node_->attributes.end() ? otherwise : static_cast<double>(f->second.real);
  }
  std::vector<std::int64_t> list(const char* name, std::vector<std::int64_t> otherwise) const {
    const auto f = node_->attributes.find(name);
    return f == node_->attributes.end() ? otherwise : f->second.integers;
  }

  Array evaluate() {
    const std::string& op = node_->operation;
    if (op == "Conv") return convolution();
    if (op == "Pad") return pad();
    if (op == "MaxPool" || op == "AveragePool") return pooling(op == "MaxPool");
    if (op == "GlobalAveragePool" || op == "GlobalMaxPool") return global(op == "GlobalMaxPool");
    if (op == "ReduceMean") {
      Array a = global(false);
      if (integer("keepdims", 1) == 0) a.shape.resize(2);
      return a;
    }
    if (op == "Gemm") return gemm();
    if (op == "MatMul") return matmul();
    if (op == "BatchNormalization") return batch_norm();
    if (op == "Add" || op == "Sum") return sum();
    if (op == "Relu") return map([](double v) { return std::max(v, 0.0); });
    if (op == "Clip") {
      const double low = has(1) ? in(1).values[0] : real("min", -1e300),
                   high = has(2) ? in(2).values[0] : real("max", 1e300);
      return map([=](double v) { return std::min(std::max(v, low), high); });
    }
    if (op == "QuantizeLinear") {
      const double scale = in(1).values[0];  // divided in fp32, as ONNX's type rules have it
      return map([=](double v) {
        const float ratio = static_cast<float>(v) / static_cast<float>(scale);
        return std::min(std::max(std::nearbyint(static_cast<double>(ratio)), 0.0), 255.0);
      });
    }
    if (op == "DequantizeLinear") {
      const double scale = in(1).values[0];
      return map([=](double v) { return v * scale; });
    }
    if (op == "Flatten" || op == "Reshape" || op == "Squeeze") {
      Array a = in(0);
      a.shape = {a.shape[0], static_cast<std::int64_t>(a.values.size()) / a.shape[0]};
      return a;
    }
    if (op == "Transpose") return transpose();
    if (op == "Identity" || op == "Dropout") return in(0);
    if (op == "Softmax") return softmax();
    if (op == "Constant") {
      const Constant& c = node_->attributes.at("value").constant;
      Array a{c.shape, {}};
      for (const float v : c.reals) a.values.push_back(v);
      for (const auto v : c.integers) a.values.push_back(static_cast<double>(v));
      return a;
    }
    throw std::runtime_error("the reference knows no " + op);
  }

  template <class F>
  Array map(const F& f) {
    Array a = in(0);
    for (double& v : a.values) v = f(v);
    return a;
  }

  /// Top, left, bottom, right.
  std::vector<std::int64_t> pads(std::int64_t h, std::int64_t w, std::int64_t kh, std::int64_t kw,
                                 const std::vector<std::int64_t>& s) const {
    const auto f = node_->attributes.find("auto_pad");
    const std::string automatic = f == node_->attributes.end() ? "NOTSET" : f->second.text;
    if (automatic == "VALID") return {0, 0, 0, 0};
    if (automatic == "NOTSET") return list("pads", {0, 0, 0, 0});
    const auto total = [](std::int64_t in, std::int64_t k, std::int64_t stride) {
      const std::int64_t out = (in + stride - 1) / stride;
      return std::max<std::int64_t>((out - 1) * stride + k - in, 0);
    };
    const std::int64_t v = total(h, kh, s[0]), u = total(w, kw, s[1]);
    const std::int64_t top = automatic == "SAME_UPPER" ? v / 2 : v - v / 2,
                       left = automatic == "SAME_UPPER" ? u / 2 : u - u / 2;
    return {top, left, v - top, u - left};
  }

  Array convolution() {
    const Array &x = in(0), &w = in(1);
    const std::int64_t n = x.shape[0], c = x.shape[1], h = x.shape[2], wd = x.shape[3], m = w.shape[0], d = w.shape[1],
                       kh = w.shape[2], kw = w.shape[3], per_group = m / integer("group", 1);
    const auto s = list("strides", {1, 1});
    const auto p = pads(h, wd, kh, kw, s);
    const std::int64_t oh = (h + p[0] + p[2] - kh) / s[0] + 1, ow = (wd + p[1] + p[3] - kw) / s[1] + 1;
    Array y{{n, m, oh, ow}, {}};
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t o = 0; o < m; ++o)
        for (std::int64_t r = 0; r < oh; ++r)
          for (std::int64_t q = 0; q < ow; ++q) {
            double sum = has(2) ? in(2).values[static_cast<std::size_t>(o)] : 0.0;
            for (std::int64_t k = 0; k < d; ++k)
              for (std::int64_t a = 0; a < kh; ++a)
                for (std::int64_t b = 0; b < kw; ++b) {
                  const std::int64_t row = r * s[0] + a - p[0], column = q * s[1] + b - p[1];
                  if (row < 0 || column < 0 || row >= h || column >= wd) continue;
                  const std::int64_t channel = o / per_group * d + k;
                  sum += x.values[static_cast<std::size_t>(((i * c + channel) * h + row) * wd + column)] *
                         w.values[static_cast<std::size_t>(((o * d + k) * kh + a) * kw + b)];
                }
            y.values.push_back(sum);
          }
    return y;
  }

  Array pooling(bool maximum) {
    const Array& x = in(0);
    const std::int64_t n = x.shape[0], c = x.shape[1], h = x.shape[2], w = x.shape[3];
    const auto k = list("kernel_shape", {});
    const auto s = list("strides", {1, 1});
    const auto p = pads(h, w, k[0], k[1], s);
    const bool ceil = integer("ceil_mode", 0) != 0, counts = integer("count_include_pad", 0) != 0;
    const auto size = [&](std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t begin,
                          std::int64_t end) {
      return (in + begin + end - kernel + (ceil ? stride - 1 : 0)) / stride + 1;
    };
    const std::int64_t oh = size(h, k[0], s[0], p[0], p[2]), ow = size(w, k[1], s[1], p[1], p[3]);
    Array y{{n, c, oh, ow}, {}};
    for (std::int64_t plane = 0; plane < n * c; ++plane)
      for (std::int64_t r = 0; r < oh; ++r)
        for (std::int64_t q = 0; q < ow; ++q) {
          double best = -std::numeric_limits<double>::infinity(), sum = 0.0, count = 0.0;
          for (std::int64_t a = 0; a < k[0]; ++a)
            for (std::int64_t b = 0; b < k[1]; ++b) {
              const std::int64_t row = r * s[0] + a - p[0], column = q * s[1] + b - p[1];
              if (row < 0 || column < 0 || row >= h || column >= w) continue;
              const double v = x.values[static_cast<std::size_t>((plane * h + row) * w + column)];
              best = std::max(best, v);
              sum += v;
              ++count;
            }
          y.values.push_back(maximum ? best : sum / (counts ? static_cast<double>(k[0] * k[1]) : count));
        }
    return y;
  }

  Array pad() {
    const Array& x = in(0);
    std::vector<std::int64_t> p = list("pads", {});
    if (has(1))
      for (const double v : in(1).values) p.push_back(static_cast<std::int64_t>(v));
    Array y{{x.shape[0], x.shape[1], x.shape[2] + p[2] + p[6], x.shape[3] + p[3] + p[7]}, {}};
    for (std::int64_t plane = 0; plane < x.shape[0] * x.shape[1]; ++plane)
      for (std::int64_t r = 0; r < y.shape[2]; ++r)
        for (std::int64_t q = 0; q < y.shape[3]; ++q) {
          const std::int64_t row = r - p[2], column = q - p[3];
          const bool inside = row >= 0 && column >= 0 && row < x.shape[2] && column < x.shape[3];
          y.values.push_back(
              inside ? x.values[static_cast<std::size_t>((plane * x.shape[2] + row) * x.shape[3] + column)] : 0.0);
        }
    return y;
  }

  Array global(bool maximum) {
    const Array& x = in(0);
    Array y{{x.shape[0], x.shape[1], 1, 1}, {}};
    const auto size = static_cast<std::size_t>(x.shape[2] * x.shape[3]);
    for (std::size_t at = 0; at < x.values.size(); at += size) {
      const auto begin = x.values.begin() + static_cast<std::ptrdiff_t>(at),
                 end = begin + static_cast<std::ptrdiff_t>(size);
      y.values.push_back(maximum ? *std::max_element(begin, end)
                                 : std::accumulate(begin, end, 0.0) / static_cast<double>(size));
    }
    return y;
  }

  Array gemm() {
    const Array &a = in(0), &b = in(1);
    const bool turned = integer("transB", 0) != 0;
    const auto m = static_cast<std::size_t>(a.shape[0]), k = static_cast<std::size_t>(a.shape[1]),
               n = static_cast<std::size_t>(b.shape[turned ? 0 : 1]);
    Array y{{a.shape[0], static_cast<std::int64_t>(n)}, {}};
    for (std::size_t i = 0; i < m; ++i)
      for (std::size_t j = 0; j < n; ++j) {
        double sum = 0.0;
        for (std::size_t q = 0; q < k; ++q) sum += a.values[i * k + q] * b.values[turned ? j * k + q : q * n + j];
        const double bias = has(2) ? in(2).values[in(2).values.size() == 1 ? 0 : j] : 0.0;
        y.values.push_back(real("alpha", 1.0) * sum + real("beta", 1.0) * bias);
      }
    return y;
  }

  Array matmul() {
    const Array &a = in(0), &b = in(1);
    const auto m = static_cast<std::size_t>(a.shape[0]), k = static_cast<std::size_t>(a.shape[1]),
               n = static_cast<std::size_t>(b.shape[1]);
    Array y{{a.shape[0], b.shape[1]}, std::vector<double>(m * n)};
    for (std::size_t i = 0; i < m; ++i)
      for (std::size_t q = 0; q < k; ++q)
        for (std::size_t j = 0; j < n; ++j) y.values[i * n + j] += a.values[i * k + q] * b.values[q * n + j];
    return y;
  }

  Array batch_norm() {
    Array y = in(0);
    const auto channels = static_cast<std::size_t>(y.shape[1]);
    const std::size_t plane = y.values.size() / static_cast<std::size_t>(y.shape[0]) / channels;
    for (std::size_t i = 0; i < y.values.size(); ++i) {
      const std::size_t c = i / plane % channels;
      y.values[i] =
          in(1).values[c] * (y.values[i] - in(3).values[c]) / std::sqrt(in(4).values[c] + real("epsilon", 1e-5)) +
          in(2).values[c];
    }
    return y;
  }

  /// Of equal shapes, or with a constant that broadcasts from the last axes.
  Array sum() {
    Array y = in(0).values.size() >= in(1).values.size() ? in(0) : in(1);
    const std::size_t larger = in(0).values.size() >= in(1).values.size() ? 0 : 1;
    for (std::size_t k = 0; k < node_->inputs.size(); ++k) {
      if (k == larger) continue;
      const Array& other = in(k);
      for (std::size_t i = 0; i < y.values.size(); ++i) y.values[i] += other.values[broadcast(i, y.shape, other.shape)];
    }
    return y;
  }
  static std::size_t broadcast(std::size_t index, const std::vector<std::int64_t>& shape,
                               const std::vector<std::int64_t>& small) {
    std::size_t place = 0, factor = 1;
    for (std::size_t back = 0; back < shape.size(); ++back) {
      const auto size = static_cast<std::size_t>(shape[shape.size() - 1 - back]);
      const std::size_t at = index % size;
      index /= size;
      if (back >= small.size()) continue;
      const auto own = static_cast<std::size_t>(small[small.size() - 1 - back]);
      if (own > 1) place += at * factor;
      factor *= own;
    }
    return place;
  }

  Array transpose() {
    const Array& x = in(0);
    const auto order =
        list("perm", x.shape.size() == 2 ? std::vector<std::int64_t>{1, 0} : std::vector<std::int64_t>{});
    Array y{{}, std::vector<double>(x.values.size())};
    for (const auto axis : order) y.shape.push_back(x.shape[static_cast<std::size_t>(axis)]);
    for (std::size_t i = 0; i < x.values.size(); ++i) {
      std::vector<std::size_t> at(x.shape.size());
      std::size_t rest = i;
      for (std::size_t axis = x.shape.size(); axis-- > 0; rest /= static_cast<std::size_t>(x.shape[axis]))
        at[axis] = rest % static_cast<std::size_t>(x.shape[axis]);
      std::size_t place = 0;
      for (std::size_t axis = 0; axis < order.size(); ++axis)
        place = place * static_cast<std::size_t>(y.shape[axis]) + at[static_cast<std::size_t>(order[axis])];
      y.values[place] = x.values[i];
    }
    return y;
  }

  Array softmax() {
    Array y = in(0);
    const auto classes = static_cast<std::size_t>(y.shape[1]);
    for (std::size_t at = 0; at < y.values.size(); at += classes) {
      double sum = 0.0;
      for (std::size_t k = 0; k < classes; ++k) sum += std::exp(y.values[at + k]);
      for (std::size_t k = 0; k < classes; ++k) y.values[at + k] = std::exp(y.values[at + k]) / sum;
    }
    return y;
  }

  const Graph& graph_;
  const Node* node_ = nullptr;
  std::map<std::string, Array> values_;
};

}  // namespace

Array run_reference(const Graph& graph, const Array& input) { return Machine(graph).run(input); }

}  // namespace errata::training::onnx
