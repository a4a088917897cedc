"""Metrics that wait on the device, and the first step that went wrong."""

import numpy as np
import pytest

from imo_jax.train import parallel
from imo_jax.train.metric_log import MetricLog, NonFiniteLoss


def metrics(loss, gradient=1.0, param=1.0):
    values = {"loss": loss, "gradient_norm": gradient, "param_norm": param}
    return parallel.replicate({k: np.float32(v) for k, v in values.items()}, 2)


def test_means_of_a_window():
    log = MetricLog()
    for step, loss in enumerate((1.0, 2.0, 6.0), 1):
        log.add(step, ["a", "b"], metrics(loss))
    log.check(lambda: "none")
    assert log.images == 6
    assert log.take() == {"loss": 3.0, "gradient_norm": 1.0, "param_norm": 1.0}
    assert log.take() == {} and log.images == 0


def test_a_check_keeps_the_window():
    log = MetricLog()
    log.add(1, ["a"], metrics(1.0))
    log.check(lambda: "none")
    log.add(2, ["a"], metrics(3.0))
    log.check(lambda: "none")
    assert log.take()["loss"] == 2.0


@pytest.mark.parametrize("bad", [{"loss": np.nan}, {"loss": 1.0, "gradient": np.inf},
                                 {"loss": 1.0, "param": np.nan}])  # fmt: skip
def test_names_the_first_bad_step(bad):
    log = MetricLog()
    log.add(8, ["eye1", "eye2"], metrics(1.0))
    log.add(9, ["eye3", "eye4"], metrics(**bad))
    log.add(10, ["eye5", "eye6"], metrics(np.nan))
    with pytest.raises(NonFiniteLoss, match=r"step 9: .*eye3, eye4.*/run/7") as error:
        log.check(lambda: "/run/7")
    assert error.value.step == 9 and error.value.ids == ["eye3", "eye4"]
