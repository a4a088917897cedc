"""One page of HTML, which opens from disk by itself, of numbers, pictures and cards."""
