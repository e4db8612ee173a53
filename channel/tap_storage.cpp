// io: opens the segment and registers in it; see tap_storage.h.
#include "channel/tap_storage.h"

#include <unistd.h>

#include "serializer/clock.h"
#include "serializer/registry.h"

namespace afterimage {
namespace {

constexpr unsigned kRetryStep_ms = 100;
constexpr std::uint64_t kOpenPatience_us = 10'000'000;

std::string upper_first(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

void say_once(const std::string& text) {
  TapModule& module = tap_module();
  if (text == module.said_last) return;
  module.said_last = text;
  tap_log(text);
}

Result<std::unique_ptr<TapAttachment>> open_and_register(const TapSettings& settings, unsigned patience_ms) {
  const std::string name = CommonStorage::segment_name(settings.plex, settings.storage);
  auto opened = CommonStorage::open(name);
  if (!opened.good()) return {opened.status, nullptr};
  auto attachment = std::make_unique<TapAttachment>();
  attachment->storage = std::move(opened.value);
  attachment->name = name;
  for (unsigned waited = 0;; waited += kRetryStep_ms) {
    const auto registered = register_system(*attachment->storage, settings.system);
    if (registered.good()) {
      attachment->system_index = registered.value.system;
      return result_of(std::move(attachment));
    }
    const bool again = registered.status.severity() == Severity::kWarning;
    if (!again || waited >= patience_ms || tap_module().stopping.load()) return {registered.status, nullptr};
    usleep(kRetryStep_ms * 1000);
  }
}

}  // namespace

void attach_storage(unsigned patience_ms) {
  TapModule& module = tap_module();
  const std::lock_guard serial(module.attaching);
  TapSettings settings;
  {
    const std::lock_guard lock(module.mutex);
    settings = module.settings;
  }
  if (!settings.complete()) return;
  if (module.current.load() != nullptr && !storage_was_replaced()) return;
  auto result = open_and_register(settings, patience_ms);
  if (!result.good()) {
    say_once("DSMC007W NOT ATTACHED TO PLEX " + settings.plex + " AS SYSTEM " + settings.system +
             ", TRYING ON: " + upper_first(result.status.text()));
    return;
  }
  system_heartbeat(*result.value->storage, result.value->system_index, clock_tod());
  const std::lock_guard lock(module.mutex);
  module.attachments.push_back(std::move(result.value));
  module.current.store(module.attachments.back().get());
  say_once("DSMC006I ATTACHED TO PLEX " + settings.plex + " AS SYSTEM " + settings.system);
}

void attach_storage_at_open() {
  const std::uint64_t now = monotonic_us();
  std::uint64_t until = 0;
  if (tap_module().open_patience_until_us.compare_exchange_strong(until, now + kOpenPatience_us)) until = now + kOpenPatience_us;
  if (now < until) attach_storage(static_cast<unsigned>((until - now) / 1000));
}

bool storage_was_replaced() {
  TapAttachment* present = tap_module().current.load();
  if (present == nullptr || mover_is_alive(*present->storage)) return false;
  auto opened = CommonStorage::open(present->name);
  return opened.good() && opened.value->header().storage_id != present->storage->header().storage_id;
}

Status change_settings(TapSettings settings) {
  TapModule& module = tap_module();
  const std::lock_guard lock(module.mutex);
  if (module.current.load() != nullptr && !(settings == module.settings)) {
    return Status::error("this Hercules is attached to plex " + module.settings.plex + " as system " + module.settings.system +
                         "; the names can be changed only by starting it again");
  }
  module.settings = std::move(settings);
  return Status::ok();
}

}  // namespace afterimage
