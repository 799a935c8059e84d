"""What the libraries say. Each method of stats_cases.cc has a function that draws a case and gives what is expected of it:
(name, place in the answer, value, size below which errors are not relative any more) of each figure."""
import math

import gbstats.bayesian.tests as gb_bayes
import gbstats.frequentist.tests as gb
import gbstats.models.statistics as gb_statistics
import gbstats.utils
import numpy
import scipy.integrate
import scipy.optimize
import scipy.stats
import statsmodels.api
import statsmodels.stats.meta_analysis
import statsmodels.stats.multitest
import statsmodels.stats.power
import statsmodels.stats.proportion as sm_proportion

CHANCE = 1e-6  # p-values are compared by 1e-12 below this one: 1 - cdf has no more digits


def comparison(effect, error, low, high, p, first=0, source=""):
    return [(f"{source} effect", first, effect, error), (f"{source} standard error", first + 1, error, 0),
            (f"{source} low", first + 2, low, error), (f"{source} high", first + 3, high, error),
            (f"{source} p-value", first + 4, p, CHANCE)]


def draw_alpha(rng):
    return float(rng.choice([0.01, 0.05, 0.1, 0.2]))


def draw_values(rng, least=8):
    """Of an arm: normal, or many zeros and a long tail."""
    count, level = int(rng.integers(least, 400)), rng.uniform(1, 5)
    if rng.random() < 0.5:
        return rng.normal(level, rng.uniform(0.5, 3), count)
    return rng.exponential(level, count) * (rng.random(count) < 0.7) + rng.uniform(0.01, 0.1, count)


def draw_pairs(rng):
    """Of an arm: y that goes with x, which is never 0."""
    x = rng.poisson(rng.uniform(1, 6), int(rng.integers(20, 400))) + 1.0
    return x * rng.uniform(0.2, 0.4) + rng.normal(0, 1, len(x)) + rng.uniform(0, 2), x


def draw_proportion(rng):
    trials = int(rng.integers(50, 5000))
    return [int(min(max(rng.binomial(trials, rng.uniform(0.02, 0.5)), 3), trials - 3)), trials]


def arms(draw, rng):
    control, treatment = draw(rng), draw(rng)
    return control, treatment, {"control": list(map(float, control)), "treatment": list(map(float, treatment)), "alpha": draw_alpha(rng)}


def pair_arms(rng):
    control, treatment, alpha = draw_pairs(rng), draw_pairs(rng), draw_alpha(rng)
    return control, treatment, {"control_y": control[0].tolist(), "control_x": control[1].tolist(), "treatment_y": treatment[0].tolist(),
                                "treatment_x": treatment[1].tolist(), "alpha": alpha}


def gb_mean(values):
    return gb_statistics.SampleMeanStatistic(n=len(values), sum=float(numpy.sum(values)), sum_squares=float(numpy.sum(numpy.square(values))))


def gb_ratio(pairs):
    return gb_statistics.RatioStatistic(n=len(pairs[0]), m_statistic=gb_mean(pairs[0]), d_statistic=gb_mean(pairs[1]),
                                        m_d_sum_of_products=float(pairs[0] @ pairs[1]))


def gb_test(control, treatment, alpha, kind):
    test = gb.TwoSidedTTest(control, treatment, gb.FrequentistConfig(alpha=alpha, difference_type=kind))
    return comparison(test.point_estimate, math.sqrt(test.variance), *test.confidence_interval, test.p_value, source="gbstats")


def means(rng):
    control, treatment, asked = arms(draw_values, rng)
    welch = scipy.stats.ttest_ind(treatment, control, equal_var=False)
    interval = welch.confidence_interval(1 - asked["alpha"])
    effect = treatment.mean() - control.mean()
    return asked, comparison(effect, effect / welch.statistic, interval.low, interval.high, welch.pvalue, source="scipy") + gb_test(
        gb_mean(control), gb_mean(treatment), asked["alpha"], "absolute")


def proportions(rng):
    control, treatment, asked = arms(draw_proportion, rng)
    successes, trials = numpy.array([treatment, control], dtype=float).T
    p = sm_proportion.proportions_ztest(successes, trials)[1]
    low, high = sm_proportion.confint_proportions_2indep(successes[0], trials[0], successes[1], trials[1], method="wald", compare="diff",
                                                         alpha=asked["alpha"])
    rates = successes / trials
    error = math.sqrt(numpy.sum(rates * (1 - rates) / trials))
    return asked, comparison(rates[0] - rates[1], error, low, high, p, source="statsmodels")


def ratios(rng):
    control, treatment, asked = pair_arms(rng)
    return asked, gb_test(gb_ratio(control), gb_ratio(treatment), asked["alpha"], "absolute")


def lift_of_means(rng):
    control, treatment, asked = arms(draw_values, rng)
    return asked, gb_test(gb_mean(control), gb_mean(treatment), asked["alpha"], "relative")


def lift_of_ratios(rng):
    control, treatment, asked = pair_arms(rng)
    return asked, gb_test(gb_ratio(control), gb_ratio(treatment), asked["alpha"], "relative")


def fieller(rng):
    """The ratios at which a t test of treatment - ratio control is just significant."""
    control, treatment, asked = arms(lambda rng: rng.normal(5, 1, int(rng.integers(20, 200))), rng)
    variances = [treatment.var(ddof=1) / len(treatment), control.var(ddof=1) / len(control)]
    freedom = sum(variances) ** 2 / (variances[0] ** 2 / (len(treatment) - 1) + variances[1] ** 2 / (len(control) - 1))
    critical = scipy.stats.t.isf(asked["alpha"] / 2, freedom)
    ratio = treatment.mean() / control.mean()

    def beyond(r):
        return abs(treatment.mean() - r * control.mean()) - critical * math.sqrt(variances[0] + r * r * variances[1])

    ends = [scipy.optimize.brentq(beyond, *sorted([ratio, ratio + step]), xtol=1e-14) - 1 for step in (-1, 1)]
    return asked, [("low", 0, ends[0], 0.01), ("high", 1, ends[1], 0.01)]


def cuped(rng):
    control, treatment, asked = pair_arms(rng)
    (y_c, x_c), (y_t, x_t) = control, treatment
    arm = numpy.concatenate([numpy.zeros(len(y_c)), numpy.ones(len(y_t))])
    regression = statsmodels.api.OLS(numpy.concatenate([y_c, y_t]), numpy.column_stack([numpy.ones(len(arm)), arm, numpy.concatenate([x_c, x_t])])).fit()
    theta = regression.params[2]
    left = [y_c - y_c.mean() - theta * (x_c - x_c.mean()), y_t - y_t.mean() - theta * (x_t - x_t.mean())]
    reduction = 1 - sum(v @ v for v in left) / (y_c.var() * len(y_c) + y_t.var() * len(y_t))

    def adjusted(y, x):
        return gb_statistics.RegressionAdjustedStatistic(n=len(y), post_statistic=gb_mean(y), pre_statistic=gb_mean(x),
                                                         post_pre_sum_of_products=float(y @ x), theta=theta)

    error = regression.bse[1]
    test = gb.TwoSidedTTest(adjusted(y_c, x_c), adjusted(y_t, x_t), gb.FrequentistConfig(alpha=asked["alpha"], difference_type="absolute"))
    test.stat_a.theta = test.stat_b.theta = theta  # its own takes a part of the effect for the covariate's (cuped.h)
    return asked, [("theta, by statsmodels", 0, theta, 0), ("reduction", 1, reduction, 0), ("effect, by statsmodels", 2, regression.params[1], error)
                   ] + comparison(test.point_estimate, math.sqrt(test.variance), *test.confidence_interval, test.p_value, first=2, source="gbstats")


def strata(rng):
    """By hand, as no library has it: the difference of each stratum by its weight."""
    pairs = [(draw_values(rng), draw_values(rng)) for _ in range(int(rng.integers(2, 6)))]
    given = rng.uniform(0.1, 1, len(pairs)).tolist() if rng.random() < 0.5 else []
    asked = {"control": [c.tolist() for c, _ in pairs], "treatment": [t.tolist() for _, t in pairs], "weights": given, "alpha": draw_alpha(rng)}
    weights = numpy.array(given or [len(c) + len(t) for c, t in pairs])
    weights = weights / weights.sum()
    effect = sum(w * (t.mean() - c.mean()) for w, (c, t) in zip(weights, pairs))
    parts = [(w * w * v.var(ddof=1) / len(v), len(v) - 1) for w, pair in zip(weights, pairs) for v in pair]
    arm_parts = [parts[0::2], parts[1::2]]
    arm_freedom = [sum(v for v, _ in arm) ** 2 / sum(v * v / f for v, f in arm) for arm in arm_parts]
    arm_variance = [sum(v for v, _ in arm) for arm in arm_parts]
    freedom = sum(arm_variance) ** 2 / sum(v * v / f for v, f in zip(arm_variance, arm_freedom))
    error = math.sqrt(sum(arm_variance))
    low, high = scipy.stats.t.interval(1 - asked["alpha"], freedom, effect, error)
    return asked, comparison(effect, error, low, high, 2 * scipy.stats.t.sf(abs(effect) / error, freedom))


def look(effect, variance, observations, alpha, target):
    """Waudby-Smith et al., equations 9 and 155, as they are printed."""
    rho = math.sqrt((-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / target)
    sigma = math.sqrt(variance * observations)
    scale = observations * rho ** 2 + 1
    reach = sigma * math.sqrt(2 * scale / (observations * rho) ** 2 * math.log(math.sqrt(scale) / alpha))
    p = math.sqrt(scale) * math.exp(-rho ** 2 * (observations * effect / sigma) ** 2 / (2 * scale))
    return comparison(effect, math.sqrt(variance), effect - reach, effect + reach, min(1, p), source="as printed")


def balanced(control, treatment):
    return 4 * control * treatment / (control + treatment)


def look_means(rng):
    control, treatment, asked = arms(lambda rng: rng.normal(rng.uniform(1, 1.5), 1, 100 + int(rng.integers(2)) * 137), rng)
    asked["target"] = float(rng.integers(100, 10000))
    variance = control.var(ddof=1) / len(control) + treatment.var(ddof=1) / len(treatment)
    expected = look(treatment.mean() - control.mean(), variance, balanced(len(control), len(treatment)), asked["alpha"], asked["target"])
    if len(control) == len(treatment):  # gbstats counts units of both arms however they are split
        test = gb.SequentialTwoSidedTTest(gb_mean(control), gb_mean(treatment), gb.SequentialConfig(
            alpha=asked["alpha"], difference_type="absolute", sequential_tuning_parameter=asked["target"]))
        expected += comparison(test.point_estimate, math.sqrt(test.variance), *test.confidence_interval, test.p_value, source="gbstats")
    return asked, expected


def look_proportions(rng):
    control, treatment, asked = arms(draw_proportion, rng)
    asked["target"] = float(rng.integers(100, 10000))
    rates = [((s + 1) / (n + 2), n) for s, n in (control, treatment)]
    return asked, look(treatment[0] / treatment[1] - control[0] / control[1], sum(p * (1 - p) / n for p, n in rates),
                       balanced(control[1], treatment[1]), asked["alpha"], asked["target"])


def quantile(rng):
    """Order statistics by hand; what they make of the variance, and what units make of it, by gbstats."""
    share, alpha = float(rng.choice([0.25, 0.5, 0.9])), 0.05
    asked = {"quantile": share, "alpha": alpha, "unit_y": [], "unit_x": []}
    units = [rng.exponential(rng.uniform(0.5, 2), 1 + rng.poisson(5)) for _ in range(int(rng.integers(150, 300)))]
    values = numpy.sort(numpy.concatenate(units))
    n = len(values)
    middle = values[math.ceil(n * share) - 1]
    variance = share * (1 - share) / n
    if rng.random() < 0.5:
        below, count = numpy.array([[(u <= middle).sum(), len(u)] for u in units], dtype=float).T
        asked.update(unit_y=below.tolist(), unit_x=count.tolist())
        variance = gb_statistics.QuantileClusteredStatistic(
            n=n, n_star=n, nu=share, quantile_hat=middle, quantile_lower=0, quantile_upper=0, main_sum=below.sum(), main_sum_squares=below @ below,
            denominator_sum=count.sum(), denominator_sum_squares=count @ count, main_denominator_sum_product=below @ count,
            n_clusters=len(units)).get_cluster_variance
    reach = scipy.stats.norm.isf(alpha / 2) * math.sqrt(variance)
    low, high = values[math.floor(n * (share - reach)) - 1], values[math.floor(n * (share + reach))]
    statistic = gb_statistics.QuantileStatistic(n=n, n_star=n, nu=share, quantile_hat=middle, quantile_lower=low, quantile_upper=high)
    asked["values"] = values.tolist()
    return asked, [("quantile", 0, middle, 0), ("standard error, by gbstats", 1, math.sqrt(statistic.variance_init / (n - 1)), 0)]


def adjusted_p_values(method):
    def draw(rng):
        p_values = (rng.random(int(rng.integers(1, 30))) ** 3).tolist()
        adjusted = statsmodels.stats.multitest.multipletests(p_values, method=method)[1]
        return {"p_values": p_values}, [("statsmodels", i, p, CHANCE) for i, p in enumerate(adjusted)]
    return draw


def sample_ratio(rng):
    weights = rng.uniform(0.2, 3, int(rng.integers(2, 6)))
    counts = rng.multinomial(int(rng.integers(500, 100000)), weights / weights.sum()) + rng.integers(0, 30, len(weights))
    expected = scipy.stats.chisquare(counts, weights / weights.sum() * counts.sum())
    return {"counts": counts.tolist(), "weights": weights.tolist()}, [
        ("chi-square, by scipy", 0, expected.statistic, 0), ("p-value, by scipy", 1, expected.pvalue, CHANCE),
        ("p-value, by gbstats", 1, gbstats.utils.check_srm(counts.tolist(), weights.tolist()), CHANCE)]


def plan(rng):
    return {"alpha": draw_alpha(rng), "power": float(rng.uniform(0.6, 0.95)), "share": float(rng.uniform(0.1, 0.9)),
            "reduction": float(rng.choice([0, 0.3]))}


def treatment_size_for_means(deviation, effect, asked, ratio):
    error = deviation * math.sqrt(1 + 1 / ratio)
    size = statsmodels.stats.power.normal_sample_size_one_tail(effect, asked["power"], asked["alpha"] / 2, std_null=error, std_alternative=error)
    return size * (1 - asked["reduction"])


def treatment_size_for_proportions(baseline, effect, asked, ratio):
    size = sm_proportion.samplesize_proportions_2indep_onetail(effect, baseline, asked["power"], ratio=ratio, alpha=asked["alpha"])
    return size * (1 - asked["reduction"])


def sizes(draw, size_of):
    def case(rng):
        asked = {**plan(rng), **draw(rng)}
        ratio = (1 - asked["share"]) / asked["share"]
        treatment = size_of(asked.get("deviation", asked.get("baseline")), asked["effect"], asked, ratio)
        return asked, [("control, by statsmodels", 0, math.ceil(treatment * ratio), 0), ("treatment, by statsmodels", 1, math.ceil(treatment), 0)]
    return case


def detectable(draw, size_of, most):
    def case(rng):
        control, treatment = (int(n) for n in rng.integers(500, 50000, 2))
        asked = {**plan(rng), **draw(rng), "sizes": [control, treatment]}
        level = asked.get("deviation", asked.get("baseline"))
        effect = scipy.optimize.brentq(lambda e: size_of(level, e, asked, control / treatment) - treatment, 1e-4, most(level), xtol=1e-15, rtol=1e-12)
        return asked, [("effect, by statsmodels", 0, effect, 0)]
    return case


def interaction(rng):
    """A saturated regression; its HC2 variance of a cell is s^2 / n."""
    cells, alpha = [draw_values(rng) for _ in range(4)], draw_alpha(rng)
    first = numpy.repeat([0, 0, 1, 1], [len(c) for c in cells])
    second = numpy.repeat([0, 1, 0, 1], [len(c) for c in cells])
    fit = statsmodels.api.OLS(numpy.concatenate(cells), numpy.column_stack([numpy.ones(len(first)), first, second, first * second])).fit(cov_type="HC2")
    effect, error = fit.params[3], fit.bse[3]
    parts = [(c.var(ddof=1) / len(c), len(c) - 1) for c in cells]
    freedom = error ** 4 / sum(v * v / f for v, f in parts)
    low, high = scipy.stats.t.interval(1 - alpha, freedom, effect, error)
    return {"cells": [c.tolist() for c in cells], "alpha": alpha}, comparison(
        effect, error, low, high, 2 * scipy.stats.t.sf(abs(effect) / error, freedom), source="statsmodels")


def draw_effects(rng, count):
    return numpy.column_stack([rng.normal(0.3, 1, count), rng.uniform(0.05, 2, count)])


def segments(rng):
    effects = draw_effects(rng, int(rng.integers(2, 12)))
    common = statsmodels.stats.meta_analysis.combine_effects(effects[:, 0], effects[:, 1])
    error = math.sqrt(common.var_eff_w_fe)
    q = common.q
    freedom = len(effects) - 1
    return {"effects": effects.tolist()}, [
        ("common effect, by statsmodels", 0, common.mean_effect_fe, error), ("its standard error, by statsmodels", 1, error, 0),
        ("Q, by statsmodels", 2, q, 0), ("p-value", 3, scipy.stats.chi2.sf(q, freedom), CHANCE), ("I^2", 4, max(0, 1 - freedom / q), CHANCE)]


def trend(rng):
    count = int(rng.integers(3, 28))
    days, effects, alpha = rng.permutation(40)[:count].astype(float), draw_effects(rng, count), draw_alpha(rng)
    fit = statsmodels.api.WLS(effects[:, 0], statsmodels.api.add_constant(days), weights=1 / effects[:, 1]).fit(cov_type="fixed scale")
    low, high = fit.conf_int(alpha)[1]
    return {"days": days.tolist(), "effects": effects.tolist(), "alpha": alpha}, comparison(
        fit.params[1], fit.bse[1], low, high, fit.pvalues[1], source="statsmodels")


def posterior(rng):
    control, treatment = rng.normal(2, 1, int(rng.integers(20, 200))), rng.normal(2.1, 1, int(rng.integers(20, 200)))
    prior = [float(rng.normal(0, 0.2)), float(rng.uniform(0.001, 1))] if rng.random() < 0.7 else []
    alpha = draw_alpha(rng)
    belief = gb_bayes.GaussianPrior(*prior, proper=True) if prior else gb_bayes.GaussianPrior(proper=False)
    found = gb_bayes.EffectBayesianABTest(gb_mean(control), gb_mean(treatment), gb_bayes.EffectBayesianConfig(
        difference_type="absolute", prior_type="absolute", alpha=alpha, prior_effect=belief)).compute_result()
    variance = control.var(ddof=1) / len(control) + treatment.var(ddof=1) / len(treatment)
    error = found.uplift.stddev
    return {"effects": [[treatment.mean() - control.mean(), variance]], "prior": prior, "alpha": alpha}, [
        ("mean, by gbstats", 0, found.expected, error), ("deviation, by gbstats", 1, error, 0), ("low, by gbstats", 2, found.ci[0], error),
        ("high, by gbstats", 3, found.ci[1], error), ("chance, by gbstats", 4, found.chance_to_win, CHANCE),
        ("loss of control, by gbstats", 5, found.risk[0], error), ("loss of treatment, by gbstats", 6, found.risk[1], error)]


def best(draw_arm, distribution):
    def case(rng):
        drawn = [draw_arm(rng) for _ in range(int(rng.integers(2, 6)))]
        posteriors = [distribution(*arm) for arm in drawn]
        marks = sorted(p.ppf(u) for p in posteriors for u in (1e-13, 1e-6, 0.01, 0.5, 0.99, 1 - 1e-6, 1 - 1e-13))

        def chance(i):
            def at(x):
                return posteriors[i].pdf(x) * math.prod(p.cdf(x) for j, p in enumerate(posteriors) if j != i)
            return sum(scipy.integrate.fixed_quad(at, low, high, n=40)[0] for low, high in zip(marks, marks[1:]))

        return {"arms": [list(map(float, arm)) for arm in drawn]}, [("chance, by scipy", i, chance(i), 1) for i in range(len(drawn))]
    return case


def draw_deviation(rng):
    return {"deviation": float(rng.uniform(0.5, 5))}


def draw_baseline(rng):
    return {"baseline": float(rng.uniform(0.02, 0.5))}


METHODS = {
    "means": means,
    "proportions": proportions,
    "ratios": ratios,
    "lift_of_means": lift_of_means,
    "lift_of_ratios": lift_of_ratios,
    "fieller": fieller,
    "cuped": cuped,
    "strata": strata,
    "look_means": look_means,
    "look_proportions": look_proportions,
    "quantile": quantile,
    "holm": adjusted_p_values("holm"),
    "benjamini_hochberg": adjusted_p_values("fdr_bh"),
    "sample_ratio": sample_ratio,
    "sizes_for_means": sizes(lambda rng: {**draw_deviation(rng), "effect": float(rng.uniform(0.05, 1))}, treatment_size_for_means),
    "sizes_for_proportions": sizes(lambda rng: {**draw_baseline(rng), "effect": float(rng.uniform(0.01, 0.3))}, treatment_size_for_proportions),
    "detectable_mean": detectable(draw_deviation, treatment_size_for_means, lambda deviation: 5 * deviation),
    "detectable_proportion": detectable(draw_baseline, treatment_size_for_proportions, lambda baseline: 0.99 * (1 - baseline)),
    "interaction": interaction,
    "segments": segments,
    "trend": trend,
    "posterior": posterior,
    "best_rate": best(lambda rng: (rng.integers(1, 200), rng.integers(1, 2000)), scipy.stats.beta),
    "best_mean": best(lambda rng: (rng.normal(0, 1), 10 ** rng.uniform(-2, 0.5)), scipy.stats.norm),
}
