"""Update rules: pure functions of gradients, state, parameters and hyper-parameters."""
