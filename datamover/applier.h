// io: applies pending writes to the secondary's images, in the order given; fences them at establishment, compares verification digests,
// lifts the fence at recovery. Source: document 002 (A17, A19); DESIGN.md "Fence". Threads: one at a time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "channel/dasd_image.h"
#include "datamover/pending_write_queue.h"
#include "vtam_link/message.h"

namespace afterimage {

struct ApplierVolume {
  VolumeDescriptor volume;
  std::string path;  // of the image's first file
};

struct ApplyOutcome {
  bool compared = false;  // it was a kVerify token: answer secondary::VerifyResult with the next two
  bool equal = false;
  std::string detail;  // a sentence when not equal
};

class Applier {
 public:
  // Opens every image for writing and checks it against its descriptor. The order is that of the session's volume table: VolumeId is the
  // index. Any failure names volume and path, and nothing stays open.
  static Result<std::unique_ptr<Applier>> open(std::vector<ApplierVolume> volumes);

  const std::vector<ApplierVolume>& volumes() const { return volumes_; }
  // Fences every image; idempotent. Before the first apply() of a session.
  Status establish();
  // Writes (or, for kVerify, compares) one complete entry; a void one changes nothing. Everything is checked before a byte is written:
  // volume, ranges against the geometry, lengths. Refused on an image that is not fenced: it was recovered or never established, and may be
  // in use.
  Result<ApplyOutcome> apply(const PendingWrite& write);
  // Everything applied is durable.
  Status sync();
  // Recovery: syncs, then restores the headers so that Hercules opens the images again; idempotent.
  Status lift_fences();

 private:
  Applier() = default;
  Result<ApplyOutcome> compare(const PendingWrite& write);

  std::vector<ApplierVolume> volumes_;
  std::vector<VolumeDescriptor> table_;
  std::vector<std::unique_ptr<DasdImage>> images_;
  std::vector<std::uint8_t> track_;
};

}  // namespace afterimage
