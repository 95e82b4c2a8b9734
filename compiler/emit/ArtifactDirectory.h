// The directory an artifact is written to: a sibling, NAME.kimi.partial, until it is complete; then in place at once.
// Thread rule: belongs to one thread.
#pragma once

#include "compiler/emit/PackLog.h"

namespace kimi::emit {

/// An error where create() would refuse `target`, or its parent cannot be written to. Cheap: to be asked before hours
/// of work.
llvm::Error checkTarget(const std::string &target);

class ArtifactDirectory {
public:
  /// Goes on with what an interrupted run left. Refuses where something lies at `target` that is not an artifact, and
  /// while another process writes to the same target.
  static llvm::Expected<ArtifactDirectory> create(const std::string &target);
  ArtifactDirectory(ArtifactDirectory &&other) noexcept;
  /// Without commit(): keeps finished weights for the next run, and removes the directory where there are none.
  ~ArtifactDirectory();

  /// Where to write.
  const std::string &path() const { return partial; }
  /// What was finished: by an interrupted run here, and in the artifact that is to be replaced.
  std::vector<PackLog> logs() const;
  /// Whether the next run could go on from here.
  bool hasWeights() const;
  /// What was written reaches the disk.
  llvm::Error sync() const;
  /// Puts the directory in place of what was there. To be called after sync().
  llvm::Error commit();

private:
  ArtifactDirectory(std::string target, bool replaces)
      : target(std::move(target)), partial(this->target + ".partial"), replaces(replaces) {}
  llvm::Error lock();
  llvm::Error clean();
  std::string target, partial;
  bool replaces;
  bool isOurs = false; // locked by us
  int lockDescriptor = -1;
};

} // namespace kimi::emit
