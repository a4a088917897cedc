"""Weights as training scripts leave them: prefixes, nests, decoders, heads, and what is no weights."""

import re

import jax
import numpy as np
import pytest

from imo_jax.backbones import vit
from imo_jax.backbones.table import ENCODERS
from imo_jax.models.segmenters import SegmenterConfig
from imo_jax.models.variables import variable_shapes
from imo_jax.weights import WeightsError, load_pretrained, read_state_dict
from imo_jax.weights.family import summary, take
from imo_jax.weights.inspect import main
from imo_jax.weights.recognise import FAMILIES
from imo_jax.weights.rules import flatten

FAMILY = {family.name: family for family in FAMILIES}


def assert_loaded(loaded, theirs):
    for path, leaf in flatten(theirs).items():
        if path[1] == "backbone":
            np.testing.assert_array_equal(flatten(loaded)[path], leaf, err_msg=str(path))


@pytest.mark.parametrize(
    "prefix",
    ["module.", "model.", "net.", "_orig_mod.", "backbone.", "encoder.", "module.encoder_q.",
     "_orig_mod.module.", "model.backbone.", "module.net.encoder.trunk."],
)  # fmt: skip
@pytest.mark.parametrize(
    ("network", "family", "naming"),
    [("resnet", "ResNet", "torchvision"), ("vit", "ViT", "timm"), ("vit", "ViT", "huggingface")],
)
def test_prefixes(draw, tmp_path, prefix, network, family, naming):
    theirs = draw(network, seed=1)
    state = take(theirs, FAMILY[family], naming)
    np.savez(tmp_path / "w.npz", **{prefix + name: array for name, array in state.items()})
    loaded, line = load_pretrained(tmp_path / "w.npz", draw(network))
    assert_loaded(loaded, theirs)
    assert "ignored: nothing; fresh: head" in line


def test_what_stands_beside_the_backbone_is_named(draw, tmp_path, capsys):
    """MoCo's key encoder and queue, a projector; long lists by their module."""
    theirs = draw("resnet", seed=1)
    state = take(theirs, FAMILY["ResNet"], "torchvision")
    file = {f"module.encoder_q.{name}": array for name, array in state.items()}
    file |= {f"module.encoder_k.{name}": 2 * array for name, array in state.items()}
    file |= {"module.queue": np.zeros((2, 3)), "module.queue_ptr": np.zeros(1)}
    np.savez(tmp_path / "w.npz", **file)
    loaded, line = load_pretrained(tmp_path / "w.npz", draw("resnet"))
    assert_loaded(loaded, theirs)
    assert "behind 'encoder_q.'" in line
    assert f"ignored: encoder_k ({len(state)} arrays), queue, queue_ptr" in line
    assert main([str(tmp_path / "w.npz")]) == 0
    said = capsys.readouterr().out
    assert "prefix   encoder_q." in said
    assert f"beside   encoder_k ({len(state)} arrays), queue, queue_ptr" in said


def test_an_unknown_array_inside_the_backbone_is_still_refused(draw, tmp_path):
    state = take(draw("resnet", seed=1), FAMILY["ResNet"], "torchvision")
    file = {f"trunk.{name}": array for name, array in state.items()}
    np.savez(tmp_path / "w.npz", **file, **{"trunk.layer1.0.adapter.weight": np.zeros(3)})
    with pytest.raises(WeightsError, match=r"unmatched: layer1\.0\.adapter\.weight"):
        load_pretrained(tmp_path / "w.npz", draw("resnet"))


def mae(draw, *, fine_tuned):
    """A tiny ViT in the layout of MAE's and RETFound's files: pretrained, or fine-tuned."""
    theirs = draw("vit", seed=1)
    state = take(theirs, FAMILY["ViT"], "timm")
    if fine_tuned:
        for leaf in ("weight", "bias"):
            state[f"fc_norm.{leaf}"] = state.pop(f"norm.{leaf}")
        state |= {"head.weight": np.zeros((5, 96)), "head.bias": np.zeros(5)}
        return theirs, state
    state |= {"mask_token": np.zeros((1, 1, 48)), "decoder_pos_embed": np.zeros((1, 17, 48))}
    state |= {f"decoder_embed.{leaf}": np.zeros(48) for leaf in ("weight", "bias")}
    for i in range(2):
        state |= {f"decoder_blocks.{i}.{part}.weight": np.zeros(3) for part in ("norm1", "mlp.fc1")}
        state |= {f"decoder_blocks.{i}.attn.qkv.{leaf}": np.zeros(3) for leaf in ("weight", "bias")}
    state |= {f"decoder_norm.{leaf}": np.zeros(48) for leaf in ("weight", "bias")}
    state |= {f"decoder_pred.{leaf}": np.zeros(768) for leaf in ("weight", "bias")}
    return theirs, state


def test_a_masked_autoencoder_gives_its_encoder(draw, tmp_path):
    theirs, state = mae(draw, fine_tuned=False)
    np.savez(tmp_path / "mae.npz", **state)
    loaded, line = load_pretrained(tmp_path / "mae.npz", draw("vit"))
    assert_loaded(loaded, theirs)
    ignored = re.search("ignored: (.*?);", line)[1]
    assert ignored.startswith("mask_token, decoder_pos_embed, decoder_embed.weight")
    assert "decoder_blocks (8 arrays)" in ignored and "decoder_pred.bias" in ignored
    assert line.endswith("fresh: head")


@pytest.mark.parametrize(
    ("fine_tuned", "fresh"), [(True, "head"), (False, "backbone/pooled_norm, head")]
)
def test_the_norm_of_the_mean_comes_from_fine_tuned_files(
    draw, tmp_path, monkeypatch, fine_tuned, fresh
):
    """A grader on the patches' mean, as `--encoder=retfound` is."""
    monkeypatch.setitem(ENCODERS, "small_mae", vit.encoder(vit.SIZES["vit_mini"], "mean"))
    theirs, state = mae(draw, fine_tuned=fine_tuned)
    np.savez(tmp_path / "mae.npz", **state)
    loaded, line = load_pretrained(tmp_path / "mae.npz", draw("vit", encoder="small_mae"))
    ours = loaded["params"]["backbone"]
    assert line.endswith(f"fresh: {fresh}")
    expected = theirs["params"]["backbone"]["block3"]["expand"]["kernel"]
    np.testing.assert_array_equal(ours["block3"]["expand"]["kernel"], expected)
    if fine_tuned:
        np.testing.assert_array_equal(ours["pooled_norm"]["scale"], state["fc_norm.weight"])
        assert "ignored: head.weight, head.bias" in line
    else:
        assert "norm.weight" in line


def test_a_vit_below_a_decoder_keeps_its_pyramid(draw, tmp_path):
    _, state = mae(draw, fine_tuned=False)
    # 224 / 16 = 14 cells a side: 4 are resized.
    np.savez(tmp_path / "mae.npz", **state)
    shapes = variable_shapes(SegmenterConfig("unet", "tiny", encoder="vit_mini"))
    start = jax.tree.map(lambda s: np.full(s.shape, 7, np.float32), dict(shapes))
    loaded, line = load_pretrained(tmp_path / "mae.npz", start)
    assert "positions resized in 1 arrays" in line and "backbone/pyramid/level4" in line
    assert (loaded["params"]["backbone"]["pyramid"]["level8"]["kernel"] == 7).all()


@pytest.mark.parametrize(
    "nested",
    [
        lambda s: {"model": s, "epoch": 3},
        lambda s: {"state_dict": s, "optimizer": {"state": {0: {"exp_avg": s["fc.weight"]}}}},
        lambda s: {"teacher": {"backbone": s}, "student": {"backbone": s}},
        lambda s: {"checkpoint": {"payload": s}},
        lambda s: {"ema": s, "model": {name: 0 * a for name, a in s.items()}},
        lambda s: {"state_dict": s, "epoch": s["fc.weight"].sum()},
    ],
)
def test_nests(tmp_path, nested):
    torch = pytest.importorskip("torch")
    state = {"fc.weight": torch.ones(2, 3), "fc.bias": torch.ones(2)}
    torch.save(nested(state), tmp_path / "w.pth")
    read = read_state_dict(tmp_path / "w.pth")
    assert {name: array.sum() for name, array in read.items()} == {"fc.weight": 6, "fc.bias": 2}


def test_several_state_dicts_are_told(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save({"netG": {"a": torch.ones(1)}, "netD": {"a": torch.ones(1)}}, tmp_path / "w.pth")
    with pytest.raises(ValueError, match="several state dicts: netG, netD"):
        read_state_dict(tmp_path / "w.pth")


def test_a_whole_module_is_told(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save(torch.nn.Linear(2, 3), tmp_path / "w.pth")
    with pytest.raises(ValueError, match="a whole Linear, not a state dict: save model.state_dict"):
        read_state_dict(tmp_path / "w.pth")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused_by_name(tmp_path, bad, capsys):
    path = tmp_path / "w.npz"
    np.savez(path, a=np.array([1.0, bad]), b=np.ones(2), n=np.arange(3))
    with pytest.raises(ValueError, match=r"w\.npz: 1 arrays hold NaN or infinity: a"):
        read_state_dict(path)
    assert main([str(path)]) == 1
    assert "1 arrays hold NaN or infinity: a" in capsys.readouterr().err


@pytest.mark.parametrize("ending", ["pth", "safetensors", "npz"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\n<!DOCTYPE html><html>Sign in</html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "a Git LFS pointer"),
        (b"\x1f\x8b\x08" + bytes(50), "a gzip archive"),
        (bytes(257) + b"ustar" + bytes(300), "a tar archive"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
        (b"\xff\xd8\xff\xe0", "a JPEG image"),
        (b"\x89HDF\r\n", "an HDF5 file"),
        (b"", "empty"),
    ],
)
def test_what_is_no_weights_file_is_named(tmp_path, ending, content, words):
    path = tmp_path / f"w.{ending}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"w\.{ending}: is {words}"):
        read_state_dict(path)


def test_an_archive_that_pytorch_did_not_write_is_told(tmp_path):
    path = tmp_path / "w.pth"
    with (tmp_path / "w.npz").open("wb") as file:
        np.savez(file, a=np.ones(2))
    path.write_bytes((tmp_path / "w.npz").read_bytes())
    with pytest.raises(ValueError, match="a zip archive that PyTorch did not write"):
        read_state_dict(path)


def test_summary():
    names = ["a.x", *(f"b.{i}" for i in range(5)), "c"]
    assert summary(names) == ["a.x", "b (5 arrays)", "c"]
