"""Models: ordinary torch modules, one network each; the engine stacks them."""
