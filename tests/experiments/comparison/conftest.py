"""A comparison without training: a small store, and runs that only leave what runs leave."""

import dataclasses
import pathlib

import numpy as np
import pytest

from data_pipelines.framing import Frame
from experiments import tables, validation_log
from experiments.comparison import evaluation, runs, settings, state, stores
from experiments.run_folder import RunFolder
from imo_jax.atomic_files import write_json
from imo_jax.checkpoints import ITEMS
from imo_jax.labels import GRADE_NAMES
from imo_jax.predictor.batches import EyePrediction
from imo_jax.settings.saved import to_json
from imo_jax.train.loop import Result
from imo_jax.train.selection import Selection

SIDE = 32
Y, X = np.mgrid[:SIDE, :SIDE]


def disc(cup, radius=10):
    """Ids of a disc with a cup of some radius in the middle of the square."""
    distance = np.hypot(Y - 16, X - 16)
    return np.where(distance < cup, 2, np.where(distance < radius, 1, 0)).astype(np.uint8)


class FakeStore:
    """Eight labelled test eyes of five patients; the cup grows with the grade."""

    def __init__(self, fold=0):
        self.fold = fold
        self.doubts = {}
        self.grade_names = GRADE_NAMES

    def num(self, split):
        return 8

    def ids(self, split):
        return [f"fold{self.fold}-eye{i}" for i in range(8)]

    def patients(self, split):
        return [f"fold{self.fold}-p{i // 2 if i < 6 else i}" for i in range(8)]

    def grades(self, split):
        return np.arange(8) % 3

    def has_grade(self, split):
        return np.ones(8, bool)

    has_mask = has_oct = has_grade

    def glaucoma(self, split):
        return [None] * 8

    def mm_per_pixel(self, split):
        return [None] * 8

    sides = mm_per_pixel

    def frame(self, split, i):
        return Frame(0, 0, SIDE, SIDE, SIDE, SIDE, SIDE)

    def native_mask(self, split, i):
        return disc(3 + 2 * (i % 3) + 0.1 * i)

    squares = {}

    def example(self, split, i):
        return {
            "id": self.ids(split)[i], "fundus": np.full((SIDE, SIDE, 3), 120, np.uint8),
            "mask": self.native_mask(split, i), "has_mask": True,
            "grade": int(i % 3), "has_grade": True, "has_oct": True,
        }  # fmt: skip


def fake_predictions(store, seed, error, segment, grade):
    """The truth of every eye, spoilt by noise of size `error`."""
    rng = np.random.default_rng(seed)
    for i, eye_id in enumerate(store.ids("test")):
        mask = store.native_mask("test", i)
        pixels = np.eye(3)[mask] + error * rng.random((SIDE, SIDE, 3))
        grades = np.eye(3)[i % 3] + error * rng.random(3)
        yield EyePrediction(
            index=i,
            id=eye_id,
            grade_probabilities=(grades / grades.sum()).astype(np.float32) if grade else None,
            probabilities=(pixels / pixels.sum(-1, keepdims=True)).astype(np.float32)
            if segment
            else None,
            sample_ids=np.stack([mask, disc(4)]) if segment else None,
            entropy=None,
        )


@dataclasses.dataclass
class FakeRuns:
    """What the stand-ins were asked to do, and how they answer.

    Attributes:
      trained: folders of the runs that were trained, in order.
      locators: folders of the locators that were trained.
      evaluated: folders of the runs whose test eyes were predicted.
      score: config of a run -> its validation score.
      code: exit code of the next training.
    """

    trained: list = dataclasses.field(default_factory=list)
    locators: list = dataclasses.field(default_factory=list)
    evaluated: list = dataclasses.field(default_factory=list)
    score: object = lambda config: config.optimiser.learning_rate
    code: int = 0

    def train(self, config, workdir, store):
        folder = RunFolder(pathlib.Path(workdir))
        self.trained.append("/".join(folder.root.parts[-2:]))
        write_json(folder.config, to_json(config, config.kind))
        for item in ITEMS:
            (folder.checkpoints / "5" / item).mkdir(parents=True, exist_ok=True)
        validation_log.append(folder.validation, 5, {config.loop.best_metric: self.score(config)})
        return Result(5, "finished", Selection(), self.code), store

    def train_locator(self, config, workdir, store):
        self.locators.append(workdir.name)
        return Result(5, "finished", Selection(), 0)

    def predictions(self, run, store):
        config = run.config
        self.evaluated.append("/".join(run.folder.root.parts[-2:]))
        better = 0.2 * (config.model.network == "unetpp") if hasattr(config.model, "network") else 0
        return fake_predictions(
            store, config.seed, 1.7 - better, config.model.segment, config.model.grade
        )


@dataclasses.dataclass
class FakeRun:
    folder: RunFolder
    config: object


@pytest.fixture
def fake(monkeypatch):
    """Runs without training, predictions without a network, costs without a device."""
    made = FakeRuns()

    def restored(study, run):
        return FakeRun(settings.run_folder(study, run), settings.config_of(study, run))

    def store_of(self, config):
        name = config.data.manifest
        return FakeStore(int(name.partition("_fold")[2][:1] or 0))

    def cost(run, store):
        return {
            "parameters": 1234, "flops": 2.5e9, "latency_s": 0.012, "samples": 1, "device": "a CPU",
        }  # fmt: skip

    monkeypatch.setattr(runs, "run_stages", made.train)
    monkeypatch.setattr(runs, "run_train", made.train_locator)
    for module in (evaluation, tables):
        monkeypatch.setattr(module, "evaluation_store", lambda run, whole: whole)
    monkeypatch.setattr(stores.Stores, "of", store_of)
    monkeypatch.setattr(evaluation, "predictions", made.predictions)
    for module in (evaluation, state, tables):
        monkeypatch.setattr(module, "restored", restored)
    monkeypatch.setattr(state, "measure_cost", cost)
    return made


@pytest.fixture
def store():
    return FakeStore()


@pytest.fixture
def predict():
    """(store, seed, error, segment, grade) -> predictions: the truth, spoilt."""
    return fake_predictions
