"""How good predictions of fraud are: which rows count, and the measures of them."""
