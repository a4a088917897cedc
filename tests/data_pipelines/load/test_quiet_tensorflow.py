"""TensorFlow as the loaders import it."""

import subprocess
import sys


def test_no_keras_is_imported_with_it_nor_what_that_brings():
    code = (
        "import sys\n"
        "from data_pipelines.load.quiet_tensorflow import import_tensorflow\n"
        "tf, tfds = import_tensorflow()\n"
        "print(*sorted({'keras', 'sklearn'} & sys.modules.keys()), tf.constant(3).numpy())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "3\n", "")
