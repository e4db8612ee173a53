// io: the primary node's end of the link (see primary_node.h), and what it does about the secondary's objections.
#include "service/primary_node.h"

#include <utility>

#include "jcl/message_catalogue.h"
#include "serializer/track_map.h"

namespace afterimage {

namespace {
constexpr unsigned kObjectionLimit = 5;  // to one place in the stream: sending it again does not help
}  // namespace

void PrimaryNode::open_link() {
  if (link_) return;
  LuSessionHandler handler;
  handler.on_bound = [this](const BindResponse& response) { on_bound(response); };
  handler.on_message = [this](std::vector<std::uint8_t>&& bytes) { on_message(std::move(bytes)); };
  handler.on_down = [this](const std::string& reason) {
    // A refusal is told once (DSML105E), and not again as a link that is down each time it is tried.
    if (std::exchange(bind_refused_, false)) return feed(host_.now(), primary::LinkDown{});
    if (core_->link_up() || reason != link_reason_) say_(message("DSML102W", {settings_.peer.lu, reason}));
    link_reason_ = reason;
    feed(host_.now(), primary::LinkDown{});
  };
  handler.on_unusable = [this](const std::string& reason) {
    link_reason_ = reason;
    say_(message("DSML103E", {settings_.peer.lu, reason}));
  };
  link_ = host_.connect(settings_.tls, settings_.mover.local_lu, settings_.peer, handler,
                        [this] { return core_->make_bind(storage_->header().storage_id, storage_->control().freed_through.load()); });
  if (Status started = link_->start(); !started) {
    link_reason_ = started.text();
    say_(message("DSML103E", {settings_.peer.lu, started.text()}));
    link_.reset();
  }
}

void PrimaryNode::close_link() {
  if (!link_) return;
  link_->stop();
  link_.reset();
  bind_refused_ = false;
  link_reason_ = "not started";
}

// The secondary will not take what it is offered, however often: the guests go on without it, and no link is tried until the session is
// ended or dsmd started again.
void PrimaryNode::stop_offering(const std::string& why) {
  suspend(SuspendReason::kSecondary, why);
  close_link();
  link_reason_ = why;
  feed(host_.now(), primary::LinkDown{});
}

void PrimaryNode::on_bound(const BindResponse& response) {
  if (!response.accepted) {
    if (response.reason != link_reason_) say_(message("DSML105E", {settings_.peer.lu, response.reason}));
    link_reason_ = response.reason;
    bind_refused_ = true;
    return;
  }
  link_reason_.clear();
  say_(message("DSML101I", {settings_.mover.local_lu, settings_.peer.lu, response.product_version}));
  feed(host_.now(), primary::LinkUp{response});
  if (!core_->link_up()) stop_offering(drop_reason_);
}

void PrimaryNode::on_message(std::vector<std::uint8_t>&& bytes) {
  auto decoded = decode(bytes);
  if (!decoded.good()) {
    if (link_) link_->drop("a message of " + settings_.peer.lu + " is damaged: " + decoded.status.text());
    return;
  }
  feed(host_.now(), primary::MessageArrived{std::move(decoded.value)});
}

void PrimaryNode::on_exception(const Exception& exception) {
  switch (static_cast<ExceptionCode>(exception.code)) {
    case ExceptionCode::kVerifyMismatch:
      ++verification_.differences;
      say_(message("DSMM123E", {settings_.mover.session, exception.text}));
      // The next session may not begin without a compare; which track it is, only the text says.
      for (const std::uint32_t index : verification_.devices) TrackMap::changed(*storage_, index).set(0);
      if (verification_.running && verification_.at_start) suspend(SuspendReason::kSecondary, "the sites were not equal at the start");
      return;
    case ExceptionCode::kVerifyDone:
      return;
    case ExceptionCode::kRecovered:
    case ExceptionCode::kRefused:
    case ExceptionCode::kMisaddressed:
      stop_offering(exception.text);
      return;
    case ExceptionCode::kContinuity:
      if (++objections_ >= kObjectionLimit) return stop_offering(exception.text);
      [[fallthrough]];
    default:
      say_(message("DSMM114E", {settings_.mover.session, exception.text}));
      return;
  }
}

}  // namespace afterimage
