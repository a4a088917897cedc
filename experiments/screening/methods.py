"""The methods of the paper's Table 1 as data: which network, on what, learning from what."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Method:
    """How a volume is judged.

    Attributes:
      title: what the paper's Table 1 calls it.
      network: of imo_jax.models.semt.NETWORKS.
      whole_volumes: the network sees cubes instead of three adjacent B-scans.
      surrogates: visual fields that were not measured are borrowed before training.
    """

    title: str
    network: str
    whole_volumes: bool = False
    surrogates: bool = False


METHODS = {
    "semt": Method("SEMT", "multi_task", surrogates=True),
    "mt": Method("2D-ResNet-MT", "multi_task"),
    "2d": Method("2D-ResNet", "resnet"),
    "3d_resnet": Method("3D-ResNet", "resnet3d", whole_volumes=True),
    "3d_cnn": Method("3D-CNN", "cnn3d", whole_volumes=True),
}

# Which training volumes are used: all, or the part whose visual field was measured.
SUBSETS = ("all", "part")


@dataclass(frozen=True)
class Row:
    """A row of Table 1.

    Attributes:
      subset, method: what is trained, on what.
      paper: the paper's figures, image level and case level: accuracy, F1, AUC each.
    """

    subset: str
    method: str
    paper: tuple[tuple[float, float, float], tuple[float, float, float]]

    @property
    def name(self) -> str:
        """Name of the row's flagfile and folder."""
        return f"{self.subset}_{self.method}"

    @property
    def title(self) -> str:
        return f"{self.subset.capitalize()} {METHODS[self.method].title}"


# Wang et al. 2019, Table 1, in its order.
TABLE_1 = (
    Row("part", "2d", ((0.823, 0.835, 0.960), (0.829, 0.830, 0.955))),
    Row("part", "mt", ((0.878, 0.890, 0.971), (0.882, 0.887, 0.968))),
    Row("all", "3d_cnn", ((0.884, 0.881, 0.962), (0.889, 0.890, 0.959))),
    Row("all", "3d_resnet", ((0.880, 0.878, 0.958), (0.875, 0.874, 0.956))),
    Row("all", "2d", ((0.908, 0.904, 0.968), (0.911, 0.909, 0.964))),
    Row("all", "mt", ((0.915, 0.923, 0.975), (0.912, 0.917, 0.971))),
    Row("all", "semt", ((0.932, 0.932, 0.978), (0.924, 0.924, 0.973))),
)

# What the paper says holds, as names of rows: better, worse.
CLAIMS = (
    ("part_mt", "part_2d"),
    ("all_mt", "all_2d"),
    ("all_semt", "all_mt"),
    ("all_2d", "all_3d_cnn"),
    ("all_2d", "all_3d_resnet"),
)
