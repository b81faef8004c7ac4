import torch

from dltheory.models.two_layer_tangent import TwoLayerTangent


def test_the_output_is_zero_at_the_start_and_the_formula_later():
    torch.manual_seed(0)
    model = TwoLayerTangent(2, 8)
    x = torch.randn(5, 2)
    assert (model(x) == 0).all()
    with torch.no_grad():
        model.a += 0.5
        model.w += 0.1
        found = model(x)

        def plain(w, a):
            lifted = torch.cat([x, torch.ones(5, 1)], 1) / 2**0.5
            return (2 / 8) ** 0.5 * torch.relu(lifted @ w.T) @ a

        torch.testing.assert_close(found[:, 0], plain(model.w, model.a) - plain(model.w0, model.a0))


def test_with_the_output_layer_only_the_hidden_one_does_not_matter():
    torch.manual_seed(0)
    model = TwoLayerTangent(2, 8, outer_only=True)
    x = torch.randn(5, 2)
    model(x).sum().backward()
    assert (model.w.grad == 0).all()
    assert (model.a.grad != 0).any()
