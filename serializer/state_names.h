// The words for the states and reasons in common storage, as messages and displays say them. Pure.
#pragma once

#include "serializer/storage_layout.h"

namespace afterimage {

const char* text_of(SessionState state);
const char* text_of(SuspendReason reason);
const char* text_of(DeviceState state);

}  // namespace afterimage
