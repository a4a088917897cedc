"""The page of a table that was filled without a training."""

import json
import re

from experiments import tables
from experiments.comparison.settings import Study


def page_of(tmp_path, number, names):
    study = Study(tmp_path, ("m.csv",), seeds=2, rates=(1e-3, 3e-3), extra=("--bootstrap=30",))
    assert tables.run_table(study, number, names) == 0
    return (tmp_path / f"table{number}" / "report.html").read_text()


def cards(page):
    return json.loads(re.search(r'id="cards">(.*?)</script>', page, re.DOTALL)[1])


def test_the_page_of_table_1(fake, tmp_path):
    page = page_of(tmp_path, 1, ["unetpp", "segformer", "imo", "ensemble"])
    for anchor in ("setting", "intervals", "segment-paper", "segment-clinical", "differences",
                   "apart", "cost", "rates", "curves", "eyes", "run", "use"):  # fmt: skip
        assert f'<section id="{anchor}"' in page, anchor
    assert page.count('class="chart"') == 3 + 4 + 1  # scores, differences, learning curves
    assert "Settings of SegFormer" in page and "UNet++ + IMO" in page
    made = cards(page)
    assert len(made) == 8 and {"unetpp", "segformer", "imo", "ensemble", "truth"} <= set(made[0])
    text = (tmp_path / "table1" / "table.md").read_text()
    for number in re.findall(r"[+-]?\d\.\d{3} \([^)]*\)", text):
        assert number in page
    assert not re.findall(r"""(?:src|href)=["'](?!#|data:)""", page)


def test_the_page_of_table_2_sorts_grades_and_shows_roc(fake, tmp_path):
    page = page_of(tmp_path, 2, ["vit", "imo"])
    assert "ROC of glaucoma of any grade (seed 0)" in page
    made = cards(page)
    assert "imo" not in made[0] and "truth" not in made[0]
    assert all({"grades", "vit_grade_error"} <= set(card["order"]) for card in made)
