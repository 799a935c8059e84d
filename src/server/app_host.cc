#include "server/app_host.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <thread>
#include <utility>

#include "base/status_macros.h"
#include "base/thread_priority.h"
#include "base/time_text.h"
#include "config/config.h"
#include "config/problem_list.h"
#include "server/structured_log.h"
#include "store/file.h"

namespace bowerbird::server {
namespace {

namespace fs = std::filesystem;

constexpr char kDefault[] = "default";
// A fifth of the share of a core that those who serve have.
constexpr int kFoldAheadNice = 7;

}  // namespace

absl::Status AppHost::CheckName(std::string_view name) {
  const auto letter_or_digit = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const bool fits = !name.empty() && name.size() <= 64 && letter_or_digit(name[0]) &&
                    std::ranges::all_of(name, [&](char c) { return letter_or_digit(c) || c == '-' || c == '_'; });
  if (fits) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("name: found '{}'; expected 1 to 64 of a-z, 0-9, '-' and '_', the first a letter or digit", name));
}

AppHost::~AppHost() { Stop(); }

void AppHost::OpenAll() {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(options_.dir + "/apps", ignored)) {
    if (fs::exists(entry.path() / "bowerbird.toml")) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    const absl::Status status = Open(name);
    if (status.ok()) continue;
    Log(LogLevel::kError, "app_failed",
        {{"app", std::string_view(name)},
         {"reason", std::string_view(status.message().data(), status.message().size())}});
  }
}

absl::Status AppHost::Open(const std::string& name) {
  const absl::MutexLock lock(&changing_);
  return OpenLocked(name);
}

absl::Status AppHost::OpenLocked(const std::string& name) {
  app::App::Options app_options;
  app_options.dir = options_.dir;
  app_options.name = name;
  app_options.clock = options_.clock;
  if (options_.on_warning) {
    app_options.on_warning = [on_warning = options_.on_warning, name](const std::string& warning) {
      on_warning(name, warning);
    };
  }
  auto opened = app::App::Open(app_options);
  Entry entry;
  entry.status = opened.status();
  if (opened.ok()) {
    if (options_.pipeline) (*opened)->StartPipeline();
    entry.app = std::make_unique<HostedApp>(name, *std::move(opened));
    entry.unused = std::make_shared<absl::Notification>();
    entry.handed_out =
        std::shared_ptr<HostedApp>(entry.app.get(), [unused = entry.unused](HostedApp*) { unused->Notify(); });
  }
  absl::Status status = entry.status;
  {
    const absl::MutexLock lock(&mutex_);
    entries_.insert_or_assign(name, std::move(entry));
  }
  MeasureBodies();
  return status;
}

absl::StatusOr<std::shared_ptr<HostedApp>> AppHost::Find(std::string_view name) const {
  const absl::ReaderMutexLock lock(&mutex_);
  auto it = entries_.find(name.empty() ? kDefault : name);
  if (it == entries_.end() && name.empty() && entries_.size() == 1) it = entries_.begin();
  if (it == entries_.end()) {
    return absl::NotFoundError(name.empty() ? "found no app 'default'; name one in the header Bowerbird-App"
                                            : fmt::format("found no app '{}'", name));
  }
  const Entry& entry = it->second;
  if (entry.closing) return absl::UnavailableError(fmt::format("app '{}' is being closed", it->first));
  if (!entry.status.ok()) {
    return absl::UnavailableError(
        fmt::format("app '{}' could not be opened; /readyz tells its operator why", it->first));
  }
  return entry.handed_out;
}

std::vector<AppHost::Listed> AppHost::List() const {
  std::vector<Listed> list;
  const absl::ReaderMutexLock lock(&mutex_);
  for (const auto& [name, entry] : entries_) {
    Listed listed{.name = name, .status = entry.closing ? "closing" : entry.status.ok() ? "open" : "failed"};
    listed.detail = std::string(entry.status.message());
    if (entry.status.ok() && !entry.closing) listed.config_version = entry.app->app().config()->version;
    list.push_back(std::move(listed));
  }
  return list;
}

bool AppHost::Exists(std::string_view name) const {
  // Not a path that leads elsewhere.
  if (name.empty() || name[0] == '.' || name.find('/') != std::string_view::npos) return false;
  return fs::exists(app::App::Folder(options_.dir, std::string(name)) + "/bowerbird.toml");
}

absl::Status AppHost::WhyFailed(std::string_view name) const {
  const absl::ReaderMutexLock lock(&mutex_);
  const auto it = entries_.find(name);
  return it == entries_.end() ? absl::OkStatus() : it->second.status;
}

std::vector<std::shared_ptr<HostedApp>> AppHost::OpenApps() const {
  std::vector<std::shared_ptr<HostedApp>> apps;
  const absl::ReaderMutexLock lock(&mutex_);
  for (const auto& [name, entry] : entries_) {
    if (entry.status.ok() && !entry.closing) apps.push_back(entry.handed_out);
  }
  return apps;
}

absl::Status AppHost::Create(const std::string& name, const std::string& config_text) {
  RETURN_IF_ERROR(CheckName(name));
  const std::string text = config_text.empty() ? config::StarterText() : config_text;
  const config::ParseResult parsed = config::Parse(text, "bowerbird.toml");
  if (parsed.config == nullptr) return absl::InvalidArgumentError(config::ProblemList(parsed.problems));
  const absl::MutexLock lock(&changing_);
  if (List().size() >= kAppsMax) {
    return absl::FailedPreconditionError(fmt::format(
        "found {0} apps; expected at most {0} in one process: remove one, or serve another folder", kAppsMax));
  }
  // The folder counts, not the table: a folder without a config may hold a log worth keeping.
  if (fs::exists(app::App::Folder(options_.dir, name)))
    return absl::AlreadyExistsError(fmt::format("name: app '{}' exists already", name));
  RETURN_IF_ERROR(app::App::InitFolder(options_.dir, name, text).status());
  return OpenLocked(name);
}

absl::Status AppHost::CloseLocked(const std::string& name) {
  std::shared_ptr<HostedApp> last;
  std::shared_ptr<absl::Notification> unused;
  {
    const absl::MutexLock entries_lock(&mutex_);
    const auto it = entries_.find(name);
    if (it == entries_.end()) return absl::NotFoundError(fmt::format("found no app '{}'", name));
    // Another process may have it open.
    if (absl::IsUnavailable(it->second.status)) return it->second.status;
    it->second.closing = true;
    if (it->second.app != nullptr) it->second.app->app().CancelJobs();
    unused = it->second.unused;
    last = std::move(it->second.handed_out);
  }
  last.reset();
  if (unused != nullptr && !unused->WaitForNotificationWithTimeout(absl::Microseconds(drain_us_.load()))) {
    return absl::UnavailableError(
        fmt::format("app '{}' takes no new requests, but some are under way still; try again", name));
  }
  std::unique_ptr<HostedApp> gone;
  const absl::MutexLock entries_lock(&mutex_);
  gone = std::move(entries_.find(name)->second.app);
  return absl::OkStatus();
}

absl::Status AppHost::FoldSignalsAhead(const std::string& name, const config::Config& wanted) const {
  ASSIGN_OR_RETURN(const std::shared_ptr<HostedApp> hosted, Find(name));
  absl::Status status;
  // A thread of its own: what gives way once gives way for good.
  std::thread([&] {
    base::GiveWay(kFoldAheadNice);
    // The second time what came during the first.
    for (int round = 0; round < 2 && status.ok(); ++round) status = hosted->app().state().FoldSignalsAhead(wanted);
  }).join();
  return status;
}

absl::StatusOr<bool> AppHost::Reload(const std::string& name, bool reopen) {
  const absl::MutexLock lock(&changing_);
  bool is_open = false, is_closing = false;
  {
    const absl::ReaderMutexLock entries_lock(&mutex_);
    const auto it = entries_.find(name);
    if (it == entries_.end()) return absl::NotFoundError(fmt::format("found no app '{}'", name));
    is_closing = it->second.closing;
    is_open = it->second.status.ok() && !is_closing;
  }
  if (is_open && !reopen) {
    ASSIGN_OR_RETURN(const std::shared_ptr<HostedApp> hosted, Find(name));
    ASSIGN_OR_RETURN(const bool changed, hosted->app().ReloadConfig());
    MeasureBodies();
    return changed;
  }
  // Before anything is closed: a file with a problem leaves the app as it is.
  ASSIGN_OR_RETURN(const std::shared_ptr<const config::Config> wanted,
                   config::Load(fmt::format("{}/bowerbird.toml", app::App::Folder(options_.dir, name))));
  if (is_open) RETURN_IF_ERROR(FoldSignalsAhead(name, *wanted));
  if (is_open || is_closing) RETURN_IF_ERROR(CloseLocked(name));
  RETURN_IF_ERROR(OpenLocked(name));
  return true;
}

absl::StatusOr<AppHost::Removed> AppHost::Remove(const std::string& name, bool purge,
                                                 const std::function<absl::Status()>& before_move) {
  const absl::MutexLock lock(&changing_);
  RETURN_IF_ERROR(CloseLocked(name));
  if (before_move) RETURN_IF_ERROR(before_move());
  ASSIGN_OR_RETURN(Removed removed, MoveAway(options_.dir, name, purge, options_.clock->NowUs()));
  {
    const absl::MutexLock entries_lock(&mutex_);
    entries_.erase(name);
  }
  MeasureBodies();
  return removed;
}

absl::StatusOr<AppHost::Removed> AppHost::MoveAway(const std::string& dir, const std::string& name, bool purge,
                                                   int64_t now_us) {
  const std::string folder = app::App::Folder(dir, name);
  if (!fs::exists(folder)) return absl::NotFoundError(fmt::format("{}: no such folder", folder));
  std::string time = base::FormatTimeUs(now_us);
  std::erase_if(time, [](char c) { return c == ':' || c == '-' || c == '.'; });
  const std::string target = fmt::format("{}/removed/{}-{}", dir, name, time);
  std::error_code error;
  fs::create_directories(dir + "/removed", error);
  if (!error) fs::rename(folder, target, error);
  if (error) return absl::UnavailableError(fmt::format("{} to {}: {}", folder, target, error.message()));
  RETURN_IF_ERROR(store::SyncFolder(dir + "/removed"));
  RETURN_IF_ERROR(store::SyncFolder(dir + "/apps"));
  if (!purge) return Removed{.moved_to = target};
  fs::remove_all(target, error);
  if (error) return absl::UnavailableError(fmt::format("{}: {}", target, error.message()));
  return Removed{};
}

void AppHost::MeasureBodies() {
  uint64_t bytes_max = kBodyBytesMin;
  for (const auto& hosted : OpenApps()) bytes_max = std::max(bytes_max, hosted->app().config()->collect.body_bytes_max);
  body_bytes_max_ = bytes_max;
}

void AppHost::CancelJobs() {
  for (const auto& hosted : OpenApps()) hosted->app().CancelJobs();
}

void AppHost::Stop() {
  const absl::MutexLock lock(&changing_);
  std::vector<HostedApp*> apps;
  {
    const absl::MutexLock entries_lock(&mutex_);
    for (auto& [name, entry] : entries_) {
      if (entry.app != nullptr) apps.push_back(entry.app.get());
    }
  }
  for (HostedApp* hosted : apps) hosted->app().Stop();
}

}  // namespace bowerbird::server
