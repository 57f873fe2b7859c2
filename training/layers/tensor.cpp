#include "training/layers/tensor.h"

#include <algorithm>
#include <new>

namespace errata::training {

namespace {
constexpr std::align_val_t kAlignment{64};
}

void Tensor::Free::operator()(float* pointer) const { ::operator delete[](pointer, kAlignment); }

Tensor::Tensor(const Tensor& other) { *this = other; }

Tensor& Tensor::operator=(const Tensor& other) {
  if (this == &other) return *this;
  resize(other.images_, other.shape_);
  std::copy_n(other.data(), other.size(), data());
  return *this;
}

void Tensor::resize(std::size_t images, ImageShape shape) {
  const std::size_t count = images * shape.size();
  if (count > capacity_) {
    storage_.reset(static_cast<float*>(::operator new[](count * sizeof(float), kAlignment)));
    data_ = storage_.get();
    capacity_ = count;
  }
  images_ = images;
  shape_ = shape;
}

Tensor Tensor::on(float* values, std::size_t images, ImageShape shape) {
  Tensor tensor;
  tensor.data_ = values;
  tensor.capacity_ = images * shape.size();
  tensor.images_ = images;
  tensor.shape_ = shape;
  return tensor;
}

Tensor Tensor::part(std::size_t first, std::size_t count) { return on(data_ + first * shape_.size(), count, shape_); }

void Tensor::fill(float value) { std::ranges::fill(values(), value); }

}  // namespace errata::training
