#pragma once

#include <string>
#include <string_view>

#include "base/hash.h"

/// How users are named to whoever may not know who they are. A mask is a keyed hash: the same id always has the same
/// one, so that rows can be counted and joined, and without the seed nobody can tell an id from its mask, nor try ids
/// out. docs/decisions/0066-tools-for-models.md.
namespace bowerbird::lake {

/// "user_" and 16 hexadecimal digits; empty for the empty id.
std::string MaskedUser(const base::HashSeed& seed, std::string_view id);
/// "text_" and 16 hexadecimal digits: of what users wrote or are said to be.
std::string MaskedText(const base::HashSeed& seed, std::string_view text);
/// Whether it has the form of a masked user.
bool IsMaskedUser(std::string_view text);

}  // namespace bowerbird::lake
