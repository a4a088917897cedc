from imo_jax.report.seed_means import cell, difference_cell, over_seeds

ONE, TWO = {"value": 0.2, "low": 0.0, "high": 0.4}, {"value": 0.4, "low": 0.2, "high": 0.6}


def test_all_ends_are_averaged():
    found = over_seeds([{"a": ONE}, {"a": TWO}], "a")
    assert cell(found) == "0.300 (0.100 to 0.500)"
    assert cell(found, "+.1f") == "+0.3 (+0.1 to +0.5)"


def test_what_a_seed_lacks_is_not_averaged():
    assert over_seeds([{"a": ONE}, {"a": None}], "a") is None
    assert over_seeds([{"a": ONE}, {}], "a") is None
    assert cell(None) == "-"


def test_a_difference_shows_how_far_its_seeds_are_apart():
    assert difference_cell([{"a": TWO}, {"a": ONE}], "a") == (
        "+0.300 (+0.100 to +0.500; seeds +0.200 to +0.400)"
    )
    assert difference_cell([{"a": ONE}], "a") == "+0.200 (+0.000 to +0.400)"
    assert difference_cell([{"a": ONE}, {"a": None}], "a") == "-"
