#include <fmt/format.h>

#include "cli/command.h"
#include "training/onnx/onnx_export.h"
#include "training/stage.h"

namespace errata::cli {

/// A trained network for other programs.
ExitStatus run_export(Session& session) {
  const auto& i = session.invocation;
  if (i.arguments.size() != 1 || i.out.empty())
    throw Error(ExitStatus::kUsage, "E106", "errata export takes a checkpoint and --out FILE",
                "errata export my-chip/artifacts/checkpoint.h5 --arm error_aware --out network.onnx");
  if (i.out.extension() != ".onnx")
    throw Error(ExitStatus::kUsage, "E106", fmt::format("{}: the name says no format", i.out.string()),
                "end it in .onnx");
  const auto networks = training::TrainedNetworks::load(i.arguments[0]);
  const std::string arm = i.name.empty() ? "ideal" : i.name;
  const auto& network = *networks.arm(arm).network;
  training::onnx::write_file(i.out, training::onnx::export_graph(network));
  session.out.line(fmt::format("{}: network '{}' of {}, {} parameters", i.out.string(), arm, i.arguments[0],
                               network.parameter_count()));
  const auto& normalization = network.options().normalization;
  if (!normalization.empty())
    session.out.line("its images are normalised, as the checkpoint's input_normalization says");
  return ExitStatus::kOk;
}

}  // namespace errata::cli
