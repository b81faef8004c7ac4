"""Which of all solutions does descent find?

Where many solutions fit, the method chooses. On separable data it is the largest margin, in the norm in which steps
are measured and at a speed that the scaling of steps decides; in products of matrices it is low rank, the more so the
deeper the product.
"""
