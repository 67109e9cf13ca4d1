"""Models of Hugging Face, stored as the programs that torch makes of them."""
