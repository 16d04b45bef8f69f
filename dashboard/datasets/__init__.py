"""What the Datasets page is made of."""
