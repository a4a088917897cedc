"""Everything that defines an IMO network, and its sizes by name."""

import dataclasses
from dataclasses import field

import jax.numpy as jnp

from imo_jax.backbones import convnext
from imo_jax.backbones.encoder import Encoder
from imo_jax.backbones.table import ENCODERS
from imo_jax.dtypes import DTYPES
from imo_jax.settings.fields import EVALUATE

# Options that are words, with what they choose.
CMFA_KINDS = ("attention", "concat")  # attention of the paper, or concatenation and a 1x1
REFINE_KINDS = ("ddim", "single")  # diffusion decoder, or one pass of the same layers
LABEL_EMBEDDINGS = ("hard", "expected")  # argmax, or the mean embedding under the probabilities
FINE_STRIDES = (4, 2, 1)


@dataclasses.dataclass(frozen=True)
class IMOConfig:
    """Architecture and sampling defaults; the defaults are the paper's network.

    Attributes:
      num_classes: segmentation classes, background included.
      num_grades: grades of the grading head.
      encoder: name of the photograph's encoder (backbones/table.py); None = the released ConvNeXt,
        of backbone_depths and backbone_widths, which other encoders have of their own.
      backbone_depths, backbone_widths: blocks and channels of the released ConvNeXt's four stages.
      drop_path: rate of the encoder's last block, where it has drop-path.
      feature_dim: channels of the fundus, OCT and fused features (the paper's 256).
      norm_groups: groups of the group norms; divides feature_dim.
      use_oct: False leaves out the OCT encoder. The rest of CMFA stays, so the network equals the
        joint one with every OCT missing.
      oct_slices: slices D of the OCT grid.
      oct_blocks: depthwise-separable blocks of the OCT encoder.
      cmfa: "attention" (paper) or "concat" (its ablation: concatenation and a 1x1).
      channel_attention_reduction: of CMFA's channel MLP.
      shared_channel_attention: one channel MLP for both modalities (released) or one each (paper).
      segment, grade: which heads there are; at least one.
      grade_hidden, grade_blocks, se_reduction, grade_dropout: of the grading head.
      refine: "ddim" (diffusion) or "single" (the decoder without noise and time, one pass).
      decoder_layers, decoder_heads, decoder_points, decoder_mlp: of the decoder.
      time_frequencies, time_dim: of the time embedding.
      signal_scale: scale of the label embedding x0 (the released bit_scale).
      label_embedding: how the sampler embeds its prediction.
      sampling_steps, time_difference, start_time: of the sampler, see diffusion/ddim.py.
      auxiliary_head: a plain segmentation head on the fused feature, for deep supervision.
      auxiliary_share: weight of its probabilities in the prediction, beside the decoder's.
      overlapping_stem: 3x3 convolutions by way of stride 2 beside an encoder's patches.
      merged_conv: a 3x3 with norm and ReLU on the merged fundus feature.
      fine_stride: stride at which shapes are decoded: 4 (the decoder's grid), 2 or 1.
      fine_dim: channels of the fine path to that stride.
      grade_gradient: factor of the grading loss's gradient into the fundus feature, 0 = stopped.
      grade_gives_way: of that gradient, what works against the segmentation is taken away.
      grade_shapes: the grading head also sees what the auxiliary head segmented.
      dtype: of the computation; parameters, norms, softmax and outputs stay float32.
    """

    num_classes: int = 3
    num_grades: int = field(default=3, metadata={"flag": False})  # the manifest's
    encoder: str | None = None
    backbone_depths: tuple[int, ...] = (3, 3, 9, 3)
    backbone_widths: tuple[int, ...] = (96, 192, 384, 768)
    drop_path: float = 0.4
    feature_dim: int = 256
    norm_groups: int = 32
    use_oct: bool = True
    oct_slices: int = 128
    oct_blocks: int = 5
    cmfa: str = "attention"
    channel_attention_reduction: int = 16
    shared_channel_attention: bool = True
    segment: bool = True
    grade: bool = True
    grade_hidden: int = 128
    grade_blocks: int = 3
    se_reduction: int = 16
    grade_dropout: float = 0.3
    refine: str = "ddim"
    decoder_layers: int = 3
    decoder_heads: int = 8
    decoder_points: int = 4
    decoder_mlp: int = 1024
    time_frequencies: int = 8
    time_dim: int = 1024
    signal_scale: float = 0.01
    label_embedding: str = field(default="hard", metadata={"changes": (EVALUATE,)})
    sampling_steps: int = field(default=3, metadata={"changes": (EVALUATE,)})
    time_difference: int = field(default=1, metadata={"changes": (EVALUATE,)})
    start_time: float = field(default=1.0, metadata={"changes": (EVALUATE,)})
    auxiliary_head: bool = False
    auxiliary_share: float = field(default=0.0, metadata={"changes": (EVALUATE,)})
    overlapping_stem: bool = False
    merged_conv: bool = False
    fine_stride: int = 4
    fine_dim: int = 64
    grade_gradient: float = 1.0
    grade_gives_way: bool = False
    grade_shapes: bool = False
    dtype: str = "float32"

    def __post_init__(self) -> None:
        """Makes sequences tuples (so that a config hashes) and checks every value.

        Raises:
          ValueError: listing all bad values.
        """
        for name in ("backbone_depths", "backbone_widths"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        problems = _problems(self)
        if problems:
            raise ValueError("IMOConfig: " + "; ".join(problems))

    @property
    def compute_dtype(self) -> jnp.dtype:
        return DTYPES[self.dtype]

    @property
    def backbone(self) -> Encoder:
        """The photograph's encoder."""
        if self.encoder is None:
            return convnext.encoder(self.backbone_depths, self.backbone_widths, "released")
        return ENCODERS[self.encoder]

    @property
    def ignore_index(self) -> int:
        """Row of the embedding table that stands for pixels without a label."""
        return self.num_classes


def _problems(c: IMOConfig) -> list[str]:
    """Everything wrong with the values of a config, in words."""
    found = []

    def require(holds: bool, message: str) -> None:
        if not holds:
            found.append(message)

    for name in _COUNTS:
        value = getattr(c, name)
        require(value >= 1, f"{name} is {value}, must be at least 1")
    for name, choices in _CHOICES.items():
        value = getattr(c, name)
        require(value in choices, f"{name} is {value!r}, choose one of {', '.join(choices)}")
    require(
        c.encoder is None or c.encoder in ENCODERS,
        f"encoder is {c.encoder!r}, choose one of {', '.join(ENCODERS)}",
    )
    for name in ("drop_path", "grade_dropout"):
        value = getattr(c, name)
        require(0 <= value < 1, f"{name} is {value}, must be in [0, 1)")
    for name in ("backbone_depths", "backbone_widths"):
        value = getattr(c, name)
        require(
            len(value) == 4 and min(value, default=0) >= 1,
            f"{name} is {value}, must be four numbers of at least 1",
        )
    require(c.num_classes >= 2, f"num_classes is {c.num_classes}, must be at least 2")
    require(c.signal_scale > 0, f"signal_scale is {c.signal_scale}, must be positive")
    require(c.time_difference >= 0, f"time_difference is {c.time_difference}, must not be negative")
    require(0 < c.start_time <= 1, f"start_time is {c.start_time}, must be in (0, 1]")
    for name in ("auxiliary_share", "grade_gradient"):
        value = getattr(c, name)
        require(0 <= value <= 1, f"{name} is {value}, must be in [0, 1]")
    require(
        c.fine_stride in FINE_STRIDES, f"fine_stride is {c.fine_stride}, choose one of 4, 2, 1"
    )
    if not c.auxiliary_head:
        require(c.auxiliary_share == 0, "auxiliary_share needs auxiliary_head")
        require(not (c.grade and c.grade_shapes), "grade_shapes needs auxiliary_head")
    require(c.segment or c.grade, "segment and grade are both False: nothing is left to predict")
    if not found:
        require(
            not c.overlapping_stem or 2 not in c.backbone.channels,
            f"overlapping_stem: encoder {c.encoder} has one",
        )
        require(
            c.fine_stride == 4 or c.fine_dim % c.norm_groups == 0,
            f"norm_groups {c.norm_groups} does not divide fine_dim {c.fine_dim}",
        )
        for name in ("norm_groups", "decoder_heads"):
            value = getattr(c, name)
            require(
                c.feature_dim % value == 0,
                f"{name} {value} does not divide feature_dim {c.feature_dim}",
            )
        require(c.feature_dim % 2 == 0, f"feature_dim is {c.feature_dim}, must be even")
        for name, width in (
            ("channel_attention_reduction", c.feature_dim),
            ("se_reduction", c.grade_hidden),
        ):
            value = getattr(c, name)
            require(value <= width, f"{name} is {value}, leaves nothing of {width} channels")
    return found


_COUNTS = (
    "num_grades", "feature_dim", "fine_dim", "norm_groups", "oct_slices", "oct_blocks",
    "channel_attention_reduction", "grade_hidden", "grade_blocks", "se_reduction",
    "decoder_layers", "decoder_heads", "decoder_points", "decoder_mlp", "time_frequencies",
    "time_dim", "sampling_steps",
)  # fmt: skip
_CHOICES = {
    "cmfa": CMFA_KINDS,
    "refine": REFINE_KINDS,
    "label_embedding": LABEL_EMBEDDINGS,
    "dtype": tuple(DTYPES),
}


# What a size decides: the architecture, and the drop-path that goes with it. All other settings stay
# as they are when a size is chosen.
OF_SIZE = (
    "encoder", "backbone_depths", "backbone_widths", "drop_path", "feature_dim", "norm_groups", "oct_slices",
    "oct_blocks", "channel_attention_reduction", "grade_hidden", "grade_blocks", "se_reduction",
    "decoder_layers", "decoder_heads", "decoder_points", "decoder_mlp", "time_frequencies",
    "time_dim", "fine_dim",
)  # fmt: skip
SIZES = {
    "tiny": IMOConfig(
        encoder="resnet10_w16",
        backbone_depths=(1, 1, 2, 1),
        backbone_widths=(24, 48, 96, 128),
        drop_path=0.1,
        feature_dim=64,
        norm_groups=8,
        oct_slices=16,
        channel_attention_reduction=8,
        grade_hidden=64,
        decoder_layers=2,
        decoder_heads=4,
        decoder_mlp=128,
        time_dim=128,
        fine_dim=16,
    ),
    "convnext_tiny": IMOConfig(),
}

# name -> the settings that the size decides
SIZE_SETTINGS = {
    name: {setting: getattr(size, setting) for setting in OF_SIZE} for name, size in SIZES.items()
}
