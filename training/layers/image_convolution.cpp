#include "training/layers/image_convolution.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "training/layers/image_convolution.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file once for each instruction set.
#include <hwy/highway.h>

#ifndef ERRATA_IMAGE_CONVOLUTION_SIZES
#define ERRATA_IMAGE_CONVOLUTION_SIZES
namespace errata::training {
namespace {

/// Sizes in values: one padded image, and the matrix with rows of `weight_stride`.
struct ImageSizes {
  std::size_t out_h, out_w, out_c;
  std::size_t kernel_h, segment;  ///< values that one window sees of one row of the image
  std::size_t row, next_row;      ///< from a row of the image to the next, from a row of outputs to the next
  std::size_t next;               ///< from one output to the next
  std::size_t weight_stride;
};

}  // namespace
}  // namespace errata::training
#endif

HWY_BEFORE_NAMESPACE();
namespace errata::training::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::CappedTag<float, 8>;
using Vector = hn::Vec<Floats>;

/// `kOutputs` neighbouring outputs of a row of `kVectors` vectors of channels each.
template <std::size_t kOutputs, std::size_t kVectors>
struct Sums {
  Vector v[kOutputs][kVectors];
};

template <std::size_t kOutputs, std::size_t kVectors>
HWY_INLINE HWY_ATTR Sums<kOutputs, kVectors> convolve(const ImageSizes& s, const float* HWY_RESTRICT image,
                                                      const float* HWY_RESTRICT weights) {
  const Floats f;
  const std::size_t lanes = hn::Lanes(f);
  Sums<kOutputs, kVectors> sum;
  for (std::size_t p = 0; p < kOutputs; ++p)
    for (std::size_t v = 0; v < kVectors; ++v) sum.v[p][v] = hn::Zero(f);
  for (std::size_t y = 0; y < s.kernel_h; ++y, image += s.row)
    for (std::size_t t = 0; t < s.segment; ++t, weights += s.weight_stride) {
      Vector w[kVectors];
      for (std::size_t v = 0; v < kVectors; ++v) w[v] = hn::LoadU(f, weights + v * lanes);
      for (std::size_t p = 0; p < kOutputs; ++p) {
        const auto value = hn::Set(f, image[p * s.next + t]);
        for (std::size_t v = 0; v < kVectors; ++v) sum.v[p][v] = hn::MulAdd(value, w[v], sum.v[p][v]);
      }
    }
  return sum;
}

/// Calls use(first output, sums) along one row of outputs.
template <std::size_t kVectors, class Use>
HWY_INLINE HWY_ATTR void along_row(const ImageSizes& s, const float* image, const float* weights, const Use& use) {
  constexpr std::size_t kMost = kVectors == 1 ? 8 : 5;
  std::size_t x = 0;
  for (; x + kMost <= s.out_w; x += kMost) use(x, convolve<kMost, kVectors>(s, image + x * s.next, weights));
  for (; x + 4 <= s.out_w; x += 4) use(x, convolve<4, kVectors>(s, image + x * s.next, weights));
  for (; x < s.out_w; ++x) use(x, convolve<1, kVectors>(s, image + x * s.next, weights));
}

/// Adds each channel's Σ gradient · product to totals, from `channel` on. `limit`: end of the gradients.
template <std::size_t kVectors>
HWY_INLINE HWY_ATTR void add_sums(const ImageSizes& s, const float* image, const float* weights, const float* gradient,
                                  std::size_t channel, const float* limit, double* totals) {
  const Floats f;
  const std::size_t lanes = hn::Lanes(f);
  for (std::size_t y = 0; y < s.out_h; ++y, image += s.next_row, gradient += s.out_w * s.out_c) {
    Vector row[kVectors];
    for (std::size_t v = 0; v < kVectors; ++v) row[v] = hn::Zero(f);
    along_row<kVectors>(s, image, weights + channel, [&](std::size_t x, const auto& sums) HWY_ATTR {
      constexpr std::size_t kOutputs = sizeof(sums.v) / sizeof(sums.v[0]);
      for (std::size_t p = 0; p < kOutputs; ++p)
        for (std::size_t v = 0; v < kVectors; ++v) {
          // Beyond the channels weights are zeros, and so are sums; beyond the gradients nothing may be read.
          const float* at = gradient + (x + p) * s.out_c + channel + v * lanes;
          HWY_ALIGN float rest[hn::MaxLanes(Floats())] = {};
          if (at + lanes > limit) {
            for (std::size_t k = 0; at + k < limit; ++k) rest[k] = at[k];
            at = rest;
          }
          row[v] = hn::Add(row[v], hn::Mul(sums.v[p][v], hn::LoadU(f, at)));
        }
    });
    for (std::size_t v = 0; v < kVectors; ++v) {
      HWY_ALIGN float part[hn::MaxLanes(Floats())];
      hn::Store(row[v], f, part);
      for (std::size_t k = 0; k < lanes; ++k) totals[v * lanes + k] += static_cast<double>(part[k]);
    }
  }
}

/// `totals` [weight stride].
HWY_ATTR void add_gradient_sums(const ImageSizes& s, const float* image, const float* weights, const float* gradient,
                                const float* limit, double* totals) {
  const std::size_t lanes = hn::Lanes(Floats());
  std::size_t channel = 0;
  for (; channel + lanes < s.out_c; channel += 2 * lanes)
    add_sums<2>(s, image, weights, gradient, channel, limit, totals + channel);
  if (channel < s.out_c) add_sums<1>(s, image, weights, gradient, channel, limit, totals + channel);
}

/// Rows of outputs in order, so that what a vector writes beyond its own channels is overwritten by those it hits.
HWY_ATTR void store_products(const ImageSizes& s, const float* image, const float* weights, float* product,
                             const float* limit) {
  const Floats f;
  const std::size_t lanes = hn::Lanes(f);
  for (std::size_t y = 0; y < s.out_h; ++y, image += s.next_row, product += s.out_w * s.out_c)
    for (std::size_t channel = 0; channel < s.out_c; channel += lanes)
      along_row<1>(s, image, weights + channel, [&](std::size_t x, const auto& sums) HWY_ATTR {
        constexpr std::size_t kOutputs = sizeof(sums.v) / sizeof(sums.v[0]);
        const std::size_t mine = std::min(lanes, s.out_c - channel);
        for (std::size_t p = 0; p < kOutputs; ++p) {
          float* to = product + (x + p) * s.out_c + channel;
          if (channel == 0 && to + lanes <= limit && mine == s.out_c) {
            hn::StoreU(sums.v[p][0], f, to);
            continue;
          }
          HWY_ALIGN float part[hn::MaxLanes(Floats())];
          hn::Store(sums.v[p][0], f, part);
          std::copy_n(part, mine, to);
        }
      });
}

}  // namespace errata::training::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace errata::training {

HWY_EXPORT(add_gradient_sums);
HWY_EXPORT(store_products);

namespace {

constexpr std::size_t kPanel = 16;  // two vectors of eight

ImageSizes sizes_of(const MatrixGeometry& g, std::size_t padded_width, std::size_t weight_stride) {
  const std::size_t row = padded_width * g.in_c;
  return {g.out_h,
          g.out_w,
          g.out_c,
          g.window.kernel_h,
          g.window.kernel_w * g.in_c,
          row,
          g.window.stride_h * row,
          g.window.stride_w * g.in_c,
          weight_stride};
}

}  // namespace

ImageConvolution::ImageConvolution(const MatrixGeometry& geometry, std::span<const float> weights)
    : geometry_(geometry),
      padded_width_(geometry.in_w + geometry.window.pad_left + geometry.window.pad_right),
      padded_height_(geometry.in_h + geometry.window.pad_top + geometry.window.pad_bottom),
      stride_((geometry.out_c + kPanel - 1) / kPanel * kPanel),
      weights_(geometry.rows() * stride_) {
  for (std::size_t row = 0; row < geometry_.rows(); ++row)
    std::copy_n(weights.data() + row * geometry_.out_c, geometry_.out_c, weights_.data() + row * stride_);
}

void ImageConvolution::pad(const float* values, std::vector<float>& padded) const {
  const std::size_t row = geometry_.in_w * geometry_.in_c;
  for (std::size_t y = 0; y < geometry_.in_h; ++y)
    std::copy_n(
        values + y * row, row,
        padded.data() + ((y + geometry_.window.pad_top) * padded_width_ + geometry_.window.pad_left) * geometry_.in_c);
}

double ImageConvolution::gradient_sum(std::size_t images, const float* values, const float* gradient) const {
  const ImageSizes sizes = sizes_of(geometry_, padded_width_, stride_);
  const std::size_t outputs = geometry_.output().size();
  std::vector<float> padded(padded_height_ * padded_width_ * geometry_.in_c);
  std::vector<double> totals(stride_);
  for (std::size_t i = 0; i < images; ++i) {
    pad(values + i * geometry_.input().size(), padded);
    HWY_DYNAMIC_DISPATCH(add_gradient_sums)
    (sizes, padded.data(), weights_.data(), gradient + i * outputs, gradient + images * outputs, totals.data());
  }
  double sum = 0.0;
  for (const double total : totals) sum += total;
  return sum;
}

void ImageConvolution::product(std::size_t images, const float* values, float* product) const {
  const ImageSizes sizes = sizes_of(geometry_, padded_width_, stride_);
  const std::size_t outputs = geometry_.output().size();
  std::vector<float> padded(padded_height_ * padded_width_ * geometry_.in_c);
  for (std::size_t i = 0; i < images; ++i) {
    pad(values + i * geometry_.input().size(), padded);
    HWY_DYNAMIC_DISPATCH(store_products)
    (sizes, padded.data(), weights_.data(), product + i * outputs, product + images * outputs);
  }
}

}  // namespace errata::training
#endif
