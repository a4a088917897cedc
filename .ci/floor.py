"""Fails where the summary of the main job lies below what it must reach on the phantom."""

import json
import sys

FLOOR = {"disc_dice": 0.965, "cup_dice": 0.94, "qwk": 0.75}
EYES = 60

with open(sys.argv[1], encoding="utf-8") as file:
    summary = json.load(file)
low = [
    f"{name} {summary[name]['value']:.3f} < {floor}"
    for name, floor in FLOOR.items()
    if summary[name]["value"] < floor
]
if summary["num_eyes"] < EYES:
    low.append(f"{summary['num_eyes']} test eyes < {EYES}")
held = ", ".join(f"{name} {summary[name]['value']:.3f}" for name in FLOOR)
print("; ".join(low) or f"floor held: {held}")
sys.exit(bool(low))
