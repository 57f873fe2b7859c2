#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "core/hdf5_file.h"
#include "training/network/network.h"
#include "training/trainer.h"

namespace errata::training {

/// Checkpoint files (docs/formats/checkpoint.md): everything that a training needs to go on bit by bit.
///
///   /network    options as attributes; parameters/NAME, buffers/NAME
///   /optimizer  options and steps as attributes; moment0/NAME, moment1/NAME
///   /progress   training options and position as attributes
///
/// Readers throw Error (artefact, E403) for whatever is missing, of another shape, not finite or out of its
/// domain, and E405 for another format or major version.

/// Attributes errata_format and format_version of the root.
void write_checkpoint_header(Hdf5Writer& file);
void check_checkpoint_header(const Hdf5Reader& file);

/// A network in a group: "/network", or "/arms/NAME" in checkpoint.h5 of the train stage.
void write_network(Hdf5Writer& file, const Network& network, const std::string& group = "/network");
/// Builds the network that the file describes, with its values.
std::unique_ptr<Network> read_network(const Hdf5Reader& file, const std::string& group = "/network");

/// Groups "/optimizer" and "/progress".
void write_training_state(Hdf5Writer& file, const Trainer& trainer);
/// Puts optimiser and position back into a trainer that was made with read_network()'s network. When the file
/// was made with options that lead elsewhere than the trainer's, that is an Error (artefact, E405) naming
/// them.
void read_training_state(const Hdf5Reader& file, Trainer& trainer);

/// A whole checkpoint file without provenance, written atomically.
void save_checkpoint(const std::filesystem::path& path, const Trainer& trainer);

}  // namespace errata::training
