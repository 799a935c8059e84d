#pragma once

#include <string>

#include "bowerbird/v1/event.pb.h"
#include "bowerbird/v1/experiment.pb.h"
#include "bowerbird/v1/served.pb.h"
#include "config/config.h"
#include "forget/forgotten.h"
#include "signal/definition.h"
#include "state/item_record.h"

/// Records without the users who were forgotten: pure functions.
namespace bowerbird::forget {

/// What is left of an event whose user was forgotten: type, item and time, and what the fold needs to count it for its
/// item as before. `counted`: the fold counted it; else not even its type is left, lest it count when it is read again.
/// `item`: what it counted for its item; null: nothing. `item_signals`: the config's signals per item; what they read
/// of it stays, who acted as a print of the user and this item. `left_out`: it was marked traffic.
v1::Event RedactedEvent(const config::Config& config, const signal::Set& item_signals, const v1::Event& event,
                        bool counted, const state::ItemEvent* item, bool left_out = false);
/// A record that says who was forgotten, with the key alone.
v1::Event RedactedForget(const v1::Event& event);
/// Takes the names of forgotten users out of an event of somebody else: of a user who took an id in, or of an id that
/// became others too. True: there were some.
bool StripNames(const ForgottenUsers& forgotten, int64_t append_time_us, v1::Event* event);

/// What was shown, where and when.
v1::ServedRecord RedactedServed(const v1::ServedRecord& record);
/// That somebody was exposed to the arm, where and when.
v1::Exposure RedactedExposure(const v1::Exposure& exposure);
v1::DeadLetter RedactedDeadLetter(const v1::DeadLetter& letter);

}  // namespace bowerbird::forget
