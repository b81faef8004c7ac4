"""What do layers look like?

At the end of training the features of classes collapse to the corners of a simplex, as a model without inputs
predicts; a convolution's singular values are read off its kernel, up to its border.
"""
