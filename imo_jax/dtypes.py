"""What the networks may compute in; parameters, norms, softmax and outputs stay float32."""

import jax.numpy as jnp

DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}
