#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace errata::training {

/// How gradients pass the staircase of stored levels (methods.md §4.2).
enum class DeviceGradient : std::uint8_t {
  kStraightThrough,  ///< the hardware's staircase forward, slope 1 inside the range backward
  kSmooth,           ///< while training, the smooth staircase of temperature T and its own slope; T falls to 0
};

/// What holds a weight.
enum class DevicePair : std::uint8_t {
  kPair,       ///< two devices, for the positive and the negative part
  kReference,  ///< one device with an offset, minus a reference at the middle level
};

/// Devices that weights stand on (methods.md §4.2, after Obradovic et al. 2018):
///
///     G(k) = G_min + (G_max − G_min) · h(k/K),   h(t) = (1 − e^(−νt)) / (1 − e^(−ν)),   r = G_max / G_min
///     w(k) = [G(k⁺) − ρ · G(k⁻)] / (G_max − G_min)
struct DeviceOptions {
  double ratio = 0.0;            ///< r, above 1; 0: no device, levels are exact
  double nonlinearity = 0.0;     ///< ν; 0: linear
  double asymmetry = 1.0;        ///< ρ, gain of the branch that is subtracted
  std::vector<double> levels{};  ///< measured G of every level of one device, ascending, in place of r and ν
  DevicePair pair = DevicePair::kPair;
  DeviceGradient gradient = DeviceGradient::kStraightThrough;

  bool is_on() const { return ratio > 0.0 || !levels.empty(); }
  bool operator==(const DeviceOptions&) const = default;
};

/// The weights that signed codes −K … K really have, and staircases over u in [−1, 1]. Code k begins at
/// t_k = (k − ½)/K. Values are w(k); ideal ones are k/K, and 2 (h − ½) for a reference.
class DeviceStaircase {
 public:
  /// `largest` is K. Options out of their domain are an Error (project, E508).
  DeviceStaircase(const DeviceOptions& options, int largest);

  int largest() const { return largest_; }
  double value(int code) const { return values_[static_cast<std::size_t>(code + largest_)]; }
  /// Σ_k D_k · σ((u − t_k)/T) + w(−K), with its slope; T in level spacings, that is T/K in u.
  struct Point {
    double value = 0.0, slope = 0.0;
  };
  Point smooth(double u, double temperature) const;

  /// K · w of every code; `out` may be `codes`.
  void hard(std::span<const float> codes, std::span<float> out) const;
  /// The same of smooth(ratio / K) with d(K w)/d(ratio), for ratio = weight / step.
  void smooth(std::span<const float> weights, float step, double temperature, std::span<float> out,
              std::span<float> slopes) const;

 private:
  int largest_;
  std::vector<double> values_;  ///< by code, −K first
};

}  // namespace errata::training
