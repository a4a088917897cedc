from imo_jax.report.seed_means import cell, over_seeds

ONE, TWO = {"value": 0.2, "low": 0.0, "high": 0.4}, {"value": 0.4, "low": 0.2, "high": 0.6}


def test_all_ends_are_averaged():
    found = over_seeds([{"a": ONE}, {"a": TWO}], "a")
    assert cell(found) == "0.300 (0.100 to 0.500)"
    assert cell(found, "+.1f") == "+0.3 (+0.1 to +0.5)"


def test_what_a_seed_lacks_is_not_averaged():
    assert over_seeds([{"a": ONE}, {"a": None}], "a") is None
    assert over_seeds([{"a": ONE}, {}], "a") is None
    assert cell(None) == "-"
