// Speed of the parts that a verification spends its time in. Ratios within one run are what counts:
//   scripts/build bench && build/bench/tests/errata_bench
#include <benchmark/benchmark.h>

#include "core/random_stream.h"
#include "tests/support/small_macro.h"
#include "tests/support/synthetic_table.h"
#include "training/hardware/composed_hook.h"
#include "training/hardware/fast_normal.h"
#include "training/hardware/table_conversion.h"
#include "training/network/network.h"
#include "verification/behavioral_conversion.h"

namespace errata {
namespace {

/// One column of ngspice: operating points of the 32-row column through the worker pool, one worker.
void ngspice_column(benchmark::State& state) {
  const Settings s = testing::small_settings();
  const auto operands = make_operands({.rows = 32, .levels = 4, .operands = 64}, 1, 2, 3);
  std::vector<circuit::ColumnRequest> requests;
  for (std::size_t o = 0; o < operands.count(); ++o)
    requests.push_back({{0, 0}, operands.plus, {operands.input(o), operands.input(o) + operands.rows}});
  for (auto _ : state) benchmark::DoNotOptimize(circuit::simulate_columns(s, 1, requests, RunContext{}));
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(requests.size()));
}
BENCHMARK(ngspice_column)->Unit(benchmark::kMillisecond);

/// The same by the behavioural model: a line prepared once, many operands.
void model_line(benchmark::State& state) {
  const auto operands = make_operands({.rows = 32, .levels = 4, .operands = 4096}, 1, 2, 3);
  const auto line = testing::small_model().prepare(1, {0, 0}, operands.plus);
  std::vector<double> output(operands.count());
  for (auto _ : state) line->read(operands.inputs, operands.rows, output);
  state.SetItemsProcessed(state.iterations() * 4096);
}
BENCHMARK(model_line);

void model_prepare(benchmark::State& state) {
  const auto operands = make_operands({.rows = 32, .levels = 4, .operands = 1}, 1, 2, 3);
  for (auto _ : state) benchmark::DoNotOptimize(testing::small_model().prepare(1, {0, 0}, operands.plus));
}
BENCHMARK(model_prepare);

void normals(benchmark::State& state) {
  std::vector<float> v(1 << 16);
  for (auto _ : state) training::fill_normals({1, 2, 3, 4, 5}, v);
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(v.size()));
}
BENCHMARK(normals);

/// LeNet-5 forward and backward, batch 64, one thread: plain quantised (0) against composed injection (1).
void lenet_step(benchmark::State& state) {
  training::NetworkOptions options;
  options.quantization = {3, 4};
  const auto network = training::make_network(options, 1);
  training::Tensor images(64, options.input);
  RandomStream stream(1, StreamPurpose::kTest);
  for (float& x : images.values()) x = stream.uniform() < 0.2 ? static_cast<float>(stream.uniform()) : 0.0f;
  const std::vector<std::uint8_t> labels(64, 3);
  const auto table = testing::synthetic_table();
  training::ComposedHook hook(table, {.hardware = {64, 4, 3, 4, table.adc}});
  network->forward(images, {});
  hook.calibrate(*network, images);
  std::uint64_t step = 0;
  for (auto _ : state) {
    network->forward(images,
                     {.context = {.training = true, .step = ++step}, .hook = state.range(0) == 0 ? nullptr : &hook});
    network->backward(labels);
  }
  state.SetItemsProcessed(state.iterations() * 64);
}
BENCHMARK(lenet_step)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace errata

BENCHMARK_MAIN();
