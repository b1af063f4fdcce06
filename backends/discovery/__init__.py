"""Which models backends list, and what they tell of them."""
