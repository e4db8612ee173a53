// io: See tap_inventory.h.
#include "channel/tap_inventory.h"

#include "channel/ckd_types.h"
#include "channel/tap_module.h"

namespace afterimage {
namespace {

struct Lists {
  std::string untapped, undefined, others;
};

void append(std::string& list, const std::string& text) { list += (list.empty() ? "" : " ") + text; }

bool is_bound(std::uint32_t device_number) {
  const std::lock_guard lock(tap_module().mutex);
  for (const auto& device : tap_module().devices)
    if (device->open.load() && device->device_number == device_number) return device->entry_index.load() != 0 || device->refused;
  return false;
}

void sort_device(void* argument, std::uint32_t number, const char* type, int is_dasd, int is_wrapped) {
  Lists& lists = *static_cast<Lists*>(argument);
  if (is_dasd && ckd_type_by_name(type) != nullptr) {
    if (!is_wrapped) {
      append(lists.untapped, device_text(number));
    } else if (!is_bound(number)) {
      append(lists.undefined, device_text(number));
    }
  } else {
    append(lists.others, device_text(number) + "(" + type + ")");
  }
}

void tell_untapped(const Lists& lists) {
  if (lists.untapped.empty()) return;
  tap_log("DSMC051W NOT TAPPED, BECAUSE ATTACHED BEFORE DSMCHAN WAS LOADED OR CLIENTS OF A SHARED DEVICE: " + lists.untapped);
}

}  // namespace

void tell_devices_before_load() {
  Lists lists;
  tap_module().host->each_device(sort_device, &lists);
  tell_untapped(lists);
}

void tell_unmirrored_devices() {
  Lists lists;
  tap_module().host->each_device(sort_device, &lists);
  tell_untapped(lists);
  if (!lists.undefined.empty()) tap_log("DSMC052I NOT MIRRORED, BECAUSE NOT DEFINED TO DSMD: " + lists.undefined);
  if (!lists.others.empty()) tap_log("DSMC053I NOT MIRRORED, BECAUSE NOT CKD: " + lists.others);
}

}  // namespace afterimage
