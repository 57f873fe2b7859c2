#include "core/project_keys/project_keys.h"

namespace errata::project_keys {

std::vector<KeySpec> training_keys() {
  using namespace dimension;
  constexpr double kBig = 1e30;
  return {
      choice("training.network", "lenet5", {"mlp", "lenet5", "vgg_small", "vgg8", "vgg16", "resnet20"}, "Network."),
      text("training.network_file", "",
           "Network of your own in place of training.network, relative to the project's folder: a list of layers in "
           "TOML "
           "(docs/formats/network.md), or a trained network in ONNX (docs/formats/onnx.md)."),
      choice("training.data_set", "glyphs", {"glyphs", "mnist", "fashion-mnist", "emnist", "cifar-10"}, "Data set."),
      integer("training.train_images", "0", 0, 1e9, "Use only the first N training images; 0 means all."),
      integer("training.test_images", "0", 0, 1e9, "Use only the first N test images; 0 means all."),
      integer("training.epochs", "8", 1, 100000, "Epochs of the first phase, on ideal quantised hardware."),
      integer("training.adaptation_epochs", "4", 0, 100000, "Epochs of the second phase, with the errors in the loop."),
      integer("training.batch_size", "64", 1, 65536, "Images in a mini-batch."),
      choice("training.optimizer", "adam", {"sgd", "adam", "adamw"}, "Optimiser."),
      real("training.momentum", "0.9", 0, 0.9999, "Momentum of sgd."),
      flag("training.nesterov", "false", "Nesterov's form of sgd's momentum."),
      real("training.learning_rate", "0.002", 0, 100,
           "Learning rate of the first phase; 0: chosen by a range test on a copy of the network."),
      real("training.adaptation_learning_rate", "0.001", 0, 100, "Learning rate of the second phase."),
      real("training.weight_decay", "0.0", 0, 10, "Weight decay."),
      choice("training.schedule", "cosine", {"constant", "cosine", "step"}, "Learning-rate schedule of each phase."),
      integer("training.warmup_steps", "0", 0, 1e9,
              "The rate rises linearly over so many steps at the start of a phase."),
      real("training.gradient_limit", "0.0", 0, 1e9, "Gradients are scaled down to this norm; 0: never."),
      real("training.label_smoothing", "0.0", 0, 0.99, "Share of the target that is spread over all classes."),
      real("training.average_decay", "0.0", 0, 0.999999,
           "Moving average of the weights, decay for each step: it is what is tested and kept. 0: off."),
      integer("training.validation_images", "0", 0, 1e9,
              "Training images held out, by which training.keep and training.patience judge an epoch."),
      choice("training.keep", "last", {"last", "best"},
             "Weights that a phase ends with: of its last or its best epoch."),
      integer("training.patience", "0", 0, 100000, "A phase ends after so many epochs without a better one; 0: never."),
      choice("training.precision", "fp32", {"fp32", "bf16"},
             "Operands of convolutions. `bf16` needs a processor with avx512_bf16 or amx_bf16; sums are fp32."),
      integer("training.shift", "1", 0, 8,
              "Augmentation: random crop of the image padded by this many black pixels on each side, that is, a random "
              "shift of up to as many."),
      flag("training.augmentation.flip", "false",
           "Augmentation: mirror left and right, one time in two. For pictures; digits and letters change their "
           "meaning."),
      choice(
          "training.normalization", "none", {"none", "scale"},
          "What is done to the images: nothing, their values lie between 0 and 1; or `scale`, each channel divided by "
          "its standard deviation over the training images, which is stored with the network. The mean stays, for "
          "inputs must not be negative; the bias takes it up."),
      flag("training.batch_norm", "false", "Batch normalisation after hidden layers (digital)."),
      choice("training.gradient", "table", {"table", "straight_through"},
             "Backward pass: with the table's slope 1 + ∂μ/∂y, or plain straight-through."),
      integer("training.chips_per_batch", "1", 1, 64,
              "Chips under each mini-batch in error-aware training; shards of 16 images take them in turn."),
      integer("training.fixed_chip", "-1", -1, 1e15,
              "Error-aware training for this one chip (with training.chips_per_batch, for it and those after it): the "
              "static errors that evaluation on that chip has. -1: new chips for each mini-batch."),
      flag("training.error_aware", "true",
           "Train a network with the error table in the loop; off, training needs no table."),
      choice("training.first_layer", "array", {"array", "digital"},
             "Where the first convolution or linear layer is worked out: on the array, or in floating point."),
      choice("training.last_layer", "array", {"array", "digital"}, "The same for the last one."),
      need(text("training.layer[].name", "", "A convolution or linear layer that differs from the others."), "conv1"),
      flag("training.layer[].digital", "false", "It stays in floating point, off the array."),
      integer("training.layer[].weight_bits", "0", 0, 8, "Bits of its weights; 0: hardware.weight_bits."),
      integer("training.layer[].input_bits", "0", 0, 8, "Bits of its inputs; 0: hardware.input_bits."),
      integer("training.layer[].adc_bits", "0", 0, 16, "Bits of its ADCs; 0: hardware.adc_bits."),
      real("training.layer[].adc_range", "0", 0, 1e9,
           "Range of its ADCs in MAC units; 0: hardware.adc_range, or as calibrated."),
      integer("training.layer[].rows_per_tile", "0", 0, 4096, "Rows of its tiles; 0: hardware.rows_per_tile."),
      choice("training.adc_calibration", "none", {"none", "layer"},
             "Ranges of the ADCs: hardware.adc_range for all, or for each layer the range that clips "
             "training.adc_clipped of its conversions in the ideal network."),
      real("training.adc_clipped", "0.001", 0, 0.5, "Share of conversions that a calibrated range clips."),
      choice("training.nonlinearity.form", "none", {"none", "polynomial", "rational", "tanh"},
             "Curve f(s) of every conversion before its ADC, s relative to the range; an arm `nonlinear` is trained "
             "through it: a0 + (1 + a1) s + a2 s² + a3 s³ + a5 s⁵, s/(1 + n|s|), or c·tanh(s/c)."),
      choice("training.nonlinearity.input", "conversion", {"conversion", "partial_sum"},
             "What goes through the curve: each conversion of the array (an input digit on a weight slice), or the "
             "whole sum of a tile, as where inputs and weights are analog."),
      real("training.nonlinearity.a0", "0", -10, 10, "Parameter of the polynomial."),
      real("training.nonlinearity.a1", "0", -10, 10, "Parameter of the polynomial."),
      real("training.nonlinearity.a2", "0", -10, 10, "Parameter of the polynomial."),
      real("training.nonlinearity.a3", "0", -10, 10, "Parameter of the polynomial."),
      real("training.nonlinearity.a5", "0", -10, 10, "Parameter of the polynomial."),
      real("training.nonlinearity.n", "0", 0, 1000, "Parameter of the rational curve."),
      real("training.nonlinearity.c", "1", 0.05, 1000, "Parameter of the tanh."),
      real("training.device.ratio", "0", 0, 1e12,
           "Devices as weights: G_max / G_min, above 1. An arm `device` is trained on them; 0: none."),
      real("training.device.nonlinearity", "0", -100, 100,
           "ν of the level map (1 − e^(−νt)) / (1 − e^(−ν)); 0 is linear."),
      real("training.device.asymmetry", "1", 1e-3, 1e3, "Gain of the branch that is subtracted, over the other's."),
      any(list(quantity("training.device.levels", kNone, "", 0, kBig,
                        "Measured conductance of every level of one device, ascending, instead of ratio and "
                        "nonlinearity."))),
      choice("training.device.pair", "pair", {"pair", "reference"},
             "Two devices for each weight, or one minus a reference at its middle level."),
      choice("training.device.gradient", "smooth", {"smooth", "straight_through"},
             "Training on a smooth staircase whose temperature falls, or on the hard one with slope 1."),
      real("training.device.temperature_start", "0.5", 1e-3, 100, "Temperature at the start, in level spacings."),
      real("training.device.temperature_end", "0.05", 1e-3, 100, "Temperature at the end of training."),
      flag("training.baselines", "true",
           "Also train, for the same number of epochs, without noise and with matched Gaussian noise."),
  };
}

}  // namespace errata::project_keys
