// Naming, in the Hercules log, the attached devices that are not mirrored.
#pragma once

namespace afterimage {

void tell_devices_before_load();  // CKD devices attached before the module was loaded: never tapped
void tell_unmirrored_devices();   // FBA, tapes, and CKD devices that are in no session's definitions

}  // namespace afterimage
