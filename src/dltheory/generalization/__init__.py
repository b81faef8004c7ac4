"""What does fitting tell about knowing?

Networks fit random labels as they fit true ones, so the training error says nothing. Margins, measured in the
network's own scale, tell the two apart where norms alone do not.
"""
