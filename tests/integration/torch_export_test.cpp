// Networks that PyTorch's own exporter writes give PyTorch's logits here. Needs python3-torch.
#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

#include "core/hdf5_file.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"
#include "training/onnx/onnx_import.h"

namespace errata::training::onnx {
namespace {

TEST(TorchExport, GivesTheSameLogitsHere) {
  const errata::testing::TemporaryFolder folder;
  const auto peer = errata::testing::run_shell("/usr/bin/python3 " ERRATA_SOURCE_DIR "/tests/python/torch_export.py " +
                                               folder.path().string());
  if (peer.status == 77) GTEST_SKIP() << "python3-torch is not installed: " << peer.output;
  ASSERT_EQ(peer.status, 0) << peer.output;
  std::istringstream names(peer.output);
  std::size_t seen = 0;
  for (std::string name; std::getline(names, name); ++seen) {
    SCOPED_TRACE(name);
    const Import import = import_graph(read_file(folder / (name + ".onnx")), {});
    auto network = network_of(import, {});
    const Hdf5Reader file(folder / (name + ".h5"));
    const auto pixels = file.floats("/images"), logits = file.floats("/logits");
    const std::size_t images = file.shape("/images")[0];
    ASSERT_EQ(pixels.size(), images * import.description.input.size());
    Tensor batch(images, import.description.input);
    std::copy(pixels.begin(), pixels.end(), batch.data());
    const Tensor& found = network->forward(batch, {});
    ASSERT_EQ(found.size(), logits.size());
    // Logits of size 1, sums of up to some hundred products in fp32 in another order.
    for (std::size_t i = 0; i < logits.size(); ++i) ASSERT_NEAR(found.values()[i], logits[i], 1e-5);
  }
  EXPECT_EQ(seen, 40u) << peer.output;
}

}  // namespace
}  // namespace errata::training::onnx
