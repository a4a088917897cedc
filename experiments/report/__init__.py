"""report.html: data of an evaluation in, one page of HTML out, which opens from disk by itself."""
