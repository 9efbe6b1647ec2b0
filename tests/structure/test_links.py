"""Links between groups, on small networks whose wiring is known."""

import torch

from explorer.structure import analyse
from explorer.structure.links import links
from tests import nets


def found(net):
    structure = analyse(nets.alive(net), torch.randn(1, *nets.INPUT), trial=False)
    return {(link.source, link.target, link.layer) for link in links(structure)}


def test_a_chain_runs_from_the_input_to_the_output():
    assert found(nets.Plain) == {
        (None, "conv1", "conv1"),
        ("conv1", "conv2", "conv2"),
        ("conv2", "fc1", "fc1"),
        ("fc1", None, "fc2"),
    }


def test_a_residual_branch_leaves_its_stream_and_comes_back():
    assert found(nets.Residual) == {
        (None, "stem", "stem"),
        ("stem", "a", "a"),
        ("a", "stem", "b"),
        ("stem", "c", "c"),
        ("c", "d", "d"),
        ("stem", "d", "short"),
        ("d", None, "fc"),
    }


def test_a_layer_that_reads_a_concatenation_has_a_source_per_part():
    assert {("a", "b", "b"), ("a", "c", "c"), ("b", "c", "c")} <= found(nets.Dense)


def test_a_depthwise_convolution_is_no_input_and_a_gate_comes_back():
    pairs = found(nets.Mobile)
    assert [layer for source, _, layer in pairs if source is None] == ["expand"]
    (squeezed,) = (target for _, target, layer in pairs if layer == "squeeze")
    assert (squeezed, "expand", "excite") in pairs


def test_heads_and_their_places_are_read_by_the_same_projection():
    pairs = found(nets.Attention)
    stream = next(target for source, target, layer in pairs if layer == "patch")
    heads = {source for source, target, layer in pairs if layer == "out"}
    assert {target for source, target, layer in pairs if layer == "qkv" and source == stream} == heads
