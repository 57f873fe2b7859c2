#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace errata::training {

/// Size of one image or feature map; a vector of k features is {1, 1, k}.
struct ImageShape {
  std::size_t height = 1;
  std::size_t width = 1;
  std::size_t channels = 1;

  std::size_t size() const { return height * width * channels; }
  bool operator==(const ImageShape&) const = default;
};

/// Batch of fp32 images, layout NHWC (channels fastest), storage aligned to 64 bytes. Copies are deep and own their
/// values; moves are not copies.
///
/// resize() keeps the storage while it is large enough, so a workspace is allocated once. A tensor made by on() or
/// part() owns nothing: it lies on values that must outlive it, and resize() within them only renames.
class Tensor {
 public:
  Tensor() = default;
  Tensor(std::size_t images, ImageShape shape) { resize(images, shape); }
  Tensor(const Tensor& other);
  Tensor& operator=(const Tensor& other);
  Tensor(Tensor&&) noexcept = default;
  Tensor& operator=(Tensor&&) noexcept = default;

  /// On values that somebody else owns, images · shape.size() of them.
  static Tensor on(float* values, std::size_t images, ImageShape shape);
  /// On `count` images from `first` on.
  Tensor part(std::size_t first, std::size_t count);

  /// Takes another shape; values are unspecified when the storage had to grow, else kept as they lie.
  void resize(std::size_t images, ImageShape shape);
  void fill(float value);

  std::size_t images() const { return images_; }
  const ImageShape& shape() const { return shape_; }
  std::size_t size() const { return images_ * shape_.size(); }
  bool empty() const { return size() == 0; }

  float* data() { return data_; }
  const float* data() const { return data_; }
  std::span<float> values() { return {data(), size()}; }
  std::span<const float> values() const { return {data(), size()}; }
  /// Values of one image, [height][width][channels].
  std::span<float> image(std::size_t index) { return values().subspan(index * shape_.size(), shape_.size()); }
  std::span<const float> image(std::size_t index) const {
    return values().subspan(index * shape_.size(), shape_.size());
  }

 private:
  struct Free {
    void operator()(float* pointer) const;
  };

  std::unique_ptr<float[], Free> storage_;
  float* data_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t images_ = 0;
  ImageShape shape_{0, 0, 0};
};

}  // namespace errata::training
