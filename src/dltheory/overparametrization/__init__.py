"""What happens when parameters outnumber data?

The risk of least squares peaks where parameters and examples are equal in number, whatever the features, and falls
again beyond. Noise in the labels and noise of the features peak in two different places. Taken apart, the peak is
variance by noise and by initialisation; bias and the sampling of data stay finite, and averaged predictors have no
peak. In trained networks variance peaks as well, earlier than the count has it; beyond, it is the part over
initialisations that falls.
"""
