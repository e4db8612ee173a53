// io: see secondary_node.h. Its beginning and end, its link, and carrying out what the core says.
#include "service/secondary_node.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "jcl/message_catalogue.h"

namespace afterimage {

namespace {
constexpr std::uint64_t kTick_us = 50000;
}  // namespace

SecondaryNode::SecondaryNode(NodeHost& host, SecondaryNodeSettings settings, Say say, Recovered recovered)
    : host_(host), settings_(std::move(settings)), say_(std::move(say)), recovered_(std::move(recovered)) {}

SecondaryNode::~SecondaryNode() { stop(); }

std::uint16_t SecondaryNode::port() const { return listener_ ? listener_->port() : 0; }

Status SecondaryNode::start() {
  auto journal = Journal::open(settings_.journal);
  if (!journal.good()) return journal.status;
  journal_ = std::move(journal.value);
  auto checkpoints = CheckpointFile::open(settings_.directory, settings_.mover.session);
  if (!checkpoints.good()) return checkpoints.status;
  checkpoints_ = std::move(checkpoints.value);
  auto mark = AppliedMark::open(settings_.directory + "/applied.mark");
  if (!mark.good()) return mark.status;
  applied_mark_ = std::move(mark.value);
  marked_ = applied_mark_->found();
  const std::optional<Checkpoint>& latest = checkpoints_->latest();
  // Recovered images belong to the guest that runs on them: they are opened only if a recovery was cut off before their fence was lifted.
  bool open_them = !latest || latest->state != SecondaryState::kRecovered;
  if (!open_them) {
    const auto fenced = look_at_recovered();
    if (!fenced.good()) return fenced.status;
    open_them = fenced.value;
  }
  if (open_them)
    if (Status opened = open_images(); !opened) return opened;
  if (latest) {
    const auto release = checkpoints_->write(*latest);
    if (!release.good()) return release.status;
    if (Status released = journal_->release_before(release.value); !released) return released;
  }
  core_ = std::make_unique<SecondaryCore>(settings_.mover);
  monitor_ = std::make_unique<FailureMonitor>(settings_.failure);
  journal_worker_ = host_.make_worker();
  image_worker_ = host_.make_worker();

  if (!checkpoints_->warning().empty()) say_(message("DSMM137W", {settings_.mover.session, checkpoints_->warning()}));
  if (Status replayed = replay(); !replayed) return replayed;
  journal_free_ = journal_->free_bytes();

  if (Status listening = listen(); !listening) return listening;
  tick();
  return Status::ok();
}

// Whether any image of a recovered session is still fenced. The process that lifted the fences may have been killed before that was on the
// disk: it is made durable here. An image that is not there any more was moved by its new owner; one that is and cannot be read is damaged.
Result<bool> SecondaryNode::look_at_recovered() const {
  bool fenced = false;
  for (const std::string& path : settings_.images) {
    if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT) continue;
    const auto image = DasdImage::open(path, OpenFor::kRead);
    if (!image.good()) return failed<bool>(image.status);
    if (Status durable = image.value->sync(); !durable) return failed<bool>(durable);
    fenced = fenced || image.value->fenced();
  }
  return result_of(fenced);
}

// The images may be ahead of the checkpoint; applying again in order gives the same bytes.
Status SecondaryNode::replay() {
  const std::optional<Checkpoint>& checkpoint = checkpoints_->latest();
  std::uint64_t messages = 0;
  if (checkpoint) feed(secondary::Restart{*checkpoint});
  const Status replayed =
      journal_->replay(checkpoint ? checkpoint->journal_position : 0, [&](std::uint64_t position, std::span<const std::uint8_t> record) {
        feed(secondary::Replayed{{record.begin(), record.end()}, position});
        ++messages;
        return Status::ok();
      });
  if (!replayed) return replayed;
  feed(secondary::ReplayDone{journal_->end()});
  const Sequence held = core_->queue().complete_through();
  if (marked_.epoch != 0 && marked_.epoch == core_->epoch() && held < marked_.sequence)
    return Status::error("The journal in " + settings_.journal.directory + " ends at write " + std::to_string(held) +
                         " and the images hold writes up to " + std::to_string(marked_.sequence) +
                         ": its last records are damaged. Restore the journal, or copy the volumes and start with an empty directory.");
  if (checkpoint || messages != 0)
    say_(message("DSMM131I", {settings_.mover.session, std::to_string(core_->queue().applied_through()), std::to_string(messages)}));
  return Status::ok();
}

Status SecondaryNode::listen() {
  LuSessionHandler handler;
  handler.on_bind = [this](const BindRequest& bind) {
    bind_answer_.reset();
    feed(secondary::BindArrived{bind});
    BindResponse response = bind_answer_.value_or(BindResponse{});
    if (response.accepted) {
      say_(message("DSML101I", {settings_.local.lu, settings_.peer_lu, bind.product_version}));
      link_reason_.clear();
    } else if (response.reason != link_reason_) {
      say_(message("DSML106W", {settings_.peer_lu, response.reason}));
      link_reason_ = response.reason;
    }
    return response;
  };
  handler.on_message = [this](std::vector<std::uint8_t>&& bytes) { feed(secondary::MessageArrived{std::move(bytes)}); };
  handler.on_drained = [this] { drop_if_told(); };
  handler.on_refused = [this](const std::string& reason) {
    // A primary that is refused tries again without end: DSML106W has said it.
    if (!link_reason_.empty() && reason.find(link_reason_) != std::string::npos) return;
    say_(message("DSML107W", {reason}));
  };
  handler.on_down = [this](const std::string& reason) {
    if (reason != link_reason_) say_(message("DSML102W", {settings_.peer_lu, reason}));
    link_reason_ = reason;
    drop_reason_.clear();
    feed(secondary::LinkDown{});
  };
  handler.on_unusable = [this](const std::string& reason) {
    link_reason_ = reason;
    say_(message("DSML103E", {settings_.peer_lu, reason}));
  };
  listener_ = host_.listen(settings_.tls, settings_.local, settings_.peer_lu, handler);
  return listener_->start();
}

void SecondaryNode::stop() {
  if (stopped_) return;
  stopped_ = true;
  core_lasts_.reset();
  if (listener_) listener_->stop();
  journal_worker_.reset();  // finishes what was begun; what was not acknowledged the primary still holds
  image_worker_.reset();
}

void SecondaryNode::tick() {
  host_.after(kTick_us, while_it_lasts([this] {
                if (core_->next_wakeup() <= host_.now()) feed(secondary::Tick{});
                look_at_failures();
                drop_if_told();
                tick();
              }));
}

void SecondaryNode::look_at_failures() {
  MonitorInput input;
  input.now = host_.now();
  input.last_heard = core_->last_heard();
  input.link_up = listener_->up();
  input.watching = core_->state() == SecondaryState::kDuplex;
  const MonitorOutput output = monitor_->step(input);
  if (output.event == MonitorEvent::kPrimaryBack) say_(message("DSMA102I", {settings_.mover.session, settings_.peer_lu}));
  if (output.event != MonitorEvent::kPrimaryLost) return;
  say_(message("DSMA101E",
               {settings_.mover.session, settings_.peer_lu, duration_text(output.silence_us), std::string(action_name(output.action))}));
  if (output.action == LossAction::kNone) return;
  feed(secondary::Freeze{});
  listener_->drop("the primary is lost and the image is frozen");
  if (output.action == LossAction::kRecover) recover([](const Answer&) {});
}

std::function<void()> SecondaryNode::while_it_lasts(std::function<void()> then) const {
  return [lasts = std::weak_ptr(core_lasts_), then = std::move(then)] {
    if (!lasts.expired()) then();
  };
}

void SecondaryNode::feed(SecondaryInput input) {
  for (SecondaryOutput& output : core_->step(host_.now(), std::move(input))) carry_out(std::move(output));
}

void SecondaryNode::carry_out(SecondaryOutput output) {
  if (auto* answer = std::get_if<secondary::AnswerBind>(&output)) {
    bind_answer_ = std::move(answer->response);
  } else if (auto* append_output = std::get_if<secondary::Append>(&output)) {
    append(std::move(append_output->message));
  } else if (auto* send = std::get_if<secondary::Send>(&output)) {
    if (listener_) listener_->send(std::move(send->message));
  } else if (auto* apply_output = std::get_if<secondary::Apply>(&output)) {
    apply(std::move(apply_output->write));
  } else if (const auto* checkpoint = std::get_if<secondary::WriteCheckpoint>(&output)) {
    write_checkpoint(checkpoint->checkpoint);
  } else if (const auto* refuse = std::get_if<secondary::Refuse>(&output)) {
    drop_when_told(refuse->reason);
  } else if (const auto* established = std::get_if<secondary::Established>(&output)) {
    // The images are opened anew for every session: they were copied for it, perhaps into new files, by whatever the operator copies with.
    image_worker_->drain();
    applier_.reset();
    if (Status opened = open_images(); !opened) return disk_error(opened.text(), false);
    auto fenced = std::make_shared<Status>();
    image_worker_->submit([this, fenced] { *fenced = applier_->establish(); }, while_it_lasts([this, fenced] {
                            if (!*fenced) disk_error(fenced->text(), false);
                          }));
    say_(message("DSMM130I", {settings_.mover.session, std::to_string(established->volumes.size())}));
  } else if (const auto* complete = std::get_if<secondary::RecoveryComplete>(&output)) {
    recovery_complete(complete->report);
  } else if (const auto* ended = std::get_if<secondary::Ended>(&output)) {
    say_(message("DSMM132I", {settings_.mover.session, std::to_string(ended->last)}));
  } else if (const auto* stopped = std::get_if<secondary::Stopped>(&output)) {
    const std::string line = message("DSMM133S", {settings_.mover.session, stopped->reason});
    say_(line);
    drop_when_told(stopped->reason);
    answer_recovery({8, {line}});
  }
}

// The exception that says why is let go first; a peer that does not take it within a second is dropped all the same.
void SecondaryNode::drop_when_told(const std::string& reason) {
  if (!listener_) return;
  if (listener_->queued_bytes() == 0) return listener_->drop(reason);
  drop_reason_ = reason;
  drop_deadline_us_ = host_.monotonic_us() + 1000000;
}

void SecondaryNode::drop_if_told() {
  if (drop_reason_.empty()) return;
  if (listener_->queued_bytes() != 0 && host_.monotonic_us() < drop_deadline_us_) return;
  listener_->drop(std::exchange(drop_reason_, {}));
}

SecondaryFacts SecondaryNode::facts() {
  SecondaryFacts facts;
  const PendingWriteQueue& queue = core_->queue();
  facts.state = core_->state();
  facts.applied = queue.applied_through();
  facts.complete = queue.complete_through();
  facts.known = queue.known_through();
  facts.queue_entries = queue.entries();
  facts.queue_bytes = queue.data_bytes();
  facts.journal_bytes = settings_.journal.bytes;
  facts.journal_free = journal_free_;
  facts.epoch = core_->epoch();
  facts.last_message = core_->last_message();
  facts.consistency_time = core_->consistency_time();
  facts.primary_time = core_->primary_time();
  facts.last_heard = core_->last_heard();
  facts.now = host_.now();
  facts.link_up = listener_ && listener_->up();
  facts.link_reason = link_reason_;
  facts.differences = differences_;
  return facts;
}

}  // namespace afterimage
