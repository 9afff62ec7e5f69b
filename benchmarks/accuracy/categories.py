"""What makes a labelled sequence hard: scores are averaged by category beside the mean of all."""

from __future__ import annotations

from collections.abc import Iterable

CATEGORIES = {
    "calm": (
        "cdnet_highway", "cdnet_office", "sbi_Board", "sbi_CAVIAR2", "sbi_CaVignal",
        "sbi_Candela_m1.10", "sbi_HighwayII", "sbi_IBMtest2", "sbi_PeopleAndFoliage",
    ),
    "hard shadows": ("cdnet_busStation", "cdnet_pedestrians"),
    "moving background": ("cdnet_fall", "ostd_parking", "ucsd_ocean", "ucsd_zodiac"),
    "trembling camera": ("cdnet_sidewalk", "cdnet_traffic"),
    "grey, fog, thermal": ("cdnet_turbulence0", "ucsd_traffic", "ucsd_freeway"),
    "far people": ("ucsd_peds",),
    "a branch before the lens": ("sbi_Foliage", "sbi_Snellen"),
}  # fmt: skip
"""Sequences of CDnet 2014, SBI 2015, OSTD and UCSD by what is hard in them."""


def in_categories(scenes: Iterable[str]) -> dict[str, list[str]]:
    """The sequences of each category that are among `scenes`; those of no category are in none."""
    known = set(scenes)
    found = {name: [s for s in members if s in known] for name, members in CATEGORIES.items()}
    return {name: members for name, members in found.items() if members}
