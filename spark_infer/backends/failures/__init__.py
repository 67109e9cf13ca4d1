"""What errors of models and memory say."""
