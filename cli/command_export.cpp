#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "cli/command.h"
#include "core/dataset_export.h"
#include "errormodel/exchange/export.h"
#include "errormodel/table/operating_point.h"
#include "training/onnx/onnx_export.h"
#include "training/stage.h"

namespace errata::cli {

namespace {

constexpr std::array<std::string_view, 5> kFormats = {"csv", "json", "npz", "neurosim", "onnx"};

/// --format, or what the name of --out says.
std::string format_of(const Invocation& i) {
  std::string format = i.format;
  if (format.empty() && i.out.has_extension()) format = i.out.extension().string().substr(1);
  if (std::ranges::find(kFormats, format) != kFormats.end()) return format;
  const std::string near = nearest_name(format, std::vector<std::string>(kFormats.begin(), kFormats.end()));
  throw Error(
      ExitStatus::kUsage, "E106",
      format.empty() ? "neither --format nor --out says the format" : fmt::format("no format is called '{}'", format),
      near.empty() ? fmt::format("formats: {}", fmt::join(kFormats, ", ")) : fmt::format("did you mean '{}'?", near));
}

void export_network(Session& session, const std::string& file) {
  const auto& i = session.invocation;
  const auto networks = training::TrainedNetworks::load(file);
  const std::string arm = i.name.empty() ? "ideal" : i.name;
  const auto& network = *networks.arm(arm).network;
  training::onnx::write_file(i.out, training::onnx::export_graph(network));
  session.out.line(
      fmt::format("{}: network '{}' of {}, {} parameters", i.out.string(), arm, file, network.parameter_count()));
  const auto& normalization = network.options().normalization;
  if (!normalization.empty())
    session.out.line("its images are normalised, as the checkpoint's input_normalization says");
}

void export_neurosim(Session& session, const std::string& file) {
  const auto table = errormodel::ErrorTable::load(file);
  const auto exported = errormodel::neurosim_csv(table);
  write_whole_file(session.invocation.out, exported.csv);
  session.out.line(fmt::format("{}: for NeuroSim V1.5's --output_noise=-1 --output_noise_file FILE --adc_precision {}",
                               session.invocation.out.string(), exported.adc_precision));
  session.out.line(
      fmt::format("a marginal view: {:.0f} % of its variance is frozen on a chip, but NeuroSim draws all of it anew at "
                  "every conversion; it cannot speak of yield",
                  100 * exported.static_share));
  session.out.set("adc_precision", std::int64_t{exported.adc_precision});
  session.out.set("static_share", exported.static_share);
  session.out.set("marginal", true);
}

/// The terms of a table in long form; of any other artefact one dataset.
std::string csv_of(const Invocation& i, const std::string& path) {
  const Hdf5Reader file(path);
  if (i.dataset.empty() && file.has_attribute("/", "errata_format") &&
      file.text("/", "errata_format") == errormodel::ErrorTable::kFormat)
    return errormodel::table_csv(errormodel::load_tables(path));
  const auto names = dataset_names(file);
  if (i.dataset.empty())
    throw Error(ExitStatus::kUsage, "E106", "a CSV holds one dataset, and none is named",
                fmt::format("--dataset, one of: {}", fmt::join(names, ", ")));
  const std::string name = i.dataset.starts_with('/') ? i.dataset : "/" + i.dataset;
  if (std::ranges::find(names, name) == names.end()) {
    const std::string near = nearest_name(name, names);
    throw Error(
        ExitStatus::kUsage, "E102", fmt::format("{} has no dataset '{}'", path, name),
        near.empty() ? fmt::format("datasets: {}", fmt::join(names, ", ")) : fmt::format("did you mean '{}'?", near));
  }
  return dataset_csv(file, name);
}

void export_contents(Session& session, const std::string& path, const std::string& format) {
  const auto& i = session.invocation;
  if (!i.dataset.empty() && format != "csv")
    throw Error(ExitStatus::kUsage, "E107", "--dataset goes with --format csv", "json and npz hold the whole file");
  if (format == "csv")
    write_whole_file(i.out, csv_of(i, path));
  else if (format == "json")
    write_whole_file(i.out, file_json(Hdf5Reader(path)));
  else
    write_whole_file(i.out, file_npz(Hdf5Reader(path)));
  session.out.line(fmt::format("{}: {} bytes", i.out.string(), std::filesystem::file_size(i.out)));
}

}  // namespace

ExitStatus run_export(Session& session) {
  const auto& i = session.invocation;
  if (i.arguments.size() != 1 || i.out.empty())
    throw Error(ExitStatus::kUsage, "E106", "errata export takes a file and --out FILE",
                "errata export my-chip/artifacts/error_table.h5 --format csv --out table.csv");
  const std::string& file = i.arguments[0];
  if (!std::filesystem::exists(file))
    throw Error(ExitStatus::kArtifact, "E401", fmt::format("{} does not exist", file));
  const std::string format = format_of(i);
  if (format == "onnx")
    export_network(session, file);
  else if (format == "neurosim")
    export_neurosim(session, file);
  else
    export_contents(session, file, format);
  session.out.set("file", i.out.string());
  session.out.set("format", format);
  return ExitStatus::kOk;
}

}  // namespace errata::cli
