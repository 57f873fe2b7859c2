#include "training/data/batch_loader.h"

#include <algorithm>

namespace errata::training {

BatchLoader::BatchLoader(const ImageSet& set, ImageShape shape, BatchLoaderOptions options)
    : set_(set),
      shape_(shape),
      options_(std::move(options)),
      epoch_(options_.first_epoch),
      number_(options_.first_batch),
      slots_(options_.ahead + 1) {
  if (options_.ahead > 0) thread_ = std::thread([this] { work_ahead(); });
}

BatchLoader::~BatchLoader() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

const LoadedBatch* BatchLoader::next() {
  if (options_.ahead == 0) return prepare(slots_[0]) ? slots_.data() : nullptr;
  std::unique_lock lock(mutex_);
  ++taken_;  // gives the slot of the batch before back
  changed_.notify_all();
  changed_.wait(lock, [&] { return ready_ >= taken_ || ended_; });
  if (ready_ >= taken_) return &slots_[(taken_ - 1) % slots_.size()];
  --taken_;
  if (failure_) std::rethrow_exception(failure_);
  return nullptr;
}

void BatchLoader::work_ahead() {
  for (;;) {
    std::unique_lock lock(mutex_);
    // The caller may hold one slot; the others may be ready.
    changed_.wait(lock, [&] { return stop_ || ready_ < taken_ + options_.ahead; });
    if (stop_) return;
    LoadedBatch& slot = slots_[ready_ % slots_.size()];
    lock.unlock();
    bool more = false;
    std::exception_ptr failure;
    try {
      more = prepare(slot);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    if (more) {
      ++ready_;
    } else {
      ended_ = true;
      failure_ = failure;
    }
    lock.unlock();
    changed_.notify_all();
    if (!more) return;
  }
}

bool BatchLoader::prepare(LoadedBatch& batch) {
  const std::size_t count = options_.images.empty() ? set_.count() : options_.images.size();
  if (number_ * options_.batch_size >= count) {
    ++epoch_;
    number_ = 0;
    order_.clear();
  }
  if (count == 0 || epoch_ >= options_.epochs) return false;
  if (order_.empty()) {
    order_ = shuffled_order(count, options_.seed, epoch_);
    if (!options_.images.empty())
      for (std::uint32_t& number : order_) number = options_.images[number];
  }
  const std::size_t first = number_ * options_.batch_size;
  const auto images =
      std::span<const std::uint32_t>(order_).subspan(first, std::min(options_.batch_size, count - first));
  fill_batch(set_, shape_, {images, options_.seed, epoch_, options_.augmentation, options_.normalization}, batch.batch);
  batch.epoch = epoch_;
  batch.number = number_;
  batch.first_image = first;
  ++number_;
  return true;
}

}  // namespace errata::training
