"""The fraud case: card transactions from generator to published predictions."""
