"""Below Spark: columns become batches, and a model runs on them."""
