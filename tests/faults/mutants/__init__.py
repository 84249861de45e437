"""Twenty and more defects of the product, each switched on from outside, and the proof that the checker finds every one of them.

A checker that never finds anything says nothing. Nothing of this stands in `services/`.
"""
