"""The card says what the files are."""

import hashlib
import json

from imo_jax.export.parts import parts_of


def test_a_card_tells_inputs_outputs_and_the_way_between(exported, predictor):
    folder = exported("two_stages", "stablehlo")
    card = json.loads((folder / "card.json").read_text())
    assert [f["name"] for f in card["functions"]] == ["locator", "network"]
    for function, part in zip(card["functions"], parts_of(predictor("two_stages")), strict=True):
        content = (folder / function["file"]).read_bytes()
        assert function["bytes"] == len(content)
        assert function["sha256"] == hashlib.sha256(content).hexdigest()
        for way in ("inputs", "outputs"):
            told = {n: (tuple(x["shape"]), x["dtype"]) for n, x in function[way].items()}
            expected = {n: (("batch", *x.shape), x.dtype.name) for n, x in getattr(part, way).items()}
            assert told == expected
        assert 0 <= max(function["largest_difference_from_the_original"].values()) < 1e-5
    assert "not a medical device" in card["warning"]
    assert card["grades"] == ["normal", "early", "mid/advanced"]
    assert "seed 0" in card["noise"]
    assert any("2 disc diameters" in step for step in card["preparation"])


def test_a_card_for_people_names_all_of_it(exported):
    folder = exported("semt", "stablehlo")
    card, text = json.loads((folder / "card.json").read_text()), (folder / "card.md").read_text()
    for function in card["functions"]:
        for name in (*function["inputs"], *function["outputs"], function["file"]):
            assert name in text
    assert "(batch, 32, 32, 3)" in text and "(batch,)" in text
    assert "at most 6 B-scans" in text
    assert "threshold of validation: 0.5" in text
