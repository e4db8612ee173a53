// io: the secondary data mover at work: the link on one side, journal, checkpoint and images on the other, SecondaryCore between
// them, the failure monitor, and the operator's commands. Threads: everything on the thread of the host's event loop; the journal and the
// images each have a worker, so that an acknowledgement never waits for an image.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "automation/failure_monitor.h"
#include "datamover/applier.h"
#include "datamover/checkpoint_file.h"
#include "datamover/journal.h"
#include "datamover/secondary_core.h"
#include "service/answer.h"
#include "service/applied_mark.h"
#include "service/node_host.h"

namespace afterimage {

struct SecondaryNodeSettings {
  std::string directory;  // the site's: journal, checkpoints, reports
  TlsFiles tls;
  LuAddress local;
  std::string peer_lu;
  SecondarySettings mover;          // its volumes carry the configured geometry
  std::vector<std::string> images;  // index = VolumeId
  JournalSettings journal;
  MonitorSettings failure;
};

struct SecondaryFacts {
  SecondaryState state = SecondaryState::kEmpty;
  Sequence applied = 0, complete = 0, known = 0;
  std::size_t queue_entries = 0;
  std::uint64_t queue_bytes = 0, journal_bytes = 0, journal_free = 0, epoch = 0, last_message = 0, differences = 0;
  Tod consistency_time = 0, primary_time = 0, last_heard = 0, now = 0;
  bool link_up = false;
  std::string link_reason;
};

class SecondaryNode {
 public:
  using Say = std::function<void(const std::string& line)>;
  // Called after a recovery, with its report, when the images may be used.
  using Recovered = std::function<void(const LossReport& report)>;
  SecondaryNode(NodeHost& host, SecondaryNodeSettings settings, Say say, Recovered recovered);
  ~SecondaryNode();
  // Opens journal, checkpoint and images, replays, listens. One sentence on failure; nothing is changed then.
  Status start();
  void stop();

  Answer freeze();
  void recover(Respond respond);
  // XEND IMMEDIATE: forgets the session, journal and queue included; the images stay as they are (fenced unless recovered).
  void give_up(Respond respond);
  SecondaryFacts facts();
  const SecondaryCore& core() const { return *core_; }
  const SecondaryNodeSettings& settings() const { return settings_; }
  std::uint16_t port() const;

 private:
  void feed(SecondaryInput input);
  void carry_out(SecondaryOutput output);
  void append(std::vector<std::uint8_t> message);
  void flush_appends();
  void apply(PendingWrite write);
  void flush_applies();
  void write_checkpoint(const Checkpoint& checkpoint);
  void recovery_complete(const LossReport& report);
  void disk_error(const std::string& text, bool journal_full);
  void drop_when_told(const std::string& reason);
  void drop_if_told();
  Result<bool> look_at_recovered() const;
  void tick();
  void look_at_failures();
  Status replay();
  Status listen();
  Status open_images();
  Status raise_mark(const AppliedThrough& through);
  void tell_recovered(const LossReport& report);
  void answer_recovery(const Answer& answer);
  std::function<void()> while_it_lasts(std::function<void()> then) const;

  NodeHost& host_;
  SecondaryNodeSettings settings_;
  Say say_;
  Recovered recovered_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Applier> applier_;
  std::unique_ptr<CheckpointFile> checkpoints_;
  std::unique_ptr<AppliedMark> applied_mark_;
  // The images' worker alone, once it runs.
  AppliedThrough marked_;
  Status images_status_;  // the first failure since they were opened
  std::unique_ptr<SecondaryCore> core_;
  std::unique_ptr<NodeLink> listener_;
  std::unique_ptr<FailureMonitor> monitor_;
  std::vector<std::vector<std::uint8_t>> appends_;  // waiting for the journal's worker
  std::vector<PendingWrite> applies_;               // waiting for the images' worker
  bool append_posted_ = false, apply_posted_ = false, stopped_ = false;
  std::optional<BindResponse> bind_answer_;
  std::string link_reason_ = "no session yet";
  std::uint64_t differences_ = 0, journal_free_ = 0, appends_synced_ = 0;
  std::string drop_reason_;  // the link is to be dropped when what is queued has gone out
  std::uint64_t drop_deadline_us_ = 0;
  // Held weakly by whatever comes back later (workers, posts): after give_up() or stop() that comes to nothing.
  std::shared_ptr<const bool> core_lasts_ = std::make_shared<const bool>(true);
  std::vector<Respond> recovery_waiters_;
  std::unique_ptr<NodeWorker> journal_worker_, image_worker_;  // destroyed first: their jobs use what is above
};

}  // namespace afterimage
