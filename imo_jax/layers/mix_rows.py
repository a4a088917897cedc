"""Weighted sums of rows picked from a table: the memory-bound core of deformable attention.

    out[m] = sum_k weight[m, k] table[index[m, k]]

On CPU the rows are not stored: forward is one fused loop over all k (in which XLA vectorises each
row), backward gathers chunks that stay in cache. On GPU and TPU XLA fuses the gather into the sum,
and into the scatter of the gradient, by itself.
"""

import jax
import jax.numpy as jnp

CHUNK_BYTES = 2**20  # rows gathered at a time in the CPU gradient; flat from 256 KiB to 4 MiB


@jax.custom_vjp
def mix_rows(table: jax.Array, index: jax.Array, weight: jax.Array) -> jax.Array:
    """Weighted sums of table rows, accumulated in float32.

    Args:
      table: (N, D).
      index: (M, K) int32 in 0..N-1; not checked.
      weight: (M, K) float32.

    Returns:
      (M, D) in table's dtype.
    """
    return jax.lax.platform_dependent(table, index, weight, cpu=mix_unrolled, default=mix_gathered)


def _forward(table, index, weight):
    return mix_rows(table, index, weight), (table, index, weight)


def _backward(saved, g):
    table, index, weight = saved
    d_table, d_weight = jax.lax.platform_dependent(
        table, index, weight, g, cpu=gradients_chunked, default=gradients_gathered
    )
    return d_table, None, d_weight


mix_rows.defvjp(_forward, _backward)


def mix_gathered(table: jax.Array, index: jax.Array, weight: jax.Array) -> jax.Array:
    """One gather, one sum."""
    rows = _rows(table, index).astype(jnp.float32)
    return jnp.sum(rows * weight[..., None], axis=1).astype(table.dtype)


def gradients_gathered(
    table: jax.Array, index: jax.Array, weight: jax.Array, g: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Gradients for table and weight: one scatter, one gather."""
    g = g.astype(jnp.float32)
    # (M, K, 1) * (M, 1, D): what each picked row receives.
    d_table = _add_rows(jnp.zeros(table.shape, jnp.float32), index, weight[..., None] * g[:, None])
    rows = _rows(table, index).astype(jnp.float32)
    return d_table.astype(table.dtype), jnp.sum(rows * g[:, None], axis=-1)


def mix_unrolled(table: jax.Array, index: jax.Array, weight: jax.Array) -> jax.Array:
    """One gather for each k, all in one fused loop."""
    table32 = table.astype(jnp.float32)

    def of_chunk(_, chunk: tuple) -> tuple[None, jax.Array]:
        index, weight = chunk
        terms = [_rows(table32, index[:, k]) * weight[:, k, None] for k in range(index.shape[1])]
        return None, sum(terms[1:], start=terms[0]).astype(table.dtype)

    # The loop keeps the fusion together: without it XLA:CPU gives the additions to what comes
    # after (a norm, a matmul) and stores all K gathers, which is five times slower.
    _, out = jax.lax.scan(of_chunk, None, _chunked((index, weight), index.shape[1] * 4))
    return out.reshape(-1, table.shape[1])


def gradients_chunked(
    table: jax.Array, index: jax.Array, weight: jax.Array, g: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Gradients for table and weight, a chunk of M at a time."""
    depth = table.shape[1]
    table32 = table.astype(jnp.float32)

    def of_chunk(d_table: jax.Array, chunk: tuple) -> tuple[jax.Array, jax.Array]:
        index, weight, g = chunk
        # (n, K, D) x (n, D) -> (n, K)
        d_weight = jnp.einsum("nkd,nd->nk", _rows(table32, index), g)
        return _add_rows(d_table, index, weight[..., None] * g[:, None]), d_weight

    chunks = _chunked((index, weight, g.astype(jnp.float32)), index.shape[1] * depth * 4)
    d_table, d_weight = jax.lax.scan(of_chunk, jnp.zeros(table.shape, jnp.float32), chunks)
    return d_table.astype(table.dtype), d_weight.reshape(weight.shape)


def _chunked(arrays: tuple[jax.Array, ...], row_bytes: int) -> tuple[jax.Array, ...]:
    """Arrays (M, ...) as (chunks, M / chunks, ...): at least two chunks, of CHUNK_BYTES or less."""
    m = arrays[0].shape[0]
    fewest = min(m, max(2, -(-m * row_bytes // CHUNK_BYTES)))
    chunks = next(n for n in range(fewest, m + 1) if m % n == 0)
    return tuple(a.reshape(chunks, m // chunks, *a.shape[1:]) for a in arrays)


def _rows(table: jax.Array, index: jax.Array) -> jax.Array:
    """table[index] without the wrapping of negative indices: (..., D)."""
    dimensions = jax.lax.GatherDimensionNumbers(
        offset_dims=(index.ndim,), collapsed_slice_dims=(0,), start_index_map=(0,)
    )
    return jax.lax.gather(
        table, index[..., None], dimensions, (1, table.shape[1]), mode="promise_in_bounds"
    )


def _add_rows(table: jax.Array, index: jax.Array, rows: jax.Array) -> jax.Array:
    """table with rows (..., D) added at index (...)."""
    dimensions = jax.lax.ScatterDimensionNumbers(
        update_window_dims=(index.ndim,),
        inserted_window_dims=(0,),
        scatter_dims_to_operand_dims=(0,),
    )
    return jax.lax.scatter_add(table, index[..., None], rows, dimensions, mode="promise_in_bounds")
