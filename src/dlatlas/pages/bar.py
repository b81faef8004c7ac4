"""A claim at a glance: what is allowed, what was measured, where the control is."""

import math
from typing import Any

WIDTH, HEIGHT, MARGIN = 320.0, 30.0, 10.0


def bar(claim: dict[str, Any]) -> str:
    """Inline SVG: a band for the allowed values, a point with its interval, a hollow diamond for the control."""
    low, high = claim["bounds"]
    measured = [claim["estimate"], *claim["interval"]]
    control = claim["control"]["estimate"]
    seen = [v for v in (*measured, control, low, high) if v is not None and math.isfinite(v)]
    if claim["estimate"] is None or not seen:
        return ""
    first, last = min(seen), max(seen)
    room = 0.12 * (last - first) or max(abs(last), 1.0) * 0.1
    first, last = first - room, last + room

    def at(value: float) -> float:
        return MARGIN + (WIDTH - 2 * MARGIN) * (value - first) / (last - first)

    left = at(low) if low is not None else 0.0
    right = at(high) if high is not None else WIDTH
    middle = HEIGHT / 2
    parts = [
        f'<svg class="bar {claim["verdict"].replace(" ", "-")}" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" '
        'aria-label="allowed values, estimate with interval, control">',
        f'<rect class="allowed" x="{left:.1f}" y="5" width="{max(right - left, 1.5):.1f}" height="{HEIGHT - 10:.0f}"/>',
        f'<line class="axis" x1="0" x2="{WIDTH:.0f}" y1="{middle}" y2="{middle}"/>',
    ]
    if control is not None:
        x = at(control)
        parts.append(f'<path class="control" d="M{x:.1f} 9.5l5.5 5.5l-5.5 5.5l-5.5 -5.5z"/>')
    if None not in claim["interval"]:
        a, b = (at(value) for value in claim["interval"])
        parts.append(f'<line class="interval" x1="{a:.1f}" x2="{b:.1f}" y1="{middle}" y2="{middle}"/>')
    parts.append(f'<circle class="estimate" cx="{at(claim["estimate"]):.1f}" cy="{middle}" r="4.5"/></svg>')
    return "".join(parts)
