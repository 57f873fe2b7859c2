#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "training/data/batches.h"

namespace errata::training {

/// Which batches a loader gives, and how far it works ahead.
struct BatchLoaderOptions {
  std::uint64_t seed = 1;
  std::size_t batch_size = 64;  ///< at least 1; the last batch of an epoch may be smaller
  std::uint64_t epochs = 1;     ///< it ends before this epoch
  std::uint64_t first_epoch = 0;
  std::uint64_t first_batch = 0;  ///< within first_epoch; where a resumed training goes on
  Augmentation augmentation = {};
  InputNormalization normalization = {};
  std::vector<std::uint32_t> images = {};  ///< numbers of those to draw from; empty: the whole set
  /// Batches that a thread of its own prepares while the caller works on one; 0: no thread, next() does the work.
  std::size_t ahead = 2;
};

/// One batch of a training and its place.
struct LoadedBatch {
  Batch batch;
  std::uint64_t epoch = 0;
  std::uint64_t number = 0;     ///< within the epoch
  std::size_t first_image = 0;  ///< place of its first image within the epoch's order
};

/// The batches of a training, in order, prepared ahead in the background: shuffled anew for each epoch, varied and
/// normalised by fill_batch. The same options give the same bytes, whatever `ahead` is. For one caller thread.
class BatchLoader {
 public:
  /// `set` must outlive the loader.
  BatchLoader(const ImageSet& set, ImageShape shape, BatchLoaderOptions options);
  /// Waits for the batch in preparation, at most.
  ~BatchLoader();
  BatchLoader(const BatchLoader&) = delete;
  BatchLoader& operator=(const BatchLoader&) = delete;

  /// The next batch, valid until the following call; null after the last one. What goes wrong in preparing a batch is
  /// thrown here, in its turn.
  const LoadedBatch* next();

 private:
  /// Fills `batch` with the next one of the plan; false at the end.
  bool prepare(LoadedBatch& batch);
  void work_ahead();

  const ImageSet& set_;
  ImageShape shape_;
  BatchLoaderOptions options_;

  // The plan; touched by the preparing thread only.
  std::uint64_t epoch_, number_;
  std::vector<std::uint32_t> order_;

  // A ring: batch i lies in slot i mod size. The caller holds the slot before taken_.
  std::vector<LoadedBatch> slots_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t ready_ = 0;  ///< batches prepared
  std::uint64_t taken_ = 0;  ///< batches given out
  bool ended_ = false;       ///< nothing comes after the ready ones
  bool stop_ = false;
  std::exception_ptr failure_;
  std::thread thread_;
};

}  // namespace errata::training
