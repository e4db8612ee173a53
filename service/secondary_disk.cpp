// io: the secondary node's disk work (see secondary_node.h): journal, images and checkpoints, each on its worker.
#include "service/secondary_node.h"

#include <utility>

#include "jcl/message_catalogue.h"
#include "serializer/canary.h"

namespace afterimage {

Status SecondaryNode::open_images() {
  std::vector<ApplierVolume> volumes;
  for (std::size_t i = 0; i < settings_.images.size(); ++i) volumes.push_back({settings_.mover.volumes[i], settings_.images[i]});
  auto applier = Applier::open(std::move(volumes));
  if (!applier.good()) return applier.status;
  applier_ = std::move(applier.value);
  images_status_ = Status::ok();
  return Status::ok();
}

// Before the images are written. While the journal is applied again after a restart they are ahead, and the mark stays.
Status SecondaryNode::raise_mark(const AppliedThrough& through) {
  if (marked_.epoch == through.epoch && marked_.sequence >= through.sequence) return Status::ok();
  marked_ = through;
  return applied_mark_->write(through);
}

// Messages that arrive while the disk is busy share the next sync.
void SecondaryNode::append(std::vector<std::uint8_t> message_bytes) {
  appends_.push_back(std::move(message_bytes));
  if (append_posted_) return;
  append_posted_ = true;
  host_.post(while_it_lasts([this] { flush_appends(); }));
}

void SecondaryNode::flush_appends() {
  if (journal_worker_->backlog() > 0) return journal_worker_->submit([] {}, while_it_lasts([this] { flush_appends(); }));
  append_posted_ = false;
  struct Batch {
    std::vector<std::vector<std::uint8_t>> messages;
    Status status;
    std::uint64_t end = 0, free = 0;
    bool full = false;
  };
  auto batch = std::make_shared<Batch>();
  batch->messages.swap(appends_);
  journal_worker_->submit(
      [this, batch] {
        for (const auto& bytes : batch->messages) {
          auto appended = journal_->append(bytes);
          if (!appended.good()) {
            batch->status = appended.status;
            batch->full = journal_->is_full();
            return;
          }
        }
        batch->status = journal_->sync();
        batch->end = journal_->end();
        batch->free = journal_->free_bytes();
      },
      while_it_lasts([this, batch] {
        if (!batch->status) return disk_error(batch->status.text(), batch->full);
        journal_free_ = batch->free;
        appends_synced_ += batch->messages.size();
        feed(secondary::JournalSynced{batch->end, appends_synced_});
      }));
}

void SecondaryNode::apply(PendingWrite write) {
  applies_.push_back(std::move(write));
  if (apply_posted_) return;
  apply_posted_ = true;
  host_.post(while_it_lasts([this] { flush_applies(); }));
}

void SecondaryNode::flush_applies() {
  apply_posted_ = false;
  if (!applier_) applies_.clear();  // the images could not be opened, and the core was told: it has stopped
  if (applies_.empty()) return;
  struct Batch {
    std::vector<PendingWrite> writes;
    std::vector<secondary::VerifyResult> verified;
    Status status;
    Sequence through = 0;
    AppliedThrough mark;
  };
  auto batch = std::make_shared<Batch>();
  batch->writes.swap(applies_);
  batch->mark = {core_->epoch(), batch->writes.back().token.sequence};
  image_worker_->submit(
      [this, batch] {
        // What failed before leaves a gap that nothing may be applied behind, until it is replayed.
        if (images_status_) images_status_ = raise_mark(batch->mark);
        batch->status = images_status_;
        if (!batch->status) return;
        for (const auto& write : batch->writes) {
          auto applied = applier_->apply(write);
          if (!applied.good()) {
            batch->status = images_status_ = applied.status;
            return;
          }
          if (applied.value.compared) batch->verified.push_back({write.token.sequence, applied.value.equal, applied.value.detail});
          batch->through = write.token.sequence;
        }
      },
      while_it_lasts([this, batch] {
        for (auto& result : batch->verified) {
          if (!result.equal) {
            ++differences_;
            say_(message("DSMM135E", {settings_.mover.session, result.detail}));
          }
          feed(std::move(result));
        }
        if (batch->through != 0) feed(secondary::Applied{batch->through});
        if (!batch->status) disk_error(batch->status.text(), false);
      }));
}

void SecondaryNode::write_checkpoint(const Checkpoint& checkpoint) {
  flush_applies();  // whatever the checkpoint covers is in front of it
  auto written = std::make_shared<Result<std::uint64_t>>();
  image_worker_->submit(
      [this, written, checkpoint] {
        if (applier_ && !planted(Canary::kImagesNotSynced)) written->status = applier_->sync();
        if (written->good()) *written = checkpoints_->write(checkpoint);
      },
      while_it_lasts([this, written, checkpoint] {
        if (!written->good()) return disk_error(written->status.text(), false);
        auto released = std::make_shared<Status>();
        journal_worker_->submit([this, released, position = written->value] { *released = journal_->release_before(position); },
                                while_it_lasts([this, released, checkpoint] {
                                  if (!*released) return disk_error(released->text(), false);
                                  feed(secondary::CheckpointDone{checkpoint});
                                }));
      }));
}

void SecondaryNode::disk_error(const std::string& text, bool journal_full) {
  say_(message("DSMM134E", {settings_.mover.session, text}));
  feed(secondary::DiskError{text, journal_full});
}

}  // namespace afterimage
