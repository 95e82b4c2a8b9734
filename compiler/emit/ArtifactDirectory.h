// The directory an artifact is written to: a temporary sibling until it is complete, then in place at once.
// Thread rule: belongs to one thread.
#pragma once

#include "compiler/emit/WeightStore.h"

namespace kimi::emit {

/// An error where create() would refuse `target`, or its parent cannot be written to. Cheap: to be asked before hours
/// of work.
llvm::Error checkTarget(const std::string &target);

class ArtifactDirectory {
public:
  /// Refuses where something lies at `target` that is not an artifact.
  static llvm::Expected<ArtifactDirectory> create(const std::string &target);
  ArtifactDirectory(ArtifactDirectory &&other) noexcept;
  /// Removes what commit() did not put in place.
  ~ArtifactDirectory();

  /// Where to write.
  const std::string &path() const { return temporary; }
  /// What an earlier artifact at the same place offers.
  EarlierFiles earlierFiles() const;
  /// Puts the directory in place of what was there.
  llvm::Error commit();

private:
  ArtifactDirectory(std::string target, std::string temporary, bool replaces)
      : target(std::move(target)), temporary(std::move(temporary)), replaces(replaces) {}
  std::string target, temporary;
  bool replaces;
};

} // namespace kimi::emit
