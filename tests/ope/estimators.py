"""Off-policy estimates of single slots, written from their definitions and sharing nothing with the product's code.

A row is (item, position, click, propensity). The target is a policy's own shares of items by position.
"""
import collections
import math

PRIOR_ROWS = 100  # of the reward model, as src/experiment/ope/reward_model.h states


def shares_of(rows):
    """{position: {item: share}}"""
    counts = collections.defaultdict(collections.Counter)
    for item, position, _, _ in rows:
        counts[position][item] += 1
    return {position: {item: count / items.total() for item, count in items.items()} for position, items in counts.items()}


def weights_of(log, shares):
    return [shares[position].get(item, 0.0) / propensity for item, position, _, propensity in log]


def mean_and_error(values):
    mean = math.fsum(values) / len(values)
    return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values))


def ips(log, shares):
    return mean_and_error([weight * row[2] for weight, row in zip(weights_of(log, shares), log)])


def snips(log, shares):
    """Each position divided by its own weights; the error from the ratios' linear part."""
    weights = weights_of(log, shares)
    places = collections.defaultdict(list)
    for index, row in enumerate(log):
        places[row[1]].append(index)
    value, linear = 0.0, [0.0] * len(log)
    for indexes in places.values():
        total = math.fsum(weights[i] for i in indexes)
        ratio = math.fsum(weights[i] * log[i][2] for i in indexes) / total
        value += len(indexes) / len(log) * ratio
        for i in indexes:
            linear[i] = ratio + weights[i] * (log[i][2] - ratio) / (total / len(indexes))
    return value, mean_and_error(linear)[1]


def doubly_robust(log, shares):
    """The model of a row is fit on rows of the other parity."""
    models = [mean_clicks([row for index, row in enumerate(log) if index % 2 == fold]) for fold in (0, 1)]
    values = []
    for index, (weight, (item, position, click, _)) in enumerate(zip(weights_of(log, shares), log)):
        model = models[1 - index % 2]
        expected = math.fsum(share * model(position, other) for other, share in shares[position].items())
        values.append(weight * (click - model(position, item)) + expected)
    return mean_and_error(values)


def mean_clicks(rows):
    cells, positions = collections.defaultdict(list), collections.defaultdict(list)
    for item, position, click, _ in rows:
        cells[position, item].append(click)
        positions[position].append(click)
    means = {position: sum(clicks) / len(clicks) for position, clicks in positions.items()}

    def predict(position, item):
        clicks = cells.get((position, item), [])
        return (sum(clicks) + PRIOR_ROWS * means[position]) / (len(clicks) + PRIOR_ROWS)

    return predict


def kish(weights):
    return math.fsum(weights) ** 2 / math.fsum(weight * weight for weight in weights)


def support(log, shares):
    """What the command prints of the weights, for all rows and by position."""
    weights = weights_of(log, shares)
    shown = {(position, item) for item, position, _, _ in log}

    def describe(indexes):
        used = [weights[i] for i in indexes]
        mean = math.fsum(used) / len(used)
        on_support = [math.fsum(share for item, share in shares[log[i][1]].items() if (log[i][1], item) in shown)
                      for i in indexes]
        return {"rows": len(used), "effective": kish(used), "weight_share_max": max(used) / math.fsum(used),
                "mean_weight": mean, "target_share": math.fsum(on_support) / len(on_support),
                "mean_weight_error": math.sqrt(math.fsum((w - mean) ** 2 for w in used)) / len(used)}

    result = describe(range(len(log)))
    result["effective_rewards"] = kish([weight * row[2] for weight, row in zip(weights, log)])
    result["by_position"] = [
        {"position": position, **describe([i for i, row in enumerate(log) if row[1] == position])}
        for position in sorted({row[1] for row in log})]
    return result
