"""Surrogate visual fields: norm-3 descriptors, nearest neighbours, labels lent by them."""
