#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "bowerbird/v1/serving.pb.h"
#include "server/api.h"

namespace bowerbird::server {

/// Whoever asks for profiles of several users.
struct ProfileCaller {
  std::shared_ptr<HttpRequest> request;  ///< authorized: its key, its app and its thread
  std::string parts;                     ///< v1::ProfileRequest.parts
  int64_t timeout_us = 0;                ///< what is left of the caller's time; 0: no bound
  /// Whether nobody waits any more. From any thread until the last answer.
  std::function<bool()> gone = [] { return false; };
};

/// One user's profile, as GET /v1/users/{id}/profile gives it: by the node that has the user's state, after the user's
/// last acknowledged event. Takes one request of the key's quota. `done` is called once, on the thread of the call or
/// another; what went wrong is in the result's status.
///
/// Bounds   kProfileBytesMax; a larger one is refused, and fewer parts are to be asked for.
inline constexpr size_t kProfileBytesMax = 1u << 20;
void ReadProfile(Api* api, const ProfileCaller& caller, const std::string& id,
                 std::function<void(v1::ProfileResult result)> done);

/// The profiles of several users. The work is cut into slices, between which others' requests have their turn.
///
/// Bounds   kIdsMax ids; kAheadMax under way; kBytesMax of results, beyond which they are `answer_full`.
/// Threads  Start once, on a thread where requests are answered.
class ProfileBatch : public std::enable_shared_from_this<ProfileBatch> {
 public:
  static constexpr int kIdsMax = 500;
  static constexpr uint32_t kAheadMax = 16, kSlice = 8;
  static constexpr size_t kBytesMax = (4u << 20) - (64u << 10);  ///< what clients of gRPC take by default, and room

  /// InvalidArgument with code and field (catalog::FromStatus): no id, too many ids, an unknown part.
  static absl::Status Check(const v1::BatchGetProfilesRequest& request);
  /// Names joined by commas, as v1::ProfileRequest has them.
  static std::string Joined(const google::protobuf::RepeatedPtrField<std::string>& parts);

  using Done = std::function<void(v1::BatchGetProfilesResponse response)>;
  /// `api` outlives it; `done` is called once.
  ProfileBatch(Api* api, ProfileCaller caller, const v1::BatchGetProfilesRequest& request, Done done);
  void Start() { Run(); }

 private:
  void Run();
  void Took(size_t index, v1::ProfileResult result);

  Api* const api_;
  const ProfileCaller caller_;
  const std::vector<std::string> ids_;
  const Done done_;
  std::mutex mutex_;  ///< of what follows
  v1::BatchGetProfilesResponse response_;
  size_t next_ = 0, answered_ = 0;
  uint32_t under_way_ = 0;
  size_t bytes_ = 0;
  bool running_ = true;  ///< Run is on a thread, or posted
};

}  // namespace bowerbird::server
