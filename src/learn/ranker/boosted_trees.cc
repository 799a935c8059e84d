#include "learn/ranker/boosted_trees.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/rng.h"
#include "fmt/format.h"

namespace bowerbird::learn::ranker {
namespace {

/// Bins a feature; the last one's edge is not asked.
constexpr size_t kBins = 64;
/// Examples that the edges of bins are found from.
constexpr size_t kEdgeSample = 200'000;

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

absl::Status CheckExamples(const Examples& examples, size_t width) {
  const size_t n = examples.size();
  if (examples.width() != width || examples.features.size() != n * width || examples.weights.size() != n)
    return absl::InvalidArgumentError("examples: the shapes do not fit each other");
  for (size_t i = 0; i < n; ++i) {
    if (!(examples.targets[i] >= 0 && examples.targets[i] <= 1) || !(examples.weights[i] > 0)) {
      return absl::InvalidArgumentError(
          fmt::format("examples: found target {} of weight {}; expected a share of a weight above 0",
                      examples.targets[i], examples.weights[i]));
    }
  }
  return absl::OkStatus();
}

/// Edges at the quantiles of a feature's values, ascending; a value of bin b is above edges[b - 1].
std::vector<float> EdgesOf(const Examples& examples, size_t feature) {
  std::vector<float> values;
  const size_t step = std::max<size_t>(1, examples.size() / kEdgeSample);
  for (size_t i = 0; i < examples.size(); i += step) {
    const float value = examples.features[i * examples.width() + feature];
    if (std::isfinite(value)) values.push_back(value);
  }
  std::sort(values.begin(), values.end());
  std::vector<float> edges;
  for (size_t b = 1; b < kBins && !values.empty(); ++b) {
    const float edge = values[b * values.size() / kBins];
    if ((edges.empty() || edge > edges.back()) && edge < values.back()) edges.push_back(edge);
  }
  // Most values equal and the smallest: the first question is whether there is anything at all.
  if (!values.empty() && values.front() < values.back() && (edges.empty() || edges.front() > values.front()))
    edges.insert(edges.begin(), values.front());
  if (edges.size() >= kBins) edges.resize(kBins - 1);
  return edges;
}

struct Sums {
  double gradient = 0, curvature = 0;
};

class Booster {
 public:
  Booster(const Examples& train, const BoostOptions& options)
      : train_(train), options_(options), width_(train.width()), size_(train.size()) {
    for (size_t f = 0; f < width_; ++f) edges_.push_back(EdgesOf(train, f));
    // By feature, so that a pass over one feature reads on.
    bins_.resize(width_ * size_);
    for (size_t f = 0; f < width_; ++f) {
      for (size_t i = 0; i < size_; ++i) {
        const float value = train.features[i * width_ + f];
        // What is no number answers no to every question, as the smallest does.
        bins_[f * size_ + i] =
            std::isfinite(value)
                ? static_cast<uint8_t>(std::lower_bound(edges_[f].begin(), edges_[f].end(), value) - edges_[f].begin())
                : 0;
      }
    }
    double positive = 0, total = 0;
    for (size_t i = 0; i < size_; ++i) {
      positive += double{train.weights[i]} * train.targets[i];
      total += train.weights[i];
    }
    const double rate = std::clamp(positive / total, 1e-6, 1 - 1e-6);
    bias_ = static_cast<float>(std::log(rate / (1 - rate)));
    sums_.assign(size_, bias_);
    leaf_.resize(size_);
    gradients_.resize(size_);
    curvatures_.resize(size_);
  }

  float bias() const { return bias_; }
  const std::vector<float>& sums() const { return sums_; }

  /// Adds one tree to `out`.
  void Add(uint32_t number, model::TreeEnsemble* out) {
    base::Rng rng(options_.seed * 0x9e3779b97f4a7c15ULL + number);
    in_.clear();
    for (size_t i = 0; i < size_; ++i) {
      const double p = Sigmoid(sums_[i]);
      gradients_[i] = static_cast<float>(train_.weights[i] * (train_.targets[i] - p));
      curvatures_[i] = static_cast<float>(train_.weights[i] * p * (1 - p));
      if (rng.Uniform() < options_.sample) in_.push_back(static_cast<uint32_t>(i));
    }
    std::fill(leaf_.begin(), leaf_.end(), uint8_t{0});
    for (uint32_t d = 0; d < options_.depth; ++d) {
      const Split split = BestSplit(d);
      out->features.push_back(split.feature);
      // No split that gains anything: a question that everybody answers no to.
      out->thresholds.push_back(split.found ? edges_[split.feature][split.bin] : std::numeric_limits<float>::max());
      if (!split.found) continue;
      const uint8_t* bins = bins_.data() + split.feature * size_;
      for (size_t i = 0; i < size_; ++i) {
        leaf_[i] = static_cast<uint8_t>(leaf_[i] | (static_cast<uint32_t>(bins[i] > split.bin) << d));
      }
    }
    std::vector<Sums> leaves(size_t{1} << options_.depth);
    for (const uint32_t i : in_) {
      leaves[leaf_[i]].gradient += gradients_[i];
      leaves[leaf_[i]].curvature += curvatures_[i];
    }
    std::vector<float> values;
    for (const Sums& sums : leaves) {
      values.push_back(static_cast<float>(options_.rate * sums.gradient / (sums.curvature + options_.ridge)));
    }
    for (size_t i = 0; i < size_; ++i) sums_[i] += values[leaf_[i]];
    out->leaves.insert(out->leaves.end(), values.begin(), values.end());
  }

 private:
  struct Split {
    uint32_t feature = 0;
    uint32_t bin = 0;
    bool found = false;
  };

  /// The question that gains most over all leaves of level `d` together; the first of equals.
  Split BestSplit(uint32_t d) {
    const size_t leaf_count = size_t{1} << d;
    Split best;
    double most = 1e-9;
    std::vector<Sums> histogram(leaf_count * kBins);
    for (uint32_t f = 0; f < width_; ++f) {
      if (edges_[f].empty()) continue;
      std::fill(histogram.begin(), histogram.end(), Sums());
      const uint8_t* bins = bins_.data() + f * size_;
      for (const uint32_t i : in_) {
        Sums& sums = histogram[leaf_[i] * kBins + bins[i]];
        sums.gradient += gradients_[i];
        sums.curvature += curvatures_[i];
      }
      std::vector<double> gains(edges_[f].size(), 0.0);
      for (size_t leaf = 0; leaf < leaf_count; ++leaf) {
        const Sums* own = histogram.data() + leaf * kBins;
        Sums all, below;
        for (size_t b = 0; b < kBins; ++b) {
          all.gradient += own[b].gradient;
          all.curvature += own[b].curvature;
        }
        for (size_t b = 0; b < gains.size(); ++b) {
          below.gradient += own[b].gradient;
          below.curvature += own[b].curvature;
          const Sums above{all.gradient - below.gradient, all.curvature - below.curvature};
          gains[b] += Score(below) + Score(above) - Score(all);
        }
      }
      for (uint32_t b = 0; b < gains.size(); ++b) {
        if (gains[b] > most) {
          most = gains[b];
          best = {f, b, true};
        }
      }
    }
    return best;
  }
  double Score(const Sums& sums) const { return sums.gradient * sums.gradient / (sums.curvature + options_.ridge); }

  const Examples& train_;
  const BoostOptions& options_;
  const size_t width_, size_;
  std::vector<std::vector<float>> edges_;  ///< by feature
  std::vector<uint8_t> bins_;              ///< {width, size}
  float bias_ = 0;
  std::vector<float> sums_, gradients_, curvatures_;
  std::vector<uint8_t> leaf_;
  std::vector<uint32_t> in_;  ///< examples that the tree is made from
};

}  // namespace

double LogLoss(std::span<const float> sums, const Examples& examples) {
  double loss = 0, total = 0;
  for (size_t i = 0; i < sums.size(); ++i) {
    const double p = std::clamp(Sigmoid(sums[i]), 1e-9, 1 - 1e-9), y = examples.targets[i], w = examples.weights[i];
    loss -= w * (y * std::log(p) + (1 - y) * std::log(1 - p));
    total += w;
  }
  return total > 0 ? loss / total : 0;
}

absl::StatusOr<model::TreeEnsemble> Boost(const Examples& train, const Examples& validation,
                                          const BoostOptions& options, BoostReport* report) {
  for (const Examples* examples : {&train, &validation}) {
    if (const absl::Status fits = CheckExamples(*examples, train.width()); !fits.ok()) return fits;
  }
  if (train.size() == 0 || train.width() == 0) return absl::InvalidArgumentError("examples: found none to train on");
  if (options.depth == 0 || options.depth > model::TreeEnsemble::kDepthMax)
    return absl::InvalidArgumentError(
        fmt::format("depth: found {}; expected 1 to {}", options.depth, model::TreeEnsemble::kDepthMax));
  Booster booster(train, options);
  model::TreeEnsemble out;
  out.feature_names = train.feature_names;
  out.depth = options.depth;
  out.bias = booster.bias();
  std::vector<float> held(validation.size(), out.bias), added(validation.size());
  report->base_loss = report->validation_loss = LogLoss(held, validation);
  uint32_t best = 0;
  for (uint32_t number = 1; number <= options.trees_max; ++number) {
    if (options.stop && options.stop()) return absl::UnavailableError("stopped");
    booster.Add(number, &out);
    model::TreeEnsemble one;
    one.depth = out.depth;
    one.features.assign(out.features.end() - out.depth, out.features.end());
    one.thresholds.assign(out.thresholds.end() - out.depth, out.thresholds.end());
    one.leaves.assign(out.leaves.end() - (ptrdiff_t{1} << out.depth), out.leaves.end());
    one.Predict(validation.features, validation.width(), added);
    for (size_t i = 0; i < held.size(); ++i) held[i] += added[i];
    const double loss = LogLoss(held, validation);
    if (validation.size() == 0 || loss < report->validation_loss) {
      report->validation_loss = loss;
      best = number;
    } else if (number - best >= options.patience) {
      break;
    }
  }
  out.features.resize(size_t{best} * out.depth);
  out.thresholds.resize(out.features.size());
  out.leaves.resize(size_t{best} << out.depth);
  report->trees = best;
  std::vector<float> sums(train.size());
  out.Predict(train.features, train.width(), sums);
  report->train_loss = LogLoss(sums, train);
  return out;
}

}  // namespace bowerbird::learn::ranker
