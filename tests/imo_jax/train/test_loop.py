"""The loop with a step of a few numbers: ends, resuming, signals, bad losses, what is kept."""

import dataclasses
import functools
import io
import os
import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.checkpoints import (
    ITEMS,
    CheckpointMismatch,
    Checkpoints,
    restore_variables,
)
from imo_jax.train import loop, parallel
from imo_jax.train.metric_log import NonFiniteLoss
from imo_jax.train.state import TrainState
from imo_jax.train.tensorboard import TensorBoard

CONFIG = loop.LoopConfig(train_steps=10, log_every=4, eval_every=4, save_every=3, keep_last=2)


def initial_state(size=3):
    w = np.linspace(0, 1, size, dtype=np.float32)
    return TrainState(
        step=np.int32(0),
        params={"w": w},
        batch_stats={},
        opt_state={"m": np.zeros_like(w)},
        ema={"params": {"w": w}, "batch_stats": {}},
    )


def step(state, batch):
    """Momentum towards the batch's values; the loss is theirs."""
    value = jax.lax.pmean(jnp.mean(batch["x"]), parallel.AXIS)
    m = 0.9 * state.opt_state["m"] + value
    w = state.params["w"] + 0.1 * m
    average = {"params": {"w": 0.5 * (state.ema["params"]["w"] + w)}, "batch_stats": {}}
    new = state.replace(step=state.step + 1, params={"w": w}, opt_state={"m": m}, ema=average)
    norm = jnp.sqrt(jnp.sum(jnp.square(w)))
    return new, {"loss": value, "gradient_norm": jnp.abs(value), "param_norm": norm}


MAPPED = parallel.over_devices(step)


@pytest.fixture(autouse=True)
def compiled_once(monkeypatch):
    """The same step in all tests: mapped, and so compiled, once."""
    monkeypatch.setattr(parallel, "over_devices", lambda *step, **shared: MAPPED)


def batches(start, seen=None, bad=(), at=None):
    """Batches as a function of the step; `at`: step -> called when its batch is asked for."""
    number = start
    while True:
        if at and number in at:
            at[number]()
        if seen is not None:
            seen.append(number)
        rng = np.random.default_rng(number)
        x = rng.normal(size=(4, 2)).astype(np.float32)
        yield {
            "x": x * (np.nan if number in bad else 1),
            "id": [f"eye{number}_{i}" for i in range(4)],
        }
        number += 1


def peak_at(peak):
    """Validation whose value rises until step `peak`."""
    return lambda variables, step, interrupt: {"score": -abs(step - peak), "loss": float(step)}


PEAK_AT_4 = peak_at(4)


def run(directory, *, config=CONFIG, validate=PEAK_AT_4, devices=1, state=None, **arguments):
    arguments.setdefault("stream", io.StringIO())
    make = arguments.pop("batches", batches)
    with Checkpoints(directory, keep_last=config.keep_last) as checkpoints:
        return loop.train(
            state or initial_state(),
            step=step,
            key=jax.random.key(0),
            batches=make,
            validate=validate,
            checkpoints=checkpoints,
            config=config,
            num_devices=devices,
            **arguments,
        )


def everything(directory):
    """Step -> flat arrays and progress of every checkpoint of a finished run."""
    with Checkpoints(directory, read_only=True) as checkpoints:
        return {
            step: {item: checkpoints.restore(step, item) for item in ITEMS}
            for step in checkpoints.steps()
        }


def same(a, b):
    assert a.keys() == b.keys()
    jax.tree.map(np.testing.assert_array_equal, a, b)


def with_config(**settings):
    return dataclasses.replace(CONFIG, **settings)


def test_runs_to_the_end(tmp_path):
    seen = []
    result = run(tmp_path, batches=functools.partial(batches, seen=seen))
    assert (result.step, result.reason, result.exit_code) == (10, "finished", 0)
    assert seen == list(range(10))
    assert (result.selection.best_step, result.selection.best_value) == (4, 0)
    kept = everything(tmp_path)
    # saved at 3, 4, 6, 8, 9, 10; kept are the last two and the best
    assert list(kept) == [4, 9, 10]
    assert kept[10]["training"]["step"] == 10
    assert kept[10]["progress"] == {
        "best_step": 4, "best_value": 0.0, "validated_step": 10, "since_best": 2,
    }  # fmt: skip


def test_evaluation_gets_the_average(tmp_path):
    given = []
    run(
        tmp_path,
        validate=lambda variables, step, interrupt: given.append(variables) or {"score": 0},
    )
    variables, at = restore_variables(tmp_path, which="last")
    assert at == 10
    np.testing.assert_array_equal(variables["params"]["w"], given[-1]["params"]["w"])
    live = everything(tmp_path)[10]["training"]["params"]["w"]
    assert np.abs(live - variables["params"]["w"]).max() > 1e-3


def test_without_a_validation_split_the_last_step_is_used(tmp_path):
    result = run(tmp_path, validate=None, config=with_config(patience=1))
    assert (result.reason, result.selection.best_step) == ("finished", None)
    assert restore_variables(tmp_path, which="best")[1] == 10


def test_nothing_is_done_twice(tmp_path):
    first = run(tmp_path)
    seen = []
    again = run(
        tmp_path, batches=functools.partial(batches, seen=seen), validate=lambda *_: pytest.fail()
    )
    assert again == first and seen == []


# after step 3; after step 4, when a validation is due; in the last step
@pytest.mark.parametrize(
    ("at", "number"), [(2, signal.SIGTERM), (3, signal.SIGINT), (9, signal.SIGTERM)]
)
def test_signal_saves_and_the_resumed_run_is_the_same(tmp_path, at, number):
    run(tmp_path / "whole")
    kill = {at: lambda: os.kill(os.getpid(), number)}  # during the batch of step at + 1
    result = run(tmp_path / "parts", batches=functools.partial(batches, at=kill))
    assert (result.reason, result.step, result.exit_code) == ("interrupted", at + 1, 128 + number)
    assert list(everything(tmp_path / "parts"))[-1] == at + 1
    seen = []
    result = run(tmp_path / "parts", batches=functools.partial(batches, seen=seen))
    assert result.reason == "finished" and seen == list(range(at + 1, 10))
    whole, parts = everything(tmp_path / "whole"), everything(tmp_path / "parts")
    for step_number in whole.keys() & parts.keys():
        same(whole[step_number], parts[step_number])
    assert {4, 10} <= whole.keys() & parts.keys()


def test_signal_in_validation_ends_it_and_it_is_done_anew(tmp_path):
    done = []

    def validate(variables, step, interrupt):
        if step == 8 and 8 not in done:
            done.append(8)
            os.kill(os.getpid(), signal.SIGTERM)
        interrupt.check()
        return peak_at(8)(variables, step, interrupt)

    result = run(tmp_path, validate=validate)
    assert (result.reason, result.step) == ("interrupted", 8)
    assert result.selection.validated_step == 4
    result = run(tmp_path, validate=validate)
    assert (result.selection.best_step, result.selection.validated_step) == (8, 10)
    assert list(everything(tmp_path)) == [8, 9, 10]
    assert restore_variables(tmp_path)[1] == 8


def test_second_signal_is_not_caught(tmp_path):
    def twice():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    # A process started in the background of a shell ignores SIGINT: not what is tested here.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, batches=functools.partial(batches, at={2: twice}))
    finally:
        signal.signal(signal.SIGINT, before)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_early_stopping_and_its_memory(tmp_path):
    config = with_config(train_steps=100, eval_every=2, patience=3)
    result = run(tmp_path, config=config)
    assert (result.reason, result.step) == ("stopped early", 10)  # best at 4; 6, 8, 10 are worse
    assert run(tmp_path, config=config).reason == "stopped early"
    # interrupted in the middle, the count of bad validations goes on
    kill = {7: lambda: os.kill(os.getpid(), signal.SIGTERM)}
    assert run(tmp_path / "b", config=config, batches=functools.partial(batches, at=kill)).step == 8
    assert run(tmp_path / "b", config=config).step == 10
    assert run(tmp_path / "c", config=dataclasses.replace(config, patience=4)).step == 12


@pytest.mark.parametrize("log_every", [1, 100])
def test_a_bad_loss_stops_and_is_never_saved(tmp_path, log_every):
    config = with_config(log_every=log_every)
    with pytest.raises(NonFiniteLoss, match="eye6_0") as error:
        run(tmp_path, config=config, batches=functools.partial(batches, bad=(6,)))
    assert error.value.step == 7
    assert f"Last good checkpoint: {tmp_path / '6'}" in str(error.value)
    kept = everything(tmp_path)
    assert max(kept) == 6
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(kept[6]["training"]))


def test_a_bad_first_step(tmp_path):
    with pytest.raises(NonFiniteLoss, match="step 1: .*none yet"):
        run(tmp_path, batches=functools.partial(batches, bad=(0,)))


def test_goes_on_with_another_number_of_devices(tmp_path):
    run(tmp_path, config=with_config(train_steps=6), devices=2)
    result = run(tmp_path, devices=1)
    assert result.step == 10
    run(tmp_path / "one", devices=1)
    a, b = everything(tmp_path)[10]["training"], everything(tmp_path / "one")[10]["training"]
    jax.tree.map(functools.partial(np.testing.assert_allclose, atol=1e-6), a, b)


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    run(tmp_path)
    with pytest.raises(CheckpointMismatch, match=r"params/w: float32\[3\].*float32\[4\]"):
        run(tmp_path, state=initial_state(4))


def test_metric_that_is_not_there(tmp_path):
    with pytest.raises(KeyError, match="dice.*score"):
        run(tmp_path, config=with_config(best_metric="dice"))


def test_batch_that_cannot_be_cut(tmp_path):
    with pytest.raises(ValueError, match="multiple of 3"):
        run(tmp_path, accumulation=3)


@pytest.mark.parametrize(
    ("settings", "steps"),
    [({"eval_every": 5}, [5, 9, 10]), ({"keep_last": 1}, [4, 10]), ({"save_every": 0}, [4, 8, 10]),
     ({"best_metric": "loss"}, [9, 10]), ({"best_metric": "loss", "best_mode": "min"}, [4, 9, 10]),
     ({"best_mode": "min"}, [9, 10]), ({"train_steps": 9}, [4, 8, 9])],
)  # fmt: skip
def test_settings_change_what_is_kept(tmp_path, settings, steps):
    run(tmp_path, config=with_config(**settings))
    assert list(everything(tmp_path)) == steps


class Board(TensorBoard):
    def __init__(self):
        self.seen = []

    def scalars(self, step, values, prefix):
        self.seen.append((prefix, step, dict(values)))

    def images(self, step, images, prefix):
        self.seen.append(("image", step, dict(images)))


@pytest.mark.parametrize(("log_every", "looks"), [(4, [1, 4, 8]), (3, [1, 3, 6, 9])])
def test_tensorboard(tmp_path, log_every, looks):
    board = Board()
    image = np.zeros((2, 2, 3), np.uint8)
    run(
        tmp_path,
        config=with_config(log_every=log_every),
        tensorboard=board,
        draw=lambda variables, step: {"eye": image},
    )
    train = {step: values for prefix, step, values in board.seen if prefix == "train"}
    assert list(train) == looks
    losses = [float(next(batches(k))["x"].mean()) for k in range(10)]
    # the mean over the steps since the look before
    np.testing.assert_allclose(train[looks[1]]["loss"], np.mean(losses[1 : looks[1]]), atol=1e-6)
    assert train[looks[1]]["images_per_second"] > 0
    assert [step for prefix, step, _ in board.seen if prefix == "validation"] == [4, 8, 10]
    assert [step for prefix, step, _ in board.seen if prefix == "image"] == [4, 8, 10]


def test_what_is_said(tmp_path):
    stream = io.StringIO()
    run(tmp_path, stream=stream)
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith("step 1: loss ")
    assert "step 4: validation score 0.0000 (best 0.0000 at step 4)" in lines
    assert "step 10: validation score -6.0000 (best 0.0000 at step 4)" in lines
    assert len(lines) < 8
