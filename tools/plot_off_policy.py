#!/usr/bin/env python3
"""Draws what `bowerbird sim ope --json` found: each recipe as judged by the log, over what it earned where deployed.

Usage: plot_off_policy.py RESULT.json OUT.svg
"""
import json
import sys

SIZE, LEFT, TOP, RIGHT, BOTTOM = 520, 62, 44, 16, 96
INK, GRID, GOOD, BAD = "#333333", "#dddddd", "#1f6f8b", "#c0392b"


def ticks(low, high):
    """Round numbers within a span, some six of them."""
    step = 10.0 ** -6
    for factor in (2, 2.5, 2) * 12:
        if (high - low) / step <= 7:
            break
        step *= factor
    first = int(low / step) + (1 if low > 0 else 0)
    return [round(k * step, 9) for k in range(first, int(high / step) + 1)]


def draw(result):
    judged = [row for row in result["rows"] if row["refused"] is None]
    refused = [row for row in result["rows"] if row["refused"] is not None]
    ends = [row[key] for row in judged for key in ("low", "high", "deployed_low", "deployed_high")]
    margin = 0.04 * (max(ends) - min(ends))
    low, high = min(ends) - margin, max(ends) + margin
    x = lambda value: LEFT + (value - low) / (high - low) * (SIZE - LEFT - RIGHT)
    y = lambda value: SIZE - BOTTOM - (value - low) / (high - low) * (SIZE - TOP - BOTTOM)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE}" font-family="sans-serif" '
        f'font-size="11" fill="{INK}">',
        f'<rect width="{SIZE}" height="{SIZE}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="18" font-size="13">What one log says of {len(judged)} recipes, and what they earned '
        'when deployed</text>',
        f'<text x="{LEFT}" y="34">reward an answer, 95% intervals by user; {result["family"]}, seed {result["seed"]}, '
        f'{result["answers"]:,} answers</text>',
    ]
    for tick in ticks(low, high):
        out.append(f'<path d="M{x(tick):.1f} {TOP}V{SIZE - BOTTOM}M{LEFT} {y(tick):.1f}H{SIZE - RIGHT}" '
                   f'stroke="{GRID}"/>')
        out.append(f'<text x="{x(tick):.1f}" y="{SIZE - BOTTOM + 15}" text-anchor="middle">{tick:g}</text>')
        out.append(f'<text x="{LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    out.append(f'<path d="M{x(low):.1f} {y(low):.1f}L{x(high):.1f} {y(high):.1f}" stroke="{INK}" '
               'stroke-dasharray="4 3"/>')
    for row in judged:
        colour = GOOD if row["covered"] else BAD
        at_x, at_y = x(row["deployed"]), y(row["value"])
        out.append(f'<g stroke="{colour}" fill="{colour}"><title>{row["recipe"]}: judged {row["value"]:.4f}, deployed '
                   f'{row["deployed"]:.4f}</title>')
        out.append(f'<path d="M{at_x:.1f} {y(row["low"]):.1f}V{y(row["high"]):.1f}M{x(row["deployed_low"]):.1f} '
                   f'{at_y:.1f}H{x(row["deployed_high"]):.1f}"/><circle cx="{at_x:.1f}" cy="{at_y:.1f}" r="3"/></g>')
    for row in refused:
        at = min(max(row["deployed"], low), high)
        out.append(f'<path d="M{x(at):.1f} {SIZE - BOTTOM}v-9" stroke="{BAD}" stroke-width="2"><title>'
                   f'{row["recipe"]}: refused; deployed {row["deployed"]:.4f}</title></path>')
    covered = sum(row["covered"] for row in judged)
    out += [
        f'<text x="{(LEFT + SIZE - RIGHT) / 2}" y="{SIZE - BOTTOM + 34}" text-anchor="middle">deployed</text>',
        f'<text transform="translate(14 {(TOP + SIZE - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">judged by the '
        'log</text>',
        f'<text x="{LEFT}" y="{SIZE - 38}" fill="{GOOD}">&#9679; the difference is within the noise of both: {covered} '
        f'of {len(judged)}; rank correlation {result["spearman"]:.3f}</text>',
        f'<text x="{LEFT}" y="{SIZE - 22}" fill="{BAD}">&#9679; it is not: {len(judged) - covered}; '
        f'&#124; refused, at what they earned all the same, or at the edge: {len(refused)}</text>',
        '</svg>',
    ]
    return "\n".join(out) + "\n"


def main():
    with open(sys.argv[1]) as source:
        result = json.load(source)
    with open(sys.argv[2], "w") as out:
        out.write(draw(result))


if __name__ == "__main__":
    main()
